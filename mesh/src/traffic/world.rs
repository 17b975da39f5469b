//! All resources that route: which rules a host has, and what a subset is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::answer::{Answer, Target};
use super::delegate;
use super::gateway_api;
use super::http_route;
use super::matches::Match;
use super::names::{covers, group_is_istio, namespace};
use super::pods::{self, Hosts, Subsets};
use super::request::{MESH, Request};
use super::rule::{At, Rule};
use super::virtual_service::{VIRTUAL_SERVICE, VirtualService};

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The oldest first, which is the one that counts where there can be one only.
    pub virtual_services: Vec<VirtualService>,
    hosts: Hosts,
    header: String,
}

/// The rules of a host at a place, one match at a time, in the order that they are tried.
pub type Rules<'a> = Vec<(&'a Rule, Option<&'a Match>)>;

fn strings(json: &Json) -> Vec<String> {
    json.as_array().into_iter().flatten().filter_map(Json::as_str).map(ToOwned::to_owned).collect()
}

/// By age, as istiod sorts: the time that each was made, then the name and namespace.
fn age(json: &Json) -> (String, String) {
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    (
        text(&json["metadata"]["creationTimestamp"]),
        format!("{}.{}", text(&json["metadata"]["name"]), namespace(json)),
    )
}

impl World {
    /// Of resources; other kinds are passed over. `header`: the tenant header, which graylane takes out of answers at a
    /// gateway.
    #[must_use]
    pub fn of(resources: &[&Json], header: &str) -> Self {
        let mut world = Self { header: header.to_ascii_lowercase(), ..Self::default() };
        let of_kind = |kind: &str| {
            let mut all: Vec<(usize, &Json)> = resources
                .iter()
                .enumerate()
                .filter(|(_, json)| json["kind"] == kind && group_is_istio(json) && json["spec"].is_object())
                .map(|(place, json)| (place, *json))
                .collect();
            all.sort_by_key(|(_, json)| age(json));
            all
        };
        let virtual_services = of_kind("VirtualService");
        let delegates: BTreeMap<(String, String), (usize, &Json)> = virtual_services
            .iter()
            .filter(|(_, json)| json["spec"]["hosts"].as_array().is_none_or(Vec::is_empty))
            .map(|(place, json)| {
                let name = json["metadata"]["name"].as_str().unwrap_or_default();
                ((namespace(json).to_owned(), name.to_owned()), (*place, *json))
            })
            .collect();
        for (place, json) in &virtual_services {
            let own = virtual_service(*place, json, &delegates);
            if !own.hosts.is_empty() {
                world.virtual_services.push(own);
            }
        }
        let routes = resources.iter().enumerate().filter(|(_, json)| gateway_api::is_http_route(json));
        let mut routes: Vec<(usize, &Json)> = routes.map(|(place, json)| (place, *json)).collect();
        routes.sort_by_key(|(_, json)| age(json));
        world.virtual_services.extend(http_route::virtual_services(&routes));
        for (_, json) in of_kind("DestinationRule") {
            pods::add(&mut world.hosts, json, resources);
        }
        world
    }

    /// The VirtualServices that count for a host at a place: of those with the most specific name of it, all at a
    /// gateway, and the oldest inside the mesh.
    #[must_use]
    pub fn of_host(&self, place: &str, host: &str) -> Vec<&VirtualService> {
        let specific = |own: &VirtualService| {
            let names = own.hosts.iter().map(|name| own.host_at(place, name));
            names.filter(|name| covers(name, host)).map(|name| name.trim_start_matches('*').len()).max()
        };
        let here =
            self.virtual_services.iter().filter(|own| own.gateways.iter().any(|gateway| gateway == place));
        let fitting: Vec<(usize, &VirtualService)> =
            here.filter_map(|own| Some((specific(own)?, own))).collect();
        let best = fitting.iter().map(|(length, _)| *length).max();
        let mut best: Vec<&VirtualService> =
            fitting.into_iter().filter(|(length, _)| Some(*length) == best).map(|(_, own)| own).collect();
        if place == MESH {
            best.truncate(1);
        }
        best
    }

