//! `make e2e-ramp`, the files of it: runs that are killed at any moment, edits at the same time, a full disk, a folder
//! that cannot be written, and a person who says something else; and a rollout as a bank runs it.

mod bank;
mod by_git;
mod rollout;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use graylane_tests::random::Random;

use bank::another_day;
use rollout::{FILE, Rollout};

/// Runs that are killed.
const KILLS: usize = 240;
/// Promotions of two files that are killed.
const PROMOTIONS: usize = 60;
/// Pairs of edits at the same time.
const PAIRS: usize = 200;
/// How long a condition may take.
const LIMIT: Duration = Duration::from_secs(60);

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{:?}: {}{}", output.status.code(), text(&output.stdout), text(&output.stderr))
}

async fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let begin = Instant::now();
    while !holds()? {
        ensure!(begin.elapsed() < LIMIT, "{what}: not within {} s", LIMIT.as_secs());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

async fn ended(process: &mut Child) -> Result<Option<i32>> {
    let mut status = None;
    until("the run ends", || {
        status = process.try_wait()?;
        Ok(status.is_some())
    })
    .await?;
    Ok(status.and_then(|status| status.code()))
}

/// A run is killed at random moments, again and again: the file is always whole, no step is left out or undone, and the
/// next run goes on.
async fn killed(program: &Path, random: &mut Random) -> Result<String> {
    let (mut rollout, mut at, mut promoted) = (Rollout::new(program).await?, 0, 0);
    for kill in 0..KILLS {
        let mut process = rollout.run(&[]).spawn()?;
        tokio::time::sleep(Duration::from_millis(random.below(260))).await;
        process.kill()?;
        process.wait()?;
        let context = || format!("kill {kill}, at step {at}");
        let now = rollout.place().with_context(context)?;
        ensure!(now >= at, "{}: it went back to step {now}", context());
        rollout.log().with_context(context)?;
        rollout.tidy().with_context(context)?;
        at = now;
        if at == 6 {
            (rollout, at, promoted) = (Rollout::new(program).await?, 0, promoted + 1);
        }
    }
    let code = ended(&mut rollout.run(&[]).spawn()?).await?;
    ensure!(code == Some(0) && rollout.place()? == 6, "the last run ends with {code:?}");
    let events: Vec<String> = rollout
        .log()?
        .iter()
        .filter(|record| record["event"] == "advance")
        .map(|record| record["to"].to_string())
        .collect();
    ensure!(events.windows(2).all(|two| two[0] != two[1]), "a step is announced twice: {events:?}");
    Ok(format!("{KILLS} runs killed, {} promoted", promoted + 1))
}

/// A promotion that changes two files is killed: both are changed, or none.
async fn promoted(program: &Path, random: &mut Random) -> Result<String> {
    let mut done = 0;
    for kill in 0..PROMOTIONS {
        let folder = tempfile::tempdir()?;
        let base = FILE.replace("{canary: 0} # ours", "{canary: 1} # ours");
        let over = "services: {api: {rollout: {weights: {canary: 100}}}}\n";
        let files = [("base", base.as_str()), ("prod", over)].map(|(name, text)| {
            let path = folder.path().join(name).join("graylane.yaml");
            (path, text)
        });
        for (path, text) in &files {
            std::fs::create_dir_all(path.parent().context("a folder")?)?;
            std::fs::write(path, text)?;
        }
        let ramp = |what: &[&str]| {
            let mut command = Command::new(program);
            command.arg("ramp").args(what).stdout(Stdio::null()).stderr(Stdio::null());
            files.iter().for_each(|(path, _)| {
                command.arg("-f").arg(path);
            });
            command
        };
        let mut process = ramp(&["promote", "api"]).spawn()?;
        tokio::time::sleep(Duration::from_millis(random.below(90))).await;
        process.kill()?;
        process.wait()?;
        // The next process finishes it; this one is done.
        ramp(&["next", "other"]).status()?;
        let changed = files.iter().map(|(path, text)| Ok(std::fs::read_to_string(path)? != *text));
        let changed = changed.collect::<Result<Vec<bool>>>()?;
        ensure!(changed[0] == changed[1], "kill {kill}: of base and prod these are changed: {changed:?}");
        done += usize::from(changed[0]);
    }
    Ok(format!("{PROMOTIONS} promotions of two files killed, {done} of them done"))
}

/// Two edits at the same time: both are in the file.
async fn pairs(program: &Path) -> Result<String> {
    let rollout = Rollout::new(program).await?;
    for pair in 0..PAIRS {
        std::fs::write(rollout.file(), FILE)?;
        let edits = [["set", "api", "1"], ["set", "other", "7"]].map(|edit| rollout.ramp(&edit).spawn());
        for edit in edits {
            let output = edit?.wait_with_output()?;
            ensure!(output.status.success(), "pair {pair}: {}", said(&output));
        }
        let text = rollout.text()?;
        ensure!(text.contains("canary: 1} # ours") && text.contains("canary: 7}"), "pair {pair}:\n{text}");
    }
    rollout.tidy()?;
    Ok(format!("{PAIRS} pairs"))
}

/// A file system that ends with this.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn new(folder: &'a Path, options: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // Where it does not work the folder's removal says so.
        let _ = Command::new("umount").arg(self.0).status();
    }
}

