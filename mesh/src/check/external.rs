//! What the file leaves to others: the routes of a service, the weights of a rollout, the edge.

use super::Checker;
use crate::dns::is_label_key;
use crate::document::model::{Rollout, Service};
use crate::mesh;

/// What is written into a VirtualService or a DestinationRule, and into nothing else.
const RENDERED: [&str; 5] = ["routes", "http", "trafficPolicy", "fallback", "versions"];
/// What changes weights.
const STEERED: [&str; 8] = ["steps", "hold", "gate", "guards", "noReturn", "hooks", "approvers", "windows"];

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    namespaces(checker);
    edge(checker);
    for (name, service) in &document.services {
        if mesh::is_external(&document.mesh, service) {
            without_effect(checker, name, service);
        }
        if let Some(rollout) = &service.rollout {
            weights(checker, name, service, rollout);
        }
        let shown = service.expose.iter().flat_map(|expose| &expose.routes).map(|route| &route.rollout);
        for (index, rollout) in service.routes.iter().map(|route| &route.rollout).enumerate() {
            of_one_route(checker, &["services", name, "routes", &index.to_string()], rollout);
        }
        for (index, rollout) in shown.enumerate() {
            of_one_route(checker, &["services", name, "expose", "routes", &index.to_string()], rollout);
        }
    }
    offer(checker);
}

fn of_one_route(checker: &mut Checker<'_>, path: &[&str], rollout: &Option<Rollout>) {
    if rollout.as_ref().is_some_and(|rollout| rollout.weights.external) {
        checker
            .error(
                &[path, &["rollout", "weights"]].concat(),
                "`external` weights are those of a whole service, not of one route",
            )
            .help("write `rollout` at the service, beside its routes");
    }
}

fn namespaces(checker: &mut Checker<'_>) {
    for (index, namespace) in checker.document().mesh.namespaces.iter().enumerate() {
        let number = index.to_string();
        checker.check_dns_label("a namespace", namespace, &["mesh", "namespaces", &number]);
    }
}

/// A header that is restored at each hop must be removed from outside callers' requests.
fn edge(checker: &mut Checker<'_>) {
    let document = checker.document();
    // One that could not be read was complained about already.
    let unread = checker.project.tree.at(&["edge"]).is_some_and(|node| node.text().is_some());
    if !mesh::adopts(document) || mesh::has_gateway(document) || unread {
        return;
    }
    let header = &document.header;
    checker
        .error_at_key(
            &["edge"],
            format!("`edge.gateway` is missing: a `{header}` header from outside would be restored at each hop"),
        )
        .help(format!(
            "name the ingress gateway, as in `edge: {{gateway: {{selector: {{istio: ingressgateway}}}}}}`; or write \
             `edge: none` if nothing enters from outside, or something else removes `{header}`"
        ));
}

/// Fields of a service whose routes are not rendered. Public hosts are for external weights.
fn without_effect(checker: &mut Checker<'_>, name: &str, service: &Service) {
    let shown = ["paths", "routes"].map(|key| vec!["services", name, "expose", key]);
    let own = RENDERED.map(|key| vec!["services", name, key]);
    for path in own.into_iter().chain(shown) {
        let key = path.last().copied().unwrap_or_default();
        if checker.project.tree.at(&path).is_none() {
            continue;
        }
        let help = if service.subsets.is_empty() && service.routing.is_none() {
            format!("add `subsets` to let graylane write the routes of `{name}`, or remove it")
        } else {
            format!("remove it, or let graylane write the routes: `routing: graylane` at `{name}`")
        };
        checker
            .error_at_key(&path, format!("`{key}` has no effect: the routes of `{name}` are external"))
            .help(help);
    }
}

fn weights(checker: &mut Checker<'_>, name: &str, service: &Service, rollout: &Rollout) {
    let document = checker.document();
    let path = ["services", name, "rollout", "weights"];
    let external = mesh::is_external(&document.mesh, service);
    if !rollout.weights.external {
        if !rollout.callers.is_empty() {
            checker
                .error_at_key(
                    &["services", name, "rollout", "callers"],
                    "`callers` is only allowed with `weights: external`",
                )
                .help("remove it");
        }
        if rollout.route.is_some() {
            checker
                .error_at_key(
                    &["services", name, "rollout", "route"],
                    "`route` is for `weights: external` only",
                )
                .help("remove it");
        }
        if external {
            checker
                .error(&path, format!("the weights of `{name}` are in external routes"))
                .help("write `weights: external`: users then stay where those weights put them");
        }
        return;
    }
    if !external {
        checker.error(&path, format!("`external` weights, but graylane writes the routes of `{name}`")).help(
            "add `routing: external` to the service, or write the weights, as in `weights: {canary: 1}`",
        );
        return;
    }
    callers(checker, name, rollout);
    for key in STEERED {
        let path = ["services", name, "rollout", key];
        if checker.project.tree.at(&path).is_some() {
            checker
                .error_at_key(&path, format!("`{key}` has no effect: the weights of `{name}` are external"))
                .help("remove it; configure steps and analysis in Argo Rollouts or Flagger");
        }
    }
    let default = document.tenants.iter().find(|(_, tenant)| tenant.as_ref().is_some_and(|one| one.default));
    let default = default.map(|(name, _)| name.as_str()).unwrap_or_default();
    let part = |tenant: &str| match &rollout.tenants {
        Some(tenants) => tenants.iter().any(|one| one == tenant),
        None => tenant == default,
    };
    let others: Vec<&str> =
        document.tenants.keys().map(String::as_str).filter(|tenant| !part(tenant)).collect();
    if !others.is_empty() {
        checker
            .note(
                &["services", name, "rollout"],
                format!(
                    "requests of {} get a version at random where no rule of the route matches them",
                    super::listed(others)
                ),
            )
            .help("add them to `tenants` of the rollout, or let a rule of the route match their header");
    }
}

/// Whose proxies get the EnvoyFilter.
fn callers(checker: &mut Checker<'_>, name: &str, rollout: &Rollout) {
    let path = ["services", name, "rollout", "callers"];
    let is_valid =
        |(key, value): &(&String, &String)| is_label_key(key) && graylane_decide::naming::is_name(value);
    for (key, value) in rollout.callers.iter().filter(|label| !is_valid(label)) {
        checker
            .error_at_key(&[&path[..], &[key]].concat(), format!("invalid pod label `{key}: {value}`"))
            .help("write a label of the callers' pods, as in `app: checkout`");
    }
    if !rollout.callers.is_empty() && rollout.callers.iter().all(|label| is_valid(&label)) {
        let labels: Vec<String> =
            rollout.callers.iter().map(|(key, value)| format!("{key}={value}")).collect();
        checker
            .note(
                &path,
                format!(
                    "only proxies with {} get the EnvoyFilter: requests of other callers are drawn at random",
                    labels.join(",")
                ),
            )
            .help("once it works there, remove `callers`");
    }
}

/// What else is possible, for a minimal file.
fn offer(checker: &mut Checker<'_>) {
    let document = checker.document();
    if document.services.is_empty() {
        checker
            .note(
                &["mesh"],
                "the tenant header is restored; routes, weights and sticky users stay as they are",
            )
            .help("for more, list a service under `services`: docs/adopt.md");
        return;
    }
    let external =
        document.services.values().filter(|service| mesh::is_external(&document.mesh, service)).count();
    if external > 0 {
        checker.note(
            &["services"],
            format!(
                "{} of {} services have external routes: nothing is rendered for them",
                external,
                document.services.len()
            ),
        );
    }
}
