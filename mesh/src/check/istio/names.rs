//! Names that resources have in any case.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::Checker;
use crate::dns::is_dns_name;
use crate::document::model::Service;
use crate::mesh;

/// Where a name is given, and what for.
struct Given<'a> {
    path: Vec<&'a str>,
    name: &'a str,
    /// The host that the resource is for.
    host: String,
}

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    // By kind, namespace and name: the host, and where it is said.
    let mut taken: BTreeMap<(&str, String, String), Given<'_>> = BTreeMap::new();
    let mut of_host: BTreeMap<(&str, String), Given<'_>> = BTreeMap::new();
    for (service, said) in &document.services {
        let home = mesh::namespace(&document.mesh, said);
        let host = mesh::full_host(&document.mesh, service, said);
        let path = |key| vec!["services", service.as_str(), "names", key];
        let kinds = [
            ("VirtualService", "virtualService", &said.names.virtual_service),
            ("DestinationRule", "destinationRule", &said.names.destination_rule),
        ];
        for (kind, key, name) in kinds {
            let Some(name) = name else { continue };
            unique(
                checker,
                &mut taken,
                &mut of_host,
                kind,
                home,
                Given { path: path(key), name, host: host.clone() },
            );
        }
        let shown = hosts(said);
        for (host, name) in &said.names.hosts {
            let path = [path("hosts"), vec![host.as_str()]].concat();
            if !shown.contains(host.as_str()) {
                // No error: environments may show it at other hosts.
                checker
                    .warning(&path, format!("`{service}` is not exposed at `{host}`"))
                    .help("write a host of its `expose`, or remove the name");
                continue;
            }
            let given = Given { path, name, host: host.clone() };
            unique(checker, &mut taken, &mut of_host, "VirtualService", &document.mesh.namespace, given);
        }
    }
}

/// A name that Kubernetes takes, one for each host, and one host for each.
fn unique<'a>(
    checker: &mut Checker<'_>,
    taken: &mut BTreeMap<(&'static str, String, String), Given<'a>>,
    of_host: &mut BTreeMap<(&'static str, String), Given<'a>>,
    kind: &'static str,
    namespace: &str,
    given: Given<'a>,
) {
    let Given { path, name, host } = given;
    if !is_dns_name(name) {
        checker
            .error(&path, format!("invalid name `{name}` of a {kind}"))
            .help("write lowercase letters, digits, `-` and `.`, as the resource has them");
    } else if is_made(checker, kind, name, &host) {
        checker
            .error(&path, format!("`{name}` is the name of another {kind} that is rendered"))
            .help("give it another name, or give the other one a name too");
    }
    if let Some(other) = of_host.get(&(kind, host.clone())).filter(|other| other.name != name) {
        let first = checker.project.key(&other.path);
        checker
            .error(&path, format!("the {kind} of `{host}` is given a second name"))
            .help(format!("write `{}`, or name it in one place only", other.name))
            .related(first, "the first one");
    }
    let key = (kind, namespace.to_owned(), name.to_owned());
    if let Some(other) = taken.get(&key).filter(|other| other.host != host) {
        let first = checker.project.key(&other.path);
        checker
            .error(&path, format!("a second {kind} `{name}` in namespace `{namespace}`"))
            .help("give one of them another name")
            .related(first, "the first one");
    }
    of_host.entry((kind, host.clone())).or_insert_with(|| Given {
        path: path.clone(),
        name,
        host: host.clone(),
    });
    taken.entry(key).or_insert(Given { path, name, host });
}

/// Is a resource of this name made for another service, which names none?
fn is_made(checker: &Checker<'_>, kind: &str, name: &str, host: &str) -> bool {
    let document = checker.document();
    let Some(rest) = name.strip_prefix(&format!("{}-", document.mesh.name)) else { return false };
    document.services.iter().any(|(service, said)| {
        let own =
            if kind == "VirtualService" { &said.names.virtual_service } else { &said.names.destination_rule };
        own.is_none()
            && service.to_ascii_lowercase().replace('_', "-") == rest
            && mesh::full_host(&document.mesh, service, said) != host
    })
}

/// The public hosts of a service.
fn hosts(service: &Service) -> BTreeSet<&str> {
    let expose = service.expose.iter();
    let all =
        expose.flat_map(|expose| expose.hosts.iter().chain(expose.routes.iter().flat_map(|own| &own.hosts)));
    all.map(String::as_str).collect()
}
