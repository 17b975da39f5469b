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
        &["8: Warning: `b` never gets messages of `gray-v1` in `orders`"],
    );
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
