//! What clusters are called.

/// What a cluster is called: as Istio calls it, since the filter reads service and subset of the name
/// (`BuildSubsetKey` in pilot/pkg/model/service.go). No subset: all pods.
#[must_use]
pub fn cluster_name(host: &str, subset: &str, port: u16) -> String {
    format!("outbound|{port}|{subset}|{host}")
}
