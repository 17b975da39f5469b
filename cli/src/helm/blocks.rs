//! Routes as the chart makes rules of them: all but the choice, which its values make.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::mesh::Mesh;
use crate::routes::{Block, Match, Shown, Target, shown};
use crate::traffic::Text;

/// One route at one place.
pub fn block(mesh: &Mesh, block: &Block<'_>, without_filter: bool) -> Json {
    let (service, route) = (block.service, block.route);
    let name = route.name.clone().unwrap_or_default();
    let place = if name.is_empty() { service.name.clone() } else { format!("{}:{name}", service.name) };
    let targets = block.targets().into_iter().map(|(subset, target)| (subset, destination(&target)));
    json!({
        "service": service.name,
        "route": name,
        "place": place,
        "baseline": route.baseline,
        "answers": route.answers(),
        "targets": targets.collect::<Map<_, _>>(),
        "matches": block.matches.iter().map(|one| alternative(mesh, one)).collect::<Vec<_>>(),
        "fields": block.fields(mesh, without_filter, false),
        "removing": block.fields(mesh, without_filter, true),
    })
}

fn destination(target: &Target) -> Json {
    let mut json = json!({"destination": target.istio()});
    if !target.headers.is_empty() {
        json["headers"] = json!(target.headers);
    }
    json
}

/// What a request has to be, and the tenants for whom it can hold, if it says anything about their header.
fn alternative(mesh: &Mesh, one: &Match) -> Json {
    let Some(text) = one.header(&mesh.header) else { return json!({"is": one.istio()}) };
    let text = Text::from(text);
    let others = Match { headers: BTreeMap::new(), ..one.clone() };
    let headers = one.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(&mesh.header));
    let others =
        Match { headers: headers.map(|(name, text)| (name.clone(), text.clone())).collect(), ..others };
    let tenants = mesh.tenants.iter().filter(|tenant| text.matches(Some(tenant), false));
    json!({"is": one.istio(), "but": others.istio(), "tenants": tenants.collect::<Vec<_>>()})
}

/// What each service shows at gateways, in order.
pub fn exposed(mesh: &Mesh, without_filter: bool) -> BTreeMap<&str, Vec<Json>> {
    let mut all: BTreeMap<&str, Vec<Json>> = BTreeMap::new();
    let shown = shown(mesh);
    for one in &shown {
        let blocks: Vec<Json> = one.blocks.iter().map(|own| block(mesh, own, without_filter)).collect();
        let mut json = json!({"key": key(one), "gateways": one.gateways, "blocks": blocks});
        let written = &mesh.document.services[&one.service.name];
        let written = written.expose.as_ref().and_then(|expose| expose.routes.get(one.index));
        if let Some(hosts) = written.map(|route| &route.hosts).filter(|hosts| !hosts.is_empty()) {
            json["hosts"] = json!(hosts);
        }
        all.entry(mesh.service(&one.service.name).map_or("", |service| &service.name))
            .or_default()
            .push(json);
    }
    all
}

/// Texts in the order in which routes are tried.
fn key(shown: &Shown<'_>) -> String {
    let (order, kind, _, path, service, index) = shown.order();
    let order = i64::from(order) - i64::from(i32::MIN);
    format!(
        "{order:010} {kind} {:07}\n{path}\n{service}\n{index:06}",
        9_999_999_usize.saturating_sub(path.len())
    )
}
