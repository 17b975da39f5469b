//! From what is known of a host to a service of a file.

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::naming::is_name;
use serde_json::{Map, Value as Json};

use super::backends::Backends;
use super::blocks::{self, Block, Shares};
use super::drafts::{Draft, Front};
use super::file::{Expose, OutsideOut, RolloutOut, RouteOut, ServiceOut, ShareOut};
use super::rules::{Found, is_everything};
use super::targets::Targets;
use crate::traffic::World;

/// What all services of an import have in common.
pub struct Common<'a> {
    /// The resources.
    pub world: &'a World,
    /// The tenant header, lower case.
    pub header: &'a str,
    /// The Gateway that the file names.
    pub gateway: Option<&'a str>,
    /// What HTTPRoutes lead to; none: the file has VirtualServices.
    pub backends: Option<&'a Backends>,
}

/// What one block becomes, with subsets by name.
struct Choice {
    baseline: String,
    pins: BTreeMap<String, String>,
    rollout: Option<RolloutOut>,
}

/// A service, and what could not be expressed.
pub struct Made {
    /// The service.
    pub out: ServiceOut,
    /// Subsets that no DestinationRule makes.
    pub unknown: BTreeSet<String>,
    /// Tenants that are no name, or that a rule matches other than exactly.
    pub loose: bool,
}

/// The services of a host: several if all its rules say a port, and not the same.
pub fn by_port(draft: &Draft) -> Vec<(Option<u16>, Draft)> {
    let whole = || vec![(None, draft.clone())];
    let Some(rules) = &draft.mesh else { return whole() };
    let port = |rule: &Found| {
        let mut ports = rule.matches.iter().map(|one| one.get("port").and_then(Json::as_u64));
        let first = ports.next().flatten()?;
        let leads = rule.shares.iter().all(|(to, _)| to.port.is_none_or(|port| u64::from(port) == first));
        (ports.all(|port| port == Some(first)) && leads).then_some(u16::try_from(first).ok()?)
    };
    let ports: Option<Vec<u16>> = rules.iter().map(port).collect();
    let Some(ports) = ports else { return whole() };
    let distinct: BTreeSet<u16> = ports.iter().copied().collect();
    let led: BTreeSet<Option<u16>> = draft
        .fronts
        .iter()
        .flat_map(|front| &front.rules)
        .flat_map(|rule| &rule.shares)
        .map(|(to, _)| to.port)
        .collect();
    if distinct.len() < 2 || led.iter().any(|port| port.is_none_or(|port| !distinct.contains(&port))) {
        return whole();
    }
    distinct
        .into_iter()
        .map(|port| {
            let own = rules.iter().zip(&ports).filter(|(_, of)| **of == port).map(|(rule, _)| {
                let mut rule = rule.clone();
                for one in &mut rule.matches {
                    one.remove("port");
                }
                if rule.matches.iter().any(is_everything) {
                    rule.matches.clear();
                }
                rule
            });
            let leads = |rule: &Found| rule.shares.iter().any(|(to, _)| to.port == Some(port));
            let fronts = draft.fronts.iter().filter_map(|front| {
                let rules: Vec<Found> = front.rules.iter().filter(|rule| leads(rule)).cloned().collect();
                (!rules.is_empty()).then(|| Front { rules, ..front.clone() })
            });
            let port = Some(port);
            (port, Draft { mesh: Some(own.collect()), fronts: fronts.collect(), port })
        })
        .collect()
}

/// Makes a service. `simple`: as if its paths were all there is to say for the outside.
pub fn make(common: &Common<'_>, host: &str, port: Option<u16>, draft: &Draft, simple: bool) -> Made {
    let shared = port.is_some();
    let port = port.or(draft.port).or_else(|| common_port(draft));
    // Inside the mesh nothing says the port of the file, so rules that lead to one have to.
    let mesh_says =
        draft.mesh.iter().flatten().flat_map(|rule| &rule.shares).any(|(to, _)| to.port.is_some());
    let implied = if shared || !mesh_says || common.backends.is_some() { port } else { None };
    let mut targets = Targets::new(common.world, common.backends, host, implied);
    let mut out = ServiceOut { port, ..ServiceOut::default() };
    let mut loose = false;
    let blocks = blocks::of(draft.mesh.as_deref().unwrap_or_default(), common.header);
    inside(common, &mut out, blocks, &mut targets, &mut loose);
    outside(common, &mut out, draft, &mut targets, simple, &mut loose);
    match common.backends {
        Some(backends) => {
            // Of several services, one for each port, each has the targets of its own.
            let own = backends.targets(host).filter(|(_, to)| !shared || *to == port);
            own.for_each(|(to, port)| targets.add(to, *port));
        }
        None => targets.add_others(),
    }
    out.traffic_policy = common.world.policy(host).cloned().unwrap_or_default();
    for (name, target) in &targets.all {
        out.subsets.insert(name.clone(), target.labels.clone());
        if target.version != super::file::VersionOut::default() {
            out.versions.insert(name.clone(), target.version.clone());
        }
    }
    if out.subsets.len() == 1 {
        out.baseline = None;
    }
    out.escape();
    Made { out, unknown: targets.unknown, loose }
}

