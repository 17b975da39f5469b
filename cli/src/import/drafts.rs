//! Services as they are found: what the mesh and the gateways do with requests to a host.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::backends::Backends;
use super::claims;
use super::file::ClaimRule;
use super::read::{HTTP_ROUTE, Resource};
use super::rules::{self, Found};
use super::said::{self, Said};
use crate::traffic::{MESH, VirtualService, World};

/// Rules of one service for the outside.
#[derive(Clone, Debug)]
pub struct Front {
    /// Public hosts.
    pub hosts: Vec<String>,
    /// Gateways, as `namespace/name`.
    pub gateways: Vec<String>,
    /// In order.
    pub rules: Vec<Found>,
    /// The place of the first among all rules of these hosts; none: they are all of this service.
    pub order: Option<usize>,
}

impl Front {
    /// The place of one of its routes among all of these hosts.
    pub fn order_of(&self, index: usize, for_all: bool) -> Option<usize> {
        self.order.map(|order| order + index + if for_all { LAST } else { 0 })
    }
}

/// What is known of a host.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Its rules inside the mesh; none: it has no VirtualService there.
    pub mesh: Option<Vec<Found>>,
    /// Its rules at gateways.
    pub fronts: Vec<Front>,
    /// The port of the Service that its rules inside the mesh are for, where routes name it.
    pub port: Option<u16>,
}

impl Draft {
    /// An HTTPRoute is read as one for each host and gateway: those with the same rules are one again.
    fn join_fronts(&mut self) {
        let same = |a: &Front, b: &Front| {
            let same = |(a, b): (&Found, &Found)| a.at == b.at && a.matches == b.matches;
            a.order == b.order && a.rules.len() == b.rules.len() && a.rules.iter().zip(&b.rules).all(same)
        };
        let mut joined: Vec<Front> = Vec::new();
        for front in std::mem::take(&mut self.fronts) {
            match joined.iter_mut().find(|known| known.gateways == front.gateways && same(known, &front)) {
                Some(known) => known.hosts.extend(front.hosts),
                None => joined.push(front),
            }
        }
        for front in joined {
            match self.fronts.iter_mut().find(|known| known.hosts == front.hosts && same(known, &front)) {
                Some(known) => known.gateways.extend(front.gateways),
                None => self.fronts.push(front),
            }
        }
    }
}

/// All hosts, and the VirtualServices that are wholly in them.
#[derive(Clone, Debug, Default)]
pub struct Drafts {
    /// By host.
    pub all: BTreeMap<String, Draft>,
    /// Callers with a claim that a rule matches get a tenant at the edge.
    pub claims: Vec<ClaimRule>,
    /// VirtualServices and HTTPRoutes that a rendered file would stand beside: they cannot go.
    pub kept: BTreeSet<usize>,
    /// Those of them that other routes have nothing to do with.
    pub aside: BTreeSet<usize>,
}

/// How many rules of a VirtualService come before those of the next one at the same host.
const RANK: usize = 1000;
/// What is for every request comes behind all of them.
const LAST: usize = 1_000_000;

/// What all drafts are made of.
pub struct Common<'a> {
    /// What routes.
    pub world: &'a World,
    /// All of it.
    pub resources: &'a [Resource],
    /// What HTTPRoutes lead to; none: the file has VirtualServices.
    pub backends: Option<&'a Backends>,
    /// The tenant header, lower case.
    pub header: &'a str,
    /// The namespace of the mesh.
    pub home: &'a str,
}

