//! What can be found about workers.

use super::{GOOD, findings};

#[test]
fn workers_and_their_topics() {
    let found =
        |workers: &str| findings(&GOOD.replace("services:", &format!("workers:\n{workers}services:")));
    let one = |workers: &str, says: &[&str]| {
        let found = found(workers);
        assert_eq!(found.len(), 1, "{workers}: {found:#?}");
        for part in says {
            assert!(found[0].contains(part), "{workers}: `{part}` is not in {}", found[0]);
        }
        assert!(!found[0].contains("(no help)"), "{}", found[0]);
    };
    let good = "  mailer: {tenants: [gray-v1], topics: [orders, {name: payments, partitions: 3}]}\n";
    assert_eq!(found(good), [""; 0]);
    one(
        "  mailer: {tenants: [gray], topics: [a]}\n",
        &["7: Error: unknown tenant `gray`", "write one of `gray-v1`"],
    );
    one("  mailer: {tenants: [green], topics: [a]}\n", &["Warning: `green` is the default tenant"]);
    one("  mailer: {topics: ['a b']}\n", &["`a b` cannot be the name of a topic"]);
    one("  mailer: {topics: [a, a]}\n", &["`mailer` consumes `a` twice"]);
    one(
        "  mailer: {topics: [a.b, a-b]}\n",
        &["`a.b` and `a-b` would use the same environment variable, TOPIC_A_B"],
    );
    one("  Mailer: {topics: [a]}\n", &["`Mailer` has no `deployment`, and its name cannot be used as one"]);
    one(
        "  a: {topics: [{name: orders, partitions: 3}]}\n  b: {topics: [{name: orders, partitions: 6}]}\n",
        &["8: Error: `orders` has 6 partitions here and 3 in `a`", "one number of partitions"],
    );
    one("  a: {topics: [{name: orders, partitions: 0}]}\n", &["cannot be 0 / write at least 1"]);
    one(
        "  a: {tenants: [gray-v1], topics: [orders]}\n  b: {topics: [orders]}\n",
        &["8: Error: `b` never gets messages of `gray-v1` in `orders`", "or to `subscribes`"],
    );
    let subscribes =
        "  a: {tenants: [gray-v1], topics: [orders]}\n  b: {subscribes: [gray-v1], topics: [orders]}\n";
    assert_eq!(found(subscribes), [""; 0]);
    one("  a: {tenants: [gray-v1], subscribes: [gray-v1], topics: [x]}\n", &["Error", "would be read twice"]);
    one("  a: {subscribes: [gray], topics: [x]}\n", &["Error: unknown tenant `gray`"]);
    one("  a: {subscribes: [gray-v1], topics: [x]}\n", &["Warning: no worker of these topics", "`gray-v1`"]);
    one("  a: {kind: Deploy, topics: [x]}\n", &["Error", "`Deploy`", "CronJob"]);
    one(
        "  a: {topics: [x.y]}\n  b: {topics: [x_y]}\n",
        &["topics `x.y` and `x_y` are the same topic for Kafka"],
    );
    let two = |tenants: &str, workers: &str| {
        findings(
            &GOOD
                .replace("gray-v1: {}", tenants)
                .replace("services:", &format!("workers:\n{workers}services:")),
        )
    };
    let found = two("gray.v1: {}, gray_v1: {}", "  a: {tenants: [gray.v1, gray_v1], topics: [orders]}\n");
    let says = "7: Error: topics `orders.gray.v1` and `orders.gray_v1` are the same topic for Kafka / rename one of the tenants";
    assert!(found.len() == 1 && found[0].starts_with(says), "{found:#?}");
    let found = two("gray: {}, Gray: {}", "  a: {tenants: [gray, Gray], topics: [orders]}\n");
    assert!(
        found.len() == 1
            && found[0].contains("`orders.gray` and `orders.Gray` are the same topic for Kubernetes"),
        "{found:#?}"
    );
    super::one(
        "services:",
        "kafka: {topic: '{topic}-gray'}\nservices:",
        &["6: Error: `{topic}-gray` cannot name a tenant's topic", "`{topic}.{tenant}`"],
    );
}

/// What a file finds in workloads that there are.
fn compared(worker: &str, workloads: &str) -> Vec<String> {
    let text = GOOD.replace("services:", &format!("workers:\n  mailer: {worker}\nservices:"));
    let loaded = crate::document::load_text("f.yaml", &text).unwrap();
    let mut sources = crate::document::source::SourceFiles::default();
    let mut found = crate::document::finding::Findings::default();
    let file = sources.add("there.yaml", workloads);
    let nodes = crate::document::tree::parse(&sources, file, &mut found);
    let there: Vec<_> =
        nodes.into_iter().map(|node| crate::manifest::Resource::of(node).ok().unwrap()).collect();
    crate::check::check_workloads(loaded.project.as_ref().unwrap(), &there, &mut found);
    let help = |help: &Option<String>| help.clone().unwrap_or_default();
    found.iter().map(|finding| format!("{} / {}", finding.message, help(&finding.help))).collect()
}

