//! Requests through the gateway, and what the applications on the way say.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;

/// The bank's public host.
pub const HOST: &str = "bank.example.com";
/// Response header that says how a request was decided.
pub const DEBUG: &str = "x-graylane-debug";

/// What an application saw of a request, as `tests/app` writes it.
#[derive(Clone, Debug, Deserialize)]
pub struct Visit {
    /// The pod.
    pub pod: String,
    /// Headers that arrived.
    pub headers: BTreeMap<String, String>,
    /// How its sidecar decided the call to the next one.
    pub decided: Option<String>,
    /// The next one's words.
    pub next: Option<Box<Next>>,
}

/// An application, or a proxy that answered in its place.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Next {
    /// An application.
    Visit(Visit),
    /// Anything else.
    Words(#[expect(dead_code, reason = "shown when it fails")] serde_json::Value),
}

impl Visit {
    /// This one and all that it called, in order.
    pub fn all(&self) -> Vec<&Self> {
        let mut all = vec![self];
        if let Some(Next::Visit(next)) = self.next.as_deref() {
            all.extend(next.all());
        }
        all
    }

    /// The deployment of its pod: `api-v1`.
    pub fn deployment(&self) -> &str {
        deployment(&self.pod)
    }
}

/// The deployment of a pod: `api-v1` of `api-v1-6d5f8c7b9-x1`.
pub fn deployment(pod: &str) -> &str {
    let end = pod.match_indices('-').nth(1).map_or(pod.len(), |(place, _)| place);
    &pod[..end]
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// How the gateway decided.
    pub decided: String,
    /// The cookie that was minted.
    pub cookie: Option<String>,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// What the application said.
    pub fn visit(&self) -> Result<Visit> {
        serde_json::from_str(&self.body).with_context(|| format!("no application answered: {self:?}"))
    }
}

/// A request to the bank.
pub fn request(client: &Client, gateway: &str, path: &str, headers: &[(&str, &str)]) -> RequestBuilder {
    let request = client.get(format!("{gateway}{path}"));
    let request =
        if headers.iter().any(|(name, _)| *name == "host") { request } else { request.header("host", HOST) };
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

/// Sends one.
pub async fn ask(client: &Client, gateway: &str, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let answer = request(client, gateway, path, headers).send().await?;
    let header =
        |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (decided, cookie) = (header(DEBUG).unwrap_or_default(), header("set-cookie"));
    Ok(Answer { status: answer.status().as_u16(), decided, cookie, body: answer.text().await? })
}