    /// The rules of a host at a place; none where there is no VirtualService.
    #[must_use]
    pub fn rules(&self, place: &str, host: &str) -> Option<Rules<'_>> {
        let all = self.of_host(place, host);
        if all.is_empty() {
            return None;
        }
        let several = all.len() > 1;
        let mut rules = Rules::new();
        for own in all {
            for rule in &own.rules {
                let at_home = own.gateways.iter().any(|gateway| gateway == place);
                if rule.matches.is_empty() && at_home {
                    rules.push((rule, None));
                }
                let here = |one: &&Match| {
                    one.gateways.as_ref().map_or(at_home, |names| names.iter().any(|name| name == place))
                };
                rules.extend(rule.matches.iter().filter(here).map(|one| (rule, Some(one))));
            }
        }
        if several {
            // `SortVHostRoutes` of istiod: of several VirtualServices, rules for all requests come last.
            rules.sort_by_key(|(_, one)| one.is_none_or(Match::is_everything));
        }
        Some(rules)
    }

    /// What becomes of a request, by the rules of its host.
    #[must_use]
    pub fn answer(&self, request: &Request, rules: Option<&Rules<'_>>) -> Answer {
        let nowhere = Answer { rule: None, targets: Vec::new(), fields: Map::new() };
        // A sidecar that gets no rule of a VirtualService has the plain route of the service (`buildSidecarVirtualHostsForVirtualService` in
        // istio/pilot/pkg/networking/core/route/route.go).
        let for_others =
            |(_, one): &(&Rule, Option<&Match>)| one.is_some_and(|one| !one.is_for_caller(request));
        let rules =
            rules.filter(|rules| request.place != MESH || rules.is_empty() || !rules.iter().all(for_others));
        let Some(rules) = rules else {
            let plain = self.target(&request.host, None, None, "null".to_owned(), request);
            return if request.place == MESH {
                Answer { targets: vec![(plain, 10_000)], ..nowhere }
            } else {
                nowhere
            };
        };
        let fits = |one: &Option<&Match>| one.is_none_or(|one| one.holds(request));
        let Some((rule, _)) = rules.iter().find(|(_, one)| fits(one)) else { return nowhere };
        let target = |(to, share): (&super::Destination, u64)| {
            (self.target(&to.host, to.subset.as_deref(), to.port, to.headers.to_string(), request), share)
        };
        let targets: Vec<(Target, u64)> =
            if rule.answers() { Vec::new() } else { rule.shares().into_iter().map(target).collect() };
        let fields = without_ours(&rule.fields, &self.header, request.place != MESH);
        Answer { rule: Some(rule.at), targets, fields }
    }

    fn target(
        &self,
        host: &str,
        subset: Option<&str>,
        port: Option<u16>,
        headers: String,
        request: &Request,
    ) -> Target {
        let pods = pods::of(&self.hosts, host);
        let own = subset.and_then(|subset| pods?.subsets.get(subset));
        let mut policy = pods.map(|pods| pods.policy.clone()).unwrap_or_default();
        policy.extend(own.map(|(_, policy)| policy.clone()).unwrap_or_default());
        Target {
            host: host.to_owned(),
            subset: subset.map(ToOwned::to_owned),
            labels: if subset.is_some() {
                own.map(|(labels, _)| labels.clone())
            } else {
                Some(BTreeMap::new())
            },
            port: port.or((request.place == MESH).then_some(request.port)),
            policy: Json::from(policy).to_string(),
            headers,
        }
    }

    /// Everywhere that a request can be seen, and the hosts that it can call there; a wildcard as a host that it covers.
    #[must_use]
    pub fn places(&self) -> BTreeSet<(String, String)> {
        let mut places = BTreeSet::new();
        let real = |host: &str| match host.strip_prefix('*') {
            Some("") => "any.example.com".to_owned(),
            Some(rest) => format!("any{rest}"),
            None => host.to_owned(),
        };
        for own in &self.virtual_services {
            for gateway in &own.gateways {
                places.extend(
                    own.hosts.iter().map(|host| (gateway.clone(), real(&own.host_at(gateway, host)))),
                );
            }
            for rule in &own.rules {
                let hosts = rule.destinations.iter().map(|to| to.host.clone());
                places.extend(hosts.filter(|host| !host.is_empty()).map(|host| (MESH.to_owned(), host)));
            }
        }
        places.extend(self.hosts_with_pods().map(|host| (MESH.to_owned(), host.clone())));
        places
    }

    /// The subsets of a host, with their labels and policies of their own.
    #[must_use]
    pub fn subsets(&self, host: &str) -> Option<&Subsets> {
        self.hosts.get(host).map(|pods| &pods.subsets)
    }

    /// The policy of a host's own DestinationRules.
    #[must_use]
    pub fn policy(&self, host: &str) -> Option<&Map<String, Json>> {
        self.hosts.get(host).map(|pods| &pods.policy)
    }

    /// All hosts with DestinationRules of their own, without wildcards.
    pub fn hosts_with_pods(&self) -> impl Iterator<Item = &String> {
        self.hosts.keys().filter(|host| !host.contains('*'))
    }
}

