//! The files: resources that Envoy watches, and what its own configuration takes from them.
//!
//! Envoy reads a file again when another one is moved to its place (`path_config_source` in
//! api/envoy/config/core/v3/config_source.proto), so whoever writes these has to move them there.

use std::collections::BTreeMap;

use graylane_decide::Role;
use serde_json::{Value as Json, json};

use super::filters::{self, Filter};
use super::{Options, bootstrap, clusters, lost, routes, types};
use crate::document::model::TraceContext;
use crate::lacking::Lost;
use crate::lower::Configurations;
use crate::mesh::{Ingress, Mesh};
use crate::resources::{Lacking, trace_mutation};
use crate::serialise;

/// All of them, by their paths in a folder that Envoys find at `at`.
///
/// # Errors
/// With everything that Envoy alone cannot do.
pub fn files(mesh: &Mesh, options: &Options, at: &str) -> Result<BTreeMap<String, String>, Vec<Lacking>> {
    let mut lost = Lost::default();
    lost::of_mesh(mesh, &mut lost);
    let told = Configurations::of(mesh);
    let mut files = Files { at, all: BTreeMap::new() };
    let batches = filters::of_batches(mesh);
    for role in [Role::Inbound, Role::Outbound] {
        let filters = filters::of_sidecar(options, &told, role);
        let mut manager = manager(&files.filters(&filters));
        if role == Role::Outbound {
            let routes = routes::outbound(mesh, options.other_hosts.as_deref(), &mut lost);
            manager["rds"] = files.routes(role.name(), &routes);
            if let Some(filter) = &batches {
                let all = [std::slice::from_ref(filter), &filters].concat();
                let mut manager = manager.clone();
                manager["http_filters"] = files.filters(&all).into();
                files.manager("outbound-sticky-none", &manager);
            }
        }
        files.manager(role.name(), &manager);
    }
    for (ingress, _) in mesh.gateways() {
        let filters = filters::of_gateway(mesh, &ingress, options, &told, &mut lost);
        let routes = routes::gateway(mesh, &ingress, &mut lost);
        let name = ingress.resource();
        let mut manager = manager(&files.filters(&filters));
        // As Istio's gateways: the caller's address counts, and ids of strangers are replaced.
        manager["use_remote_address"] = true.into();
        manager["rds"] = files.routes(&name, &routes);
        if restarts_traces(&ingress) {
            manager["early_header_mutation_extensions"] = json!([trace_mutation(mesh)]);
        }
        files.manager(&name, &manager);
    }
    let mut all = files.all;
    let clusters = json!({"clusters": clusters::clusters(mesh)});
    all.insert("clusters.yaml".to_owned(), serialise::yaml(&clusters));
    all.insert("bootstrap.yaml".to_owned(), serialise::yaml(&bootstrap::fields(options)));
    match lost.all() {
        lost if lost.is_empty() => Ok(all),
        lost => Err(lost),
    }
}

/// A connection manager as Istio's (pilot/pkg/networking/core/listener_builder.go): paths are normalised before anything reads them,
/// WebSockets are let through, and streams may be silent.
fn manager(filters: &[Json]) -> Json {
    json!({
        "normalize_path": true,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "stream_idle_timeout": "0s",
        "http_filters": filters,
    })
}

fn restarts_traces(ingress: &Ingress<'_>) -> bool {
    ingress.trace_context() == Some(TraceContext::Restart)
}

struct Files<'a> {
    /// Where Envoys find them.
    at: &'a str,
    all: BTreeMap<String, String>,
}

impl Files<'_> {
    /// A file with one resource, and how Envoy's configuration says where it is.
    fn resource(&mut self, folder: &str, name: &str, resource: &Json) -> Json {
        let path = format!("{folder}/{name}.yaml");
        // Without a version: Envoy compares what it reads by a hash (source/common/rds/rds_route_config_subscription.cc).
        self.all.insert(path.clone(), serialise::yaml(&json!({"resources": [resource]})));
        json!({"resource_api_version": "V3", "path_config_source": {"path": format!("{}/{path}", self.at.trim_end_matches('/'))}})
    }

    /// Files of filters, and the list of filters of a connection manager.
    fn filters(&mut self, filters: &[Filter]) -> Vec<Json> {
        let mut list: Vec<Json> = filters
            .iter()
            .map(|Filter { name, config }| {
                let extension = json!({"@type": types::EXTENSION, "name": name, "typed_config": config});
                let source = self.resource("filters", name, &extension);
                json!({"name": name, "config_discovery": {"config_source": source, "type_urls": [config["@type"]]}})
            })
            .collect();
        list.push(filters::router());
        list
    }

    fn routes(&mut self, name: &str, routes: &Json) -> Json {
        json!({"route_config_name": name, "config_source": self.resource("routes", name, routes)})
    }

    /// The fields of a connection manager.
    fn manager(&mut self, name: &str, manager: &Json) {
        self.all.insert(format!("connection-managers/{name}.yaml"), serialise::yaml(manager));
    }
}
