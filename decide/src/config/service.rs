//! Destinations: their subsets, pins and rollouts, and the labels that make a pod part of a subset.

use serde::Serialize;

use crate::read::{Read, Reader, fields, words};

/// A destination.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its key in the file.
    pub name: String,
    /// Its full host name.
    pub host: String,
    /// Full names of further hosts by which Envoy's clusters name it, where versions have hosts of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// The port that is meant; absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Names of its subsets; none for external routes.
    pub subsets: Vec<String>,
    /// The subset for everything that no pin or weight sends elsewhere; empty for external routes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub baseline: String,
    /// Tenants with a subset of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Pin>,
    /// Weights over the subsets. Without a baseline: another controller sets the weights, this has none, and Envoy is told the
    /// points of those who take part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// Requests of its own kind that go their own way; which are meant says the name of Envoy's route.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
}

impl Service {
    /// Does it say anything that filters before version 2 of the document do not know?
    #[must_use]
    pub fn needs_version_2(&self) -> bool {
        self.baseline.is_empty() || !self.hosts.is_empty()
    }

    /// Does another controller set the weights?
    #[must_use]
    pub fn is_weighed_by_another(&self) -> bool {
        self.baseline.is_empty() && self.rollout.is_some()
    }
}

/// Requests of a service that go their own way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Route {
    /// The middle of Envoy's route names: `<service>:<name>:<rule>`.
    pub name: String,
    /// Tenants with a subset of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Pin>,
    /// Weights over the subsets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
}

/// A tenant's own subset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pin {
    /// A declared tenant.
    pub tenant: String,
    /// A subset of the service.
    pub subset: String,
}

/// Weights over the subsets of a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rollout {
    /// Of the buckets.
    pub salt: String,
    /// Who takes part.
    pub tenants: Vec<String>,
    /// The canaries; the baseline has the rest.
    pub weights: Vec<Weight>,
}

/// A canary's share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Weight {
    /// A subset that is not the baseline.
    pub subset: String,
    /// 0 to 10,000: hundredths of a percent.
    pub buckets: u16,
    /// Which end of the buckets it fills from.
    pub from: End,
}

/// An end of the buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "document",
    derive(schemars::JsonSchema, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
pub enum End {
    /// From bucket 0 upwards.
    #[default]
    Bottom,
    /// From bucket 9999 downwards.
    Top,
}

/// Which labels make a pod part of a subset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkloadSubset {
    /// The subset's name.
    pub subset: String,
    /// All of these a pod has.
    pub labels: Vec<Label>,
    /// The services that this holds for; empty where the labels mean the same in all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
}

/// A pod's label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Its key.
    pub name: String,
    /// Its value.
    pub value: String,
}

words!(End { Bottom: "bottom", Top: "top" });
fields!(Service {
    name: "name",
    host: "host",
    hosts: "hosts" = Vec::new,
    port: "port" = || None,
    subsets: "subsets",
    baseline: "baseline" = String::new,
    pins: "pins" = Vec::new,
    rollout: "rollout" = || None,
    routes: "routes" = Vec::new,
});
fields!(Route { name: "name", pins: "pins" = Vec::new, rollout: "rollout" = || None });
fields!(Pin { tenant: "tenant", subset: "subset" });
fields!(Rollout { salt: "salt", tenants: "tenants", weights: "weights" });
fields!(Weight { subset: "subset", buckets: "buckets", from: "from" = End::default });
fields!(WorkloadSubset { subset: "subset", labels: "labels", services: "services" = Vec::new });
fields!(Label { name: "name", value: "value" });
