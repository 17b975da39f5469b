//! Does each file say only what its owner may?
//!
//! Files are laid over each other, and the last word counts, so that a team's file could move the users of another team, or
//! open the gateway, and nobody would see it in that team's own review.

use std::collections::BTreeMap;

use super::{Checker, listed};
use crate::document::model::{Document, Mesh, Owner};
use crate::document::shape::nearest;
use crate::document::source::Span;
use crate::document::tree::{Entry, Node, Value};
use crate::mesh::completed;

/// What a team's file may say besides its services and workers.
const VERSION: &str = "version";
/// What teams define.
const THEIRS: [&str; 2] = ["services", "workers"];

pub fn check(checker: &mut Checker<'_>) {
    visible(checker);
    let project = checker.project;
    let owners = &project.document.owners;
    for (name, owner) in owners {
        sensible(checker, name, owner);
    }
    let mut platform: Option<(&str, Span)> = None;
    for (file, node) in &project.files {
        let Some(place) =
            node.entries().iter().find(|entry| entry.key == "owners").map(|entry| entry.key_span)
        else {
            continue;
        };
        match platform {
            None => platform = Some((file, place)),
            Some((first, at)) => {
                checker
                    .findings
                    .error(Some(place), format!("`owners` is in `{first}` as well"))
                    .help("keep it in one file, that of the platform")
                    .related(Some(at), "the other one");
            }
        }
    }
    let Some((platform, _)) = platform else { return };
    let mut defined = BTreeMap::new();
    for (file, node) in &project.files {
        if file == platform {
            by_platform(node, &mut defined);
            continue;
        }
        let mut of: Vec<(&String, &Owner)> =
            owners.iter().filter(|(_, owner)| owner.has_file(file)).collect();
        match (of.pop(), of.pop()) {
            (Some((_, owner)), None) if owner.platform => by_platform(node, &mut defined),
            (Some((name, owner)), None) => by_team(checker, platform, (name, owner), node, &mut defined),
            (None, _) => {
                checker
                    .findings
                    .error(Some(node.span), format!("`{file}` is no owner's file"))
                    .help(format!("name it in `owners.<team>.files` of `{platform}`, or do not pass it"));
            }
            (Some((one, _)), Some((other, _))) => {
                checker
                    .findings
                    .error(Some(node.span), format!("`{file}` is a file of `{other}` and of `{one}`"))
                    .help(format!("name it in `files` of one of them, in `{platform}`"));
            }
        }
    }
}

/// A namespace to which a service is visible has somebody who could call it.
fn visible(checker: &mut Checker<'_>) {
    let document = checker.document();
    let namespaces = crate::mesh::namespaces(document);
    for (name, service) in &document.services {
        for (index, namespace) in service.visible_to.iter().flatten().enumerate() {
            if !namespaces.contains(namespace.as_str()) {
                let known: Vec<&str> = namespaces.iter().copied().collect();
                let help = match nearest(namespace, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        format!("name it in `mesh.namespaces`, or leave it out of `visibleTo` of `{name}`")
                    }
                };
                checker
                    .warning(
                        &["services", name, "visibleTo", &index.to_string()],
                        format!("no pod in `{namespace}` has the filter"),
                    )
                    .help(help);
            }
        }
    }
}

fn sensible(checker: &mut Checker<'_>, name: &str, owner: &Owner) {
    if owner.files.is_empty() {
        checker
            .error_at_key(&["owners", name], "an owner without files")
            .help("write `files: [payments.yaml]`");
    }
    let limits = !owner.services.is_empty() || !owner.namespaces.is_empty();
    if owner.platform && limits {
        checker
            .error_at_key(&["owners", name], "`platform: true` may define everything, and here is a limit")
            .help("leave out `platform`, or `services` and `namespaces`");
    } else if !owner.platform && !limits {
        checker.error_at_key(&["owners", name], format!("`{name}` could define every service")).help(
            "write `services: [payments-*]` or `namespaces: [pay]`; `platform: true` if it is the platform's",
        );
    }
}

/// The services and workers that a team's file defined before, and where.
type Defined<'a> = BTreeMap<(&'a str, &'a str), (&'a str, Span)>;

/// Whose a definition is that no owner's file made.
const PLATFORM: &str = "";

/// Keeps what the platform defines, unless a team's file did before: that is what files for environments are for.
fn by_platform<'a>(node: &'a Node, defined: &mut Defined<'a>) {
    for entry in node.entries().iter().filter(|entry| THEIRS.contains(&entry.key.as_str())) {
        for one in entry.node.entries() {
            defined.entry((&entry.key, &one.key)).or_insert((PLATFORM, one.key_span));
        }
    }
}

