//! What a reader of hops may wonder about.

use crate::adopt::weights;
use graylane_decide::config::{Mode, Restore};
use graylane_decide::names::MODE_LABEL;

use super::request::gateway_of;
use super::{Hop, ModeOf, Request};
use crate::mesh::{Ingress, Mesh};
use crate::resources::DataPlane;

/// What a reader may wonder about.
#[must_use]
pub fn notes(mesh: &Mesh, request: &Request, hops: &[Hop]) -> Vec<String> {
    let ingress = request.ingress(mesh).ok().flatten();
    let mut notes = Vec::new();
    if ingress.as_ref().is_some_and(|ingress| ingress.gateway.is_none()) {
        notes.push(
            "the file names no `edge.gateway`, so no gateway runs the filter yet; this is what it would do"
                .to_owned(),
        );
    }
    if super::is_alone(mesh, request) {
        notes.push(
            "`sticky: none`: each call of this worker gets a unit of its own at random; this one is an example"
                .to_owned(),
        );
    }
    if hops.iter().any(|hop| hop.unit_source == Some("request")) {
        notes.push(
            "the unit is made from the request id, so the user's next request may go elsewhere".to_owned(),
        );
    }
    notes.extend(hops.iter().filter_map(|hop| key(mesh, ingress.as_ref()?, hop.unit_key?)));
    let sent = |name: &str| request.headers.iter().any(|(is, _)| is == name);
    let removed = hops.first().is_some_and(|hop| hop.source == Some("default")) && sent(&mesh.header);
    if let Some(ingress) = ingress.as_ref().filter(|_| removed) {
        let key = ingress.path(&["accept"]).join(".");
        notes.push(format!("{} does not accept a tenant header from outside (`{key}`)", ingress.title()));
    }
    if ingress.is_some() {
        notes.extend(super::token::note(mesh, request));
    }
    for hop in hops.iter().filter(|hop| hop.is_hidden) {
        notes.push(format!(
            "the plugin of {} does not know `{}` (`visibleTo`): its route still obeys pins, and its weights draw anew for each request",
            hop.by, hop.service
        ));
    }
    if hops.iter().any(|hop| hop.is_external && hop.subset.is_none()) {
        notes.push("these routes are external; --against PATH shows where they lead".to_owned());
    }
    if hops.iter().any(|hop| hop.is_external && weights::callers(mesh, &hop.service).is_some()) {
        notes.push("`rollout.callers` limits the EnvoyFilter to some callers; requests of all others get a version at random".to_owned());
    }
    if request.data_plane == DataPlane::Ambient {
        notes.extend(ambient(mesh, request, hops));
    }
    let said = hops.iter().filter_map(|hop| Some((hop.by.as_str(), hop.mode.as_ref()?)));
    notes.extend(modes(mesh, request.data_plane, &said.collect::<Vec<_>>()));
    notes
}

/// What is different where waypoints decide.
fn ambient(mesh: &Mesh, request: &Request, hops: &[Hop]) -> Vec<String> {
    let mut notes = Vec::new();
    if let [first, second, ..] = hops
        && gateway_of(&first.by).is_some()
        && first.service == second.service
    {
        notes.push(format!(
            "a gateway reaches the waypoint of `{}` only if that Service or its namespace has the label \
             `istio.io/ingress-use-waypoint: \"true\"`; without it the gateway's own choice counts",
            first.service
        ));
    }
    let lost = hops.windows(2).find(|pair| match pair {
        [before, after] => after.source == Some("default") && before.tenant != after.tenant,
        _ => false,
    });
    if let Some([before, after]) = lost {
        let reads = mesh.document.policy.restore.contains(&Restore::Baggage);
        let also = if reads { "" } else { ", and add `baggage` to `policy.restore`" };
        notes.push(format!(
            "`{}` does not forward the tenant, and the waypoint of `{}` restores it from `baggage` only: let `{0}` forward `baggage` \
             (OpenTelemetry does){also}, or keep a sidecar in the pods of `{0}`",
            before.service, after.service
        ));
    }
    if let Some((worker, tenant)) = &request.worker
        && mesh.default != *tenant
    {
        notes.push(format!(
            "a waypoint does not know the labels of the pod that calls: `{worker}` must send the tenant header itself"
        ));
    }
    notes
}

/// Why the unit is of this key, where the file has several.
fn key(mesh: &Mesh, ingress: &Ingress<'_>, index: usize) -> Option<String> {
    let sticky = &mesh.document.sticky;
    let [_, _, ..] = ingress.keys else { return None };
    let key = ingress.keys.get(index)?;
    let why = match (sticky.is_of_session(), key.cookie.is_some()) {
        (true, true) => "with `sticky.identity: session` cookies are looked for before all other keys",
        (true, false) => {
            "the request has no cookie that counts, and of the other keys this is the first that it has"
        }
        (false, _) => {
            let list = ingress.keys_path().join(".");
            return Some(format!(
                "the unit is made from {key}: it is the first of `{list}` that the request has"
            ));
        }
    };
    Some(format!("the unit is made from {key}: {why}"))
}

/// Which modes hold, and what says so.
fn modes(mesh: &Mesh, data_plane: DataPlane, said: &[(&str, &ModeOf)]) -> Vec<String> {
    const OBSERVED: &str = "these decisions are only counted; Envoy routes by the headers as they arrived";
    let no_gateway_says = mesh.ingresses().iter().all(|ingress| ingress.own_mode.is_none());
    if mesh.modes.is_empty() && no_gateway_says && mesh.mode == Mode::Observe {
        return vec![format!("mode is observe: {OBSERVED}")];
    }
    let note = |(by, mode): &(&str, &ModeOf)| {
        let at = mode.at.as_ref().map(|at| format!(", {}:{}", at.file, at.line)).unwrap_or_default();
        let means = match mode.mode {
            "observe" if gateway_of(by).is_some() => {
                "it removes what only graylane gives a meaning to, and counts the rest"
            }
            "observe" => OBSERVED,
            "off" => "the filter leaves its requests alone, and Envoy routes by the headers as they arrived",
            _ => "it does what is decided",
        };
        format!("mode of {by} is {} (`{}`{at}): {means}", mode.mode, mode.key)
    };
    let mut notes: Vec<String> = said.iter().map(note).collect();
    notes.dedup();
    if !notes.is_empty() {
        notes.push(match data_plane {
            DataPlane::Sidecar => {
                format!("a pod with the label `{MODE_LABEL}` has the mode that it names; a gateway does not")
            }
            DataPlane::Ambient => format!(
                "a waypoint whose own pods have the label `{MODE_LABEL}` has the mode that it names; that label on pods of a service has no effect"
            ),
        });
    }
    notes
}