/// A full disk, and one that cannot be written: nothing is changed, it is said why, and afterwards all goes on.
async fn disks(program: &Path) -> Result<String> {
    let rollout = Rollout::new(program).await?;
    let Some(mounted) = Mounted::new(rollout.folder.path(), "size=64k") else {
        return Ok("a full disk and a read-only folder: skipped, mounting is not allowed here".to_owned());
    };
    std::fs::write(rollout.file(), FILE)?;
    let filler = rollout.folder.path().join("filler");
    let full = || {
        // As much as there is room for: it ends with an error.
        let _ = std::fs::write(&filler, vec![0; 1 << 20]);
    };
    full();
    for edit in [&["set", "api", "1"][..], &["abort", "other"]] {
        let output = rollout.ramp(edit).output()?;
        ensure!(output.status.code() == Some(2) && rollout.text()? == FILE, "full: {}", said(&output));
    }
    let code = rollout.run(&["--once"]).status()?.code();
    ensure!(code == Some(2) && rollout.text()? == FILE, "a run on a full disk ends with {code:?}");
    std::fs::remove_file(&filler)?;
    let output = rollout.ramp(&["set", "api", "1"]).output()?;
    ensure!(output.status.success() && rollout.place()? == 1, "with room again: {}", said(&output));
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(rollout.folder.path()).status()?;
    ensure!(remounted.success(), "cannot be made read-only");
    let before = rollout.text()?;
    for (edit, code) in [(&["set", "api", "5"][..], 2), (&["abort", "api"], 2), (&["status", "api"], 0)] {
        let output = rollout.ramp(edit).output()?;
        ensure!(
            output.status.code() == Some(code) && rollout.text()? == before,
            "read-only, {edit:?}: {}",
            said(&output)
        );
    }
    drop(mounted);
    Ok("a full disk, a read-only folder".to_owned())
}

/// A person says something else while a run goes: that stands, until a person lets it go on.
async fn stands(program: &Path) -> Result<String> {
    for what in ["abort", "set", "by hand"] {
        let rollout = Rollout::new(program).await?;
        let mut process = rollout.run(&[]).spawn()?;
        until("the second step", || Ok(rollout.place()? == 2)).await?;
        let want = match what {
            "abort" => {
                ensure!(rollout.ramp(&["abort", "api"]).status()?.success(), "the abort fails");
                0
            }
            "set" => {
                ensure!(rollout.ramp(&["set", "api", "25"]).status()?.success(), "the edit fails");
                3
            }
            _ => {
                rollout.save(&rollout.text()?.replace("{canary: 5} #", "{canary: 50} #"))?;
                4
            }
        };
        let code = ended(&mut process).await?;
        ensure!(code == Some(1) && rollout.place()? == want, "{what}: it ends with {code:?}");
        let mut again = rollout.run(&["--once"]);
        let output = again.stdout(Stdio::piped()).output()?;
        ensure!(
            output.status.code() == Some(1)
                && rollout.place()? == want
                && said(&output).contains("graylane ramp run api --resume"),
            "{what}, again: {}",
            said(&output)
        );
        let code = ended(&mut rollout.run(&["--resume"]).spawn()?).await?;
        ensure!(code == Some(0) && rollout.place()? == 6, "{what}: --resume ends with {code:?}");
    }
    Ok("an abort, a set and an edit by hand stand".to_owned())
}

/// A command that hangs is ended with its children when the run is killed.
async fn orphans(program: &Path) -> Result<String> {
    let rollout = Rollout::new(program).await?;
    let pid = rollout.folder.path().join(".pid");
    let command = format!("sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait", pid.display());
    let mut process = rollout.run(&["--apply", &command, "--image", "r.example/x:1", "--no-pin"]).spawn()?;
    until("the command starts", || Ok(pid.is_file())).await?;
    process.kill()?;
    process.wait()?;
    let stat = format!("/proc/{}/stat", std::fs::read_to_string(&pid)?.trim());
    until("its child ends", || {
        let stat = std::fs::read_to_string(&stat).unwrap_or_default();
        Ok(stat.is_empty() || stat.contains(") Z "))
    })
    .await?;
    Ok("a command ends with its run".to_owned())
}

async fn all(program: &Path) -> Result<()> {
    let mut random = Random(18);
    let begin = Instant::now();
    let done =
        |what: String| println!("{what}: as it should be, after {:.0} s", begin.elapsed().as_secs_f64());
    done(stands(program).await.context("a person's word")?);
    done(orphans(program).await.context("--apply")?);
    done(bank::waits(program).await.context("a pause, a window and a hook")?);
    done(bank::no_return(program).await.context("the point of no return")?);
    done(by_git::promoted(program, &mut Random(24)).await.context("the bank's rollout by Git")?);
    done(disks(program).await.context("disks")?);
    done(pairs(program).await.context("pairs")?);
    done(promoted(program, &mut random).await.context("promotions")?);
    done(killed(program, &mut random).await.context("kills")?);
    Ok(())
}

fn main() -> Result<()> {
    let Some(program) = std::env::args().nth(1) else { bail!("usage: e2e-ramp-files GRAYLANE") };
    let program = std::fs::canonicalize(program)?;
    tokio::runtime::Runtime::new()?.block_on(all(&program))
}
