//! A service: it says who it is and what arrived, and calls the next one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::stream;
use crate::visit::{DEBUG_HEADER, Orders, Visit, readable};

/// Where it listens.
const PORT: u16 = 9080;
/// The same for calls that a sidecar sends by HTTP/2: it speaks one protocol to a port.
const GRPC_PORT: u16 = 9081;
/// Where services of the bank are.
const SERVICES_PORT: u16 = 8080;
/// How long requests in flight have after SIGTERM.
const GRACE: Duration = Duration::from_secs(20);
/// How long a slow answer takes.
const SLOW: Duration = Duration::from_millis(500);
/// How long the next service may take.
const LIMIT: Duration = Duration::from_secs(10);

struct App {
    pod: String,
    service: String,
    client: reqwest::Client,
}

/// Serves until SIGTERM, and what is in flight then.
pub async fn run() -> Result<()> {
    let pod = rustix::system::uname().nodename().to_string_lossy().into_owned();
    // A pod's name begins with its service's: api-v1-6d5f8c7b9-x1.
    let service = pod.split('-').next().unwrap_or_default().to_owned();
    let app =
        Arc::new(App { pod, service, client: reqwest::Client::builder().no_proxy().timeout(LIMIT).build()? });
    let router = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/hostname", get(async |State(app): State<Arc<App>>| app.pod.clone()))
        .route("/events", get(stream::events))
        .route("/socket", get(stream::socket))
        .route("/graylane.Stream/Open", post(stream::grpc))
        .fallback(answer)
        .with_state(app);
    let listen = async |port| TcpListener::bind(("0.0.0.0", port)).await.context("cannot listen");
    let (listener, grpc) = (listen(PORT).await?, listen(GRPC_PORT).await?);
    let (mut terminate, mut second) = (signal(SignalKind::terminate())?, signal(SignalKind::terminate())?);
    let grpc = axum::serve(grpc, router.clone());
    let serve = axum::serve(listener, router)
        .with_graceful_shutdown(async move { terminate.recv().await.unwrap_or_default() });
    tokio::select! {
        served = serve => served?,
        served = grpc => served?,
        // Streams without an end do not keep a pod from stopping.
        _ = async { second.recv().await; tokio::time::sleep(GRACE).await } => {}
    }
    Ok(())
}

async fn answer(
    State(app): State<Arc<App>>,
    Query(orders): Query<Orders>,
    headers: HeaderMap,
) -> (StatusCode, Json<Visit>) {
    let mut visit = Visit {
        run: orders.run.clone(),
        pod: app.pod.clone(),
        headers: readable(&headers),
        status: None,
        decided: None,
        next: None,
    };
    if !orders.run.is_empty() {
        println!("{}", serde_json::json!(visit));
    }
    if orders.is_slow(&app.pod) {
        tokio::time::sleep(SLOW).await;
    }
    if orders.fails(&app.pod) {
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(visit));
    }
    if orders.is_late(&app.service) {
        tokio::spawn(async move { drop(timeout(LIMIT, call(&app, &orders, &headers)).await) });
        return (StatusCode::OK, Json(visit));
    }
    tokio::time::sleep(orders.wait(&app.service)).await;
    match call(&app, &orders, &headers).await {
        Ok(None) => (StatusCode::OK, Json(visit)),
        Ok(Some((status, decided, next))) => {
            (visit.status, visit.decided, visit.next) = (Some(status.as_u16()), decided, Some(next));
            (if status.is_success() { StatusCode::OK } else { StatusCode::BAD_GATEWAY }, Json(visit))
        }
        Err(error) => {
            visit.next = Some(Value::String(format!("{error:#}")));
            (StatusCode::BAD_GATEWAY, Json(visit))
        }
    }
}

type Answer = (StatusCode, Option<String>, Value);

/// Calls the next service, if there is one, with as many of the headers as this one copies.
async fn call(app: &App, orders: &Orders, headers: &HeaderMap) -> Result<Option<Answer>> {
    let Some((next, further)) = orders.next() else { return Ok(None) };
    let request = app.client.get(format!("http://{next}:{SERVICES_PORT}/")).query(&further);
    let answer = request.headers(orders.copied(&app.service, headers)).send().await?;
    let decided = answer.headers().get(DEBUG_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let status = answer.status();
    let text = answer.text().await?;
    Ok(Some((status, decided, serde_json::from_str(&text).unwrap_or(Value::String(text)))))
}
