//! One begins small: one of two services goes from observe to enforce, and then the next image of the filter goes to one
//! workload, one namespace and all, under load; nothing of the other service changes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use graylane_tests::istio::{Look, until};
use tokio::task::JoinHandle;

use super::upgrade::push_same;
use crate::ask::ask;
use crate::bank::Bank;
use crate::load::UnderWay;
use crate::native::{Pods, SIDECARS, names, runs};

const LIMIT: Duration = Duration::from_secs(90);
/// Requests that wait for each other; each comes every so many milliseconds.
const CLIENTS: usize = 4;
const PAUSE: Duration = Duration::from_millis(40);
/// Requests of which metrics are compared.
const COUNTED: usize = 20;

/// Two services lose the header, and keep the request id. `api` observes all along.
const WAYS: [&str; 2] =
    ["path=api,orders&forward=api:x-request-id", "path=api,ledger,orders&forward=ledger:x-request-id"];
const OTHER: Pods<'static> = Pods { namespace: "bank", deployment: "api", selector: "app=api" };
const ONE: Pods<'static> = Pods { namespace: "bank", deployment: "ledger", selector: "app=ledger" };

/// What the last application of each way is, and the tenant that it sees.
type Seen = (String, Option<String>);

/// What a client saw, by way.
type Answers = Result<Vec<(usize, Seen)>>;

/// Requests of both ways, until it ends.
struct Load {
    under_way: UnderWay,
    tasks: Vec<JoinHandle<Answers>>,
}

async fn one(client: &reqwest::Client, gateway: &str, way: usize) -> Result<Seen> {
    let headers = [("tenant", "gray-v1"), ("x-user-id", "user-1")];
    let answer = ask(client, gateway, &format!("/?{}", WAYS[way]), &headers).await?;
    ensure!(answer.status == 200, "{}: {answer:?}", WAYS[way]);
    let visit = answer.visit()?;
    let all = visit.all();
    ensure!(all.len() == WAYS[way].matches(',').count() + 1, "the chain broke: {visit:?}");
    let last = all[all.len() - 1];
    Ok((last.deployment().to_owned(), last.headers.get("tenant").cloned()))
}

impl Load {
    async fn start(bank: &Bank<'_>) -> Self {
        let under_way = UnderWay::default();
        let task = |number: usize| {
            let (client, gateway) = (bank.cluster.client.clone(), bank.cluster.gateway.clone());
            let sender = under_way.sender();
            tokio::spawn(async move {
                let (mut seen, mut tick) = (Vec::new(), tokio::time::interval(PAUSE));
                while !sender.stopped() {
                    tick.tick().await;
                    let way = number % WAYS.len();
                    seen.push((way, one(&client, &gateway, way).await?));
                    sender.count();
                }
                Ok(seen)
            })
        };
        let load = Self { tasks: (0..CLIENTS).map(task).collect(), under_way };
        load.more(50).await;
        load
    }

    async fn more(&self, requests: usize) {
        self.under_way.more(requests, || self.tasks.iter().all(JoinHandle::is_finished)).await;
    }

    /// None failed, and each way ended at one of these, the last one at last.
    async fn judge(mut self, what: &str, want: [&[Seen]; 2]) -> Result<()> {
        self.more(50).await;
        self.under_way.stop();
        let mut all = 0;
        for task in std::mem::take(&mut self.tasks) {
            let seen = task.await?.with_context(|| format!("{what}: a request failed"))?;
            for (way, seen) in &seen {
                ensure!(
                    want[*way].contains(seen),
                    "{what}: {} ended at {seen:?}, expected {:?}",
                    WAYS[*way],
                    want[*way]
                );
            }
            let (way, last) = seen.last().context("no request")?;
            ensure!(want[*way].last() == Some(last), "{what}: {} still ends at {last:?}", WAYS[*way]);
            all += seen.len();
        }
        println!("   {what}: {all} requests, 0 failed, none elsewhere");
        Ok(())
    }
}

fn lost() -> Seen {
    ("orders-v1".to_owned(), None)
}

fn restored() -> Seen {
    ("orders-v2".to_owned(), Some("gray-v1".to_owned()))
}

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    // Weights would draw what no header decides.
    let observe = bank.changed("version: 1\n", "version: 1\nmode: observe\n")?;
    let observe =
        observe.replace("edge:\n", "edge:\n  mode: enforce\n").replace("{canary: 25}", "{canary: 0}");
    let small = observe.replace("  ledger:\n", "  ledger:\n    mode: enforce\n");
    ensure!(small != observe && observe.contains("edge:\n  mode"), "the bank's file has another form");
    bank.run(&observe).await?;
    reported(bank, &observe).await?;
    let before = counted(bank).await?;

    let load = Load::start(bank).await;
    bank.run(&small).await?;
    load.more(100).await;
    load.judge("observe to enforce for ledger", [&[lost()], &[lost(), restored()]]).await?;
    let after = counted(bank).await?;
    ensure!(before == after, "api's pods counted {before:#?}\nand once ledger enforced {after:#?}");
    println!("   api's pods: {} series, the same counts for the same {COUNTED} requests", after.len());

    let result = images(bank, &small).await;
    let filters = ["-n", "bank", "delete", "envoyfilter", "-l", "graylane.dev/image=next"];
    bank.cluster.kubectl(&filters).await?;
    result
}

