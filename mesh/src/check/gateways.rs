//! Several gateways: each is one, and no pod is of two.

use std::collections::BTreeMap;

use super::Checker;
use super::edge::ROOT;
use crate::dns::is_dns_label;
use crate::document::model::Gateway;
use crate::mesh;

/// What each gateway says itself. Inherited, it would give the callers of one gateway what was meant for those of another.
const OWN: [&str; 3] = ["accept", "rules", "jwt"];

pub fn check(checker: &mut Checker<'_>) {
    let Some(gateways) = &checker.document().edge.gateways else { return };
    beside(checker);
    if gateways.is_empty() {
        checker
            .error_at_key(&["edge", "gateways"], "no gateways: headers from outside would not be removed anywhere")
            .help("add one, as in `gateways: {public: {selector: {istio: ingressgateway}}}`, or write `edge: none`");
    }
    for name in gateways.keys().filter(|name| !is_dns_label(name)) {
        checker
            .error_at_key(&["edge", "gateways", name], format!("`{name}` cannot be the name of a gateway"))
            .help("write 1 to 63 lowercase letters, digits and `-`, with a letter or digit at both ends: it is part of the names of resources");
    }
    let mut resources: BTreeMap<&str, &str> = BTreeMap::new();
    let mut before: Vec<(&str, &Gateway)> = Vec::new();
    let namespaces = mesh::namespaces(checker.document());
    for (name, one) in gateways {
        if let Some(resource) = &one.gateway.name
            && let Some(other) = resources.insert(resource, name)
        {
            let place = checker.project.span(&["edge", "gateways", other, "name"]);
            checker
                .error(
                    &["edge", "gateways", name, "name"],
                    format!(
                        "`{other}` has the Gateway `{resource}` as well: routes bound to it would be of both"
                    ),
                )
                .help("give each gateway a Gateway resource of its own, or remove one of the two")
                .related(place, "the other one");
        }
        // One whose plugin goes to other pods than gateways' was complained about already.
        let own = &one.gateway;
        let is_shared = own.namespace == ROOT || namespaces.contains(own.namespace.as_str());
        if own.selector.is_empty() && is_shared {
            continue;
        }
        if let Some(other) = before.iter().find(|(_, other)| meet(other, own)) {
            same_pods(checker, (name, own), *other);
        }
        before.push((name, own));
    }
}

/// Keys of `edge` that are those of a single gateway.
fn beside(checker: &mut Checker<'_>) {
    if checker.project.tree.at(&["edge", "gateway"]).is_some() {
        checker
            .error_at_key(&["edge", "gateway"], "`gateway` beside `gateways`")
            .help("move it into `gateways` under a name, as in `gateways: {public: {selector: {istio: ingressgateway}}}`");
    }
    for key in OWN.into_iter().filter(|key| checker.project.tree.at(&["edge", key]).is_some()) {
        checker
            .error_at_key(
                &["edge", key],
                format!("`{key}` beside `gateways`: it does not say for the callers of which gateway it is meant"),
            )
            .help(format!("move it into that gateway, as in `gateways: {{public: {{{key}: …}}}}`; no gateway takes it over from here"));
    }
}

/// Would the pods of one have the plugin of the other too?
fn meet(a: &Gateway, b: &Gateway) -> bool {
    has_all_pods(a, b) || has_all_pods(b, a)
}

/// Does a gateway's plugin go to all pods of the other?
fn has_all_pods(wide: &Gateway, other: &Gateway) -> bool {
    (wide.namespace == other.namespace || wide.namespace == ROOT)
        && wide.selector.iter().all(|(key, value)| other.selector.get(key) == Some(value))
}

fn same_pods(checker: &mut Checker<'_>, (name, own): (&str, &Gateway), (other, theirs): (&str, &Gateway)) {
    let (wide, narrow) = if has_all_pods(own, theirs) { (name, other) } else { (other, name) };
    let both = has_all_pods(own, theirs) && has_all_pods(theirs, own);
    let text = if both {
        format!(
            "`{name}` has the pods of `{other}`: they would run both plugins, and decide each request twice"
        )
    } else {
        format!(
            "the plugin of `{wide}` goes to the pods of `{narrow}` too: they would decide each request twice"
        )
    };
    let path = ["edge", "gateways", wide, "selector"];
    let has_selector = checker.project.tree.at(&path).is_some();
    let path = if has_selector { &path[..] } else { &path[..3] };
    let place = checker.project.key(&["edge", "gateways", narrow]);
    checker
        .error_at_key(path, text)
        .help(format!("give `{wide}` a `selector` with a label that only its own pods have"))
        .related(place, "the other gateway");
}