fn by_team<'a>(
    checker: &mut Checker<'a>,
    platform: &str,
    (team, owner): (&'a str, &Owner),
    node: &'a Node,
    defined: &mut Defined<'a>,
) {
    for entry in node.entries().iter().filter(|entry| entry.key != VERSION) {
        let key = entry.key.as_str();
        if !THEIRS.contains(&key) {
            checker
                .findings
                .error(
                    Some(entry.key_span),
                    format!("only the platform's file may set `{key}`, and this is a file of `{team}`"),
                )
                .help(format!("leave it out here; it belongs in `{platform}`"));
            continue;
        }
        if !matches!(entry.node.value, Value::Map(_)) {
            // `null` over a map would take away those of all teams.
            checker
                .findings
                .error(Some(entry.key_span), format!("`{key}` without names, in a file of `{team}`"))
                .help(format!("write `{key}: {{NAME: …}}`, or leave it out"));
        }
        for one in entry.node.entries() {
            definition(checker, platform, (team, owner), key, one);
            let name = one.key.as_str();
            let (first, place) = *defined.entry((key, name)).or_insert((team, one.key_span));
            if first != team {
                checker
                    .findings
                    .error(
                        Some(one.key_span),
                        match first {
                            PLATFORM => format!("`{key}.{name}` is defined by the platform, and this is a file of `{team}`"),
                            first => format!("`{key}.{name}` is defined by a file of `{first}` as well"),
                        },
                    )
                    .help(format!("one owner defines a service: leave it out here, or move all of it here and let `{platform}` allow it"))
                    .related(Some(place), "the other one");
            }
        }
    }
}

/// A service or worker in a team's file: its name, its namespace, its hosts, and what it lets others run.
fn definition(
    checker: &mut Checker<'_>,
    platform: &str,
    (team, owner): (&str, &Owner),
    key: &str,
    one: &Entry,
) {
    let document = checker.document();
    let mesh = &document.mesh;
    let name = one.key.as_str();
    let namespace = namespace(document, key, name);
    if !owner.may_define(name, namespace, mesh) {
        checker
            .findings
            .error(Some(one.key_span), format!("`{team}` cannot define `{key}.{name}`{}", placed(namespace)))
            .help(allowed(team, owner, platform, mesh));
    }
    let Some(service) = document.services.get(name).filter(|_| key == "services") else { return };
    // That of a version brings its labels and policies into the DestinationRule of that host.
    let versions = one.node.get("versions").into_iter().flat_map(Node::entries);
    let places =
        one.node.get("host").into_iter().chain(versions.filter_map(|version| version.node.get("host")));
    for place in places {
        let Some(host) = place.text() else { continue };
        let host = completed(mesh, host, service);
        let inside =
            host.strip_suffix(&format!(".svc.{}", mesh.cluster_domain)).and_then(|host| host.split_once('.'));
        let fits = match inside {
            Some((name, namespace)) => owner.may_define(name, Some(namespace), mesh),
            None => owner.may_have(&host),
        };
        if !fits {
            checker
                .findings
                .error(Some(place.span), format!("`{host}` is not a host of `{team}`"))
                .help(allowed(team, owner, platform, mesh));
        }
    }
    if let Some(expose) = one.node.get("expose") {
        public_hosts(expose, &mut |host, span| {
            if !owner.may_have(host) {
                checker
                    .findings
                    .error(Some(span), format!("`{team}` cannot expose `{host}`"))
                    .help(format!("add it to `owners.{team}.hosts` in `{platform}`, or leave it out"));
            }
        });
    }
    if let Some(place) = hooks(&one.node).filter(|_| !owner.hooks) {
        checker
            .findings
            .error(
                Some(place),
                format!("`{team}` cannot have hooks: they are commands that the pipeline runs"),
            )
            .help(format!("leave them out, or write `hooks: true` in `owners.{team}` of `{platform}`"));
    }
}

/// The hosts under `expose`, and under its routes.
fn public_hosts(node: &Node, found: &mut dyn FnMut(&str, Span)) {
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                match entry.key.as_str() {
                    "hosts" => {
                        if let Value::List(hosts) = &entry.node.value {
                            hosts.iter().for_each(|host| found(host.text().unwrap_or_default(), host.span));
                        }
                    }
                    "routes" => public_hosts(&entry.node, found),
                    _ => {}
                }
            }
        }
        Value::List(routes) => routes.iter().for_each(|route| public_hosts(route, found)),
        _ => {}
    }
}

/// Where a rollout has hooks, of the service or of one of its routes.
fn hooks(node: &Node) -> Option<Span> {
    match &node.value {
        Value::Map(entries) => entries.iter().find_map(|entry| {
            let own = (entry.key == "rollout").then(|| entry.node.entries()).into_iter().flatten();
            let hook = own.filter(|inner| inner.key == "hooks").map(|inner| inner.key_span).next();
            hook.or_else(|| hooks(&entry.node))
        }),
        Value::List(list) => list.iter().find_map(hooks),
        _ => None,
    }
}

fn namespace<'d>(document: &'d Document, section: &str, name: &str) -> Option<&'d str> {
    let own = match section {
        "services" => document.services.get(name)?.namespace.as_deref(),
        _ => document.workers.get(name)?.namespace.as_deref(),
    };
    Some(own.unwrap_or(&document.mesh.namespace))
}

fn placed(namespace: Option<&str>) -> String {
    namespace.map_or_else(String::new, |namespace| format!(" in namespace `{namespace}`"))
}

fn allowed(team: &str, owner: &Owner, platform: &str, mesh: &Mesh) -> String {
    let own = [mesh.namespace.clone()];
    let namespaces = if owner.namespaces.is_empty() { &own[..] } else { &owner.namespaces };
    let names = |names: &[String]| listed(names.iter().map(String::as_str));
    let services = if owner.services.is_empty() { "all services".to_owned() } else { names(&owner.services) };
    let hosts =
        if owner.hosts.is_empty() { String::new() } else { format!(", and hosts {}", names(&owner.hosts)) };
    format!("`owners.{team}` of `{platform}` allows {services} in {}{hosts}", names(namespaces))
}
