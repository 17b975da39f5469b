//! A rollout as a bank runs it: a pause and a stranger, a window that is closed and then opened, a hook that hangs, and a
//! canary that is worse past its point of no return.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;

use super::rollout::{FILE, Rollout};
use super::{ended, said, until};

/// A window of no day that there will be in the next weeks: at 00:00 for a minute, far away from now at the time of the test.
const CLOSED: &str = "windows: [{days: [DAY], from: \"00:00\", to: \"00:01\", zone: UTC}]";
const OPEN: &str =
    "windows: [{days: [mon, tue, wed, thu, fri, sat, sun], from: \"00:00\", to: \"24:00\", zone: UTC}]";
const STEPS: &str = "      steps: [1, 5, 25, 50, 100]\n";

/// The file with more in its rollout.
fn file(steps: &str, more: &str) -> String {
    FILE.replace(STEPS, &format!("      steps: {steps}\n      {more}\n"))
}

/// The day of the week that is three days from now, so that no test runs into it.
pub fn another_day() -> Result<String> {
    let output = Command::new("date").args(["-u", "-d", "3 days", "+%a"]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_lowercase())
}

fn events(log: &[Json], event: &str) -> usize {
    log.iter().filter(|record| record["event"] == event).count()
}

fn weight(rollout: &Rollout<'_>) -> Result<String> {
    let text = rollout.text()?;
    let line = text.lines().find(|line| line.contains("# ours")).context("no weight")?;
    Ok(line.trim().to_owned())
}

/// It waits for a person, a window and a hook, one after the other, and goes on when each is there.
pub async fn waits(program: &Path) -> Result<String> {
    let closed = CLOSED.replace("DAY", &another_day()?);
    let more = |window: &str| {
        file(
            "[1, {pause: approve}, 5, 100]",
            &format!(
                "approvers: [ada]\n      {window}\n      hooks: {{before: {{5: \"test -e fine || sleep 600\"}}, timeout: 1s}}"
            ),
        )
    };
    let rollout = Rollout::with(program, &more(OPEN)).await?;
    let mut command = rollout.run(&[]);
    command.current_dir(rollout.folder.path());
    let mut process = command.spawn()?;
    let at = |want: &'static str| {
        let rollout = &rollout;
        move || Ok(weight(rollout)?.contains(want))
    };
    until("the first step", at("{canary: 1}")).await?;
    // A stranger is refused, and one who writes into the log directly does not count.
    let output = rollout.ramp(&["approve", "api", "--by", "eve"]).output()?;
    ensure!(
        output.status.code() == Some(1) && said(&output).contains("those who may are ada"),
        "{}",
        said(&output)
    );
    let forged = serde_json::json!({
        "time": "x", "at": 1, "service": "api", "canary": "canary", "weight": 1.0, "event": "approve", "by": "person",
        "revision": "", "step": "5", "salt": "api.shop.svc.cluster.local", "approval": {"name": "eve"},
    });
    let log = rollout.folder.path().join("graylane-ramp-api.jsonl");
    let append = std::fs::OpenOptions::new().append(true).open(&log)?;
    std::io::Write::write_all(&mut &append, format!("{forged}\n").as_bytes())?;
    let looks = events(&rollout.log()?, "look");
    until("it looks again", || Ok(events(&rollout.log()?, "look") > looks + 20)).await?;
    ensure!(weight(&rollout)?.contains("{canary: 1}"), "a stranger let it go on: {}", weight(&rollout)?);
    // The window closes, then one who may approves: it still waits.
    rollout.save(&rollout.text()?.replace(OPEN, &closed))?;
    let output = rollout.ramp(&["approve", "api", "--by", "ada", "--ticket", "CHG-1"]).output()?;
    ensure!(output.status.success(), "{}", said(&output));
    let looks = events(&rollout.log()?, "look");
    until("it looks again", || Ok(events(&rollout.log()?, "look") > looks + 20)).await?;
    ensure!(
        weight(&rollout)?.contains("{canary: 1}") && events(&rollout.log()?, "hook") == 0,
        "it did not wait for its window: {}",
        weight(&rollout)?
    );
    // It opens: the hook hangs, is ended, and is run again.
    rollout.save(&rollout.text()?.replace(&closed, OPEN))?;
    until("a hook hangs twice", || Ok(events(&rollout.log()?, "hook") >= 2)).await?;
    let records = rollout.log()?;
    let hooks: Vec<&Json> = records.iter().filter(|record| record["event"] == "hook").collect();
    ensure!(hooks.iter().all(|hook| hook["hook"]["exit"].is_null()), "{hooks:?}");
    ensure!(weight(&rollout)?.contains("{canary: 1}"), "it did not wait for its hook: {}", weight(&rollout)?);
    std::fs::write(rollout.folder.path().join("fine"), "")?;
    let code = ended(&mut process).await?;
    ensure!(code == Some(0) && rollout.text()?.contains("baseline: canary"), "it ends with {code:?}");
    let records = rollout.log()?;
    let succeeded = records.iter().filter(|record| record["hook"]["exit"] == 0).count();
    ensure!(succeeded == 1, "the hook succeeded {succeeded} times");
    Ok("a stranger, a closed window and a hook that hangs held it".to_owned())
}

/// Worse past its point of no return, it holds, whatever is started again; a person goes back.
pub async fn no_return(program: &Path) -> Result<String> {
    let rollout = Rollout::with(program, &file("[1, 25, 100]", "noReturn: 25")).await?;
    let mut process = rollout.run(&["--hold", "3s"]).spawn()?;
    until("the second step", || Ok(weight(&rollout)?.contains("{canary: 25}"))).await?;
    std::fs::write(rollout.folder.path().join("bad"), "")?;
    let code = ended(&mut process).await?;
    ensure!(code == Some(3), "it ends with {code:?}");
    for arguments in [&["--once"][..], &[]] {
        let output = rollout.run(arguments).stderr(Stdio::piped()).stdout(Stdio::piped()).output()?;
        ensure!(
            output.status.code() == Some(3) && said(&output).contains("--past-no-return"),
            "again: {}",
            said(&output)
        );
    }
    ensure!(weight(&rollout)?.contains("{canary: 25}"), "it went back: {}", weight(&rollout)?);
    let records = rollout.log()?;
    ensure!(
        events(&records, "held") == 1 && events(&records, "noReturn") == 1 && events(&records, "abort") == 0,
        "{records:?}"
    );
    for edit in [&["abort", "api"][..], &["set", "api", "1"]] {
        let output = rollout.ramp(edit).output()?;
        ensure!(output.status.code() == Some(2) && said(&output).contains("noReturn"), "{}", said(&output));
    }
    ensure!(rollout.ramp(&["abort", "api", "--past-no-return"]).status()?.success(), "the abort fails");
    ensure!(weight(&rollout)?.contains("{canary: 0}"), "{}", weight(&rollout)?);
    Ok("worse past its point of no return, it holds".to_owned())
}
