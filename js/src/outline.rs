//! What there is in a file: what a page offers to choose from.

use graylane_decide::config::Weight;
use graylane_mesh::document::model::Key;
use graylane_mesh::mesh::{Rollout, Route, Service};
use serde::Serialize;

use crate::file::File;

/// A file's names.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outline {
    mesh: String,
    header: String,
    /// The default tenant first.
    tenants: Vec<String>,
    keys: Vec<KeyOf>,
    has_gateway: bool,
    /// What a way from outside begins with: `gateway`, or `gateway:NAME` of each of several.
    gateways: Vec<String>,
    has_tokens: bool,
    services: Vec<Part>,
    workers: Vec<Consumer>,
}

/// Where a user's key is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "in", content = "name")]
enum KeyOf {
    Header(String),
    Cookie(String),
    Query(String),
    Claim(Vec<String>),
    Source,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    name: String,
    is_exposed: bool,
    is_external: bool,
    subsets: Vec<String>,
    baseline: String,
    routes: Vec<String>,
    rollout: Option<Rolled>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Rolled {
    salt: String,
    tenants: Vec<String>,
    weights: Vec<Canary>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Canary {
    subset: String,
    percent: f64,
    /// Where the number is written.
    place: Option<Place>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    file: String,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Consumer {
    name: String,
    tenants: Vec<String>,
}

impl File {
    /// Its names.
    #[must_use]
    pub fn outline(&self) -> Outline {
        let (mesh, document) = (&self.mesh, &self.mesh.document);
        let others = mesh.tenants.iter().filter(|tenant| **tenant != mesh.default);
        let consumer = |worker: &graylane_mesh::workers::Worker| Consumer {
            name: worker.name.clone(),
            tenants: worker.tenants.clone(),
        };
        Outline {
            mesh: document.mesh.name.clone(),
            header: mesh.header.clone(),
            tenants: [&mesh.default].into_iter().chain(others).cloned().collect(),
            keys: document.sticky.in_order(&document.sticky.keys).into_iter().filter_map(key).collect(),
            has_gateway: mesh.gateways().next().is_some(),
            gateways: mesh.ingresses().iter().map(graylane_mesh::explain::stop).collect(),
            has_tokens: mesh.ingresses().iter().any(|ingress| ingress.jwt.is_some()),
            services: mesh.services.iter().map(|service| self.part(service)).collect(),
            workers: mesh.workers.iter().map(consumer).collect(),
        }
    }

    fn part(&self, service: &Service) -> Part {
        let rest = service.rest();
        let routes = service.routes.iter().filter_map(|route: &Route| route.name.clone());
        let rollout = rest.rollout.as_ref().filter(|_| !service.external);
        Part {
            name: service.name.clone(),
            is_exposed: !service.expose.hosts.is_empty(),
            is_external: service.external,
            subsets: service.subsets.keys().cloned().collect(),
            baseline: service.baseline.clone(),
            routes: routes.collect(),
            rollout: rollout.map(|rollout| self.rolled(&service.name, rollout)),
        }
    }

    fn rolled(&self, service: &str, rollout: &Rollout) -> Rolled {
        let canary = |weight: &Weight| Canary {
            subset: weight.subset.clone(),
            percent: graylane_mesh::percent::of(weight.buckets),
            place: self.place(service, &weight.subset),
        };
        Rolled {
            salt: rollout.salt.clone(),
            tenants: rollout.tenants.clone(),
            weights: rollout.weights.iter().map(canary).collect(),
        }
    }

    /// Where the number of a weight is: the weight itself, or its `percent`.
    fn place(&self, service: &str, subset: &str) -> Option<Place> {
        let weight = ["services", service, "rollout", "weights", subset];
        let percent = [&weight[..], &["percent"]].concat();
        let node = self.checked.tree.at(&percent).or_else(|| self.checked.tree.at(&weight))?;
        let (end_line, end_column) = self.sources.end(node.span);
        let file = self.sources.name(node.span.file).to_owned();
        Some(Place { file, line: node.span.line, column: node.span.column, end_line, end_column })
    }
}

fn key(key: &Key) -> Option<KeyOf> {
    let claim = || key.claim.as_ref().map(|name| KeyOf::Claim(name.path()));
    let named = key.header.clone().map(KeyOf::Header).or_else(|| key.cookie.clone().map(KeyOf::Cookie));
    let named = named.or_else(|| key.query.clone().map(KeyOf::Query)).or_else(claim);
    named.or_else(|| key.source.then_some(KeyOf::Source))
}
