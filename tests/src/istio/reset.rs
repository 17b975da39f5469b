//! Between two examples: everything gone that one made.

use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use serde_json::{Value as Json, json};

use super::control_plane::ControlPlane;
use super::kube::folder;
use super::objects::KEPT_LABEL;
use super::push::GATEWAY_API;
use super::wait::{Look, until};

const LIMIT: Duration = Duration::from_secs(30);
/// What a run may make besides Istio's own kinds. Not namespaces: their deletion is the work of a controller that is not
/// here, so that they would stay half deleted for ever.
const KUBERNETES: [(&str, &str); 5] = [
    ("v1", "services"),
    ("discovery.k8s.io/v1", "endpointslices"),
    ("v1", "pods"),
    ("v1", "secrets"),
    ("v1", "configmaps"),
];

/// Of the Gateway API. The API server refuses to delete all objects of a kind that nobody has asked for yet.
const ROUTES: [&str; 3] = ["gateways", "httproutes", "referencegrants"];

/// Of the whole cluster.
const OF_THE_CLUSTER: [&str; 2] = [
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
];

impl ControlPlane {
    /// Deletes all objects of all namespaces that were used, but for those that make the control plane, sets the mesh
    /// configuration back, and waits until istiod has forgotten them. To be called when the example's mesh is gone.
    ///
    /// # Errors
    /// When the API server refuses, or istiod does not forget in time.
    pub async fn reset(&self) -> Result<()> {
        let namespaces = self.namespaces.lock().map(|all| all.clone()).unwrap_or_default();
        let kinds = self.istio_kinds().await?;
        let kubernetes = KUBERNETES.map(|(version, plural)| (version.to_owned(), plural.to_owned()));
        let kinds = kinds.iter().chain(&kubernetes);
        let paths = kinds.flat_map(|(version, plural)| {
            let path = move |namespace: &String| format!("{}/{plural}", folder(version, Some(namespace)));
            namespaces.iter().map(path)
        });
        let delete = async |path: String| {
            self.kube.delete(&format!("{path}?labelSelector={KEPT_LABEL}%21%3Dtrue")).await
        };
        try_join_all(paths.chain(OF_THE_CLUSTER.map(ToOwned::to_owned)).map(delete)).await?;
        self.set_mesh_config(&json!({})).await?;
        until("istiod has forgotten the last example", LIMIT, async || {
            let known = self.known().await?;
            let left: Vec<_> = known
                .iter()
                .filter(|object| !object.stays && namespaces.contains(&object.namespace))
                .collect();
            Ok(Look::whether(left.is_empty(), || format!("{left:?}")))
        })
        .await
    }

    /// Kinds of Istio and of the Gateway API: API version and plural.
    async fn istio_kinds(&self) -> Result<Vec<(String, String)>> {
        let crds = self.kube.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").await?;
        let kind = |crd: &Json| {
            let spec = &crd["spec"];
            let plural = spec["names"]["plural"].as_str()?;
            let is_ours = |group: &&str| {
                group.ends_with(".istio.io") || (*group == GATEWAY_API && ROUTES.contains(&plural))
            };
            let group = spec["group"].as_str().filter(is_ours)?;
            let versions = spec["versions"].as_array()?;
            let stored = versions.iter().find(|version| version["storage"] == true)?["name"].as_str()?;
            Some((format!("{group}/{stored}"), plural.to_owned()))
        };
        Ok(crds["items"].as_array().context("no CRDs")?.iter().filter_map(kind).collect())
    }
}
