//! What a pod's own labels say: which subset it is, and whose worker.

use crate::config::WorkloadSubset;
use crate::names::{MODE_LABEL, SERVICE_LABELS, TENANT_LABEL};
use crate::sorted;

/// Labels of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Vec<(String, String)>);

impl Labels {
    /// The value of a label.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(is, _)| is == name).map(|(_, value)| value.as_str())
    }

    /// The service that they name.
    #[must_use]
    #[inline(never)] // Large functions cost V8 the most: decision 15.
    pub fn service(&self) -> Option<&str> {
        SERVICE_LABELS.iter().find_map(|label| self.get(label))
    }
}

impl FromIterator<(String, String)> for Labels {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(labels: I) -> Self {
        Self(labels.into_iter().collect())
    }
}

/// The labels that have to be read before [`subset`], the tenant of a worker and the mode are known.
#[must_use]
pub fn labels(workloads: &[WorkloadSubset]) -> Vec<&str> {
    let mut labels = Vec::new();
    let named = workloads.iter().flat_map(|workload| &workload.labels).map(|label| label.name.as_str());
    named
        .chain(SERVICE_LABELS)
        .chain([TENANT_LABEL, MODE_LABEL])
        .for_each(|label| sorted::insert(&mut labels, label));
    labels
}

/// The subset that a pod with these labels is. The most labels win; none where two names are left.
#[must_use]
#[inline(never)] // Large functions cost V8 the most: decision 15.
pub fn subset<'a>(workloads: &'a [WorkloadSubset], pod: &Labels) -> Option<&'a str> {
    let service = pod.service();
    let fits = |workload: &&WorkloadSubset| {
        !workload.labels.is_empty()
            && workload.labels.iter().all(|label| pod.get(&label.name) == Some(&label.value))
            && (workload.services.is_empty()
                || service.is_some_and(|service| workload.services.iter().any(|one| one == service)))
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
