//! `make e2e-playground`: the playground in a real Chromium, compared with what the command line says of the same file.
//!
//! `e2e-playground GRAYLANE` tests; `e2e-playground GRAYLANE --pictures DIR REPORT` makes the pictures of the documentation.

mod file;
mod keyboard;
mod pictures;
mod request;
mod resources;
mod weights;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use graylane_tests::browser::Browser;
use serde_json::Value as Json;
use tempfile::TempDir;

/// The bank, under the name that the page and the command line call it.
const FILE: &str = "examples/bank/graylane.yaml";
const READY: &str = "document.body?.dataset.ready === 'true'";

/// The page in a browser, and the command line to compare it with.
struct Try {
    browser: Browser,
    program: PathBuf,
    /// The page as a file, offline.
    page: String,
    folder: TempDir,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let program = Path::new(arguments.first().context("pass the path of graylane")?).canonicalize()?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("page.html");
    let status = Command::new(&program).args(["playground", "-f", FILE, "--output"]).arg(&path).status()?;
    ensure!(status.success(), "playground --output: {status}");
    let page = format!("file://{}", path.display());
    let mut test = Try { browser: Browser::start()?, program, page, folder };
    if let [_, flag, to, report] = &arguments[..] {
        ensure!(flag == "--pictures", "unknown {flag}");
        return pictures::make(&mut test, Path::new(to), &Path::new(report).canonicalize()?);
    }
    test.served()?;
    test.browser.go_offline()?;
    for (name, part) in [
        ("file", file::test as fn(&mut Try) -> Result<()>),
        ("request", request::test),
        ("weights", weights::test),
        ("resources", resources::test),
        ("keyboard", keyboard::test),
    ] {
        test.open()?;
        part(&mut test).with_context(|| name.to_owned())?;
        test.quiet().with_context(|| name.to_owned())?;
        println!("playground: {name}");
    }
    Ok(())
}

impl Try {
    /// Loads the page from its file.
    fn open(&mut self) -> Result<()> {
        let page = self.page.clone();
        self.browser.open(&page, READY)
    }

    /// The page complained about nothing, and asked for itself alone: neither a script nor a picture came from anywhere.
    fn quiet(&mut self) -> Result<()> {
        let (problems, requests) = self.browser.seen();
        ensure!(problems.is_empty(), "the page complains: {problems:?}");
        let of_page = |url: &&String| url.starts_with("file:///") || url.starts_with("data:,");
        let others: Vec<&String> =
            requests.iter().filter(|url| !of_page(url) && *url != "about:blank").collect();
        ensure!(others.is_empty(), "the page asks for {others:?}");
        Ok(())
    }

    /// What graylane prints as JSON, in the folder of the page, or the checkout's.
    fn json(&self, folder: &Path, line: &str) -> Result<Json> {
        Ok(serde_json::from_str(&self.run(folder, &format!("{line} --output json"))?)?)
    }

    /// What a line for a shell prints, as it stands in the page.
    fn run(&self, folder: &Path, line: &str) -> Result<String> {
        let rest = line.strip_prefix("graylane ").with_context(|| format!("not a command: {line}"))?;
        let line = format!("\"$0\" {rest}");
        let output =
            Command::new("sh").args(["-c", &line]).arg(&self.program).current_dir(folder).output()?;
        ensure!(output.status.success(), "{rest}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The file as the page has it now, where commands read it.
    fn save(&mut self) -> Result<PathBuf> {
        let text = self.browser.text("document.getElementById('text').value")?;
        let path = self.folder.path().join(FILE);
        std::fs::create_dir_all(path.parent().context("a folder")?)?;
        std::fs::write(path, text)?;
        Ok(self.folder.path().to_owned())
    }

    /// Writes over a part of the file, as somebody who types.
    fn replace(&mut self, old: &str, new: &str) -> Result<()> {
        let select = format!(
            "(() => {{ const text = document.getElementById('text'); const at = text.value.indexOf({old:?});
              text.focus(); text.setSelectionRange(at, at + {}); return at >= 0; }})()",
            old.len()
        );
        ensure!(self.browser.evaluate(&select)? == true, "the file has no {old}");
        self.browser.insert(new)
    }

    /// The server gives the same page, to its own name only, and ends when it is asked to.
    fn served(&mut self) -> Result<()> {
        let mut server = Server::start(&self.program)?;
        let url = server.url.clone();
        self.browser.open(&url, READY)?;
        let (problems, requests) = self.browser.seen();
        ensure!(problems.is_empty(), "the page complains: {problems:?}");
        let others: Vec<&String> =
            requests.iter().filter(|one| **one != url && *one != "data:," && *one != "about:blank").collect();
        ensure!(others.is_empty(), "the page asks for {others:?}");
        let shown = self.browser.text("document.getElementById('text').value")?;
        ensure!(shown == std::fs::read_to_string(FILE)?, "the server shows another file");
        // Not even its own server could be asked for more.
        let refused = self.browser.text(
            "new Promise((done) => { addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));
               fetch('/more').catch(() => {}); setTimeout(() => done('nothing'), 5000); })",
        )?;
        ensure!(refused == "connect-src", "refused: {refused}");
        self.browser.seen();
        let kill = Command::new("kill").arg("-INT").arg(server.child.id().to_string()).status()?;
        ensure!(kill.success() && server.child.wait()?.success(), "ctrl-C does not end the server well");
        println!("playground: served at {url}");
        Ok(())
    }
}

/// `graylane playground`.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(program: &Path) -> Result<Self> {
        let mut child = Command::new(program)
            .args(["playground", "-f", FILE])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut url = String::new();
        let stdout = child.stdout.take().context("its stdout")?;
        BufReader::new(stdout).read_line(&mut url)?;
        Ok(Self { child, url: url.trim().to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