fn virtual_service(
    resource: usize,
    json: &Json,
    delegates: &BTreeMap<(String, String), (usize, &Json)>,
) -> VirtualService {
    let namespace = namespace(json);
    let gateway = |name: &str| {
        if name == MESH || name.contains('/') { name.to_owned() } else { format!("{namespace}/{name}") }
    };
    let mut gateways: Vec<String> =
        strings(&json["spec"]["gateways"]).iter().map(|name| gateway(name)).collect();
    if gateways.is_empty() {
        gateways.push(MESH.to_owned());
    }
    let mut own = VirtualService {
        resource,
        kind: VIRTUAL_SERVICE,
        title: format!("{namespace}/{}", json["metadata"]["name"].as_str().unwrap_or_default()),
        namespace: namespace.to_owned(),
        hosts: strings(&json["spec"]["hosts"]),
        gateways,
        rules: Vec::new(),
        lost: Vec::new(),
    };
    for (place, rule) in json["spec"]["http"].as_array().into_iter().flatten().enumerate() {
        let at = At { resource, rule: place };
        let Some(to) = rule.get("delegate").filter(|to| !to.is_null()) else {
            own.rules.push(Rule::of(rule, at, namespace, &gateway));
            continue;
        };
        let name = to["name"].as_str().unwrap_or_default();
        let home = to["namespace"].as_str().filter(|name| !name.is_empty()).unwrap_or(namespace);
        let Some((other, delegate)) = delegates.get(&(home.to_owned(), name.to_owned())) else {
            own.lost.push((at, format!("it delegates to {home}/{name}, which is not among the resources")));
            continue;
        };
        let theirs = delegate["spec"]["http"].as_array().map_or(&[][..], Vec::as_slice);
        let merged = delegate::merged(rule, theirs);
        for (place, _) in
            theirs.iter().enumerate().filter(|(place, _)| merged.iter().all(|(kept, _)| kept != place))
        {
            own.lost.push((
                At { resource: *other, rule: place },
                format!(
                    "it contradicts the rule of {} that delegates to it, so Istio leaves it out",
                    own.title
                ),
            ));
        }
        for (place, json) in merged {
            own.rules.push(Rule::of(&json, At { resource: *other, rule: place }, home, &gateway));
        }
    }
    own
}

/// The fields of a rule without what graylane writes itself: its own headers, and at a gateway what it takes out of
/// answers.
#[must_use]
pub fn without_ours(fields: &Map<String, Json>, header: &str, outside: bool) -> Map<String, Json> {
    let mut fields = fields.clone();
    let Some(headers) = fields.get_mut("headers").and_then(Json::as_object_mut) else { return fields };
    let own = |name: &str| name.to_ascii_lowercase().starts_with("x-graylane-");
    for (side, edits) in headers.iter_mut() {
        let Some(edits) = edits.as_object_mut() else { continue };
        for edit in ["set", "add"] {
            if let Some(edits) = edits.get_mut(edit).and_then(Json::as_object_mut) {
                edits.retain(|name, _| !own(name));
            }
        }
        if let Some(names) = edits.get_mut("remove").and_then(Json::as_array_mut) {
            names.retain(|name| {
                name.as_str().is_none_or(|name| {
                    let taken_out = outside && side == "response" && (name == header || name == "baggage");
                    !own(name) && !taken_out
                })
            });
        }
    }
    let tidied = super::rule::tidy(&Json::from(std::mem::take(headers)));
    if tidied.is_null() {
        fields.remove("headers");
    } else {
        fields.insert("headers".to_owned(), tidied);
    }
    fields
}
