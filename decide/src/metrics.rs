//! Names of the metrics, with their tags.
//!
//! Tags stand in the name as `tag=.=value;.;`, where Istio's bootstrap (`extraStatTags`) and ours read them:
//! `direction=.=inbound;.;tenant=.=green;.;…graylane_requests_total`. Only declared names ever become values.

use std::fmt::Write as _;

use crate::config::Role;
use crate::decision::Decision;
use crate::plan::Plan;
use crate::why::{Rejection, Source, UnitSource};

/// Requests that were decided.
pub const REQUESTS: &str = "graylane_requests_total";
/// Requests that were rejected; where the mode is observe, that would have been.
pub const REJECTED: &str = "graylane_rejected_total";
/// Requests whose header named one tenant, and memory or baggage another.
pub const CONFLICTS: &str = "graylane_conflicts_total";
/// Requests from which a gateway that enforced would have taken a tenant or unit of the caller's; where the mode is observe.
pub const WOULD_REMOVE: &str = "graylane_would_remove_total";
/// Live entries of the memory that had to make room.
pub const EVICTED: &str = "graylane_memory_evictions_total";
/// Ids that could not be remembered.
pub const LOST: &str = "graylane_memory_lost_total";
/// 1: the plugin runs the configuration it was given last; 0: that one cannot be read, it runs the one before, or none.
pub const CONFIG_VALID: &str = "graylane_config_valid";
/// The revision of the configuration that runs, a number of 48 bits; 0 for none.
pub const CONFIG_REVISION: &str = "graylane_config_revision";

/// All counters.
pub const COUNTERS: [&str; 6] = [REQUESTS, REJECTED, CONFLICTS, WOULD_REMOVE, EVICTED, LOST];

/// All tags that any metric has, as they have to be named in Istio's `extraStatTags`.
pub const TAGS: [&str; 7] = ["direction", "tenant", "subset", "source", "service", "unit", "reason"];

/// Service of a destination that the file does not list, and tenant without a label of its own.
pub const OTHER: &str = "other";
/// Subset where there is none, or where the route's weights draw.
pub const NONE: &str = "none";

/// One series of [`REQUESTS`]: what two decisions must share to be counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Series {
    tenant: u16,
    service: u32,
    subset: u16,
    source: Source,
    unit: UnitSource,
}

impl Series {
    /// The series that counts this decision.
    #[must_use]
    pub fn of(decision: &Decision<'_>) -> Self {
        let small = |index: Option<usize>| index.and_then(|index| u16::try_from(index + 1).ok()).unwrap_or(0);
        Self {
            tenant: small(Some(decision.tenant.index())),
            service: decision.service.map_or(0, |service| service.index.saturating_add(1)),
            subset: small(decision.subset_index()),
            source: decision.source,
            unit: decision.unit_source,
        }
    }
}

fn tag(name: &mut String, key: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = write!(name, "{key}=.={value};.;");
}

/// The tags of a metric, in the order of its full name.
#[must_use]
pub fn tags(role: Role, metric: &str) -> &'static [&'static str] {
    match metric {
        REQUESTS if role == Role::Inbound => &["direction", "tenant", "subset", "source"],
        REQUESTS => &["direction", "tenant", "subset", "source", "service", "unit"],
        REJECTED => &["direction", "reason"],
        CONFLICTS => &["direction", "source"],
        _ => &["direction"],
    }
}

/// The metric in a full name, and its tags with their values.
pub fn parts(name: &str) -> (&str, impl Iterator<Item = (&str, &str)>) {
    let metric = name.rsplit(";.;").next().unwrap_or_default();
    let tags = name.split(";.;").filter_map(|part| part.split_once("=.="));
    (metric, tags)
}

/// The full name of the series that counts this decision.
#[must_use]
pub fn requests(plan: &Plan, decision: &Decision<'_>) -> String {
    let mut name = String::with_capacity(160);
    tag(&mut name, "direction", plan.role.name());
    let tenant = plan.tenants.name(decision.tenant);
    let labelled = !plan.telemetry.unlabelled.iter().any(|one| one == tenant);
    tag(&mut name, "tenant", if labelled { tenant } else { OTHER });
    tag(&mut name, "subset", decision.subset.unwrap_or(NONE));
    tag(&mut name, "source", decision.source.name());
    if plan.role != Role::Inbound {
        tag(&mut name, "service", decision.service.map_or(OTHER, |service| &service.name));
        tag(&mut name, "unit", decision.unit_source.name());
    }
    name + REQUESTS
}

/// The full name of the counter of rejections for this reason.
#[must_use]
pub fn rejected(role: Role, rejection: Rejection) -> String {
    let mut name = String::new();
    tag(&mut name, "direction", role.name());
    tag(&mut name, "reason", rejection.reason());
    name + REJECTED
}

/// The full name of the counter of conflicts with this.
#[must_use]
pub fn conflicts(role: Role, with: Source) -> String {
    let mut name = String::new();
    tag(&mut name, "direction", role.name());
    tag(&mut name, "source", with.name());
    name + CONFLICTS
}

/// The full name of a metric that has the role as its only tag.
#[must_use]
pub fn of_role(role: Role, metric: &str) -> String {
    let mut name = String::new();
    tag(&mut name, "direction", role.name());
    name + metric
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::plan::Node;

    #[test]
    fn tenants_without_a_label_are_counted_under_other() {
        let text = r#"{"version": 2, "role": "inbound", "header": "tenant", "tenants": ["a", "b"], "default": "a",
                       "telemetry": {"unlabelled": ["b"]}}"#;
        let plan = Plan::compile(&config::parse(text.as_bytes()).unwrap(), &Node::default()).unwrap();
        for (tenant, label) in [("a", "tenant=.=a;.;"), ("b", "tenant=.=other;.;")] {
            let tenant = plan.tenants.find(tenant.as_bytes()).unwrap();
            assert!(requests(&plan, &Decision::new(tenant, Source::Header, true)).contains(label));
        }
    }

    #[test]
    fn full_names_have_the_tags_that_they_should() {
        for role in Role::ALL {
            let text = format!(
                r#"{{"version": 1, "role": "{}", "header": "tenant", "tenants": ["a"], "default": "a"}}"#,
                role.name()
            );
            let plan = Plan::compile(&config::parse(text.as_bytes()).unwrap(), &Node::default()).unwrap();
            let decision = Decision::new(plan.tenants.default_id(), Source::Header, true);
            let mut names = vec![requests(&plan, &decision)];
            names.push(rejected(role, Rejection::Missing));
            names.push(conflicts(role, Source::Memory));
            names.extend([WOULD_REMOVE, EVICTED, LOST, CONFIG_VALID].map(|metric| of_role(role, metric)));
            for (name, metric) in names.iter().zip(COUNTERS.into_iter().chain([CONFIG_VALID])) {
                let (is, found) = parts(name);
                assert_eq!(is, metric, "{name}");
                let found: Vec<&str> = found.map(|(tag, _)| tag).collect();
                assert_eq!(found, tags(role, metric), "{name}");
                assert!(tags(role, metric).iter().all(|tag| TAGS.contains(tag)));
            }
        }
    }
}
