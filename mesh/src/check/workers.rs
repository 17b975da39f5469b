//! Workers: their tenants, topics, and what these are called.

use std::collections::BTreeMap;

use graylane_decide::config::IdKind;

use super::{Checker, instead, listed};
use crate::document::model::{FullTopic, Service, Topic, Worker, WorkerSticky};
use crate::mesh;
use crate::workers::{has_own_topic, in_kubernetes, in_metrics, topic_of, variable_of};

/// Longest name of a topic that Kafka takes.
const LONGEST: usize = 249;

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    let patterns = patterns(checker);
    for (name, worker) in &document.workers {
        let path = ["workers", name.as_str()];
        for (key, value) in [("namespace", &worker.namespace), ("deployment", &worker.deployment)] {
            if let Some(value) = value {
                checker.check_dns_label(&format!("a {key}"), value, &[&path[..], &[key]].concat());
            }
        }
        if worker.deployment.is_none() && !crate::dns::is_dns_label(name) {
            checker
                .error_at_key(
                    &path,
                    format!("`{name}` has no `deployment`, and its name cannot be used as one"),
                )
                .help("add `deployment:` with the name of its Deployment");
        }
        if let Some(namespace) = &worker.namespace
            && !mesh::namespaces(document).contains(namespace.as_str())
        {
            checker
                .warning(
                    &[&path[..], &["namespace"]].concat(),
                    format!("pods of `{namespace}` have no filter, so the labels of `{name}` have no effect"),
                )
                .help("add it to `mesh.namespaces`");
        }
        for (index, tenant) in worker.tenants.iter().enumerate() {
            let number = index.to_string();
            let at = ["workers", name, "tenants", &number];
            match document.tenants.get(tenant) {
                None => {
                    checker
                        .error(&at, format!("unknown tenant `{tenant}`"))
                        .help(instead(tenant, document.tenants.keys().map(String::as_str)));
                }
                Some(Some(is)) if is.default => {
                    checker
                        .warning(
                            &at,
                            format!("`{tenant}` is the default tenant: its deployment exists anyway"),
                        )
                        .help("remove it here");
                }
                Some(_) => {}
            }
        }
        for (index, tenant) in worker.subscribes.iter().enumerate() {
            let number = index.to_string();
            let at = ["workers", name, "subscribes", &number];
            if worker.tenants.contains(tenant) {
                checker
                    .error(&at, format!("`{tenant}` has a deployment of its own, so each of its messages would be read twice"))
                    .help("keep it in `tenants` or in `subscribes`");
            } else if !document.tenants.contains_key(tenant) {
                checker
                    .error(&at, format!("unknown tenant `{tenant}`"))
                    .help(instead(tenant, document.tenants.keys().map(String::as_str)));
            } else if !worker.topics.iter().any(|topic| has_own_topic(document, topic.name(), tenant)) {
                checker
                    .warning(
                        &at,
                        format!(
                            "no worker of these topics has a deployment for `{tenant}`, so it has no topics"
                        ),
                    )
                    .help("remove it here: its messages are in the default topics");
            }
        }
        topics(checker, name, worker);
        batch(checker, name, worker);
    }
    same_topic(checker);
    if patterns {
        collisions(checker);
    }
    nobody_consumes(checker);
}

/// Do the names of tenants' topics and groups contain what distinguishes them?
fn patterns(checker: &mut Checker<'_>) -> bool {
    let kafka = &checker.document().kafka;
    let mut all_good = true;
    for (key, pattern, what) in [("topic", &kafka.topic, "{topic}"), ("group", &kafka.group, "{group}")] {
        let left = pattern.replace(what, "").replace("{tenant}", "");
        if !pattern.contains(what) || !pattern.contains("{tenant}") || !is_topic_part(&left) {
            all_good = false;
            checker
                .error(&["kafka", key], format!("`{pattern}` cannot name a tenant's {key}"))
                .help(format!("write one with `{what}` and `{{tenant}}` in it, as in `{what}.{{tenant}}`"));
        }
    }
    if let Some(namespace) = &kafka.namespace {
        checker.check_dns_label("a namespace", namespace, &["kafka", "namespace"]);
    }
    all_good
}

