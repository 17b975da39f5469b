//! What graylane's core says about a request, hop by hop.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use graylane::mesh::Mesh;
use graylane_decide::Role;
use graylane_tests::case::{Headers, Node, Suite};
use graylane_tests::level::native::Native;
use graylane_tests::level::{Claims, Level as _, Outcome, Request};
use graylane_tests::token::properties;

use crate::ask::{HOST, Visit};

/// The core, with a file: a gateway, and a sidecar for every pod that is asked about.
pub struct Core {
    gateway: Native,
    waypoint: Native,
    suite: Suite,
    sidecars: BTreeMap<String, Native>,
    meaning: Mesh,
}

impl Core {
    /// Of a file.
    pub fn new(document: &str) -> Result<Self> {
        let suite = suite(document, Role::Outbound)?;
        Ok(Self {
            gateway: Native::new(&Suite {
                role: Role::Gateway,
                node: Node { namespace: Some("istio-system".to_owned()), router: true, ..Node::default() },
                ..suite.clone()
            })?,
            waypoint: Native::new(&Suite { role: Role::Waypoint, ..suite.clone() })?,
            sidecars: BTreeMap::new(),
            meaning: suite.mesh()?,
            suite,
        })
    }

    /// What the gateway makes of a request to a service by its public host.
    pub fn gateway(
        &mut self,
        service: &str,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
        token: Option<&Claims>,
    ) -> Result<Outcome> {
        let cluster = self.cluster(service);
        let route = format!("{service}:rest");
        let request = Request::new(Role::Gateway, head(host, path, headers), Some(&cluster));
        self.gateway.send(&Request {
            route: Some(&route),
            properties: token.map(properties).unwrap_or_default(),
            ..request
        })
    }

    /// What a waypoint makes of a request to a service that comes under this host.
    pub fn waypoint(&mut self, service: &str, host: &str, headers: &[(&str, &str)]) -> Result<Outcome> {
        let cluster = format!(
            "inbound-vip|8080|http|{service}.{}.svc.cluster.local",
            self.meaning.document.mesh.namespace
        );
        let route = format!("{service}:rest");
        let request = Request::new(Role::Waypoint, head(host, "/", headers), Some(&cluster));
        self.waypoint.send(&Request { route: Some(&route), ..request })
    }

    /// What the sidecar of a pod makes of a call to a service, after the request that its application got.
    pub fn sidecar(
        &mut self,
        pod: &str,
        got: &BTreeMap<String, String>,
        sent: &BTreeMap<String, String>,
        service: &str,
    ) -> Result<Outcome> {
        if !self.sidecars.contains_key(pod) {
            self.sidecars.insert(pod.to_owned(), Native::new(&self.suite)?);
        }
        let cluster = self.cluster(service);
        let sidecar = self.sidecars.get_mut(pod).context("it was put there just now")?;
        let head = |authority: &str, headers: &BTreeMap<String, String>| {
            let pseudo = [(":authority", authority), (":method", "GET"), (":path", "/")];
            let pseudo = pseudo.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
            let own = headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes()));
            pseudo.into_iter().chain(own).collect()
        };
        sidecar.send(&Request::new(Role::Inbound, head("pod:9080", got), Some("inbound|9080||")))?;
        sidecar.send(&Request::new(Role::Outbound, head(&format!("{service}:8080"), sent), Some(&cluster)))
    }

    fn cluster(&self, service: &str) -> String {
        format!("outbound|8080||{service}.{}.svc.cluster.local", self.meaning.document.mesh.namespace)
    }

    /// The deployment that is to serve a service: `api-v2`.
    pub fn deployment(&self, service: &str, outcome: &Outcome) -> Result<String> {
        let subset = outcome.lane.as_ref().map(|[_, _, subset]| subset.as_str()).unwrap_or_default();
        let meant =
            self.meaning.services.iter().find(|meant| meant.name == service).context("an unknown service")?;
        let subset = if subset.is_empty() { meant.baseline.as_str() } else { subset };
        let labels =
            meant.subsets.get(subset).with_context(|| format!("{service} has no subset `{subset}`"))?;
        Ok(format!("{service}-{}", labels.get("version").context("a subset without a version")?))
    }

    /// Compares a chain of calls, where every application copies every header, with what is to become of it.
    pub fn compare(&mut self, services: &[&str], sent: &[(&str, &str)], visits: &[&Visit]) -> Result<()> {
        ensure!(
            visits.len() == services.len(),
            "{} of {} applications were reached: {visits:?}",
            visits.len(),
            services.len()
        );
        let mut outcome = self.gateway(services[0], HOST, "/", sent, None)?;
        for (place, (service, visit)) in services.iter().zip(visits).enumerate() {
            let want = self.deployment(service, &outcome)?;
            ensure!(visit.deployment() == want, "{sent:?}: {service} is to be {want}: {visit:?}");
            let header = outcome.headers.iter().find(|(name, _)| *name == self.meaning.header);
            let header = header.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
            let seen = visit.headers.get(&self.meaning.header).cloned();
            ensure!(seen == header, "{sent:?}: {service} sees {seen:?}, and is to see {header:?}");
            if let Some(next) = services.get(place + 1) {
                outcome = self.sidecar(&visit.pod, &visit.headers, &visit.headers, next)?;
            }
        }
        Ok(())
    }
}

/// The head of a request, as a proxy sees it.
fn head(host: &str, path: &str, headers: &[(&str, &str)]) -> Headers {
    let pseudo = [(":authority", host), (":method", "GET"), (":path", path)];
    let all = pseudo.iter().chain(headers);
    all.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

/// A file as the setup of cases.
fn suite(document: &str, role: Role) -> Result<Suite> {
    let document: serde_json::Map<String, serde_json::Value> = serde_saphyr::from_str(document)?;
    let namespace = document.get("mesh").and_then(|mesh| mesh["namespace"].as_str()).map(str::to_owned);
    Ok(Suite {
        about: String::new(),
        document,
        example: None,
        examples: Vec::new(),
        gateway: None,
        plugin_config: None,
        root_id: None,
        role,
        node: Node { namespace, ..Node::default() },
        cluster: None,
        not_in_istio: None,
        cases: Vec::new(),
        file: None,
        name: "bank".to_owned(),
    })
}