/// The port that all rules for the outside lead to, or else all rules.
fn common_port(draft: &Draft) -> Option<u16> {
    let of = |rules: &mut dyn Iterator<Item = &Found>| -> BTreeSet<Option<u16>> {
        rules.flat_map(|rule| &rule.shares).map(|(to, _)| to.port).collect()
    };
    let outside = of(&mut draft.fronts.iter().flat_map(|front| &front.rules));
    let inside = of(&mut draft.mesh.iter().flatten());
    let ports = if outside.is_empty() { &inside } else { &outside };
    if !outside.is_empty() && inside.iter().any(|port| port.is_some() && !outside.contains(port)) {
        return None;
    }
    if ports.len() == 1 { ports.first().copied().flatten() } else { None }
}

fn inside(
    common: &Common<'_>,
    out: &mut ServiceOut,
    mut blocks: Vec<Block>,
    targets: &mut Targets<'_>,
    loose: &mut bool,
) {
    let rest = match blocks.last() {
        Some(last) if last.matches.is_empty() && !last.shares.is_empty() => blocks.pop(),
        _ => None,
    };
    let whole = Block {
        name: None,
        matches: Vec::new(),
        pins: BTreeMap::new(),
        shares: Vec::new(),
        fields: Map::new(),
        falls_back: false,
    };
    let first = blocks.iter().find(|block| !block.shares.is_empty());
    let baseline = match (&rest, first) {
        (None, Some(first)) => Some(first.shares.clone()),
        _ => None,
    };
    let rest = rest.unwrap_or_else(|| Block { shares: baseline.unwrap_or_default(), ..whole });
    let choice = choose(out, &rest, targets);
    out.baseline = Some(choice.baseline.clone());
    let mut names = BTreeSet::new();
    for block in &blocks {
        if let Some(route) = route(common, out, block, &choice, &rest.fields, targets, &mut names, loose) {
            out.routes.push(route);
        }
    }
    (out.pins, out.rollout, out.http) = (choice.pins, choice.rollout, rest.fields);
}

/// Who goes where by a block; without destinations everybody goes to every pod.
fn choose(out: &mut ServiceOut, block: &Block, targets: &mut Targets<'_>) -> Choice {
    if block.falls_back {
        out.fallback = Some("baseline");
    }
    out.declared.extend(block.pins.keys().cloned());
    let mut shares = by_name(&block.shares, targets);
    if shares.is_empty() {
        shares.push((targets.plain(), 10_000));
    }
    let usual = |name: &str| ["stable", "baseline", "primary"].iter().any(|usual| name.contains(usual));
    let baseline = shares
        .iter()
        .find(|(name, _)| usual(name))
        .or_else(|| shares.iter().rev().max_by_key(|(_, share)| *share))
        .map(|(name, _)| name.clone())
        .unwrap_or_default();
    let pins: BTreeMap<String, String> =
        block.pins.iter().map(|(tenant, to)| (tenant.clone(), targets.name(to))).collect();
    let weights: BTreeMap<String, ShareOut> = shares
        .iter()
        .filter(|(name, _)| *name != baseline)
        .map(|(name, share)| (name.clone(), ShareOut::of_hundredths(*share)))
        .collect();
    let apart = pins.keys().cloned().collect();
    let rollout = (!weights.is_empty()).then_some(RolloutOut { weights, tenants: None, apart });
    // Tenants that are neither pinned nor take part get the baseline anyway.
    let pins = pins.into_iter().filter(|(_, subset)| *subset != baseline).collect();
    Choice { baseline, pins, rollout }
}

fn by_name(shares: &Shares, targets: &mut Targets<'_>) -> Vec<(String, u64)> {
    let mut all: Vec<(String, u64)> = Vec::new();
    for (to, share) in shares {
        let name = targets.name(to);
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += share,
            None => all.push((name, *share)),
        }
    }
    all
}

