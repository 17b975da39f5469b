//! One call of `git`: no pager, no prompt, no language, and an end.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::http::without_passwords;
use crate::process::{self, Said};

/// How long a call may take: a fetch or a push of a large repository over a slow line.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Variables by which Git, in a hook of its own, tells of the repository that the hook is of: another one than ours.
const OF_HOOKS: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
];

/// How `ssh` is called where nobody says how: it must not wait for an answer.
const SSH: &str = "ssh -o BatchMode=yes -o ConnectTimeout=20";

/// The user and the password of a remote.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The user.
    pub user: String,
    /// The password, or token.
    pub password: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// How `git` is called in a folder.
#[derive(Clone, Debug)]
pub struct Git {
    /// Where.
    pub folder: PathBuf,
    /// Settings, as `git -c`, but in the environment: others cannot read tokens in it.
    pub settings: Vec<(String, String)>,
    /// What a helper in the settings tells Git, in the environment too.
    pub secret: Option<Secret>,
    /// How long a call may take.
    pub limit: Duration,
    /// Does somebody say how `ssh` is called? It is asked once.
    pub has_ssh: Arc<OnceLock<bool>>,
}

impl Git {
    /// In this folder.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            settings: Vec::new(),
            secret: None,
            limit: LIMIT,
            has_ssh: Arc::default(),
        }
    }

    /// Runs it. What it says has no password of an address in it; what it prints may.
    ///
    /// # Errors
    /// When there is no `git`, or it does not end in time.
    pub fn call(&self, arguments: &[impl AsRef<OsStr>], input: &[u8]) -> Result<Said> {
        let mut command = self.command(arguments);
        if !self.has_ssh()? {
            command.env("GIT_SSH_COMMAND", SSH);
        }
        let said = process::run(&mut command, input, self.limit)?;
        Ok(Said { err: without_passwords(&said.err), ..said })
    }

    /// The variable of Git would win over everybody's `core.sshCommand`.
    fn has_ssh(&self) -> Result<bool> {
        if let Some(known) = self.has_ssh.get() {
            return Ok(*known);
        }
        let has = ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(|name| std::env::var_os(name).is_some()) || {
            let mut command = self.command(&["config", "--get", "core.sshCommand"]);
            process::run(&mut command, b"", self.limit)?.status.success()
        };
        Ok(*self.has_ssh.get_or_init(|| has))
    }

    fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new("git");
        // Settings of the user's own that would change what is printed.
        command
            .args(["--no-pager", "--literal-pathspecs", "-c", "log.diffMerges=separate"])
            .args(["-c", "color.ui=false", "-c", "core.quotePath=true", "-C"])
            .arg(&self.folder)
            .args(arguments);
        OF_HOOKS.iter().for_each(|name| {
            command.env_remove(name);
        });
        // Nobody answers.
        command.envs([("LC_ALL", "C"), ("GIT_OPTIONAL_LOCKS", "0"), ("GIT_TERMINAL_PROMPT", "0")]);
        command.envs([
            ("GCM_INTERACTIVE", "never"),
            ("GIT_EDITOR", "false"),
            ("SSH_ASKPASS_REQUIRE", "never"),
        ]);
        if !self.settings.is_empty() {
            // CI may pass settings, as a token in a header, in the same way: ours come after them.
            let others = std::env::var("GIT_CONFIG_COUNT").ok().and_then(|count| count.trim().parse().ok());
            let others: usize = others.unwrap_or(0);
            command.env("GIT_CONFIG_COUNT", (others + self.settings.len()).to_string());
            for (number, (key, value)) in self.settings.iter().enumerate() {
                let number = others + number;
                command.env(format!("GIT_CONFIG_KEY_{number}"), key);
                command.env(format!("GIT_CONFIG_VALUE_{number}"), value);
            }
        }
        if let Some(Secret { user, password }) = &self.secret {
            command.envs([("GRAYLANE_GIT_USER", user), ("GRAYLANE_GIT_PASSWORD", password)]);
        }
        command
    }

    /// What it prints, if it works.
    ///
    /// # Errors
    /// When it fails; the text is the first line that it says.
    pub fn read(&self, arguments: &[impl AsRef<OsStr>], input: &[u8]) -> Result<Vec<u8>> {
        let said = self.call(arguments, input)?;
        if !said.status.success() {
            bail!("git: {}", said.err.lines().next().unwrap_or("failed without a word"));
        }
        Ok(said.out)
    }

    /// As [`Self::read`], of text; without the line end.
    ///
    /// # Errors
    /// When it fails.
    pub fn text(&self, arguments: &[impl AsRef<OsStr>]) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.read(arguments, b"")?).trim_end_matches('\n').to_owned())
    }
}