/// Makes them. `aside`: HTTPRoutes that stay, and that are not in the world.
pub fn of(common: &Common<'_>, aside: BTreeSet<usize>, said: &mut Said) -> Drafts {
    let Common { world, resources, .. } = *common;
    let mut drafts = Drafts { kept: aside.clone(), aside, ..Drafts::default() };
    let mut taken: BTreeMap<String, &VirtualService> = BTreeMap::new();
    for own in &world.virtual_services {
        if common.backends.is_some() && own.kind != HTTP_ROUTE {
            drafts.kept.insert(own.resource);
            continue;
        }
        for (at, why) in &own.lost {
            let title = said::title(resources, *at);
            said.hint(Some(said::place(resources, *at)), format!("{title}: {why}"), "");
        }
        if own.gateways.iter().any(|gateway| gateway == MESH) {
            inside(common, own, &mut taken, &mut drafts, said);
        }
        outside(common, own, rank(world, own), &mut drafts, said);
    }
    if common.backends.is_some() {
        drafts.all.values_mut().for_each(Draft::join_fronts);
        // A Service without routes has no versions, whatever its DestinationRules say.
        return drafts;
    }
    // A host with subsets or a policy is a service, though no rule leads there yet.
    for host in world.hosts_with_pods() {
        let has_subsets = world.subsets(host).is_some_and(|subsets| !subsets.is_empty());
        let has_policy = is_in_cluster(host) && world.policy(host).is_some_and(|policy| !policy.is_empty());
        if has_subsets || has_policy {
            drafts.all.entry(host.clone()).or_default();
        }
    }
    drafts
}

/// The place of a VirtualService among those that a gateway merges into one host; none: it is the only one.
fn rank(world: &World, own: &VirtualService) -> Option<usize> {
    let mut rank = None;
    for gateway in own.gateways.iter().filter(|gateway| *gateway != MESH) {
        for host in &own.hosts {
            let all = world.of_host(gateway, &own.host_at(gateway, host));
            let place = all.iter().position(|other| other.resource == own.resource);
            if all.len() > 1 {
                rank = rank.max(place);
            }
        }
    }
    rank
}

/// Rules that match claims match tenants instead, which the edge gives; where that cannot be said they are left out.
fn with_tenants(rules: Vec<Found>, header: &str, claims: &mut Vec<ClaimRule>) -> Vec<Found> {
    let mut kept = Vec::new();
    for mut rule in rules {
        let mut sayable = true;
        for one in &mut rule.matches {
            match claims::tenant_of_claim(one, header) {
                Ok(None) => {}
                Ok(Some((tenant, claim))) => {
                    *one = tenant;
                    if !claims.contains(&claim) {
                        claims.push(claim);
                    }
                }
                Err(()) => sayable = false,
            }
        }
        if sayable {
            kept.push(rule);
        }
    }
    kept
}

/// The namespace that the VirtualService of a host will be in.
fn rendered_in<'a>(host: &'a str, home: &'a str) -> &'a str {
    if is_in_cluster(host) { host.split('.').nth(1).unwrap_or(home) } else { home }
}

fn is_in_cluster(host: &str) -> bool {
    host.ends_with(".svc.cluster.local") && !host.starts_with('*')
}

fn inside<'a>(
    common: &Common<'_>,
    own: &'a VirtualService,
    taken: &mut BTreeMap<String, &'a VirtualService>,
    drafts: &mut Drafts,
    said: &mut Said,
) {
    let Common { resources, header, home, .. } = *common;
    let place = resources.get(own.resource).map(Resource::name_place);
    for host in &own.hosts {
        let host = own.host_at(MESH, host);
        if host.starts_with('*') {
            drafts.kept.insert(own.resource);
            let text =
                format!("{} {}: `{host}` inside the mesh is not a single service", own.kind, own.title);
            said.loss(place, None, text, "name the hosts that are meant, or keep this VirtualService");
            continue;
        }
        if let Some(older) = taken.get(&host) {
            let text = format!(
                "VirtualService {}: for {host} Istio uses {}, which is older, instead of this one",
                own.title, older.title
            );
            said.hint(place, text, "delete it, or write its rules into the other one first");
            continue;
        }
        taken.insert(host.clone(), own);
        let mut rules = rules::at_place(own, MESH, header, rendered_in(&host, home));
        // Only gateways verify tokens: a rule on claims never matches inside the mesh.
        rules.retain(|rule| rule.matches.iter().all(|one| claims::claims(&json!([one])).is_empty()));
        if rules.is_empty() && !own.rules.is_empty() {
            continue;
        }
        if rules.is_empty() {
            drafts.kept.insert(own.resource);
            continue;
        }
        let draft = drafts.all.entry(host).or_default();
        draft.port = if own.kind == HTTP_ROUTE { rules::take_port(&mut rules) } else { None };
        draft.mesh = Some(rules);
    }
}

