//! The cluster that a run applies to: one run a service there, by a Lease, and whether Argo CD or Flux owns what is applied.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value as Json, json};

use super::git::Held;
use super::kubectl::Kubectl;
use super::pending::hash;
use super::runner::{Holder, Turn, Watch};
use crate::clusters::said_of;
use crate::time::{now, rfc3339};

/// Where one run tells others of itself. Of several clusters it is the first: all runs have the same file, and so the same first one.
pub struct Cluster {
    /// Each with its name, if it has one; the Lease is in the first.
    all: Vec<(Option<String>, Kubectl)>,
    /// The same, for what has to be renewed in time.
    hasty: Kubectl,
    namespace: String,
    service: String,
    /// Which run it is.
    pub watch: Watch,
    /// The Lease as last read.
    lease: Option<Json>,
    /// Are the objects nobody else's?
    is_ours: bool,
    /// Why this run may not be the only one, or the objects not its own: it may take a canary back, and nothing else.
    pub unsure: Option<String>,
}

/// One that a thread renews while a run looks.
pub type Shared = Arc<Mutex<Cluster>>;

/// Uses it.
pub fn lock(cluster: &Shared) -> MutexGuard<'_, Cluster> {
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A service in the name of an object, of which Kubernetes allows fewer characters: another one never has the same.
fn in_name(service: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if service.len() <= 63 && service.chars().all(fits) && !service.ends_with('-') {
        return service.to_owned();
    }
    let plain: String = service.chars().take(63).map(|c| if fits(c) { c } else { '-' }).collect();
    let hash = hash(service);
    // A label must not end with `-`.
    format!("{plain}x.{}", hash.get(..12).unwrap_or(&hash))
}

/// Who owns an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    tool: &'static str,
    mark: String,
    /// As `--synced-by` names it.
    synced_by: String,
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

impl Cluster {
    /// Of a service in this namespace; with further clusters.
    #[must_use]
    pub fn new(
        first: (Option<String>, Kubectl),
        others: Vec<(Option<String>, Kubectl)>,
        (namespace, service): (&str, &str),
        watch: Watch,
    ) -> Self {
        let (namespace, service) = (namespace.to_owned(), service.to_owned());
        let hasty = first.1.within(watch.limit());
        let all = std::iter::once(first).chain(others).collect();
        Self { all, hasty, namespace, service, watch, lease: None, is_ours: false, unsure: None }
    }

    /// Does every further cluster answer? A step that only some of them get would place users differently in each. They are asked
    /// side by side: one that does not answer takes its time.
    ///
    /// # Errors
    /// When one does not; says which.
    pub fn others_answer(&self) -> Result<(), Held> {
        let limit = self.watch.limit();
        let answers = |(name, kubectl): &(Option<String>, Kubectl)| {
            let why = match kubectl.within(limit).call(&["get", "--raw", "/readyz"], b"") {
                Ok(said) if said.status.success() => return None,
                Ok(said) => said.line(),
                Err(error) => format!("{error:#}"),
            };
            let words = kubectl.words();
            let text = format!("the cluster does not answer (`{words} get --raw /readyz`): {why}");
            Some(said_of(name.as_deref(), &text))
        };
        let answers = &answers;
        let away: Vec<String> = std::thread::scope(|scope| {
            let asked: Vec<_> =
                self.all.iter().skip(1).map(|one| scope.spawn(move || answers(one))).collect();
            asked.into_iter().filter_map(|one| one.join().ok().flatten()).collect()
        });
        if away.is_empty() { Ok(()) } else { Err(Held(away.join("; "))) }
    }

    fn name(&self) -> String {
        format!("graylane-ramp-{}", in_name(&self.service))
    }

    fn away(&self, error: &anyhow::Error) -> Held {
        Held(format!(
            "cannot use the Lease {}/{} that lets one run at a time apply: {error:#} (a run needs get, create and update of leases in \
             coordination.k8s.io)",
            self.namespace,
            self.name()
        ))
    }

    /// Takes the run, keeps it, or says who has it.
    ///
    /// # Errors
    /// When the cluster does not say.
    pub fn acquire(&mut self) -> Result<Result<(), String>, Held> {
        let name = self.name();
        let words = [
            "get",
            "leases.coordination.k8s.io",
            &name,
            "--namespace",
            &self.namespace,
            "--ignore-not-found",
            "--output",
            "json",
        ];
        self.lease = self.hasty.json(&words, b"").map_err(|error| self.away(&error))?;
        let holder = self.lease.as_ref().and_then(|lease| {
            let version = text(&lease["metadata"]["resourceVersion"]).to_owned();
            Some((version, holder(lease)?))
        });
        match self.watch.look(holder.as_ref().map(|(version, holder)| (version.as_str(), holder))) {
            Turn::Ours if !self.watch.is_due() => Ok(Ok(())),
            Turn::Theirs(said) => Ok(Err(said)),
            Turn::Ours | Turn::Free => {
                let record = self.watch.record();
                self.write(Some(&record))
            }
        }
    }

