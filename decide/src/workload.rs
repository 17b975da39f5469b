//! What a pod's own labels say: which subset it is, and whose worker.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::WorkloadSubset;
use crate::names::{SERVICE_LABELS, TENANT_LABEL};

/// The labels that have to be read before [`subset`] and the tenant of a worker are known.
#[must_use]
pub fn labels(workloads: &[WorkloadSubset]) -> BTreeSet<&str> {
    let mut labels = BTreeSet::new();
    labels.extend(workloads.iter().flat_map(|workload| &workload.labels).map(|label| label.name.as_str()));
    labels.extend(SERVICE_LABELS);
    labels.insert(TENANT_LABEL);
    labels
}

/// The subset that a pod with these labels is. The most labels win; none where two names are left.
#[must_use]
pub fn subset<'a>(workloads: &'a [WorkloadSubset], pod: &BTreeMap<String, String>) -> Option<&'a str> {
    let service = SERVICE_LABELS.iter().find_map(|label| pod.get(*label));
    let fits = |workload: &&WorkloadSubset| {
        !workload.labels.is_empty()
            && workload.labels.iter().all(|label| pod.get(&label.name) == Some(&label.value))
            && (workload.services.is_empty()
                || service.is_some_and(|service| workload.services.contains(service)))
    };
    let fitting: Vec<&WorkloadSubset> = workloads.iter().filter(fits).collect();
    let most = fitting.iter().map(|workload| workload.labels.len()).max()?;
    let mut names =
        fitting.iter().filter(|workload| workload.labels.len() == most).map(|workload| &workload.subset);
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Label;

    fn workload(subset: &str, labels: &[(&str, &str)], services: &[&str]) -> WorkloadSubset {
        let label = |(name, value): &(&str, &str)| Label { name: (*name).into(), value: (*value).into() };
        WorkloadSubset {
            subset: subset.into(),
            labels: labels.iter().map(label).collect(),
            services: services.iter().map(|service| (*service).to_owned()).collect(),
        }
    }

    fn of<'a>(workloads: &'a [WorkloadSubset], pod: &[(&str, &str)]) -> Option<&'a str> {
        subset(
            workloads,
            &pod.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        )
    }

    #[test]
    fn labels_that_mean_different_things_need_the_service() {
        let workloads = [
            workload("stable", &[("version", "v1")], &["api"]),
            workload("old", &[("version", "v1")], &["orders"]),
            workload("canary", &[("version", "v2")], &[]),
            workload("blue", &[("version", "v2"), ("colour", "blue")], &[]),
        ];
        assert_eq!(of(&workloads, &[("version", "v1"), ("app", "orders")]), Some("old"));
        assert_eq!(of(&workloads, &[("version", "v1")]), None);
        assert_eq!(of(&workloads, &[("version", "v2")]), Some("canary"));
        assert_eq!(of(&workloads, &[("version", "v2"), ("colour", "blue")]), Some("blue"));
        assert_eq!(of(&workloads, &[]), None);
    }
}
