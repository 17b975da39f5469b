//! Has Argo CD or Flux brought a commit into the cluster?
//!
//! | tool | what is read |
//! |-|-|
//! | Argo CD | `Application`: `status.sync.revision` with status `Synced`, or the revision of the last operation if it succeeded |
//! | Flux | `Kustomization`: `status.lastAppliedRevision`, as in `main@sha1:…`, and the condition `Ready` |

use std::str::FromStr;

use serde_json::Value as Json;

use super::kubectl::Kubectl;

/// A tool, and its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    kind: Kind,
    namespace: String,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ArgoCd,
    Flux,
}

impl FromStr for Tool {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once(':').and_then(|(tool, place)| Some((tool, place.split_once('/')?)));
        let (kind, namespace, name) = match parts {
            Some(("argocd", (namespace, name))) => (Kind::ArgoCd, namespace, name),
            Some(("flux", (namespace, name))) => (Kind::Flux, namespace, name),
            _ => return Err("expected `argocd:NAMESPACE/NAME` of an Application, or `flux:NAMESPACE/NAME` of a Kustomization".into()),
        };
        let is_name = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
                && !text.starts_with('-')
        };
        if !is_name(namespace) || !is_name(name) {
            return Err(format!("invalid name `{namespace}/{name}`"));
        }
        Ok(Self { kind, namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

/// A tool and the cluster that it is in.
#[derive(Clone, Debug)]
pub struct SyncedBy {
    /// The tool.
    pub tool: Tool,
    /// Which cluster it brings things into, where there are several.
    pub cluster: Option<String>,
    /// Where its object is.
    pub kubectl: Kubectl,
}

impl SyncedBy {
    /// Why a commit is not in force; none: it is, or one of its descendants. `is_in`: is it in the history of this one?
    pub fn why_not(&self, commit: &str, short: &str, is_in: impl Fn(&str) -> bool) -> Option<String> {
        let Tool { kind, namespace, name } = &self.tool;
        let (kind, tool) = match kind {
            Kind::ArgoCd => ("applications.argoproj.io", "Argo CD"),
            Kind::Flux => ("kustomizations.kustomize.toolkit.fluxcd.io", "Flux"),
        };
        let said = self.kubectl.json(&["get", kind, name, "--namespace", namespace, "--output", "json"], b"");
        let status = match said {
            Ok(Some(object)) => object["status"].clone(),
            Ok(None) => Json::Null,
            Err(error) => return Some(format!("unknown whether {tool} has synced {short}: {error:#}")),
        };
        let (revisions, said) = match self.tool.kind {
            Kind::ArgoCd => argo_cd(&status),
            Kind::Flux => flux(&status),
        };
        let has = |revision: &String| revision == commit || is_in(revision);
        if revisions.iter().any(has) {
            return None;
        }
        Some(format!("{tool} has not synced {short} yet ({namespace}/{name}: {said})"))
    }
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

/// The revisions that are in force, and what the tool says.
fn argo_cd(status: &Json) -> (Vec<String>, String) {
    let (sync, operation) = (&status["sync"], &status["operationState"]);
    // An Application of several sources has several.
    let all = |of: &Json| -> Vec<String> {
        let many = of["revisions"].as_array().into_iter().flatten();
        many.chain([&of["revision"]]).map(text).filter(|id| !id.is_empty()).map(ToOwned::to_owned).collect()
    };
    let mut revisions = if text(&sync["status"]) == "Synced" { all(sync) } else { Vec::new() };
    if text(&operation["phase"]) == "Succeeded" {
        revisions.extend(all(&operation["syncResult"]));
    }
    let message = text(&operation["message"]);
    let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    let said = format!(
        "{} at {}, last operation {}{message}",
        or_none(text(&sync["status"])),
        or_none(text(&sync["revision"])),
        or_none(text(&operation["phase"]))
    );
    (revisions, said)
}

fn flux(status: &Json) -> (Vec<String>, String) {
    let applied = text(&status["lastAppliedRevision"]);
    let ready =
        status["conditions"].as_array().into_iter().flatten().find(|one| text(&one["type"]) == "Ready");
    let is_ready = ready.is_some_and(|ready| text(&ready["status"]) == "True");
    // `main@sha1:…`, and before Flux 2 `main/…`.
    let id = applied.rsplit([':', '/', '@']).next().unwrap_or_default();
    let is_id = id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let revisions = if is_ready && is_id { vec![id.to_owned()] } else { Vec::new() };
    let why = ready.map_or("no condition Ready", |ready| text(&ready["message"]));
    let applied = if applied.is_empty() { "nothing" } else { applied };
    (revisions, format!("applied {applied}, {}: {why}", if is_ready { "ready" } else { "not ready" }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn only_what_is_in_force_counts() {
        let ready = |status: &str| json!([{"type": "Ready", "status": status, "message": "why"}]);
        for (applied, status, counts) in [
            (format!("main@sha1:{ID}"), "True", true),
            (format!("main/{ID}"), "True", true),
            (format!("main@sha1:{ID}"), "False", false),
            ("latest@sha256:x".to_owned(), "True", false),
            (String::new(), "True", false),
        ] {
            let status = json!({"lastAppliedRevision": applied, "conditions": ready(status)});
            assert_eq!(flux(&status).0, if counts { vec![ID.to_owned()] } else { vec![] }, "{status}");
        }
        let sync = |status: &str| json!({"status": status, "revision": ID});
        assert_eq!(argo_cd(&json!({"sync": sync("Synced")})).0, [ID]);
        assert!(argo_cd(&json!({"sync": sync("OutOfSync")})).0.is_empty(), "compared with, not synced");
        let operation = |phase: &str| json!({"sync": sync("OutOfSync"), "operationState": {"phase": phase, "syncResult": {"revision": ID}}});
        assert_eq!(argo_cd(&operation("Succeeded")).0, [ID]);
        assert!(argo_cd(&operation("Failed")).0.is_empty());
        let several = json!({"sync": {"status": "Synced", "revisions": ["x", ID]}});
        assert_eq!(argo_cd(&several).0, ["x", ID]);
    }

    #[test]
    fn a_tool_has_a_namespace_and_a_name() {
        assert!(
            "flux:flux-system/shop".parse::<Tool>().is_ok() && "argocd:argocd/shop".parse::<Tool>().is_ok()
        );
        for wrong in ["flux", "flux:shop", "helm:a/b", "flux:/b", "argocd:a/--all", "argocd:a/B"] {
            assert!(wrong.parse::<Tool>().is_err(), "{wrong}");
        }
    }
}
