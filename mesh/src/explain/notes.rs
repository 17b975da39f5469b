//! What a reader of hops may wonder about.

use crate::adopt::weights;
use graylane_decide::config::Mode;
use graylane_decide::names::MODE_LABEL;

use super::{GATEWAY, Hop, ModeOf, Request};
use crate::mesh::Mesh;

/// What a reader may wonder about.
#[must_use]
pub fn notes(mesh: &Mesh, request: &Request, hops: &[Hop]) -> Vec<String> {
    let from_outside = request.path.first().is_some_and(|first| first == GATEWAY);
    let mut notes = Vec::new();
    if from_outside && mesh.document.edge.gateway.is_none() {
        notes.push(
            "the file names no `edge.gateway`, so no gateway runs the filter yet; this is what it would do"
                .to_owned(),
        );
    }
    if hops.iter().any(|hop| hop.unit_source == Some("request")) {
        notes.push(
            "the unit is made from the request id, so the user's next request may go elsewhere".to_owned(),
        );
    }
    let sent = |name: &str| request.headers.iter().any(|(is, _)| is == name);
    let removed = from_outside && hops.first().is_some_and(|hop| hop.source == Some("default"));
    if removed && sent(&mesh.header) {
        notes.push("the gateway does not accept a tenant header from outside (`edge.accept`)".to_owned());
    }
    if hops.iter().any(|hop| hop.is_external && hop.subset.is_none()) {
        notes.push("these routes are external; --against PATH shows where they lead".to_owned());
    }
    if hops.iter().any(|hop| hop.is_external && weights::callers(mesh, &hop.service).is_some()) {
        notes.push("`rollout.callers` limits the EnvoyFilter to some callers; requests of all others get a version at random".to_owned());
    }
    let said = hops.iter().filter_map(|hop| Some((hop.by.as_str(), hop.mode.as_ref()?)));
    notes.extend(modes(mesh, &said.collect::<Vec<_>>()));
    notes
}

/// Which modes hold, and what says so.
fn modes(mesh: &Mesh, said: &[(&str, &ModeOf)]) -> Vec<String> {
    const OBSERVED: &str = "these decisions are only counted; Envoy routes by the headers as they arrived";
    if mesh.modes.is_empty() && mesh.document.edge.mode.is_none() && mesh.mode == Mode::Observe {
        return vec![format!("mode is observe: {OBSERVED}")];
    }
    let note = |(by, mode): &(&str, &ModeOf)| {
        let at = mode.at.as_ref().map(|at| format!(", {}:{}", at.file, at.line)).unwrap_or_default();
        let means = match mode.mode {
            "observe" if *by == GATEWAY => {
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
        notes.push(format!(
            "a pod with the label `{MODE_LABEL}` has the mode that it names; a gateway does not"
        ));
    }
    notes
}
