//! What pods need to have the native module's file: an image volume that their proxy mounts, and the label by which they run it.

use std::path::Path;

use serde_json::{Value as Json, json};

use super::NATIVE_LABEL;
use crate::serialise;

/// The volume's name.
const VOLUME: &str = "graylane";

/// A way to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NativePods {
    /// A patch of a workload whose pods get Istio's template `sidecar`.
    Patch,
    /// A patch of a workload whose proxy stands in its own pod template: gateways, whose injection template reads no annotation
    /// for volumes.
    Gateway,
    /// A template for Istio's injector, which pods name by an annotation.
    Template,
}

/// Asks for a proxy among the containers, where that is one that Kubernetes starts first; never at gateways.
const TEMPLATE: &str = "\
# Values of istiod's Helm chart; of an IstioOperator: below spec.values. Pods ask for it by the annotation
# inject.istio.io/templates: sidecar,graylane (gateways: gateway,graylane), and no other has it.
sidecarInjectorWebhook:
  templates:
    graylane: |
      {{- $first := ne (index .ObjectMeta.Annotations `sidecar.istio.io/nativeSidecar` | default (printf \"%t\" .NativeSidecars)) \"false\" }}
      {{- $gateway := contains \"gateway\" (index .ObjectMeta.Annotations `inject.istio.io/templates` | default \"\") }}
      metadata:
        labels:
          LABEL: \"true\"
      spec:
        {{ if and $first (not $gateway) }}initContainers{{ else }}containers{{ end }}:
        - name: istio-proxy
          volumeMounts:
          - {name: VOLUME, mountPath: PATH, readOnly: true}
        volumes:
        - name: VOLUME
          image: {reference: IMAGE, pullPolicy: IfNotPresent}
";

/// What to apply for pods that mount an image at the folder of a file.
#[must_use]
pub fn native_pods(way: NativePods, image: &str, file: &str) -> String {
    let folder = Path::new(file).parent().map_or("/".into(), |folder| folder.display().to_string());
    if way == NativePods::Template {
        let text = TEMPLATE.replace("LABEL", NATIVE_LABEL).replace("VOLUME", VOLUME);
        return text.replace("PATH", &folder).replace("IMAGE", image);
    }
    let source = json!({"reference": image, "pullPolicy": "IfNotPresent"});
    let labels = json!({NATIVE_LABEL: "true"});
    let (what, template) = if way == NativePods::Patch {
        let volume = json!({VOLUME: {"image": source}});
        let mount = json!({VOLUME: {"mountPath": folder, "readOnly": true}});
        let annotations = json!({
            "sidecar.istio.io/userVolume": volume.to_string(),
            "sidecar.istio.io/userVolumeMount": mount.to_string(),
        });
        ("workload", json!({"metadata": {"labels": labels, "annotations": annotations}}))
    } else {
        let mount = json!({"name": VOLUME, "mountPath": folder, "readOnly": true});
        let spec = json!({
            "containers": [{"name": "istio-proxy", "volumeMounts": [mount]}],
            "volumes": [{"name": VOLUME, "image": source}],
        });
        ("gateway", json!({"metadata": {"labels": labels}, "spec": spec}))
    };
    let patch: Json = json!({"spec": {"template": template}});
    format!(
        "# Of a {what}, whose pods start anew: kubectl -n NAMESPACE patch deployment NAME --patch-file FILE\n{}",
        serialise::yaml(&patch)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_mounted_where_the_file_is_looked_for() {
        let image = "registry.example/graylane-native@sha256:0";
        for way in [NativePods::Patch, NativePods::Gateway, NativePods::Template] {
            let text = native_pods(way, image, "/opt/lanes/libgraylane.so");
            for part in [image, "/opt/lanes", "graylane.dev/native", "IfNotPresent"] {
                assert!(text.contains(part), "{part}: {text}");
            }
            assert!(!text.contains("libgraylane.so"), "{text}");
            let yaml: Json = serde_saphyr::from_str(&text).unwrap();
            assert!(yaml.is_object(), "{text}");
        }
        let top: Json = serde_saphyr::from_str(&native_pods(NativePods::Patch, image, "/f.so")).unwrap();
        let mount = &top["spec"]["template"]["metadata"]["annotations"]["sidecar.istio.io/userVolumeMount"];
        assert_eq!(mount, r#"{"graylane":{"mountPath":"/","readOnly":true}}"#);
    }
}