    /// Writes the Lease, if it is as it was read.
    fn write(&mut self, holder: Option<&Holder>) -> Result<Result<(), String>, Held> {
        let spec = |old: &Json| {
            let time = |seconds: u64| rfc3339(seconds.cast_signed()).replace('Z', ".000000Z");
            let transitions = old["leaseTransitions"].as_u64().unwrap_or(0);
            holder.map_or_else(
                || json!({"holderIdentity": "", "leaseDurationSeconds": 1, "leaseTransitions": transitions}),
                |holder| {
                    let identity = format!("{}#{}", holder.holder, holder.id);
                    let is_new = text(&old["holderIdentity"]) != identity;
                    json!({
                        "holderIdentity": identity, "leaseDurationSeconds": holder.lease, "renewTime": time(now()),
                        "acquireTime": holder.since.replace('Z', ".000000Z"),
                        "leaseTransitions": transitions + u64::from(is_new),
                    })
                },
            )
        };
        let mut metadata = json!({"name": self.name(), "namespace": self.namespace});
        let (verb, old) = match &self.lease {
            Some(lease) => {
                metadata["resourceVersion"] = lease["metadata"]["resourceVersion"].clone();
                ("replace", lease["spec"].clone())
            }
            None => ("create", Json::Null),
        };
        let object = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec(&old)});
        match self.hasty.json(&[verb, "--filename", "-", "--output", "json"], object.to_string().as_bytes()) {
            Ok(lease) => {
                let version =
                    lease.as_ref().map(|lease| text(&lease["metadata"]["resourceVersion"]).to_owned());
                self.watch.renewed(&version.unwrap_or_default());
                self.lease = lease;
                Ok(Ok(()))
            }
            Err(error) => {
                let said = format!("{error:#}");
                let faster =
                    ["AlreadyExists", "Conflict", "has been modified"].iter().any(|why| said.contains(why));
                if faster {
                    Ok(Err("another run was faster: the next look sees who it is".into()))
                } else {
                    Err(self.away(&error))
                }
            }
        }
    }

    /// Lets others run. What cannot be said ends by itself after the lease.
    pub fn release(&mut self) {
        if self.watch.is_ours() && self.lease.is_some() {
            let _ = self.write(None);
        }
    }

    /// Which tool owns one of the objects that are to be applied, by cluster; it is asked once.
    ///
    /// # Errors
    /// When the objects cannot be read: one that is taken back again and again is worse than one that waits.
    pub fn owner(&mut self, yaml: &[String]) -> Result<Option<(String, Owner)>, Held> {
        if self.is_ours {
            return Ok(None);
        }
        for ((name, kubectl), yaml) in self.all.iter().zip(yaml) {
            if let Some((place, owner)) =
                owner_there(kubectl, yaml).map_err(|Held(why)| Held(said_of(name.as_deref(), &why)))?
            {
                let there = name.as_ref().map_or_else(String::new, |name| format!(" in `{name}`"));
                return Ok(Some((place + &there, owner)));
            }
        }
        self.is_ours = true;
        Ok(None)
    }

    /// Why nothing is applied.
    #[must_use]
    pub fn refusal(&self, place: &str, owner: &Owner) -> String {
        let Owner { tool, mark, synced_by } = owner;
        format!(
            "{tool} owns {place} ({mark}) and would take each step back at its next sync (selfHeal): nothing is applied; write the steps into \
             Git instead: `graylane ramp run {} --git --synced-by {synced_by} --prometheus …`",
            self.service
        )
    }
}

fn owner_there(kubectl: &Kubectl, yaml: &str) -> Result<Option<(String, Owner)>, Held> {
    let words = ["get", "--filename", "-", "--ignore-not-found", "--output", "json"];
    let found = kubectl.json(&words, yaml.as_bytes()).map_err(|error| {
        Held(format!(
            "cannot read the objects that would be applied, so it is unknown whether Argo CD or Flux owns them: {error:#}"
        ))
    })?;
    let found = found.unwrap_or(Json::Null);
    let objects = found["items"].as_array().cloned().unwrap_or_else(|| vec![found]);
    for object in &objects {
        let owner = match (owner(object), weak(object)) {
            (Some(owner), _) => Some(owner),
            (None, Some(name)) => application(kubectl, name),
            (None, None) => None,
        };
        if let Some(owner) = owner {
            let metadata = &object["metadata"];
            let place = format!(
                "{} {}/{}",
                text(&object["kind"]),
                text(&metadata["namespace"]),
                text(&metadata["name"])
            );
            return Ok(Some((place, owner)));
        }
    }
    Ok(None)
}

