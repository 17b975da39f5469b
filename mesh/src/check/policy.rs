//! Mesh and policy.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Checker;
use crate::dns::is_dns_name;
use crate::document::duration;

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    checker.check_dns_label(
        "the name of a mesh, which becomes part of resource names",
        &document.mesh.name,
        &["mesh", "name"],
    );
    checker.check_dns_label("a namespace", &document.mesh.namespace, &["mesh", "namespace"]);
    if !is_dns_name(&document.mesh.cluster_domain) {
        let message = format!("invalid domain `{}`", document.mesh.cluster_domain);
        checker
            .error(&["mesh", "clusterDomain"], message)
            .help("write the domain of the cluster, as in `cluster.local`");
    }
    let policy = &document.policy;
    let range = Duration::from_secs(1)..=Duration::from_secs(u64::from(graylane_decide::memory::MAX_SECONDS));
    if !duration::parse(&policy.remember)
        .is_some_and(|life| range.contains(&life) && life.subsec_nanos() == 0)
    {
        checker
            .error(
                &["policy", "remember"],
                format!("invalid duration `{}` of `policy.remember`", policy.remember),
            )
            .help("write whole seconds from `1s` to `1h`, as in `30s`");
    }
    let mut seen = BTreeSet::new();
    for (index, place) in policy.restore.iter().enumerate() {
        if !seen.insert(place.word()) {
            let path = ["policy", "restore", &index.to_string()];
            checker
                .error(&path, format!("duplicate `{}` in `policy.restore`", place.word()))
                .help("list each place only once");
        }
    }
    for (index, path) in policy.exempt.paths.iter().enumerate() {
        let bare = path.strip_suffix('*').unwrap_or(path);
        if !bare.starts_with('/') || bare.contains(['*', '?', '#']) {
            let place = ["policy", "exempt", "paths", &index.to_string()];
            checker
                .error(&place, format!("invalid path `{path}`"))
                .help("write a path without query, as in `/healthz`, or a prefix that ends in `*`, as in `/internal/*`");
        }
    }
    for (index, host) in document.egress.gateways.iter().enumerate() {
        if !is_dns_name(host) || !host.contains('.') {
            let domain = &document.mesh.cluster_domain;
            checker
                .error(
                    &["egress", "gateways", &index.to_string()],
                    format!("expected a full host name, got `{host}`"),
                )
                .help(format!(
                    "write the host of the egress gateway's service, as in `egress.istio-system.svc.{domain}`"
                ));
        }
    }
}
