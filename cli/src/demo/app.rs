//! The demo's applications: real HTTP servers that call the next one, and lose headers as they are told.
//!
//! What to do comes in the query, since headers are what is to be lost:
//! `/?run=7&path=api,ledger,orders&forward=api:request-id,ledger:nothing&late=api`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use graylane_decide::names::DEBUG_HEADER;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What an application copies from the request it got to the one it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Forward {
    /// Every header.
    All,
    /// One header of this name.
    Only(&'static str),
    /// Nothing.
    Nothing,
}

impl Forward {
    const NAMED: [(&'static str, Self); 5] = [
        ("all", Self::All),
        ("request-id", Self::Only("x-request-id")),
        ("traceparent", Self::Only("traceparent")),
        ("baggage", Self::Only("baggage")),
        ("nothing", Self::Nothing),
    ];

    /// Its word in a query.
    pub fn word(self) -> &'static str {
        Self::NAMED.iter().find(|(_, forward)| *forward == self).map_or("all", |(word, _)| word)
    }

    fn parse(word: &str) -> Self {
        Self::NAMED.iter().find(|(name, _)| *name == word).map_or(Self::All, |(_, forward)| *forward)
    }
}

/// What a request tells the applications to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Orders {
    /// Which journey this is part of.
    pub run: String,
    /// Services still to be passed, this one first, parted by commas.
    #[serde(default)]
    pub path: String,
    /// `service:forward`, parted by commas; services that are not named forward all.
    #[serde(default)]
    pub forward: String,
    /// Services that call the next one only after they have answered, parted by commas.
    #[serde(default)]
    pub late: String,
    /// `service:subset` that answers 500.
    #[serde(default)]
    pub fail: String,
    /// `service:subset` that takes [`SLOW`].
    #[serde(default)]
    pub slow: String,
}

/// How long an application takes that is told to be slow.
const SLOW: Duration = Duration::from_millis(400);

impl Orders {
    fn rest(&self) -> &str {
        self.path.split_once(',').map_or("", |(_, rest)| rest)
    }

    fn next(&self) -> Option<&str> {
        self.rest().split(',').next().filter(|next| !next.is_empty())
    }

    fn forward(&self, service: &str) -> Forward {
        let own = self
            .forward
            .split(',')
            .filter_map(|part| part.split_once(':'))
            .find(|(name, _)| *name == service);
        own.map_or(Forward::All, |(_, word)| Forward::parse(word))
    }

    fn is_late(&self, service: &str) -> bool {
        self.late.split(',').any(|name| name == service)
    }
}

/// What an application saw of a request.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Service of the application.
    pub service: String,
    /// Its subset.
    pub subset: String,
    /// Headers that arrived.
    pub headers: BTreeMap<String, String>,
}

/// What happened on one journey: visits and decisions by service, in no order.
#[derive(Clone, Debug, Default)]
pub struct Happened {
    /// What applications saw.
    pub visits: Vec<Visit>,
    /// What the sidecar decided about the call to a service: service and debug header.
    pub calls: Vec<(String, String)>,
}

/// What happened, by journey.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<BTreeMap<String, Happened>>>);

impl Journal {
    /// Notes something about a journey.
    pub fn note(&self, run: &str, change: impl FnOnce(&mut Happened)) {
        let mut journal = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        change(journal.entry(run.to_owned()).or_default());
    }

    /// What is known of a journey so far.
    pub fn read(&self, run: &str) -> Happened {
        let journal = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        journal.get(run).cloned().unwrap_or_default()
    }

    /// Forgets a journey.
    pub fn forget(&self, run: &str) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(run);
    }
}

/// An application of one pod.
pub struct App {
    /// Where it listens.
    pub address: SocketAddr,
    wiring: Arc<Wiring>,
    task: JoinHandle<()>,
}

struct Wiring {
    service: String,
    subset: String,
    journal: Journal,
    client: reqwest::Client,
    /// Where its sidecar takes its calls; known once the sidecar is up.
    sidecar: Mutex<Option<SocketAddr>>,
    /// Authorities of services by name.
    authorities: BTreeMap<String, String>,
}

impl App {
    /// Starts an application on a free port.
    pub async fn start(
        service: &str,
        subset: &str,
        journal: &Journal,
        authorities: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let wiring = Arc::new(Wiring {
            service: service.to_owned(),
            subset: subset.to_owned(),
            journal: journal.clone(),
            client: crate::http::direct().build()?,
            sidecar: Mutex::new(None),
            authorities: authorities.clone(),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&wiring));
        let task = tokio::spawn(async move {
            // Serves until the task is aborted; there is no caller to return an error to.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, wiring, task })
    }

    /// Tells it where its sidecar is.
    pub fn attach(&self, sidecar: SocketAddr) {
        *self.wiring.sidecar.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(sidecar);
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    State(wiring): State<Arc<Wiring>>,
    Query(orders): Query<Orders>,
    headers: HeaderMap,
) -> (StatusCode, String) {
    let readable = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let visit = Visit {
        service: wiring.service.clone(),
        subset: wiring.subset.clone(),
        headers: headers.iter().map(readable).collect(),
    };
    wiring.journal.note(&orders.run, |happened| happened.visits.push(visit));
    let text = format!("{} {}\n", wiring.service, wiring.subset);
    let own = format!("{}:{}", wiring.service, wiring.subset);
    if orders.slow == own {
        tokio::time::sleep(SLOW).await;
    }
    if orders.fail == own {
        return (StatusCode::INTERNAL_SERVER_ERROR, text);
    }
    if orders.next().is_none() {
        return (StatusCode::OK, text);
    }
    if orders.is_late(&wiring.service) {
        tokio::spawn(async move { drop(call(&wiring, &orders, &headers).await) });
        return (StatusCode::OK, text);
    }
    match call(&wiring, &orders, &headers).await {
        Ok(further) => (StatusCode::OK, text + &further),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{text}{error:#}\n")),
    }
}

/// Calls the next service through the sidecar, with as many of the headers as this application forwards.
async fn call(wiring: &Wiring, orders: &Orders, headers: &HeaderMap) -> Result<String> {
    let next = orders.next().unwrap_or_default();
    let further = Orders { path: orders.rest().to_owned(), ..orders.clone() };
    let sidecar = *wiring.sidecar.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let sidecar = sidecar.ok_or_else(|| anyhow::anyhow!("`{}` has no sidecar yet", wiring.service))?;
    let mut request = wiring.client.get(format!("http://{sidecar}/")).query(&further);
    let forward = orders.forward(&wiring.service);
    for (name, value) in headers {
        let own = [header::HOST, header::CONTENT_LENGTH, header::CONNECTION, header::TRANSFER_ENCODING]
            .contains(name);
        let wanted = match forward {
            Forward::All => !own,
            Forward::Only(only) => name.as_str() == only,
            Forward::Nothing => false,
        };
        if wanted {
            request = request.header(name, value);
        }
    }
    let authority = wiring.authorities.get(next).map_or(next, String::as_str);
    let answer = request.header(header::HOST, authority).send().await?;
    let debug = answer
        .headers()
        .get(DEBUG_HEADER)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    wiring.journal.note(&orders.run, |happened| happened.calls.push((next.to_owned(), debug)));
    Ok(answer.error_for_status()?.text().await?)
}
