//! The graylane file, as it is written: in the order that people read it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};

use super::rules::Group;

/// A graylane file.
#[derive(Clone, Debug, Serialize)]
pub struct File {
    pub(super) version: u32,
    pub(super) mesh: MeshOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) header: Option<String>,
    pub(super) tenants: BTreeMap<String, TenantOut>,
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
    ///
    /// # Errors
    /// Never in practice: all of it is text, numbers, lists and maps.
    pub fn yaml(&self) -> Result<String> {
        Ok(serde_saphyr::to_string(self)?)
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct MeshOut {
    pub name: String,
    pub namespace: String,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct TenantOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
}

#[derive(Clone, Debug, Serialize)]
pub struct EdgeOut {
    pub gateway: GatewayOut,
}

#[derive(Clone, Debug, Serialize)]
pub struct GatewayOut {
    selector: BTreeMap<&'static str, &'static str>,
    name: String,
}

impl GatewayOut {
    /// Its pods are not in what is imported; these are the labels of Istio's own gateway.
    pub fn new(name: String) -> Self {
        Self { selector: BTreeMap::from([("istio", "ingressgateway")]), name }
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Expose {
    pub hosts: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub paths: BTreeSet<String>,
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
            serializer.serialize_f64(self.0 as f64 / 100.0)
        }
    }
}

/// Who goes where.
#[derive(Clone, Debug, Default)]
pub struct ChoicesOut {
    pub pins: BTreeMap<String, String>,
    pub weights: BTreeMap<String, ShareOut>,
    /// Tenants with weights of their own.
    pub split: Vec<(String, BTreeMap<String, ShareOut>)>,
}

#[derive(Clone, Debug, Serialize)]
pub struct RolloutOut {
    weights: BTreeMap<String, ShareOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenants: Option<Vec<String>>,
    /// Tenants that have a rule of their own, and so take no part.
    #[serde(skip)]
    apart: BTreeSet<String>,
}

impl RolloutOut {
    /// Whoever has no rule of his own takes part.
    fn let_take_part(&mut self, tenants: &BTreeSet<String>, default: &str) {
        let others = tenants.iter().filter(|tenant| *tenant != default && !self.apart.contains(*tenant));
        let others: Vec<String> = others.cloned().collect();
        self.tenants = (!others.is_empty()).then(|| [default.to_owned()].into_iter().chain(others).collect());
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct RouteOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(rename = "match")]
    matches: Vec<Map<String, Json>>,
    pins: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<RolloutOut>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    http: Map<String, Json>,
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
    pub(super) subsets: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) baseline: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) pins: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rollout: Option<RolloutOut>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) routes: Vec<RouteOut>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(super) http: Map<String, Json>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(super) traffic_policy: Map<String, Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fallback: Option<&'static str>,
    #[serde(skip)]
    pub(super) declared: BTreeSet<String>,
}

impl ServiceOut {
    /// All tenants that it knows of.
    pub fn tenants(&self) -> BTreeSet<String> {
        self.declared.clone()
    }

    /// Lets all tenants take part in its rollouts that have no rule of their own there.
    pub fn let_take_part(&mut self, tenants: &BTreeSet<String>, default: &str) {
        let routes = self.routes.iter_mut().filter_map(|route| route.rollout.as_mut());
        routes.chain(self.rollout.as_mut()).for_each(|rollout| rollout.let_take_part(tenants, default));
    }

    /// Takes what its rules say; the group that matches everything is the service, the others are routes.
    pub fn take_groups(&mut self, groups: Vec<Group>, title: &str, notes: &mut Vec<String>) {
        let rest = groups.iter().position(|group| group.matches.is_empty());
        self.baseline = rest.and_then(|place| groups[place].baseline.clone());
        for (place, group) in groups.into_iter().enumerate() {
            if group.falls_back {
                self.fallback = Some("baseline");
            }
            if group.baseline.is_some() && group.baseline != self.baseline && self.baseline.is_some() {
                notes.push(format!(
                    "{title}: a route with another baseline, {}; the service's is used",
                    group.baseline.clone().unwrap_or_default()
                ));
            }
            self.declared.extend(group.choices.pins.keys().cloned());
            self.declared.extend(group.choices.split.iter().map(|(tenant, _)| tenant.clone()));
            let rollout = rollout(&group, title, notes);
            // Whoever is not pinned and takes no part gets the baseline anyway.
            let mut pins = group.choices.pins;
            pins.retain(|_, subset| Some(&*subset) != self.baseline.as_ref());
            if Some(place) == rest {
                (self.pins, self.rollout, self.http) = (pins, rollout, group.http);
            } else {
                self.routes.push(RouteOut {
                    name: group.name,
                    matches: group.matches,
                    pins,
                    rollout,
                    http: group.http,
                });
            }
        }
        // What a route says as the service does need not be said again.
        let common = self.http.clone();
        for route in &mut self.routes {
            route.http.retain(|key, value| common.get(key) != Some(value));
        }
    }

    /// Takes the subsets of a DestinationRule.
    pub fn take_subsets(&mut self, spec: Option<&Json>, title: &str, notes: &mut Vec<String>) {
        let Some(spec) = spec else {
            notes.push(format!("{title}: no DestinationRule; write its subsets"));
            return;
        };
        for subset in spec["subsets"].as_array().into_iter().flatten() {
            let name = subset["name"].as_str().unwrap_or_default();
            if name.ends_with("-or-baseline") {
                continue;
            }
            if subset.get("trafficPolicy").is_some() {
                notes.push(format!("{title}, subset {name}: a trafficPolicy of its own is not carried over"));
            }
            let labels = subset["labels"].as_object().into_iter().flatten();
            let labels =
                labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
            self.subsets.insert(name.to_owned(), labels);
        }
        self.traffic_policy = spec["trafficPolicy"].as_object().cloned().unwrap_or_default();
        if self.baseline.is_none() && self.subsets.len() > 1 {
            notes.push(format!("{title}: no rule for everybody, so no baseline; add `baseline:`"));
        }
        if self.subsets.len() == 1 {
            self.baseline = None;
        }
    }
}

/// The weights of a group. Tenants with the same weights of their own take part as well.
fn rollout(group: &Group, title: &str, notes: &mut Vec<String>) -> Option<RolloutOut> {
    let weights = group.choices.weights.clone();
    for (tenant, own) in &group.choices.split {
        if *own != weights {
            notes.push(format!("{title}: other weights for `{tenant}` are not carried over"));
        }
    }
    let apart = group.choices.pins.keys().cloned().collect();
    (!weights.is_empty()).then_some(RolloutOut { weights, tenants: None, apart })
}
