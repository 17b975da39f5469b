//! Services as they are found: what the mesh and the gateways do with requests to a host.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::claims;
use super::file::ClaimRule;
use super::read::Resource;
use super::said::{self, Said};
use crate::traffic::{At, Destination, MESH, Match, Rule, VirtualService, World, without_ours};

/// A rule as it holds at one place.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it was written.
    pub at: At,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What it matches there; empty: everything.
    pub matches: Vec<Map<String, Json>>,
    /// Where it leads, and the share of each in hundredths of a percent.
    pub shares: Vec<(Destination, u64)>,
    /// What else it says.
    pub fields: Map<String, Json>,
    /// Does Envoy answer by itself?
    pub answers: bool,
}

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
}

/// All hosts, and the VirtualServices that are wholly in them.
#[derive(Clone, Debug, Default)]
pub struct Drafts {
    /// By host.
    pub all: BTreeMap<String, Draft>,
    /// Callers with a claim that a rule matches get a tenant at the edge.
    pub claims: Vec<ClaimRule>,
    /// VirtualServices that a rendered file would stand beside: they cannot go.
    pub kept: BTreeSet<usize>,
}

/// How many rules of a VirtualService come before those of the next one at the same host.
const RANK: usize = 1000;
/// What is for every request comes behind all of them.
const LAST: usize = 1_000_000;

/// Makes them. `home`: the namespace of the mesh.
pub fn of(world: &World, resources: &[Resource], header: &str, home: &str, said: &mut Said) -> Drafts {
    let mut drafts = Drafts::default();
    let mut taken: BTreeMap<String, &VirtualService> = BTreeMap::new();
    for own in &world.virtual_services {
        for (at, why) in &own.lost {
            let title = said::title(resources, *at);
            said.hint(Some(said::place(resources, *at)), format!("{title}: {why}"), "");
        }
        if own.gateways.iter().any(|gateway| gateway == MESH) {
            inside(own, resources, header, home, &mut taken, &mut drafts, said);
        }
        outside(own, resources, header, home, rank(world, own), &mut drafts, said);
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

/// The rules of a VirtualService at a place; `home` is the namespace that they will be rendered in. One whose matches are all of other gateways is not there.
fn at_place(own: &VirtualService, place: &str, header: &str, home: &str) -> Vec<Found> {
    let here =
        |one: &&Match| one.gateways.as_ref().is_none_or(|names| names.iter().any(|name| name == place));
    let mut rules = Vec::new();
    for rule in &own.rules {
        let matches: Vec<&Match> = rule.matches.iter().filter(here).collect();
        if matches.is_empty() && !rule.matches.is_empty() {
            continue;
        }
        let for_all = matches.iter().any(|one| one.is_everything());
        let matches =
            if for_all { Vec::new() } else { matches.into_iter().map(|one| one.json.clone()).collect() };
        rules.push(found(rule, matches, header, place != MESH, home));
        if for_all || rule.matches.is_empty() {
            // Nothing comes past it.
            break;
        }
    }
    rules
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

fn found(rule: &Rule, matches: Vec<Map<String, Json>>, header: &str, outside: bool, home: &str) -> Found {
    // Short hosts stay short where they mean the same.
    let fields = if rule.namespace == home { &rule.written } else { &rule.fields };
    Found {
        at: rule.at,
        name: rule.name.clone(),
        matches,
        shares: rule.shares().into_iter().map(|(to, share)| (to.clone(), share)).collect(),
        fields: without_ours(fields, header, outside),
        answers: rule.answers(),
    }
}

/// The namespace that the VirtualService of a host will be in.
fn rendered_in<'a>(host: &'a str, home: &'a str) -> &'a str {
    if is_in_cluster(host) { host.split('.').nth(1).unwrap_or(home) } else { home }
}

fn is_in_cluster(host: &str) -> bool {
    host.ends_with(".svc.cluster.local") && !host.starts_with('*')
}

fn inside<'a>(
    own: &'a VirtualService,
    resources: &[Resource],
    header: &str,
    home: &str,
    taken: &mut BTreeMap<String, &'a VirtualService>,
    drafts: &mut Drafts,
    said: &mut Said,
) {
    let place = resources.get(own.resource).map(Resource::name_place);
    for host in &own.hosts {
        let host = own.host_at(MESH, host);
        if host.starts_with('*') {
            drafts.kept.insert(own.resource);
            let text =
                format!("VirtualService {}: `{host}` inside the mesh is not a single service", own.title);
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
        let mut rules = at_place(own, MESH, header, rendered_in(&host, home));
        // Only gateways verify tokens: a rule on claims never matches inside the mesh.
        rules.retain(|rule| rule.matches.iter().all(|one| claims::claims(&json!([one])).is_empty()));
        if rules.is_empty() && !own.rules.is_empty() {
            continue;
        }
        if rules.is_empty() {
            drafts.kept.insert(own.resource);
            continue;
        }
        drafts.all.entry(host).or_default().mesh = Some(rules);
    }
}

fn outside(
    own: &VirtualService,
    resources: &[Resource],
    header: &str,
    home: &str,
    rank: Option<usize>,
    drafts: &mut Drafts,
    said: &mut Said,
) {
    let gateways: Vec<&String> = own.gateways.iter().filter(|gateway| *gateway != MESH).collect();
    let mut by_rules: Vec<(Vec<String>, Vec<Found>)> = Vec::new();
    for gateway in gateways {
        let rules = with_tenants(at_place(own, gateway, header, home), header, &mut drafts.claims);
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
        let of = |rule: &Found| service.clone().or_else(|| Some(rule.shares.first()?.0.host.clone()));
        let services: Vec<Option<String>> = rules.iter().map(of).collect();
        if services.iter().all(Option::is_none) {
            if !rules.is_empty() {
                drafts.kept.insert(own.resource);
                let place = resources.get(own.resource).map(Resource::name_place);
                let text = format!(
                    "VirtualService {} leads to no service at gateways; it can stay as it is",
                    own.title
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
