//! The versions of a Service: which label tells its pods apart, and what to do where none does.

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::naming::is_name;

use super::file::ServiceOut;
use super::read::Resource;

/// Labels of pods.
pub type Labels = BTreeMap<String, String>;

/// Pods of one template.
pub struct Workload<'a> {
    /// What makes them.
    pub resource: &'a Resource,
    /// Their labels.
    pub labels: Labels,
    /// How many there are.
    pub replicas: u64,
}

/// Labels that say which version a pod is, the first that tells them apart counts; any other that does comes after them.
const VERSION_LABELS: [&str; 4] = ["version", "track", "lane", "color"];
/// Labels that change with every release: a subset of them has no pod after the next one.
const CHANGING: [&str; 9] = [
    "app.kubernetes.io/version",
    "helm.sh/chart",
    "chart",
    "heritage",
    "pod-template-hash",
    "rollouts-pod-template-hash",
    "controller-revision-hash",
    "app.kubernetes.io/managed-by",
    "service.istio.io/canonical-revision",
];

/// One subset for each value of the label that tells pods apart. Where none does, all pods are the only subset, and a note
/// says what makes a second.
pub fn subsets(
    out: &mut ServiceOut,
    service: &Resource,
    own: &[&Workload<'_>],
    selector: &Labels,
    tenants: &BTreeSet<String>,
    notes: &mut Vec<String>,
) {
    let title = service.title();
    let Some(key) = telling(own, selector) else {
        out.subsets.insert("stable".to_owned(), Labels::new());
        notes.push(next_step(&title, own, selector));
        return;
    };
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    for workload in own {
        *versions.entry(&workload.labels[key]).or_default() += workload.replicas;
    }
    if versions.keys().any(|value| is_release(value)) {
        notes.push(format!(
            "{title}: the values of `{key}` look like releases; a subset has no pod once they change, so give pods a label that stays, as in `track: stable`"
        ));
    }
    // Most pods are live users'; of equally many the first version's.
    let baseline =
        versions.iter().max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a))).map(|(version, _)| *version);
    let canaries = versions.len() - 1;
    for version in versions.keys() {
        let name = match (Some(*version) == baseline, canaries) {
            (true, _) => "stable".to_owned(),
            (false, 1) => "canary".to_owned(),
            (false, _) => format!("canary-{version}"),
        };
        out.subsets.insert(name, Labels::from([(key.to_owned(), (*version).to_owned())]));
    }
    out.baseline = Some("stable".to_owned());
    if canaries == 1 {
        out.pins = tenants.iter().map(|tenant| (tenant.clone(), "canary".to_owned())).collect();
    } else {
        notes.push(format!("{title}: {} versions; pin tenants to those that they try", canaries + 1));
    }
}

/// The label that tells pods of different templates apart and stays the same from one release to the next.
fn telling<'a>(own: &[&'a Workload<'_>], selector: &Labels) -> Option<&'a str> {
    let first = own.first()?;
    let values =
        |key: &str| own.iter().filter_map(|workload| workload.labels.get(key)).collect::<BTreeSet<_>>();
    let tells = |key: &str| {
        let complete =
            own.iter().all(|workload| workload.labels.get(key).is_some_and(|value| is_name(value)));
        complete && !selector.contains_key(key) && !CHANGING.contains(&key) && values(key).len() > 1
    };
    let keys = || first.labels.keys().map(String::as_str).filter(|key| tells(key));
    let steady = |key: &&str| !values(key).iter().any(|value| is_release(value));
    let place =
        |key: &&str| VERSION_LABELS.iter().position(|known| known == key).unwrap_or(VERSION_LABELS.len());
    keys().filter(steady).min_by_key(place).or_else(|| keys().min_by_key(place))
}

/// Does it look like the number of a release, a commit or a date: something that the next release changes?
fn is_release(value: &str) -> bool {
    let numbers = value.trim_start_matches('v').split(['.', '-', '_', '+']);
    let numbers =
        numbers.filter(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())).count();
    let is_hash = value.len() >= 7
        && value.bytes().all(|byte| byte.is_ascii_hexdigit())
        && value.bytes().any(|byte| byte.is_ascii_digit());
    numbers >= 2 || is_hash
}

fn next_step(title: &str, own: &[&Workload<'_>], selector: &Labels) -> String {
    let names: Vec<String> =
        own.iter().map(|workload| format!("{} {}", workload.resource.kind, workload.resource.name)).collect();
    let selector: Vec<String> = selector.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    let selector = selector.join(", ");
    if let [_, _, ..] = own {
        return format!(
            "{title}: no label on the pods of {} distinguishes versions and outlives a release; label them, as in `version: v1` and `version: v2`, and write a subset for each",
            names.join(", ")
        );
    }
    let has =
        own.first().and_then(|workload| workload.labels.get("version")).filter(|value| !is_release(value));
    let (now, next) = match has {
        Some(value) if value == "v2" => (value.as_str(), "v3"),
        Some(value) => (value.as_str(), "v2"),
        None => ("v1", "v2"),
    };
    let label = if has.is_some() { String::new() } else { format!("label its pods `version: {now}`, ") };
    format!(
        "{title}: one version, of {}; for a canary, {label}add a second one with {{{selector}, version: {next}}}, and write `subsets: {{stable: {{version: {now}}}, canary: {{version: {next}}}}}` and `baseline: stable`",
        names.join(", ")
    )
}