#[test]
fn workers_are_what_the_file_says_and_each_tenant_has_its_own() {
    let pods = "template: {metadata: {labels: {graylane.dev/tenant: gray-v1}}}";
    let cron = |name: &str| {
        format!(
            "kind: CronJob\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{jobTemplate: {{spec: {{{pods}}}}}}}\n"
        )
    };
    let both = format!("{}---\n{}", cron("mailer").replace("gray-v1", "green"), cron("mailer-gray-v1"));
    let worker = "{kind: CronJob, tenants: [gray-v1], topics: [orders]}";
    assert_eq!(compared(worker, &both), [""; 0]);
    let found = compared(worker, &cron("mailer").replace("gray-v1", "green"));
    assert!(found[0].starts_with("`mailer` has no deployment for `gray-v1`"), "{found:#?}");
    let found = compared("{tenants: [gray-v1], topics: [orders]}", &both);
    assert_eq!(found, ["`mailer` is a CronJob, and worker `mailer` a Deployment / write `kind: CronJob`"]);
    let found = compared(worker, &cron("mailr"));
    assert_eq!(
        found,
        [
            "no workload matches worker `mailer`: there is no CronJob `mailer` in namespace `shop` / did you mean `mailr`?"
        ]
    );
    let set = format!("kind: StatefulSet\nmetadata: {{name: mailer, namespace: shop}}\nspec: {{{pods}}}\n");
    assert_eq!(compared("{kind: StatefulSet, tenants: [gray-v1], topics: [orders]}", &set), [""; 0]);
}

#[test]
fn a_batch_says_whose_its_calls_are() {
    let batch = |rest: &str| {
        GOOD.replace("services:", &format!("workers:\n  night: {{kind: CronJob{rest}}}\nservices:"))
            .replace("    baseline: stable\n", "    baseline: stable\n    rollout: {weights: {canary: 5}}\n")
    };
    let found = super::everything(&batch(""));
    let says = "7: Note: the calls of CronJob `night` are of one user wherever they share a sticky key or a request id";
    assert!(found.len() == 1 && found[0].starts_with(says), "{found:#?}");
    assert!(found[0].contains("`sticky: none`") && found[0].contains("`sticky: application`"), "{found:#?}");
    for said in [", sticky: none", ", sticky: application"] {
        assert_eq!(super::everything(&batch(said)), [""; 0]);
    }
    // Without a rollout users have no versions.
    let text = batch("").replace("    rollout: {weights: {canary: 5}}\n", "");
    assert_eq!(super::everything(&text), [""; 0]);
    let found = findings(&batch(", sticky: all"));
    assert!(found.len() == 1 && found[0].contains("`all`") && found[0].contains("application"), "{found:#?}");
    let found = findings(&batch(", sticky: none").replace("kind: CronJob, ", ""));
    assert!(found.len() == 1 && found[0].contains("`night` consumes no topic"), "{found:#?}");
    let found = findings(&format!("{}policy: {{ids: [w3c]}}\n", batch(", sticky: none")));
    assert!(
        found.len() == 1 && found[0].starts_with("7: Warning: `policy.ids` has no `request-id`"),
        "{found:#?}"
    );
    let found = findings(&batch(", sticky: none, namespace: other"));
    assert!(
        found.len() == 1 && found[0].contains("7: Warning: pods of `other` have no filter"),
        "{found:#?}"
    );
}

#[test]
fn pods_of_a_batch_without_a_user_have_the_label_that_makes_it_so() {
    let cron = |name: &str, labels: &str| {
        format!(
            "kind: CronJob\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{jobTemplate: {{spec: {{template: {{metadata: {{labels: {{{labels}}}}}}}}}}}}}\n"
        )
    };
    let worker = "{kind: CronJob, tenants: [gray-v1], sticky: none}";
    let (none, gray) = ("graylane.dev/sticky: none", "graylane.dev/tenant: gray-v1");
    let both = |first: &str, second: &str| {
        format!("{}---\n{}", cron("mailer", first), cron("mailer-gray-v1", second))
    };
    assert_eq!(compared(worker, &both(none, &format!("{none}, {gray}"))), [""; 0]);
    let found = compared(worker, &both("app: x", gray));
    let lacks = |name: &str| {
        format!(
            "`mailer` says `sticky: none`, and the pods of CronJob `{name}` have no label graylane.dev/sticky=none / add the label to its pod template"
        )
    };
    assert_eq!(found, [lacks("mailer"), lacks("mailer-gray-v1")]);
}
