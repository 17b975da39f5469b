//! Programs of others, `git` and `kubectl`: ended, with all that they started, when their time is over.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

/// How often one looks whether a program has ended. Most end within milliseconds.
const LOOK: Duration = Duration::from_millis(3);

/// What a program said.
#[derive(Debug)]
pub struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// Its stdout.
    pub out: Vec<u8>,
    /// Its stderr.
    pub err: String,
}

impl Said {
    /// What it wrote to stderr, in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let lines = self.err.lines().map(str::trim).filter(|line| !line.is_empty());
        let said = lines.collect::<Vec<_>>().join("; ");
        if said.is_empty() { "it failed without a word".to_owned() } else { said }
    }
}

/// Runs a program in a process group of its own. Its output goes to files, so that what it leaves behind in the background
/// cannot keep us waiting.
///
/// # Errors
/// When it is not there, or does not end within the limit.
pub fn run(command: &mut Command, input: &[u8], limit: Duration) -> Result<Said> {
    let name = command.get_program().to_owned();
    let temporary = || tempfile::tempfile().context("cannot write a temporary file");
    let (mut out, mut err, mut into) = (temporary()?, temporary()?, temporary()?);
    into.write_all(input)?;
    into.rewind()?;
    command.process_group(0).stdin(into).stdout(out.try_clone()?).stderr(err.try_clone()?);
    let mut child = match command.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("the command `{}` is not there", name.display())
        }
        child => child.with_context(|| format!("cannot run {}", name.display()))?,
    };
    let group = Group::of(child.id())?;
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() < deadline => std::thread::sleep(LOOK),
            None => {
                drop(group);
                child.wait()?;
                bail!("{} did not end within {} s and was killed", shown(command), limit.as_secs());
            }
        }
    };
    drop(group);
    let (mut bytes, mut said) = (Vec::new(), Vec::new());
    out.rewind()?;
    out.read_to_end(&mut bytes)?;
    err.rewind()?;
    err.read_to_end(&mut said)?;
    Ok(Said { status, out: bytes, err: String::from_utf8_lossy(&said).into_owned() })
}

/// The program and the first words that are not options, as in `git fetch`.
fn shown(command: &Command) -> String {
    let words = ["fetch", "push", "clone", "commit", "apply", "get", "create", "replace", "delete"];
    let verb = command.get_args().filter_map(OsStr::to_str).find(|word| words.contains(word));
    format!("`{} {}`", command.get_program().display(), verb.unwrap_or("…"))
}

/// A process group: ended with this, and also when we are killed. A shell waits for the end of a pipe that only we hold.
pub struct Group {
    leader: Pid,
    guard: std::process::Child,
}

impl Group {
    /// The group whose leader has this id.
    ///
    /// # Errors
    /// When there is no shell; the group is ended then.
    pub fn of(id: u32) -> Result<Self> {
        let leader = Pid::from_raw(id.cast_signed()).context("the command has no process")?;
        let guard = Command::new("sh")
            .args(["-c", "read -r _; kill -s KILL -- \"-$0\"", &id.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        match guard {
            Ok(guard) => Ok(Self { leader, guard }),
            Err(error) => {
                let _ = kill_process_group(leader, Signal::KILL);
                Err(error).context("cannot start a shell")
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Does nothing if the process has already ended.
        let _ = kill_process_group(self.leader, Signal::KILL);
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<Said> {
        run(Command::new("sh").args(["-c", script]), b"in\n", limit)
    }

    #[test]
    fn what_a_program_says_is_kept_and_what_it_leaves_behind_is_ended() {
        let begin = Instant::now();
        let said = shell("cat; sleep 600 & echo no >&2; exit 3", Duration::from_secs(60)).unwrap();
        assert_eq!((said.status.code(), &said.out[..], said.line().as_str()), (Some(3), &b"in\n"[..], "no"));
        assert!(begin.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn what_hangs_is_ended() {
        let begin = Instant::now();
        let error = shell("sleep 600 & wait", Duration::from_millis(200)).unwrap_err().to_string();
        assert!(error.contains("did not end within 0 s"), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(20));
        let error = run(&mut Command::new("/nowhere/git"), b"", Duration::from_secs(1)).unwrap_err();
        assert_eq!(error.to_string(), "the command `/nowhere/git` is not there");
    }
}
