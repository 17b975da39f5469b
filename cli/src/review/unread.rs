//! Two versions of a file compared: topics of a tenant that a worker does not consume any more, whose last messages nobody would read.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::Project;
use crate::document::finding::Findings;
use crate::mesh::Mesh;
use crate::workers::{group_of, subscribed, topic_of};

/// A worker, a tenant and the group that consumes the tenant's topics for it.
type Reader = (String, String, String);

/// Warns of each of them, with how to see that they are read to their end.
pub fn against(before: &Mesh, project: &Project, after: &Mesh, findings: &mut Findings) {
    let mut is = readers(after);
    for ((worker, tenant, group), was) in readers(before) {
        let still = is.remove(&(worker.clone(), tenant.clone(), group.clone())).unwrap_or_default();
        let unread: Vec<String> = was.difference(&still).map(|topic| format!("`{topic}`")).collect();
        if unread.is_empty() {
            continue;
        }
        let paths = [&["workers", &worker, "tenants"][..], &["workers", &worker], &["workers"], &["tenants"]];
        let place = paths.into_iter().find(|path| project.tree.at(path).is_some());
        findings
            .warning(
                place.and_then(|path| project.key(path)),
                format!(
                    "`{worker}` does not consume {} of `{tenant}` any more: what group `{group}` has not read by then stays unread",
                    unread.join(", ")
                ),
            )
            .help(format!(
                "apply this when LAG is 0 for each of them: kafka-consumer-groups --bootstrap-server HOST:9092 --describe --group {group}"
            ));
    }
}

/// The topics of tenants, by who reads them. The default tenant's topics are the team's own.
fn readers(mesh: &Mesh) -> BTreeMap<Reader, BTreeSet<String>> {
    let kafka = &mesh.document.kafka;
    let mut all: BTreeMap<Reader, BTreeSet<String>> = BTreeMap::new();
    for worker in &mesh.workers {
        for topic in &worker.topics {
            let own = worker.tenants.iter().map(|tenant| (tenant, group_of(kafka, &worker.group, tenant)));
            let others = subscribed(&mesh.document, &worker.name, &topic.name);
            for (tenant, group) in own.chain(others.map(|tenant| (tenant, worker.group.clone()))) {
                let reader = (worker.name.clone(), tenant.clone(), group);
                all.entry(reader).or_default().insert(topic_of(kafka, &topic.name, tenant));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    fn findings(before: &str, after: &str) -> Vec<String> {
        let project = |rest: &str| {
            let text = format!("version: 1\nmesh: {{name: shop, namespace: shop}}\nedge: none\n{rest}\n");
            crate::check::open(document::load_text("a.yaml", &text).unwrap()).checked().unwrap()
        };
        let (before, after) = (project(before), project(after));
        let mut found = Findings::default();
        against(&Mesh::of(&before), &after, &Mesh::of(&after), &mut found);
        found
            .iter()
            .map(|finding| {
                let line = finding.span.map_or(0, |span| span.line);
                format!("{line}: {} / {}", finding.message, finding.help.as_deref().unwrap_or_default())
            })
            .collect()
    }

    const BOTH: &str = "tenants: {green: {default: true}, gray: {}}\n";

    #[test]
    fn a_tenant_is_taken_away_when_its_topics_are_read() {
        let file = |workers: &str| format!("{BOTH}workers: {workers}");
        let with = file("{mailer: {tenants: [gray], topics: [orders, payments]}}");
        assert_eq!(findings(&with, &with), [""; 0]);
        let says = "`mailer` does not consume `orders.gray`, `payments.gray` of `gray` any more: what group `mailer.gray` has not \
                    read by then stays unread / apply this when LAG is 0 for each of them: kafka-consumer-groups \
                    --bootstrap-server HOST:9092 --describe --group mailer.gray";
        let without = file("{mailer: {topics: [orders, payments]}}");
        assert_eq!(findings(&with, &without), [format!("5: {says}")]);
        // The tenant, and the worker itself.
        assert_eq!(findings(&with, "tenants: {green: {default: true}}"), [format!("4: {says}")]);
        assert_eq!(findings(&without, &with), [""; 0]);
    }

    #[test]
    fn a_topic_a_name_and_a_reader_can_go_as_well() {
        let file = |workers: &str| format!("{BOTH}workers: {workers}");
        let with = file("{a: {tenants: [gray], topics: [x, y]}, b: {subscribes: [gray], topics: [x]}}");
        let one = findings(
            &with,
            &file("{a: {tenants: [gray], topics: [x]}, b: {subscribes: [gray], topics: [x]}}"),
        );
        assert!(one.len() == 1 && one[0].contains("`a` does not consume `y.gray` of"), "{one:?}");
        let renamed = findings(&with, &format!("{with}\nkafka: {{topic: '{{tenant}}.{{topic}}'}}"));
        assert!(renamed.len() == 2 && renamed[1].contains("--describe --group b"), "{renamed:?}");
        // Its own deployment reads what the default one read, from where the new group begins.
        let moved = findings(
            &with,
            &file("{a: {tenants: [gray], topics: [x, y]}, b: {tenants: [gray], topics: [x]}}"),
        );
        assert!(moved.len() == 1 && moved[0].contains("group `b` has not read"), "{moved:?}");
    }
}
