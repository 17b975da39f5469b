//! What a file says that routes of the Gateway API cannot express. Each is an error: a route that lacks a condition would take
//! requests that it is not for.

use std::collections::BTreeMap;

use super::limits::{INSTEAD, MOST};
use super::split::{TooMany, split};
use super::{actions, conditions, rules, spec};
use crate::dns::is_dns_label;
use crate::document::model::MetricSource;
use crate::lacking::{Lacking, Lost};
use crate::mesh::{Mesh, Service};
use crate::routes::{self, Attachment, Block, HostRoutes, Place};

/// All of it.
#[must_use]
pub fn lost(mesh: &Mesh) -> Vec<Lacking> {
    let mut lost = Lost::default();
    if mesh.document.telemetry.source == MetricSource::Envoy {
        let text = "`source: envoy` reads subsets from the names of Envoy's clusters, which have none here: each subset is a Service";
        lost.say(&["telemetry", "source"], text.to_owned(), "write `source: istio`");
    }
    let mut owners: BTreeMap<String, (&Service, &str)> = BTreeMap::new();
    for service in mesh.routed() {
        of_service(service, &mut lost);
        for subset in service.subsets.keys() {
            let Some(host) = service.rendered_service_of(subset) else { continue };
            let same = |(other, name): &(&Service, &str)| {
                (&other.host, other.selector_of(name)) == (&service.host, service.selector_of(subset))
            };
            if let Some((other, _)) = owners.insert(host, (service, subset)).filter(|other| !same(other)) {
                let text = format!(
                    "`{subset}` of `{}` and a subset of `{}` would be the same Service with different selectors",
                    service.name, other.name
                );
                lost.say(
                    &["services", &service.name, "subsets", subset],
                    text,
                    "rename one of the two subsets",
                );
            }
        }
    }
    let taken = mesh.services.iter().map(|service| (service.host.as_str(), service));
    for (host, service) in taken {
        if let Some((owner, subset)) = owners.get(host) {
            let text = format!(
                "`{}` is the Service that subset `{subset}` of `{}` gets",
                service.short_host(),
                owner.name
            );
            lost.say(
                &["services", &service.name],
                text,
                "give the subset another name, or name a Service of your own in `versions`",
            );
        }
    }
    for host in routes::all(mesh) {
        of_host(mesh, &host, &mut lost);
    }
    lost.all()
}

fn of_service(service: &Service, lost: &mut Lost) {
    let name = service.name.as_str();
    const LETTERS: &str = "write lowercase letters, digits and `-`";
    if service.falls_back {
        lost.say(
            &["services", name, "fallback"],
            format!("`fallback` of `{name}` needs subsets of a DestinationRule, which routes of the Gateway API do not know"),
            INSTEAD,
        );
    }
    if !is_dns_label(name) {
        lost.say(
            &["services", name],
            format!("`{name}` cannot be in the name of a rule of the Gateway API"),
            LETTERS,
        );
    }
    for route in
        service.all_routes().filter_map(|route| route.name.as_deref()).filter(|route| !is_dns_label(route))
    {
        let text = format!("`{route}` of `{name}` cannot be in the name of a rule of the Gateway API");
        lost.say(&["services", name, "routes"], text, LETTERS);
    }
    for (subset, labels) in &service.subsets {
        let is_told = service.version(subset).is_some_and(|version| version.host.is_some());
        if !labels.is_empty() && !is_told {
            let text = format!(
                "the labels of `{subset}` of `{name}` select pods of a host that is not a Service of the cluster, and routes of the Gateway API lead to Services"
            );
            lost.say(
                &["services", name, "subsets", subset],
                text,
                "write `{}` as its labels, or `routes: virtual-service` under `mesh`",
            );
        }
        told(service, subset, lost);
        let Some(host) = service.service_of(subset) else { continue };
        let is_own = service.rendered_service_of(subset).is_some();
        let short = host.split('.').next().unwrap_or_default();
        if is_own && !is_dns_label(short) {
            let text = format!("`{short}` of `{name}` cannot be the name of a Service");
            lost.say(
                &["services", name, "subsets", subset],
                text,
                "give the subset another name, or name a Service of your own in `versions`",
            );
        }
    }
}

