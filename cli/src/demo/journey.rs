//! One request through the demo mesh, hop by hop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use graylane_decide::names::DEBUG_HEADER;

use crate::demo::app::{Forward, Happened, Orders};
use crate::demo::discovery::OUTSIDE_HOST;
use crate::demo::testbed::Testbed;

/// How long a journey may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Where a request comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Through the gateway.
    Gateway,
    /// From the worker, through its sidecar.
    Worker,
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Journey {
    /// Where it comes in.
    pub entry: Entry,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Parameters of its query, besides those that are orders to applications.
    pub query: Vec<(String, String)>,
    /// The services it passes.
    pub path: Vec<String>,
    /// What applications forward, where it is not all.
    pub forward: Vec<(String, Forward)>,
    /// Applications that call only after they have answered.
    pub late: Vec<String>,
}

/// What became of it at one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Arrival {
    /// The service.
    pub service: String,
    /// The subset whose pod it reached.
    pub subset: String,
    /// Whose request the caller's side took it for.
    pub tenant: String,
    /// Where the caller's side had the tenant from.
    pub source: String,
    /// What the application saw.
    #[serde(skip)]
    pub headers: BTreeMap<String, String>,
}

static RUNS: AtomicU64 = AtomicU64::new(0);

impl Journey {
    /// Sends it, and waits until it has been everywhere.
    ///
    /// # Errors
    /// When it gets stuck.
    pub async fn go(&self, testbed: &Testbed, client: &reqwest::Client) -> Result<Vec<Arrival>> {
        let run = RUNS.fetch_add(1, Ordering::Relaxed).to_string();
        let forward: Vec<String> =
            self.forward.iter().map(|(name, forward)| format!("{name}:{}", forward.word())).collect();
        let orders = Orders {
            run: run.clone(),
            path: self.path.join(","),
            forward: forward.join(","),
            late: self.late.join(","),
            ..Orders::default()
        };
        let first = self.path.first().map_or("", String::as_str);
        let (address, authority): (SocketAddr, &str) = match self.entry {
            Entry::Gateway => (testbed.gateway, "bank.example.com"),
            Entry::Worker => (testbed.worker, testbed.authorities.get(first).map_or(first, String::as_str)),
        };
        let mut request = client
            .get(format!("http://{address}/"))
            .query(&orders)
            .query(&self.query)
            .header("host", authority);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = request.send().await?;
        let debug = answer
            .headers()
            .get(DEBUG_HEADER)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let (status, body) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("{status}: {}", body.trim());
        }
        testbed.journal.note(&run, |happened| happened.calls.push((first.to_owned(), debug)));
        let happened = self.wait(testbed, &run).await?;
        testbed.journal.forget(&run);
        Ok(self.path.iter().map(|service| arrival(service, &happened)).collect())
    }

    /// An application that calls late does so after the answer.
    async fn wait(&self, testbed: &Testbed, run: &str) -> Result<Happened> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let happened = testbed.journal.read(run);
            if happened.visits.len() >= self.path.len() && happened.calls.len() >= self.path.len() {
                return Ok(happened);
            }
            if Instant::now() > deadline {
                bail!("the journey over {} got stuck: {happened:?}", self.path.join(", "));
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}

fn arrival(service: &str, happened: &Happened) -> Arrival {
    let name = if service == OUTSIDE_HOST { "outside" } else { service };
    let visit = happened.visits.iter().find(|visit| visit.service == name);
    let debug = happened.calls.iter().find(|(to, _)| to == service).map_or("", |(_, debug)| debug.as_str());
    let said = |key: &str| {
        let value = debug.split(',').find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
        value.filter(|value| *value != "-").unwrap_or_default().to_owned()
    };
    Arrival {
        service: service.to_owned(),
        subset: visit.map(|visit| visit.subset.clone()).unwrap_or_default(),
        tenant: said("tenant"),
        source: said("source"),
        headers: visit.map(|visit| visit.headers.clone()).unwrap_or_default(),
    }
}
