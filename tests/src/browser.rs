//! A real Chromium (Debian's package `chromium`), driven over its DevTools protocol: messages of JSON with a zero behind each, through
//! two pipes, so that there is no port.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// How long an answer may take, and a condition until it is true.
const LIMIT: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// One page in a browser of its own. Dropping it kills the browser.
pub struct Browser {
    child: Child,
    to: File,
    from: Receiver<Json>,
    session: String,
    last: u64,
    /// What the page complained about.
    problems: Vec<String>,
    /// What it asked for.
    requests: Vec<String>,
    _folder: TempDir,
}

impl Browser {
    /// Starts it with an empty page.
    ///
    /// # Errors
    /// When there is no Chromium, or it does not answer.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let pipe = |name: &str| folder.path().join(name);
        let (into, out) = (pipe("in"), pipe("out"));
        let made = Command::new("mkfifo").args([&into, &out]).status().context("cannot start mkfifo")?;
        ensure!(made.success(), "mkfifo: {made}");
        // Chromium reads from 3 and writes to 4.
        let child = Command::new("sh")
            .args(["-c", "into=$1 out=$2; shift 2; exec chromium \"$@\" 3<\"$into\" 4>\"$out\"", "sh"])
            .args([&into, &out])
            .args([
                "--headless",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
            ])
            .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
            .args(["--disable-sync", "--hide-scrollbars", "--force-device-scale-factor=1"])
            .arg(format!("--user-data-dir={}", pipe("profile").display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start sh")?;
        let to = File::options().write(true).open(into)?;
        let reader = BufReader::new(File::open(out)?);
        let (sender, from) = channel();
        std::thread::spawn(move || {
            for message in reader.split(0).map_while(std::result::Result::ok) {
                let message = serde_json::from_slice(&message).unwrap_or_default();
                // Nobody listens any more: the browser is going away.
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Self {
            child,
            to,
            from,
            session: String::new(),
            last: 0,
            problems: Vec::new(),
            requests: Vec::new(),
            _folder: folder,
        };
        let target = browser.send("Target.createTarget", &json!({"url": "about:blank"}))?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.send("Target.attachToTarget", &attach)?;
        browser.session = attached["sessionId"].as_str().context("no session")?.to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.send(&format!("{domain}.enable"), &json!({}))?;
        }
        Ok(browser)
    }

    /// Sends a command, and waits for its answer.
    ///
    /// # Errors
    /// When there is none, or it is an error.
    pub fn send(&mut self, method: &str, params: &Json) -> Result<Json> {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).context("chromium is gone; is it installed?")?;
        let until = Instant::now() + LIMIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut answer =
                self.from.recv_timeout(left).with_context(|| format!("no answer to {method}"))?;
            if answer["id"] == self.last {
                ensure!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return Ok(answer["result"].take());
            }
            self.note(&answer);
        }
    }

    /// Keeps what an event says, if it is one to know about.
    fn note(&mut self, event: &Json) {
        let params = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => self.problems.push(params["exceptionDetails"].to_string()),
            "Runtime.consoleAPICalled" => self.problems.push(format!("console: {}", params["args"])),
            "Log.entryAdded" => self.problems.push(params["entry"].to_string()),
            "Network.requestWillBeSent" => {
                self.requests.push(params["request"]["url"].as_str().unwrap_or_default().to_owned());
            }
            _ => {}
        }
    }

    /// Goes to an address, and waits until an expression is true there.
    ///
    /// # Errors
    /// When the page cannot be loaded, or that never happens.
    pub fn open(&mut self, url: &str, ready: &str) -> Result<()> {
        // Another fragment alone would not load it again.
        self.send("Page.navigate", &json!({"url": "about:blank"}))?;
        let answer = self.send("Page.navigate", &json!({"url": url}))?;
        ensure!(answer["errorText"].is_null(), "{url}: {}", answer["errorText"]);
        self.wait(ready)
    }

    /// The value of an expression; of a promise, what comes of it.
    ///
    /// # Errors
    /// When it throws.
    pub fn evaluate(&mut self, expression: &str) -> Result<Json> {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut answer = self.send("Runtime.evaluate", &params)?;
        ensure!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        Ok(answer["result"]["value"].take())
    }

    /// The same as text.
    ///
    /// # Errors
    /// When it throws, or is not text.
    pub fn text(&mut self, expression: &str) -> Result<String> {
        let value = self.evaluate(expression)?;
        Ok(value.as_str().with_context(|| format!("{expression} is {value}"))?.to_owned())
    }

    /// Waits until an expression is true.
    ///
    /// # Errors
    /// When it does not become so.
    pub fn wait(&mut self, expression: &str) -> Result<()> {
        let until = Instant::now() + LIMIT;
        // While a page is loaded, there may be nothing to ask.
        while !self.evaluate(expression).is_ok_and(|value| value == json!(true)) {
            if Instant::now() > until {
                bail!("never true: {expression}; problems: {:?}", self.problems);
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Presses a key, as `Tab` or `ArrowRight`.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn press(&mut self, key: &str) -> Result<()> {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            " " => 32,
            "End" => 35,
            "Home" => 36,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => bail!("unknown key {key}"),
        };
        let text = if key == "Enter" { "\r" } else { key };
        let mut down = json!({"type": "rawKeyDown", "key": key, "code": key, "windowsVirtualKeyCode": code});
        if key == "Enter" || key == " " {
            down["type"] = json!("keyDown");
            down["text"] = json!(text);
        }
        self.send("Input.dispatchKeyEvent", &down)?;
        let up = json!({"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code});
        self.send("Input.dispatchKeyEvent", &up)?;
        Ok(())
    }

    /// Types a text where the focus is.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn insert(&mut self, text: &str) -> Result<()> {
        self.send("Input.insertText", &json!({"text": text})).map(|_| ())
    }

    /// The size of the window, and whether its user prefers dark colours.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn window(&mut self, (width, height): (u32, u32), dark: bool) -> Result<()> {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.send("Emulation.setDeviceMetricsOverride", &size)?;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.send("Emulation.setEmulatedMedia", &json!({"features": features}))?;
        Ok(())
    }

    /// Takes away its network.
    ///
    /// # Errors
    /// When the browser does not answer.
    pub fn go_offline(&mut self) -> Result<()> {
        let none = json!({"offline": true, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.send("Network.emulateNetworkConditions", &none).map(|_| ())
    }

    /// Writes what the window shows as PNG, or a part of it: left, top, width and height.
    ///
    /// # Errors
    /// When there is no picture.
    pub fn screenshot(&mut self, path: &Path, part: Option<[f64; 4]>) -> Result<()> {
        let mut params = json!({"format": "png"});
        if let Some([x, y, width, height]) = part {
            params["clip"] = json!({"x": x, "y": y, "width": width, "height": height, "scale": 1});
        }
        let answer = self.send("Page.captureScreenshot", &params)?;
        let bytes = STANDARD.decode(answer["data"].as_str().context("no picture")?)?;
        std::fs::write(path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// What the page complained about, and what it asked for, since the last time.
    pub fn seen(&mut self) -> (Vec<String>, Vec<String>) {
        (std::mem::take(&mut self.problems), std::mem::take(&mut self.requests))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its own processes if it is asked, and they end themselves if it is killed.
        self.session.clear();
        if self.send("Browser.close", &json!({})).is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
