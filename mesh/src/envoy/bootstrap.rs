//! What Envoy reads once, when it starts.

use graylane_decide::metrics::TAGS;
use serde_json::{Value as Json, json};

use super::{Code, Options};
use crate::native;

/// How names of statistics become labels. Ours are read as Istio's `extraStatTags` are. Envoy's own extractor of cluster
/// names stops at the first dot, which names of hosts have, so ours stops at the `;` of `alt_stat_name`.
#[must_use]
pub fn stats_tags() -> Vec<Json> {
    let own = |tag: &&str| json!({"tag_name": tag, "regex": format!("({tag}=\\.=(.*?);\\.;)")});
    let mut tags: Vec<Json> = TAGS.iter().map(own).collect();
    tags.extend([
        json!({"tag_name": "envoy.cluster_name", "regex": "^cluster\\.((.+?);\\.)"}),
        json!({"tag_name": "envoy.virtual_host", "regex": "^vhost\\.((.+?)\\.)vcluster\\."}),
        json!({"tag_name": "envoy.virtual_cluster", "regex": "\\.vcluster\\.((.+?)\\.)upstream_rq"}),
    ]);
    let usual = ["envoy.response_code", "envoy.response_code_class", "envoy.http_conn_manager_prefix"];
    tags.extend(usual.map(|tag| json!({"tag_name": tag})));
    tags
}

/// The fields of a bootstrap that the filters' metrics need.
#[must_use]
pub fn fields(options: &Options) -> Json {
    let mut fields = json!({"stats_config": {"use_all_default_tags": false, "stats_tags": stats_tags()}});
    if matches!(options.code, Code::Native(_)) {
        fields["layered_runtime"] =
            json!({"layers": [{"name": "graylane", "static_layer": {native::STRIP: true}}]});
    }
    fields
}
