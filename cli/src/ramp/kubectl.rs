//! A cluster, as `kubectl` shows it.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value as Json;

use crate::process::{self, Said};

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Its options that say which cluster it is, and as whom.
const OF_CLUSTER: [&str; 14] = [
    "--context",
    "--cluster",
    "--kubeconfig",
    "--server",
    "-s",
    "--user",
    "--as",
    "--as-group",
    "--as-uid",
    "--namespace",
    "-n",
    "--token",
    "--certificate-authority",
    "--tls-server-name",
];

/// How `kubectl` is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kubectl(Vec<String>, Duration);

impl Kubectl {
    /// By this program and these options, as in `kubectl --context prod`.
    #[must_use]
    pub fn of(words: &str) -> Self {
        Self(words.split_whitespace().map(ToOwned::to_owned).collect(), LIMIT)
    }

    /// The one with which a command of the shell applies: `kubectl --context prod` of `render | kubectl --context prod apply -f -`.
    /// None: it applies in another way, or what stands there is not plain.
    #[must_use]
    pub fn of_command(command: &str) -> Option<Self> {
        let part = command.split(['|', ';', '&', '\n', '(', ')']).rev().find(|part| {
            let mut words = part.split_whitespace();
            let name = words.next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
            name == "kubectl" && words.any(|word| word == "apply")
        })?;
        let mut words = part.split_whitespace();
        let mut ours: Vec<&str> = words.by_ref().take_while(|word| *word != "apply").collect();
        // What says which cluster it is may also stand behind.
        while let Some(word) = words.next() {
            let name = word.split('=').next().unwrap_or_default();
            if OF_CLUSTER.contains(&name) {
                ours.push(word);
                if name == word {
                    ours.extend(words.next());
                }
            } else if ["-n", "-s", "--insecure-skip-tls-verify"].iter().any(|option| word.starts_with(option))
            {
                ours.push(word);
            }
        }
        let plain = |word: &&str| !word.contains(['\'', '"', '$', '`', '\\', '*', '?', '<', '>']);
        ours.iter().all(plain).then(|| Self(ours.iter().map(|word| (*word).to_owned()).collect(), LIMIT))
    }

    /// With less time for each call.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self(self.0.clone(), limit.min(self.1))
    }

    /// As one writes it.
    #[must_use]
    pub fn words(&self) -> String {
        self.0.join(" ")
    }

    /// Runs it.
    ///
    /// # Errors
    /// When it is not there, or does not end in time.
    pub fn call(&self, arguments: &[&str], input: &[u8]) -> Result<Said> {
        let Some((program, options)) = self.0.split_first() else { bail!("--kubectl is empty") };
        process::run(Command::new(program).args(options).args(arguments), input, self.1)
    }

    /// What it prints as JSON; none: it prints nothing.
    ///
    /// # Errors
    /// When it fails; the text is what it says.
    pub fn json(&self, arguments: &[&str], input: &[u8]) -> Result<Option<Json>> {
        let said = self.call(arguments, input)?;
        if !said.status.success() {
            bail!("{}", said.line());
        }
        let text = said.out.trim_ascii();
        Ok(if text.is_empty() { None } else { Some(serde_json::from_slice(text)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_is_the_one_that_is_applied_to() {
        for (command, words) in [
            ("kubectl apply -f -", Some("kubectl")),
            (
                "graylane render -f a | kubectl --context prod -n shop apply --server-side -f -",
                Some("kubectl --context prod -n shop"),
            ),
            ("/usr/local/bin/kubectl apply -f -", Some("/usr/local/bin/kubectl")),
            ("kubectl apply --context prod -f -", Some("kubectl --context prod")),
            ("kubectl apply -f - --context=prod -n shop", Some("kubectl --context=prod -n shop")),
            (
                "kubectl --context prod apply --server-side --kubeconfig k -f - -nshop --as ci",
                Some("kubectl --context prod --kubeconfig k -nshop --as ci"),
            ),
            ("kubectl apply --context \"$CLUSTER\" -f -", None),
            ("KUBECONFIG=prod kubectl apply -f -", None),
            ("cat > applied.yaml", None),
            ("kubectl --context \"$CLUSTER\" apply -f -", None),
            ("tee all.yaml | kubectl diff -f -", None),
        ] {
            assert_eq!(Kubectl::of_command(command).map(|one| one.words()).as_deref(), words, "{command}");
        }
    }
}
