//! Several clusters, as far as one file says something of them.

use super::Checker;
use crate::document::model::Cluster;

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    for (name, cluster) in &document.mesh.clusters {
        let path = ["mesh", "clusters", name];
        checker.check_dns_label("the name of a cluster", name, &path);
        let layer = cluster.as_ref().and_then(|Cluster { layer }| layer.as_ref());
        if layer.is_some_and(|layer| layer.trim().is_empty()) {
            checker
                .error(&[&path[..], &["layer"]].concat(), "the layer is empty")
                .help("write the path of a file, as in `layer: clusters/west.yaml`, or leave `layer` out");
        }
    }
    if document.mesh.clusters.len() == 1 {
        checker
            .warning(&["mesh", "clusters"], "expected several clusters, got one")
            .help("name all clusters that the file is applied to, or leave `clusters` out");
    }
    if document.mesh.clusters.is_empty() {
        for name in document.services.keys() {
            let at = ["services", name, "rollout", "perCluster"];
            if checker.project.tree.at(&at).is_some() {
                checker
                    .error_at_key(&at, "`perCluster` without clusters")
                    .help("name them, as in `clusters: {east: , west: {layer: west.yaml}}` at `mesh`");
            }
        }
    }
}
