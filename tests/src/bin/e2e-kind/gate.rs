//! What Flagger asks before it goes on: its webhooks `confirm-traffic-increase` and `rollback`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// By namespace of a Canary: how many more steps it may take, and whether it is to be rolled back.
type Words = Arc<Mutex<BTreeMap<String, (usize, bool)>>>;

/// A server on loopback, for as long as it lives.
pub struct Gate {
    words: Words,
    port: u16,
    task: JoinHandle<()>,
}

#[derive(Deserialize)]
struct Asked {
    namespace: String,
}

impl Gate {
    /// Starts it: everybody waits.
    pub async fn start() -> Result<Self> {
        let words = Words::default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let router = Router::new()
            .route("/step", post(step))
            .route("/rollback", post(rollback))
            .with_state(Arc::clone(&words));
        let task = tokio::spawn(async move {
            // It ends with the scenario.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { words, port, task })
    }

    /// The webhooks of a Canary, in YAML's flow style.
    pub fn webhooks(&self) -> String {
        let hook = |kind: &str, path: &str| {
            format!(
                "{{name: {path}, type: {kind}, url: \"http://127.0.0.1:{}/{path}\", timeout: 5s}}",
                self.port
            )
        };
        format!("[{}, {}]", hook("confirm-traffic-increase", "step"), hook("rollback", "rollback"))
    }

    /// One more step.
    pub fn open(&self, namespace: &str) {
        self.change(namespace, |(steps, _)| *steps += 1);
    }

    /// Whether it is to be rolled back.
    pub fn roll_back(&self, namespace: &str, back: bool) {
        self.change(namespace, |(_, word)| *word = back);
    }

    fn change(&self, namespace: &str, change: impl FnOnce(&mut (usize, bool))) {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        change(words.entry(namespace.to_owned()).or_default());
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn step(State(words): State<Words>, Json(asked): Json<Asked>) -> StatusCode {
    let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
    match words.get_mut(&asked.namespace) {
        Some((steps, _)) if *steps > 0 => {
            *steps -= 1;
            StatusCode::OK
        }
        _ => StatusCode::FORBIDDEN,
    }
}

async fn rollback(State(words): State<Words>, Json(asked): Json<Asked>) -> StatusCode {
    let words = words.lock().unwrap_or_else(PoisonError::into_inner);
    if words.get(&asked.namespace).is_some_and(|(_, back)| *back) {
        StatusCode::OK
    } else {
        StatusCode::FORBIDDEN
    }
}
