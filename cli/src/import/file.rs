//! The graylane file, as it is written: in the order that people read it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};

/// A graylane file.
#[derive(Clone, Debug, Serialize)]
pub struct File {
    pub(super) version: u32,
    pub(super) mesh: MeshOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) header: Option<String>,
    pub(super) tenants: BTreeMap<String, TenantOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<PolicyOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) edge: Option<EdgeOut>,
    pub(super) services: BTreeMap<String, ServiceOut>,
}

impl File {
    /// Has it no service?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// As YAML.
    #[must_use]
    pub fn yaml(&self) -> String {
        graylane_mesh::serialise::yaml(self)
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct MeshOut {
    pub name: String,
    pub namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<&'static str>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct TenantOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
}

#[derive(Clone, Debug, Serialize)]
pub struct PolicyOut {
    pub unknown: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub struct EdgeOut {
    pub gateway: GatewayOut,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<ClaimRule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtOut>,
}

/// Callers with a claim belong to a tenant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClaimRule {
    pub tenant: String,
    pub claim: ClaimOut,
}

/// A claim, and its exact value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClaimOut {
    pub name: Json,
    pub exact: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct GatewayOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<BTreeMap<String, String>>,
    pub name: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JwtOut {
    pub issuer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Expose {
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub hosts: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub paths: BTreeSet<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<OutsideOut>,
}

/// A share in percent, without digits that say nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShareOut(u64);

impl ShareOut {
    pub fn of_hundredths(hundredths: u64) -> Self {
        Self(hundredths)
    }
}

impl Serialize for ShareOut {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(100) {
            serializer.serialize_u64(self.0 / 100)
        } else {
            serializer.serialize_f64(crate::percent::of(self.0))
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RolloutOut {
    pub weights: BTreeMap<String, ShareOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Vec<String>>,
    /// Tenants that have a rule of their own, and so take no part.
    #[serde(skip)]
    pub apart: BTreeSet<String>,
}

impl RolloutOut {
    /// Tenants without a rule of their own take part.
    fn let_take_part(&mut self, tenants: &BTreeSet<String>, default: &str) {
        let others = tenants.iter().filter(|tenant| *tenant != default && !self.apart.contains(*tenant));
        let others: Vec<String> = others.cloned().collect();
        self.tenants = (!others.is_empty()).then(|| [default.to_owned()].into_iter().chain(others).collect());
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct RouteOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(rename = "match")]
    pub matches: Vec<Map<String, Json>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pins: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutOut>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub http: Map<String, Json>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct OutsideOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<String>,
    #[serde(rename = "match", skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<Map<String, Json>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pins: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutOut>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub http: Map<String, Json>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub headers: Map<String, Json>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub traffic_policy: Map<String, Json>,
}

/// Names that resources keep.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NamesOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_rule: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<String, String>,
}

impl NamesOut {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A service.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expose: Option<Expose>,
    pub subsets: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pins: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutOut>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteOut>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub http: Map<String, Json>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub traffic_policy: Map<String, Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, VersionOut>,
    #[serde(skip_serializing_if = "NamesOut::is_empty")]
    pub names: NamesOut,
    /// All tenants that it knows of.
    #[serde(skip)]
    pub declared: BTreeSet<String>,
}

impl ServiceOut {
    /// Lets all tenants take part in its rollouts that have no rule of their own there.
    pub fn let_take_part(&mut self, tenants: &BTreeSet<String>, default: &str) {
        let routes = self.routes.iter_mut().filter_map(|route| route.rollout.as_mut());
        let outside = self.expose.iter_mut().flat_map(|expose| &mut expose.routes);
        let outside = outside.filter_map(|route| route.rollout.as_mut());
        let all = routes.chain(outside).chain(self.rollout.as_mut());
        all.for_each(|rollout| rollout.let_take_part(tenants, default));
    }

    /// Is it shown at a public host?
    pub fn is_shown_at(&self, host: &str) -> bool {
        self.expose.as_ref().is_some_and(|expose| {
            expose.hosts.contains(host)
                || expose.routes.iter().any(|route| route.hosts.iter().any(|own| own == host))
        })
    }

    /// Texts of the cluster are texts: what looks like a variable of the file is none.
    pub fn escape(&mut self) {
        let routes =
            self.routes.iter_mut().flat_map(|route| [&mut route.http].into_iter().chain(&mut route.matches));
        let outside = self.expose.iter_mut().flat_map(|expose| &mut expose.routes);
        let outside = outside.flat_map(|route| [&mut route.http].into_iter().chain(&mut route.matches));
        let versions = self.versions.values_mut();
        let versions = versions.flat_map(|version| [&mut version.headers, &mut version.traffic_policy]);
        let all = [&mut self.http, &mut self.traffic_policy];
        for fields in routes.chain(outside).chain(versions).chain(all) {
            fields.values_mut().for_each(escape);
        }
        let paths = self.expose.iter_mut().map(|expose| &mut expose.paths);
        paths.for_each(|paths| *paths = paths.iter().map(|path| escaped(path)).collect());
    }
}

fn escape(json: &mut Json) {
    match json {
        Json::String(text) => *text = escaped(text),
        Json::Array(list) => list.iter_mut().for_each(escape),
        Json::Object(fields) => fields.values_mut().for_each(escape),
        _ => {}
    }
}

fn escaped(text: &str) -> String {
    if text.contains("${") || text.contains("$$") { text.replace('$', "$$") } else { text.to_owned() }
}
