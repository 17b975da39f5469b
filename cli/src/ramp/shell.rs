//! A command of the shell: shown as it goes, and ended with everything that it started when its time is over, or ours.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

use crate::plain;
use crate::process::Group;

/// Longest line of a command that is shown in one piece, in bytes.
const LINE: u64 = 8192;
/// How many of its last lines are kept, and how many characters of each.
const KEPT: (usize, usize) = (5, 200);

/// A command, and what it is given.
pub struct Shell<'a> {
    /// The command.
    pub command: &'a str,
    /// What it is for, before each line that is shown.
    pub name: &'a str,
    /// Its standard input.
    pub input: &'a str,
    /// Variables in addition to ours.
    pub env: &'a [(&'static str, String)],
    /// The folder that it runs in; none: that of this process.
    pub folder: Option<&'a Path>,
    /// How long it may take.
    pub limit: Duration,
    /// Told of each line that it says, and of what becomes of it.
    pub say: &'a dyn Fn(&str),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself.
    With(ExitStatus),
    /// It took too long, and was killed.
    Late,
    /// This program was told to end.
    Signal(&'static str),
}

/// A command that ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How.
    pub ended: Ended,
    /// After so long.
    pub took: Duration,
    /// The end of what it said.
    pub lines: Vec<String>,
}

impl Shell<'_> {
    /// Runs it.
    ///
    /// # Errors
    /// When no shell can be started.
    pub async fn run(&self) -> Result<Finished> {
        let mut shell = Command::new("sh");
        shell.args(["-c", self.command]).process_group(0).kill_on_drop(true);
        if let Some(folder) = self.folder {
            shell.current_dir(folder);
        }
        shell.envs(self.env.iter().map(|(name, value)| (name, value)));
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let begin = Instant::now();
        let mut child = shell.spawn().context("cannot start a shell")?;
        let group = Group::of(child.id().context("the command has ended already")?)?;
        (self.say)(&format!("{}: `{}`, for at most {} s", self.name, self.command, self.limit.as_secs()));
        let (input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let Some(mut input) = input {
                // A command that does not read all of it has a reason; its exit code counts.
                let _ = input.write_all(self.input.as_bytes()).await;
            }
        };
        let kept = RefCell::new(VecDeque::new());
        // Its output goes to stderr; stdout is for verdicts.
        let talk = async { tokio::join!(write, self.show(out, &kept), self.show(err, &kept)) };
        let work = async {
            let status = child.wait().await;
            // Something that it left behind may still hold its output.
            drop(group);
            status
        };
        let all = async { tokio::join!(work, talk).0 };
        let ended = tokio::select! {
            ended = tokio::time::timeout(self.limit, all) => match ended {
                Ok(status) => Ended::With(status?),
                Err(_) => Ended::Late,
            },
            signal = asked_to_end() => Ended::Signal(signal),
        };
        Ok(Finished { ended, took: begin.elapsed(), lines: kept.take().into() })
    }

    async fn show(&self, output: Option<impl AsyncRead + Unpin>, kept: &RefCell<VecDeque<String>>) {
        let Some(output) = output else { return };
        let mut lines = BufReader::new(output);
        loop {
            let mut line = Vec::new();
            match (&mut lines).take(LINE).read_until(b'\n', &mut line).await {
                Ok(read) if read > 0 => {
                    let text = String::from_utf8_lossy(&line);
                    let text = plain::line(text.trim_end());
                    (self.say)(&format!("{}: {text}", self.name));
                    let mut kept = kept.borrow_mut();
                    kept.push_back(text.chars().take(KEPT.1).collect());
                    if kept.len() > KEPT.0 {
                        kept.pop_front();
                    }
                }
                _ => return,
            }
        }
    }
}

/// Waits for SIGINT or SIGTERM.
pub async fn asked_to_end() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}