fn is_topic_part(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// One process that calls for many users, and a file that does not say how they are told apart.
fn batch(checker: &mut Checker<'_>, name: &str, worker: &Worker) {
    let has_request_id = checker.document().policy.ids.iter().any(|id| id.kind == IdKind::RequestId);
    if worker.sticky == Some(WorkerSticky::None) && !has_request_id {
        checker
            .warning(
                &["workers", name, "sticky"],
                "`policy.ids` has no `request-id`: behind a service that drops baggage, the calls of one trace are of one user",
            )
            .help("add `request-id` to `policy.ids`");
    }
    let rolls = |service: &Service| {
        service.rollout.is_some() || service.routes.iter().any(|route| route.rollout.is_some())
    };
    let has_rollout = checker.document().services.values().any(rolls);
    if worker.kind.is_batch() && worker.sticky.is_none() && has_rollout {
        let kind = worker.kind.name();
        checker
            .findings
            .note(
                checker.project.key(&["workers", name]),
                format!(
                    "the calls of {kind} `{name}` are of one user wherever they share a sticky key or a request id, and it may act for many"
                ),
            )
            .help(
                "write `sticky: none` to make each call of a user of its own, or `sticky: application` if it writes the unit or the key \
                 of each call's user (docs/events.md)",
            );
    }
}

fn topics(checker: &mut Checker<'_>, worker: &str, written: &Worker) {
    let topics = &written.topics;
    if topics.is_empty() && !written.kind.is_batch() {
        checker
            .error_at_key(&["workers", worker], format!("`{worker}` consumes no topic"))
            .help("write them, as in `topics: [orders]`; a batch that consumes none is a `kind: Job` or `kind: CronJob`");
    }
    for (index, topic) in topics.iter().enumerate() {
        let number = index.to_string();
        let at = ["workers", worker, "topics", &number];
        let name = topic.name();
        if name.is_empty() || name.len() > LONGEST || !is_topic_part(name) || matches!(name, "." | "..") {
            checker
                .error(&at, format!("`{name}` cannot be the name of a topic"))
                .help(format!("write 1 to {LONGEST} letters, digits, `.`, `_` and `-`"));
        }
        let before = topics[..index].iter().map(Topic::name);
        let same = |other: &&str| variable_of(other) == variable_of(name);
        if let Some(other) = before.clone().find(same) {
            let message = if other == name {
                format!("`{worker}` consumes `{name}` twice")
            } else {
                format!(
                    "topics `{other}` and `{name}` would use the same environment variable, {}",
                    variable_of(name)
                )
            };
            checker.error(&at, message).help("keep one of them");
        }
    }
}

/// What is known of a topic, and where it was said.
type Known = BTreeMap<String, (FullTopic, [String; 2])>;

/// Settings of a topic must be the same at all workers that consume it.
fn same_topic(checker: &mut Checker<'_>) {
    let document = checker.document();
    let mut known: Known = BTreeMap::new();
    for (worker, written) in &document.workers {
        for (index, topic) in written.topics.iter().enumerate() {
            let here = [worker.clone(), index.to_string()];
            let topic = topic.full();
            let Some((first, place)) = known.get_mut(&topic.name) else {
                known.insert(topic.name.clone(), (topic, here));
                continue;
            };
            let numbers =
                |topic: &FullTopic| [("partitions", topic.partitions), ("replicas", topic.replicas)];
            for ((key, before), (_, now)) in numbers(first).into_iter().zip(numbers(&topic)) {
                if let (Some(before), Some(now)) = (before, now)
                    && before != now
                {
                    let other = checker.project.span(&["workers", &place[0], "topics", &place[1], key]);
                    let name = &topic.name;
                    checker
                        .error(
                            &["workers", &here[0], "topics", &here[1], key],
                            format!("`{name}` has {now} {key} here and {before} in `{}`", place[0]),
                        )
                        .help(format!(
                            "write it in one place, or the same in both: a topic has only one number of {key}"
                        ))
                        .related(other, "the other one");
                }
            }
            if !first.config.is_empty() && !topic.config.is_empty() && first.config != topic.config {
                let other = checker.project.span(&["workers", &place[0], "topics", &place[1], "config"]);
                checker
                    .error(
                        &["workers", &here[0], "topics", &here[1], "config"],
                        format!("`{}` has another config in `{}`", topic.name, place[0]),
                    )
                    .help("write it in one place, or the same in both")
                    .related(other, "the other one");
            }
            first.partitions = first.partitions.or(topic.partitions);
            first.replicas = first.replicas.or(topic.replicas);
            if first.config.is_empty() {
                first.config = topic.config;
            }
        }
    }
}

/// Names of topics that Kafka or Kubernetes takes for one.
fn collisions(checker: &mut Checker<'_>) {
    let document = checker.document();
    // By what a name is for Kafka's metrics, and for Kubernetes: the topic, and where it comes from.
    let mut seen: BTreeMap<(&str, String), (String, Vec<String>)> = BTreeMap::new();
    for (worker, written) in &document.workers {
        for (index, topic) in written.topics.iter().enumerate() {
            let own = ["workers", worker, "topics", &index.to_string()].map(ToOwned::to_owned).to_vec();
            let mut all = vec![(topic.name().to_owned(), own, true)];
            for (index, tenant) in written.tenants.iter().enumerate() {
                let is_default =
                    document.tenants.get(tenant).and_then(Option::as_ref).is_some_and(|is| is.default);
                let at = ["workers", worker, "tenants", &index.to_string()].map(ToOwned::to_owned).to_vec();
                if !is_default {
                    all.push((topic_of(&document.kafka, topic.name(), tenant), at, false));
                }
            }
            for (name, at, is_own) in all {
                let mut places = vec![("Kafka", in_metrics(&name))];
                // The default tenant's topic is not ours to render.
                places.extend((!is_own).then(|| ("Kubernetes", in_kubernetes(&name))));
                for (whose, clean) in places {
                    let Some((other, place)) = seen.get(&(whose, clean.clone())) else {
                        seen.insert((whose, clean), (name.clone(), at.clone()));
                        continue;
                    };
                    if *other == name {
                        continue;
                    }
                    let path =
                        |at: &'_ [String]| at.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
                    let (here, there) = (path(&at), path(place));
                    let there: Vec<&str> = there.split('\n').collect();
                    let related = checker.project.span(&there);
                    let message = format!("topics `{other}` and `{name}` are the same topic for {whose}");
                    checker
                        .error(&here.split('\n').collect::<Vec<_>>(), message)
                        .help("rename one of the tenants or topics, or set another `kafka.topic` pattern")
                        .related(related, "the other one");
                    break;
                }
                if name.len() > LONGEST {
                    let at: Vec<&str> = at.iter().map(String::as_str).collect();
                    checker
                        .error(&at, format!("topic `{name}` is longer than {LONGEST} characters"))
                        .help("give the topic or the tenant a shorter name");
                }
            }
        }
    }
}

/// A tenant's messages go to its own topic: a worker that has no deployment for it never sees them.
fn nobody_consumes(checker: &mut Checker<'_>) {
    let document = checker.document();
    for (worker, written) in &document.workers {
        for (index, topic) in written.topics.iter().enumerate() {
            let others = document.workers.iter().filter(|(other, _)| *other != worker);
            let consumes =
                others.filter(|(_, other)| other.topics.iter().any(|other| other.name() == topic.name()));
            let mut missing: Vec<&str> = consumes
                .flat_map(|(_, other)| other.tenants.iter().map(String::as_str))
                .filter(|tenant| document.tenants.contains_key(*tenant))
                .filter(|tenant| !written.tenants.iter().chain(&written.subscribes).any(|own| own == tenant))
                .filter(|tenant| {
                    !document.tenants.get(*tenant).and_then(Option::as_ref).is_some_and(|is| is.default)
                })
                .collect();
            missing.sort_unstable();
            missing.dedup();
            if !missing.is_empty() {
                let (name, tenants) = (topic.name(), listed(missing.iter().copied()));
                checker
                    .error(
                        &["workers", worker, "topics", &index.to_string()],
                        format!("`{worker}` never gets messages of {tenants} in `{name}`: these go to a topic of their own"),
                    )
                    .help(format!(
                        "add {tenants} to its `tenants`, or to `subscribes` if its default deployment consumes that topic too, or \
                         remove it from the other workers of this topic"
                    ));
            }
        }
    }
}