/// The next image: for one workload, one namespace, all.
async fn images(bank: &Bank<'_>, document: &str) -> Result<()> {
    let image = push_same(bank, "small").await?;
    let steps: [(&str, &str, &[&str], &[&str]); 3] = [
        (
            "the next image for one workload",
            &bank.image,
            &["--next", &image, "--next-in", "bank/ledger"],
            &["ledger"],
        ),
        (
            "for one namespace",
            &bank.image,
            &["--next", &image, "--next-in", "bank"],
            &["api", "ledger", "orders"],
        ),
        ("for all", &image, &[], &["api", "ledger", "orders"]),
    ];
    let load = Load::start(bank).await;
    for (what, current, more, next) in steps {
        bank.cluster.apply(&bank.render(document, current, more).await?).await?;
        has(bank, what, &image, next).await?;
        for pods in [ONE, OTHER] {
            runs(bank, pods, "bank", false).await?;
        }
        println!("   {what}: {}", next.join(", "));
    }
    load.judge("three steps", [&[lost()], &[restored()]]).await
}

/// Waits until the sidecars of these services, and no others, run the module of an image.
async fn has(bank: &Bank<'_>, what: &str, image: &str, services: &[&str]) -> Result<()> {
    let (_, digest) = image.split_once("@sha256:").context("an image without a digest")?;
    until(what, LIMIT, async || {
        for pod in names(bank.cluster, SIDECARS).await? {
            let dump = bank.cluster.admin("bank", &pod, "config_dump?resource=ecds_filters").await?;
            let (is, meant) =
                (dump.contains(digest), services.iter().any(|one| pod.starts_with(&format!("{one}-"))));
            if is != meant {
                return Ok(Look::NotYet(format!("{pod}: {is}, and is meant to be {meant}")));
            }
        }
        Ok(Look::Yes(()))
    })
    .await
}

/// What api's pods count of the same requests, series by series.
async fn counted(bank: &Bank<'_>) -> Result<BTreeMap<String, u64>> {
    let before = series(bank).await?;
    for number in 0..COUNTED * WAYS.len() {
        one(&bank.cluster.client, &bank.cluster.gateway, number % WAYS.len()).await?;
    }
    let mut all = series(bank).await?;
    for (name, count) in &mut all {
        *count -= before.get(name).copied().unwrap_or_default();
    }
    all.retain(|_, count| *count > 0);
    ensure!(!all.is_empty(), "api's pods count nothing");
    Ok(all)
}

async fn series(bank: &Bank<'_>) -> Result<BTreeMap<String, u64>> {
    let mut all = BTreeMap::new();
    for pod in names(bank.cluster, OTHER).await? {
        let text = bank.cluster.admin("bank", &pod, "stats/prometheus?filter=graylane_").await?;
        for line in text.lines().filter(|line| line.starts_with("graylane_") && line.contains("_total{")) {
            let (name, value) = line.rsplit_once(' ').with_context(|| line.to_owned())?;
            *all.entry(format!("{pod} {name}")).or_default() +=
                value.parse::<u64>().with_context(|| line.to_owned())?;
        }
    }
    Ok(all)
}

/// `graylane report` lists who would newly reach which version, before anything enforces.
async fn reported(bank: &Bank<'_>, document: &str) -> Result<()> {
    bank.status(document).await?; // writes the file
    let arguments = ["report", "-f", "bank.yaml", "--prometheus", &bank.cluster.prometheus];
    until("report says what would change", LIMIT, async || {
        for (way, path) in WAYS.iter().enumerate() {
            let seen = one(&bank.cluster.client, &bank.cluster.gateway, way).await?;
            if seen != lost() {
                bail!("{path} observes, and ended at {seen:?}");
            }
        }
        let said = bank.cluster.graylane(&arguments).await?;
        let would = said.text.split("What `mode: enforce` would change").nth(1).unwrap_or_default();
        let listed = ["api to orders", "ledger to orders"].iter().all(|from| {
            would.lines().any(|line| line.contains(from) && line.contains("(from memory) newly reach canary"))
        });
        Ok(Look::whether(listed, || format!("exit {}: {}", said.code, said.text)))
    })
    .await
}