/// What a version says of its own host and port.
fn told(service: &Service, subset: &str, lost: &mut Lost) {
    let Some(version) = service.version(subset) else { return };
    let (name, path) = (&service.name, ["services", &service.name, "versions", subset]);
    if version.port.is_some_and(|port| service.port != Some(port))
        && (version.host.is_none() || service.rendered_service_of(subset).is_some())
    {
        lost.say(
            &[&path[..], &["port"]].concat(),
            format!("`port` of `{subset}` of `{name}` is not supported: the Service of a subset has the port of the service"),
            "remove it, or name a Service of your own as `host`",
        );
    }
    let host = version.host.as_ref().filter(|_| service.rendered_service_of(subset).is_none());
    let others = || service.subsets.keys().filter(|other| *other != subset);
    let is_shared = |host: &String| {
        *host == service.host
            || others()
                .any(|other| service.version(other).and_then(|version| version.host.as_ref()) == Some(host))
    };
    let has_labels = service.subsets.get(subset).is_some_and(|labels| !labels.is_empty());
    if has_labels && host.is_some_and(is_shared) {
        lost.say(
            &[&path[..], &["host"]].concat(),
            format!("the labels of `{subset}` of `{name}` have no effect: its `host` is a Service with the pods of other subsets as well"),
            "remove `host`: a Service for this subset is then written",
        );
    }
}

fn of_host(mesh: &Mesh, host: &HostRoutes<'_>, lost: &mut Lost) {
    if spec::is_plain(mesh, host) {
        return;
    }
    let end = format!(".svc.{}", mesh.document.mesh.cluster_domain);
    for service in host.blocks.iter().map(|block| block.service) {
        if host.place == Attachment::Mesh && !host.host.ends_with(&end) {
            let text = format!(
                "`{}` is not a Service of the cluster, and routes of the Gateway API are attached to Services",
                service.host
            );
            lost.say(
                &["services", &service.name, "host"],
                text,
                "write `routes: virtual-service` under `mesh`",
            );
        } else if service.port.is_none() {
            let text = format!("`{}` has no `port`, which routes of the Gateway API name", service.name);
            lost.say(&["services", &service.name], text, "write `port`");
        }
    }
    for blocks in spec::by_port(host).into_values() {
        for block in &blocks {
            let place = Place::of(block);
            block.matches.iter().for_each(|one| conditions::check(one, &place, lost));
            block.rules(mesh, false).iter().for_each(|rule| actions::check(rule, &place, lost));
        }
        let blocks: Vec<&Block<'_>> = blocks.iter().collect();
        order(mesh, host, &blocks, lost);
    }
}

/// What cannot keep its order, or is too much.
fn order(mesh: &Mesh, host: &HostRoutes<'_>, blocks: &[&Block<'_>], lost: &mut Lost) {
    let Some(first) = blocks.first() else { return };
    let title = |place: usize| {
        let mut all = blocks.iter().flat_map(|block| block.rules(mesh, false));
        all.nth(place).map(|rule| rule.name).unwrap_or_default()
    };
    let (text, instead) = match rules::of(mesh, blocks) {
        Err(clash) => (
            format!(
                "`{}` is to be tried before `{}`, but the Gateway API tries the more specific match first, and no match expresses the requests that \
                 both match, because of a regular expression or a rewritten path",
                title(clash.first),
                title(clash.second)
            ),
            "write `exact` or `prefix` instead of `regex`, or the more specific route first",
        ),
        Ok(rules)
            if rules
                .iter()
                .flat_map(|(_, rule)| &rule.matches)
                .any(|one| one.headers.len().max(one.query.len()) > MOST) =>
        {
            (
                format!(
                    "`{}` needs a match with more than {MOST} conditions, because rules overlap, and the Gateway API allows {MOST}",
                    host.host
                ),
                "match fewer headers and parameters",
            )
        }
        Ok(rules) => match split(rules) {
            Ok(_) => return,
            Err(TooMany::Rules(count)) => (
                format!(
                    "`{}` has {count} rules for the same requests, and an HTTPRoute has at most {}",
                    host.host,
                    rules::MOST_RULES
                ),
                "pin fewer tenants, or write `routes: virtual-service` under `mesh`",
            ),
            Err(TooMany::Matches(count)) => (
                format!(
                    "`{}` has {count} matches for the same requests, and an HTTPRoute has at most {}",
                    host.host,
                    rules::MOST_IN_ALL
                ),
                "pin fewer tenants, or write `routes: virtual-service` under `mesh`",
            ),
        },
    };
    lost.say(&["services", &first.service.name], text, instead);
}
