//! A registry that can be told to misbehave (OCI distribution-spec 1.1, as much as a push and a pull need).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use graylane::image::digest;

/// How a request is answered that should not be answered well.
#[derive(Clone, Debug)]
pub enum Fault {
    /// With this status and an empty body.
    Status(u16),
    /// With half of the body, and then the connection is gone. Of an upload, half is read.
    Cut,
    /// With other bytes than those asked for, and their digest.
    Lie,
    /// With other bytes than those asked for, and the digest of these.
    Mismatch,
    /// Well, but without the address that it has to give.
    Nowhere,
}

const LIE: Bytes = Bytes::from_static(br#"{"schemaVersion":2}"#);

/// When.
#[derive(Clone, Debug)]
pub struct Rule {
    pub method: Method,
    /// Part of the path.
    pub path: &'static str,
    /// How often; then it works.
    pub times: usize,
    pub fault: Fault,
}

#[derive(Default)]
struct Store {
    blobs: BTreeMap<String, Bytes>,
    /// By tag and by digest.
    manifests: BTreeMap<String, Bytes>,
    rules: Vec<Rule>,
    /// `METHOD path status`, in the order of the answers.
    log: Vec<String>,
}

/// The registry, running.
#[derive(Clone)]
pub struct Registry {
    store: Arc<Mutex<Store>>,
    pub address: SocketAddr,
}

impl Registry {
    /// Starts one on a free port of loopback; it ends with the runtime.
    pub async fn start(rules: &[Rule]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let store = Arc::new(Mutex::new(Store { rules: rules.to_vec(), ..Store::default() }));
        let registry = Self { store, address: listener.local_addr().unwrap() };
        let service = axum::Router::new().fallback(answer).with_state(registry.clone());
        tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        registry
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }

    /// What it does from now on.
    pub fn rules(&self, rules: &[Rule]) {
        self.store().rules = rules.to_vec();
    }

    /// What a tag or a digest leads to.
    pub fn manifest(&self, reference: &str) -> Option<Bytes> {
        self.store().manifests.get(reference).cloned()
    }

    /// How often something was answered: part of `METHOD path status`.
    pub fn answered(&self, part: &str) -> usize {
        self.store().log.iter().filter(|line| line.contains(part)).count()
    }

    fn fault(&self, method: &Method, path: &str) -> Option<Fault> {
        let mut store = self.store();
        let rule = store
            .rules
            .iter_mut()
            .find(|rule| rule.times > 0 && rule.method == *method && path.contains(rule.path))?;
        rule.times -= 1;
        Some(rule.fault.clone())
    }
}

async fn answer(State(registry): State<Registry>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let fault = registry.fault(&head.method, &path);
    if let (Some(Fault::Cut), false) = (&fault, head.method == Method::GET) {
        // Some of the upload, and no answer: axum closes the connection of a handler that panics.
        body.into_data_stream().next().await;
        registry.store().log.push(format!("{} {path} cut", head.method));
        std::panic::resume_unwind(Box::new("cut"));
    }
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let honest = serve(&registry, &head.method, &head.uri, &bytes);
    let response = match fault {
        Some(Fault::Status(code)) => StatusCode::from_u16(code).unwrap().into_response(),
        Some(Fault::Lie) => found(graylane::image::MANIFEST, &LIE),
        Some(Fault::Mismatch) => (digest_of(&honest), LIE).into_response(),
        Some(Fault::Cut) => {
            let (parts, body) = honest.into_parts();
            let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let half = whole.slice(..whole.len() / 2);
            let pieces = [Ok(half), Err(std::io::Error::other("cut"))];
            let mut cut = Response::from_parts(parts, Body::from_stream(stream::iter(pieces)));
            cut.headers_mut().insert(header::CONTENT_LENGTH, whole.len().into());
            cut
        }
        Some(Fault::Nowhere) => {
            let mut honest = honest;
            honest.headers_mut().remove(header::LOCATION);
            honest
        }
        None => honest,
    };
    registry.store().log.push(format!("{} {path} {}", head.method, response.status().as_u16()));
    response
}

fn serve(registry: &Registry, method: &Method, uri: &axum::http::Uri, bytes: &Bytes) -> Response {
    let path = uri.path();
    let mut store = registry.store();
    let last = path.rsplit('/').next().unwrap_or_default().to_owned();
    let not_found = StatusCode::NOT_FOUND.into_response();
    match (method, path) {
        (_, "/v2/") => StatusCode::OK.into_response(),
        (&Method::POST, path) if path.contains("/blobs/uploads/") => {
            (StatusCode::ACCEPTED, [(header::LOCATION, format!("{path}1"))]).into_response()
        }
        (&Method::PUT, path) if path.contains("/blobs/uploads/") => {
            let said = uri.query().unwrap_or_default().replace("%3A", ":");
            if !said.contains(&digest(bytes)) {
                return StatusCode::BAD_REQUEST.into_response();
            }
            store.blobs.insert(digest(bytes), bytes.clone());
            (StatusCode::CREATED, [(header::LOCATION, path.to_owned())]).into_response()
        }
        (&Method::PUT, path) if path.contains("/manifests/") => {
            store.manifests.insert(digest(bytes), bytes.clone());
            store.manifests.insert(last, bytes.clone());
            (StatusCode::CREATED, [(header::LOCATION, path.to_owned())]).into_response()
        }
        (_, path) if path.contains("/manifests/") => match store.manifests.get(&last) {
            Some(manifest) => found(graylane::image::MANIFEST, manifest),
            None => not_found,
        },
        (_, path) if path.contains("/blobs/") => match store.blobs.get(&last) {
            Some(blob) => found("application/octet-stream", blob),
            None => not_found,
        },
        _ => not_found,
    }
}

fn digest_of(response: &Response) -> HeaderMap {
    let kept = [header::CONTENT_TYPE, "docker-content-digest".parse().unwrap()];
    kept.into_iter().filter_map(|name| Some((name.clone(), response.headers().get(&name)?.clone()))).collect()
}

fn found(media_type: &'static str, bytes: &Bytes) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, media_type.parse().unwrap());
    headers.insert("docker-content-digest", digest(bytes).parse().unwrap());
    (headers, bytes.clone()).into_response()
}
