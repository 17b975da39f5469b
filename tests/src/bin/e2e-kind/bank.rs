//! The bank in the cluster: its file, and how it is put back in order between scenarios.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use graylane_tests::istio::{Look, until};

use crate::ask::{Answer, Visit, ask};
use crate::cluster::{Cluster, Said};

/// How long a change may take to be everywhere.
const LIMIT: Duration = Duration::from_secs(90);

/// The bank.
pub struct Bank<'c> {
    /// Where it is.
    pub cluster: &'c Cluster,
    /// Its file, as the example has it.
    pub document: String,
    /// The filter's image, by its digest.
    pub image: String,
}

impl<'c> Bank<'c> {
    /// The one that the set-up left.
    pub fn new(cluster: &'c Cluster) -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank/graylane.yaml");
        Ok(Self { cluster, document: std::fs::read_to_string(path)?, image: cluster.noted("filter-image")? })
    }

    /// Its file with a text in it replaced, which has to be there.
    pub fn changed(&self, from: &str, to: &str) -> Result<String> {
        ensure!(self.document.contains(from), "the bank's file has no `{from}`");
        Ok(self.document.replace(from, to))
    }

    /// What is rendered of a file, with the plugins of an image.
    pub async fn render(&self, document: &str, image: &str, arguments: &[&str]) -> Result<String> {
        self.write(document)?;
        let all = [&["render", "-f", "bank.yaml", "--image", image, "--no-pin"], arguments].concat();
        let said = self.cluster.graylane(&all).await?;
        ensure!(said.code == 0, "{all:?}: {}", said.text);
        Ok(said.text)
    }

    /// Applies a file, and waits until every pod runs it.
    pub async fn run(&self, document: &str) -> Result<()> {
        self.cluster.apply(&self.render(document, &self.image, &[]).await?).await?;
        self.runs(document).await
    }

    /// Waits until every pod runs a file.
    pub async fn runs(&self, document: &str) -> Result<()> {
        until("every pod runs the file", LIMIT, async || {
            let said = self.status(document).await?;
            Ok(Look::whether(said.code == 0, || said.text))
        })
        .await
    }

    /// What `graylane status` says about a file.
    pub async fn status(&self, document: &str) -> Result<Said> {
        self.write(document)?;
        let arguments = ["status", "-f", "bank.yaml", "--prometheus", &self.cluster.prometheus];
        self.cluster.graylane(&arguments).await
    }

    /// What is rendered of a file, with a field in every plugin's configuration that no filter knows.
    pub async fn render_unreadable(&self, document: &str, image: &str) -> Result<String> {
        let rendered = self.render(document, image, &[]).await?;
        let broken = rendered.replace("  pluginConfig:\n", "  pluginConfig:\n    ofTomorrow: true\n");
        ensure!(broken != rendered, "no plugin has a configuration: {rendered}");
        Ok(broken)
    }

    /// Waits until `graylane status` finds something wrong, and says these words.
    pub async fn status_says(&self, document: &str, words: &[&str]) -> Result<()> {
        until("status says what is wrong", LIMIT, async || {
            let said = self.status(document).await?;
            let found = said.code == 1 && words.iter().all(|word| said.text.contains(word));
            Ok(Look::whether(found, || format!("exit {}: {}", said.code, said.text)))
        })
        .await
    }

    /// Pushes what `graylane package` makes with these arguments; its digest.
    pub async fn push(&self, package: &[&str], repository: &str, tag: &str) -> Result<String> {
        let layout = format!("{repository}-{tag}");
        let said = self.cluster.graylane(&[&["package", "--out", &layout], package].concat()).await?;
        ensure!(said.code == 0, "package: {}", said.text);
        let reference = format!("{}/mesh/{repository}:{tag}", self.cluster.registry);
        let said = self.cluster.graylane(&["push", &reference, "--insecure", "--layout", &layout]).await?;
        ensure!(said.code == 0, "push: {}", said.text);
        let pinned = said.text.trim().split_once('@');
        Ok(pinned.with_context(|| format!("no digest in `{}`", said.text))?.1.to_owned())
    }

    pub fn write(&self, document: &str) -> Result<()> {
        let path = self.cluster.folder.path().join("bank.yaml");
        std::fs::write(&path, document).with_context(|| path.display().to_string())
    }

    /// As the set-up left it.
    pub async fn as_it_was(&self) -> Result<()> {
        self.run(&self.document).await?;
        self.cluster.rolled_out("bank").await
    }

    /// A request through the gateway.
    pub async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        ask(&self.cluster.client, &self.cluster.gateway, path, headers).await
    }

    /// A chain of calls: what the first application says.
    pub async fn journey(&self, query: &str, headers: &[(&str, &str)]) -> Result<Visit> {
        let answer = self.ask(&format!("/?{query}"), headers).await?;
        ensure!(answer.status == 200, "{query}: {answer:?}");
        answer.visit()
    }
}