fn outside(
    common: &Common<'_>,
    own: &VirtualService,
    rank: Option<usize>,
    drafts: &mut Drafts,
    said: &mut Said,
) {
    let Common { resources, header, home, .. } = *common;
    let gateways: Vec<&String> = own.gateways.iter().filter(|gateway| *gateway != MESH).collect();
    let mut by_rules: Vec<(Vec<String>, Vec<Found>)> = Vec::new();
    for gateway in gateways {
        let rules = with_tenants(rules::at_place(own, gateway, header, home), header, &mut drafts.claims);
        let same = |known: &[Found]| {
            known.len() == rules.len()
                && known.iter().zip(&rules).all(|(a, b)| a.at == b.at && a.matches == b.matches)
        };
        match by_rules.iter_mut().find(|(_, known)| same(known)) {
            Some((gateways, _)) => gateways.push(gateway.clone()),
            None => by_rules.push((vec![gateway.clone()], rules)),
        }
    }
    // A VirtualService of one host of the mesh is about that service, whatever its versions are called.
    let mut service = own.hosts.iter().map(|host| own.host_at(MESH, host)).filter(|host| is_in_cluster(host));
    let at_home = own.gateways.iter().any(|gateway| gateway == MESH);
    let service = if at_home { service.next() } else { None };
    let hosts: Vec<String> = own.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
    for (gateways, rules) in by_rules {
        let led = |rule: &Found| {
            let usual =
                |host: &str| ["stable", "primary", "baseline"].iter().any(|usual| host.contains(usual));
            let first = rule.shares.first()?;
            // Weights tell which of several Services is the one; the first where they say nothing.
            let most =
                rule.shares.iter().rev().max_by_key(|(to, share)| (usual(&to.host), *share)).unwrap_or(first);
            let host = if common.backends.is_some() { &most.0.host } else { &first.0.host };
            Some(common.backends.map_or(host.as_str(), |backends| backends.service_of(host)).to_owned())
        };
        let of = |rule: &Found| service.clone().or_else(|| led(rule));
        let services: Vec<Option<String>> = rules.iter().map(of).collect();
        if services.iter().all(Option::is_none) {
            if !rules.is_empty() {
                drafts.kept.insert(own.resource);
                drafts
                    .kept
                    .extend(rules.iter().filter(|_| own.kind == HTTP_ROUTE).map(|rule| rule.at.resource));
                let place = resources.get(own.resource).map(Resource::name_place);
                let text = format!(
                    "{} {} leads to no service at gateways; it can stay as it is",
                    own.kind, own.title
                );
                said.hint(place, text, "");
            }
            continue;
        }
        let several = rank.is_some() || services.iter().flatten().collect::<BTreeSet<_>>().len() > 1;
        let first = rank.unwrap_or(0) * RANK;
        let mut runs: Vec<(String, Vec<Found>, usize)> = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            // A redirect goes with the rule behind it, or before it.
            let next = services[index..].iter().flatten().next();
            let before = services[..index].iter().rev().flatten().next();
            let Some(host) = next.or(before).cloned() else { continue };
            match runs.last_mut() {
                Some((last, run, _)) if *last == host => run.push(rule.clone()),
                _ => runs.push((host, vec![rule.clone()], first + index + 1)),
            }
        }
        for (host, rules, order) in runs {
            let front = Front {
                hosts: hosts.clone(),
                gateways: gateways.clone(),
                rules,
                order: several.then_some(order),
            };
            drafts.all.entry(host).or_default().fronts.push(front);
        }
    }
}