/// The label `app.kubernetes.io/instance` is Helm's, too: it means Argo CD where that has such an Application.
fn application(kubectl: &Kubectl, name: &str) -> Option<Owner> {
    let words = ["get", "applications.argoproj.io", "--all-namespaces", "--output", "json"];
    let all = kubectl.json(&words, b"").ok().flatten()?;
    let found = all["items"].as_array()?.iter().find(|one| text(&one["metadata"]["name"]) == name)?;
    let namespace = text(&found["metadata"]["namespace"]);
    Some(Owner {
        tool: "Argo CD",
        mark: format!("label {INSTANCE}={name}"),
        synced_by: format!("argocd:{namespace}/{name}"),
    })
}

/// Argo CD's default label until 2.14; charts of Helm have it, too.
const INSTANCE: &str = "app.kubernetes.io/instance";

fn weak(object: &Json) -> Option<&str> {
    object["metadata"]["labels"][INSTANCE].as_str().filter(|name| !name.is_empty())
}

/// The tool whose marks an object has.
fn owner(object: &Json) -> Option<Owner> {
    let metadata = &object["metadata"];
    let (labels, annotations) = (&metadata["labels"], &metadata["annotations"]);
    let tracking = "argocd.argoproj.io/tracking-id";
    if let Some(id) = annotations[tracking].as_str() {
        // `[NAMESPACE_]APPLICATION:GROUP/KIND:NAMESPACE/NAME`
        let application = id.split(':').next().unwrap_or_default();
        let (namespace, name) = application.split_once('_').unwrap_or(("argocd", application));
        return Some(Owner {
            tool: "Argo CD",
            mark: format!("annotation {tracking}: {id}"),
            synced_by: format!("argocd:{namespace}/{name}"),
        });
    }
    let instance = "argocd.argoproj.io/instance";
    if let Some(name) = labels[instance].as_str() {
        return Some(Owner {
            tool: "Argo CD",
            mark: format!("label {instance}={name}"),
            synced_by: format!("argocd:argocd/{name}"),
        });
    }
    let flux = "kustomize.toolkit.fluxcd.io";
    let name = labels[format!("{flux}/name")].as_str()?;
    if text(&annotations[format!("{flux}/reconcile")]) == "disabled" {
        return None;
    }
    let namespace = text(&labels[format!("{flux}/namespace")]);
    Some(Owner {
        tool: "Flux",
        mark: format!("label {flux}/name={name}"),
        synced_by: format!("flux:{namespace}/{name}"),
    })
}

/// What a Lease says; none: it was given back.
fn holder(lease: &Json) -> Option<Holder> {
    let spec = &lease["spec"];
    let identity = text(&spec["holderIdentity"]);
    let (holder, id) = identity.rsplit_once('#').unwrap_or((identity, ""));
    if identity.is_empty() {
        return None;
    }
    let (since, renewed) = (text(&spec["acquireTime"]).to_owned(), text(&spec["renewTime"]).to_owned());
    let lease = spec["leaseDurationSeconds"].as_u64().unwrap_or(0);
    Some(Holder { holder: holder.to_owned(), id: id.to_owned(), since, renewed, lease, renewals: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_a_lease_of_its_own_whose_name_kubernetes_allows() {
        assert_eq!(in_name("api-2"), "api-2");
        let names = ["api-v1", "api.v1", "api_v1", "Api-v1", "api-v1-", "_", &"a".repeat(300)].map(in_name);
        let is_label = |label: &str| {
            let edge = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
            edge(label.as_bytes().last())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        for name in &names {
            assert!(format!("graylane-ramp-{name}").split('.').all(is_label) && name.len() < 200, "{name}");
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
        }
    }

    #[test]
    fn owners_are_told_by_their_own_marks() {
        let object = |labels: Json, annotations: Json| json!({"metadata": {"labels": labels, "annotations": annotations}});
        let none = || json!({});
        for (object, synced_by) in [
            (
                object(none(), json!({"argocd.argoproj.io/tracking-id": "shop:a/B:c/d"})),
                Some("argocd:argocd/shop"),
            ),
            (
                object(none(), json!({"argocd.argoproj.io/tracking-id": "team_shop:a/B:c/d"})),
                Some("argocd:team/shop"),
            ),
            (object(json!({"argocd.argoproj.io/instance": "shop"}), none()), Some("argocd:argocd/shop")),
            (
                object(
                    json!({"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}),
                    none(),
                ),
                Some("flux:flux-system/shop"),
            ),
            (
                object(
                    json!({"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "x"}),
                    json!({"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}),
                ),
                None,
            ),
            // Ours, and Helm's.
            (
                object(
                    json!({"app.kubernetes.io/instance": "shop"}),
                    json!({"argocd.argoproj.io/sync-wave": "1"}),
                ),
                None,
            ),
        ] {
            assert_eq!(owner(&object).map(|owner| owner.synced_by).as_deref(), synced_by, "{object}");
        }
    }
}
