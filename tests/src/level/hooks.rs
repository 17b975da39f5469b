//! The native module without Envoy: its hooks, over a host in plain values.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use graylane_decide::names::CLAIMS_STATE;
use graylane_decide::{Role, names};
use graylane_native::abi::Attribute;
use graylane_native::node;
use serde_json::json;

use super::{Level, Outcome, Request};
use crate::case::Suite;
use crate::mock::{self, Plugin};
use crate::token;

/// The plugins of one suite.
pub struct Hooks {
    plugins: BTreeMap<&'static str, Plugin>,
}

impl Hooks {
    /// For a suite.
    ///
    /// # Errors
    /// When its document is not in order.
    pub fn new(suite: &Suite) -> Result<Self> {
        let kind = if suite.node.router { "router" } else { "sidecar" };
        let (id, namespace) = match &suite.node.namespace {
            Some(namespace) => {
                (format!("{kind}~127.0.0.1~pod.{namespace}~{namespace}.svc"), json!(namespace))
            }
            None => (kind.to_owned(), json!(null)),
        };
        node::is(json!({"id": id, "metadata": {"NAMESPACE": namespace, "LABELS": suite.node.labels}}));
        let variables: Vec<String> =
            suite.node.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut plugins = BTreeMap::new();
        for role in Role::ALL {
            let root_id = suite.root_id(role);
            let name = format!("{root_id}/{}-{}?{}", suite.name, role.name(), variables.join("&"));
            let plugin = Plugin::load(&name, suite.configuration(role)?.as_bytes());
            plugins.insert(role.name(), plugin.context("no plugin is refused")?);
        }
        Ok(Self { plugins })
    }
}

impl Level for Hooks {
    fn send(&mut self, request: &Request<'_>) -> Result<Outcome> {
        let plugin = self.plugins.get(request.role.name()).context("a role")?;
        let lower = |lines: &[(String, Vec<u8>)]| -> mock::Lines {
            lines
                .iter()
                .map(|(name, value)| (name.to_ascii_lowercase().into_bytes(), value.clone()))
                .collect()
        };
        let mut stream = mock::Request {
            headers: lower(&request.headers),
            cluster: request.cluster.map(|name| name.as_bytes().to_vec()),
            trailers: (!request.trailers.is_empty()).then(|| lower(&request.trailers)),
            ..mock::Request::default()
        };
        let mut text = |attribute: Attribute, value: &[u8]| {
            stream.texts.insert(attribute as u32, value.to_vec());
        };
        request.route.iter().for_each(|name| text(Attribute::RouteName, name.as_bytes()));
        for (path, value) in &request.properties {
            match path.as_slice() {
                names::SOURCE_ADDRESS => text(Attribute::SourceAddress, value),
                path if path == names::CERTIFICATE[0] => text(Attribute::UriSanPeer, value),
                // Claims: below, as Envoy's own filter hands them over.
                _ => {}
            }
        }
        if let Some((claims, _)) = request.token {
            stream.state.insert(CLAIMS_STATE.to_owned(), token::payload(claims).to_string().into_bytes());
        }
        let passed = plugin.send(&mut stream);
        let state = |name: &str| {
            let value = stream.state.get(&names::filter_state(name));
            value.map(|value| String::from_utf8_lossy(value).into_owned())
        };
        let lane = state(names::TENANT_STATE).map(|tenant| {
            let other = |name: &str| state(name).unwrap_or_default();
            [tenant, other(names::SOURCE_STATE), other(names::SUBSET_STATE)]
        });
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let trailers = stream.trailers.iter().flatten().map(|(name, _)| text(name)).collect();
        Ok(Outcome {
            lane,
            cookie: state(names::COOKIE_STATE),
            debug: state(names::DEBUG_STATE),
            trailers,
            reply: if passed { None } else { stream.reply.map(|(status, _, body)| (status, text(&body))) },
            headers: stream.headers.into_iter().map(|(name, value)| (text(&name), value)).collect(),
            ..Outcome::default()
        })
    }
}