#[expect(clippy::too_many_arguments, reason = "what a route is made of")]
fn route(
    common: &Common<'_>,
    out: &mut ServiceOut,
    block: &Block,
    service: &Choice,
    common_fields: &Map<String, Json>,
    targets: &mut Targets<'_>,
    names: &mut BTreeSet<String>,
    loose: &mut bool,
) -> Option<RouteOut> {
    tenants_in(common, out, &block.matches, loose);
    let name = block.name.clone().filter(|name| is_name(name) && names.insert(name.clone()));
    let mut matches = block.matches.clone();
    if matches.is_empty() {
        matches.push(Map::from_iter([("uri".to_owned(), serde_json::json!({"prefix": "/"}))]));
    }
    if block.shares.is_empty() {
        let answers = crate::document::model::ANSWERS.iter().any(|key| block.fields.contains_key(*key));
        return answers.then(|| RouteOut {
            name,
            matches,
            http: block.fields.clone(),
            ..RouteOut::default()
        });
    }
    let choice = choose(out, block, targets);
    let inherits = choice.baseline == service.baseline
        && (choice.rollout.is_some() || service.rollout.is_none())
        && common_fields.iter().all(|(key, _)| block.fields.contains_key(key))
        && !matches_tenant(common, &block.matches);
    let mut http = block.fields.clone();
    if inherits {
        http.retain(|key, value| common_fields.get(key) != Some(value));
        let pins = (choice.pins != service.pins).then_some(choice.pins);
        return Some(RouteOut { name, matches, baseline: None, pins, rollout: choice.rollout, http });
    }
    let pins = (!choice.pins.is_empty()).then_some(choice.pins);
    Some(RouteOut { name, matches, baseline: Some(choice.baseline), pins, rollout: choice.rollout, http })
}

fn matches_tenant(common: &Common<'_>, matches: &[Map<String, Json>]) -> bool {
    let headers = matches.iter().filter_map(|one| one.get("headers")?.as_object()).flatten();
    headers.into_iter().any(|(name, _)| name.eq_ignore_ascii_case(common.header))
}

/// Tenants that a route matches itself are tenants, too.
fn tenants_in(common: &Common<'_>, out: &mut ServiceOut, matches: &[Map<String, Json>], loose: &mut bool) {
    for part in ["headers", "withoutHeaders"] {
        let headers = matches.iter().filter_map(|one| one.get(part)?.as_object()).flatten();
        for (_, value) in headers.filter(|(name, _)| name.eq_ignore_ascii_case(common.header)) {
            match value["exact"].as_str().filter(|tenant| is_name(tenant)) {
                Some(tenant) => {
                    out.declared.insert(tenant.to_owned());
                }
                None => *loose = true,
            }
        }
    }
}

fn outside(
    common: &Common<'_>,
    out: &mut ServiceOut,
    draft: &Draft,
    targets: &mut Targets<'_>,
    simple: bool,
    loose: &mut bool,
) {
    if draft.fronts.is_empty() {
        return;
    }
    let gateways = |of: &[String]| {
        if of.iter().map(String::as_str).eq(common.gateway) { Vec::new() } else { of.to_vec() }
    };
    if simple && let Some(paths) = paths(draft) {
        let first = &draft.fronts[0];
        out.expose = Some(Expose {
            hosts: first.hosts.iter().cloned().collect(),
            paths,
            gateways: gateways(&first.gateways),
            routes: Vec::new(),
        });
        return;
    }
    let service = Choice {
        baseline: out.baseline.clone().unwrap_or_default(),
        pins: out.pins.clone(),
        rollout: out.rollout.clone(),
    };
    let common_fields = out.http.clone();
    let mut names: BTreeSet<String> = out.routes.iter().filter_map(|route| route.name.clone()).collect();
    let first = &draft.fronts[0];
    let mut expose = Expose {
        hosts: first.hosts.iter().cloned().collect(),
        gateways: gateways(&first.gateways),
        ..Expose::default()
    };
    for front in &draft.fronts {
        for (index, block) in blocks::of(&front.rules, common.header).iter().enumerate() {
            let made = route(common, out, block, &service, &common_fields, targets, &mut names, loose);
            let Some(made) = made else { continue };
            expose.routes.push(OutsideOut {
                name: made.name,
                order: front.order_of(index, block.matches.is_empty()),
                hosts: if front.hosts == first.hosts { Vec::new() } else { front.hosts.clone() },
                gateways: if front.gateways == first.gateways { Vec::new() } else { front.gateways.clone() },
                // Without a match it is for every request.
                matches: block.matches.clone(),
                baseline: made.baseline,
                pins: made.pins,
                rollout: made.rollout,
                http: made.http,
            });
        }
    }
    out.expose = Some(expose);
}

/// Path prefixes, if they are all that there is to say of the outside; none of them: all paths.
fn paths(draft: &Draft) -> Option<BTreeSet<String>> {
    let first = draft.fronts.first()?;
    let mut paths = BTreeSet::new();
    let mut all = false;
    for front in &draft.fronts {
        if front.hosts != first.hosts || front.gateways != first.gateways {
            return None;
        }
        for rule in &front.rules {
            if rule.answers {
                return None;
            }
            let mut uris = rule.matches.iter().map(|one| one.get("uri"));
            if rule.matches.is_empty() {
                all = true;
            }
            for uri in &mut uris {
                match uri {
                    None => all = true,
                    Some(uri) => {
                        paths.insert(uri["prefix"].as_str()?.to_owned());
                    }
                }
            }
        }
    }
    if all { paths.is_empty().then_some(paths) } else { Some(paths) }
}
