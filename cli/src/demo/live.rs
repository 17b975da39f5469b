//! The page of `graylane report`, live: what the demo's Envoys counted within the last minute.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Html;
use axum::routing::get;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};

use crate::demo::app::Forward;
use crate::demo::cast::Cast;
use crate::demo::journey::{Entry, Journey};
use crate::demo::testbed::{Proxy, Testbed};
use crate::mesh::Mesh;
use crate::playground;
use crate::report::{self, Decisions, LaneMap};

/// How often Envoys are asked.
const TICK: Duration = Duration::from_secs(1);
/// How far the page looks back.
const SPAN: Duration = Duration::from_secs(60);
/// How often somebody comes while the demo is kept.
const PAUSE: Duration = Duration::from_millis(200);

/// What was counted when, the newest last.
type Past = VecDeque<(Instant, Decisions)>;

struct Watch {
    mesh: Mesh,
    proxies: Vec<Proxy>,
    client: reqwest::Client,
    past: Mutex<Past>,
}

/// The server of the page. It ends with this.
pub struct Live {
    /// Where it listens.
    pub address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

impl Live {
    /// Starts it; it counts from now on. The playground there has these files.
    ///
    /// # Errors
    /// When there is no port, or an Envoy does not answer.
    pub async fn start(testbed: &Testbed, files: &[PathBuf]) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let watch = Arc::new(Watch {
            mesh: testbed.mesh.clone(),
            proxies: testbed.proxies(),
            client: crate::http::direct().timeout(SPAN).build()?,
            past: Mutex::default(),
        });
        watch.look().await?;
        let files: Arc<[PathBuf]> = files.into();
        let playground = async move |headers: HeaderMap| {
            playground::response(address, &headers, || playground::demo_page(&files))
        };
        let router = Router::new()
            .route("/playground", get(playground))
            .route("/", get(async |State(watch): State<Arc<Watch>>| Html(report::live_page(&watch.map()))))
            .route(
                "/content",
                get(async |State(watch): State<Arc<Watch>>| Html(report::content(&watch.map()))),
            )
            .with_state(Arc::clone(&watch));
        let serve = tokio::spawn(async move {
            // Serves until the task is aborted; there is no caller to return an error to.
            let _ = axum::serve(listener, router).await;
        });
        let look = tokio::spawn(async move {
            let mut tick = interval(TICK);
            loop {
                tick.tick().await;
                // An Envoy that is late is asked again a second later.
                let _ = watch.look().await;
            }
        });
        Ok(Self { address, tasks: [serve, look] })
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Watch {
    async fn look(&self) -> Result<()> {
        let ask = async |proxy: &Proxy| -> Result<Decisions> {
            let url = format!("http://{}/stats/prometheus?filter=graylane_requests_total", proxy.admin);
            let stats = self.client.get(url).send().await?.error_for_status()?.text().await?;
            Ok(report::of_envoy(&proxy.namespace, &proxy.name, &stats))
        };
        let mut all = Decisions::new();
        for decisions in join_all(self.proxies.iter().map(ask)).await {
            all.extend(decisions?);
        }
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.push_back((Instant::now(), all));
        // The oldest is the one that the last minute began with.
        while past.get(1).is_some_and(|(at, _)| at.elapsed() >= SPAN) {
            past.pop_front();
        }
        Ok(())
    }

    fn map(&self) -> LaneMap {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some((begin, before)), Some((end, now))) = (past.front(), past.back()) else {
            return LaneMap::of(&self.mesh, &Decisions::new(), 1.0);
        };
        let since = |(decision, count): (&report::Decision, &f64)| {
            let count = count - before.get(decision).copied().unwrap_or(0.0);
            (count > 0.0).then(|| (decision.clone(), count))
        };
        let decisions = now.iter().filter_map(since).collect();
        LaneMap::of(&self.mesh, &decisions, end.duration_since(*begin).max(TICK).as_secs_f64() / 60.0)
    }
}

/// Sends somebody every fifth of a second, for ever: live users, a worker, and gray users whose header is lost in turns.
pub async fn keep_moving(testbed: &Testbed, cast: &Cast<'_>) {
    let forwards = [
        Vec::new(),
        cast.path.first().map(|name| (name.clone(), Forward::Only("x-request-id"))).into_iter().collect(),
        cast.path.get(1).map(|name| (name.clone(), Forward::Only("baggage"))).into_iter().collect(),
    ];
    let mut pause = interval(PAUSE);
    for number in 0_usize.. {
        pause.tick().await;
        let gray = cast.gray_journey(&testbed.mesh);
        let journey = match number % 8 {
            0 | 4 => Journey { forward: forwards[number / 4 % forwards.len()].clone(), ..gray },
            7 => Journey { entry: Entry::Worker, headers: Vec::new(), ..gray },
            _ => cast.live_journey(&format!("user-{}", number % 1000)),
        };
        // One that fails is missing on the page; the next one may fare better.
        let _ = journey.go(testbed, cast.client).await;
    }
}
