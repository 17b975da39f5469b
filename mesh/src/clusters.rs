//! Several clusters with one file: a user has to get the same version in each, or somebody wants it otherwise.
//!
//! Each gateway and each sidecar places users by what its own cluster was given. Where that differs, a user changes version with the
//! cluster that a request comes in by, or fails over to.

use std::collections::BTreeMap;
use std::iter;

use graylane_decide::config::{End, Weight};

use crate::document::Checked;
use crate::mesh::{Mesh, Rollout, Route, Service};
use crate::simulate::percent;

/// Something by which users are placed, and that two clusters have differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where it is in the second cluster's file.
    pub path: Vec<String>,
    /// In words.
    pub text: String,
    /// What to write instead.
    pub help: &'static str,
}

/// Of everything that a service is placed by.
const OF_SERVICE: &str = "users change version with the cluster that they come in by: make it equal, or write `perCluster: true` at `rollout` if that is meant";
/// Of what nothing allows.
const EQUAL: &str = "make it equal in both clusters";

/// What all services are placed by: who has which unit and which tenant.
const OF_ALL: [&str; 3] = ["header", "tenants", "sticky"];

/// How the second cluster places users differently than the first, except for rollouts with `perCluster: true`.
#[must_use]
pub fn differences(first: (&str, &Checked), second: (&str, &Checked)) -> Vec<Difference> {
    let [one, other] = [first, second].map(|(_, file)| Mesh::of(file));
    let [trees, others] = [first, second].map(|(_, file)| file.tree.json());
    let names = (first.0, second.0);
    let all = |path: &[&str], text: String| Difference {
        path: path.iter().map(ToString::to_string).collect(),
        text,
        help: EQUAL,
    };
    let of_all = OF_ALL.into_iter().filter(|key| trees[key] != others[key]);
    let of_all =
        of_all.map(|key| all(&[key], format!("`{key}` differs between `{}` and `{}`", names.0, names.1)));
    let salt = (one.salt != other.salt && trees["sticky"] == others["sticky"]).then(|| {
        let text = format!(
            "the default salt of `sticky` is `{}` in `{}`, and `{}` in `{}`",
            one.salt, names.0, other.salt, names.1
        );
        all(&["mesh", "name"], text)
    });
    let gone = one.services.iter().filter(|service| other.service(&service.name).is_none());
    let gone = gone.map(|service| (service, names.0, names.1));
    let new = other.services.iter().filter(|service| one.service(&service.name).is_none());
    let one_sided =
        gone.chain(new.map(|service| (service, names.1, names.0))).map(|(service, has, lacks)| {
            all(
                &["services", &service.name],
                format!("`{}` is a service in `{has}`, and not in `{lacks}`", service.name),
            )
        });
    let both = other.services.iter().filter_map(|theirs| Some((one.service(&theirs.name)?, theirs)));
    let both = both.flat_map(|(ours, theirs)| of_service([(first.0, ours), (second.0, theirs)]));
    of_all.chain(salt).chain(one_sided).chain(both).collect()
}

fn is_per_cluster(route: &Route) -> bool {
    route.rollout.as_ref().is_some_and(|rollout| rollout.per_cluster)
}

fn of_service([(first, ours), (second, theirs)]: [(&str, &Service); 2]) -> Vec<Difference> {
    let mut found = Vec::new();
    let of = |keys: &[&str], text: String, help| {
        let path = ["services", &theirs.name].iter().chain(keys).map(ToString::to_string).collect();
        Difference { path, text, help }
    };
    if ours.subsets != theirs.subsets {
        let text = format!("the subsets of `{}` differ between `{first}` and `{second}`", theirs.name);
        found.push(of(&["subsets"], text, EQUAL));
    }
    if is_per_cluster(ours.rest()) || is_per_cluster(theirs.rest()) {
        return found;
    }
    let [before, after] = [ours, theirs].map(|service| {
        service.all_routes().map(|route| (route.name.as_deref(), route)).collect::<BTreeMap<_, _>>()
    });
    let one_sided = before
        .keys()
        .chain(after.keys())
        .filter(|name| before.contains_key(*name) != after.contains_key(*name));
    for name in one_sided.flatten() {
        let (has, lacks) = if before.contains_key(&Some(*name)) { (first, second) } else { (second, first) };
        let text = format!("`{}` has the route `{name}` in `{has}`, and not in `{lacks}`", theirs.name);
        found.push(of(&["routes"], text, EQUAL));
    }
    for (name, route) in &after {
        if let Some(was) = before.get(name).filter(|was| !(is_per_cluster(was) || is_per_cluster(route))) {
            found.extend(of_route((&theirs.name, [first, second]), was, route));
        }
    }
    found
}

fn of_route((service, [first, second]): (&str, [&str; 2]), was: &Route, route: &Route) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut say = |keys: &[&str], [is, was]: [String; 2]| {
        if is == was {
            return;
        }
        // A route's own keys are found by its index, which layers may change: its service is near enough.
        let keys = if route.name.is_none() { keys } else { &[] };
        let path = ["services", service].iter().chain(keys).map(ToString::to_string).collect();
        let of = route.name.as_ref().map_or_else(String::new, |name| format!(" (route `{name}`)"));
        let text = format!("`{service}`{of} has {was} in `{first}`, and {is} in `{second}`");
        let help = if route.rollout.is_some() { OF_SERVICE } else { EQUAL };
        found.push(Difference { path, text, help });
    };
    say(&["baseline"], [&route.baseline, &was.baseline].map(|name| format!("the baseline `{name}`")));
    let pin = route.pins.iter().find(|(tenant, subset)| was.pins.get(*tenant) != Some(subset));
    let at: Vec<&str> = iter::once("pins").chain(pin.map(|(tenant, _)| tenant.as_str())).collect();
    say(&at, [&route.pins, &was.pins].map(pins));
    let rollouts = [&route.rollout, &was.rollout].map(Option::as_ref);
    let [here, there] = rollouts.map(|rollout| rollout.map_or(&[][..], |rollout| &rollout.weights));
    let weight = here.iter().find(|weight| !there.contains(weight)).map(|weight| weight.subset.as_str());
    let at: Vec<&str> = ["rollout", "weights"].into_iter().chain(weight).collect();
    say(&at, rollouts.map(weights));
    if let [Some(is), Some(was)] = rollouts {
        say(&["rollout", "salt"], [is, was].map(|rollout| format!("the salt `{}`", rollout.salt)));
        let tenants = [is, was].map(|rollout| format!("a rollout of {}", rollout.tenants.join(", ")));
        say(&["rollout", "tenants"], tenants);
    }
    found
}

fn pins(pins: &BTreeMap<String, String>) -> String {
    if pins.is_empty() {
        return "no pins".to_owned();
    }
    let pins: Vec<String> = pins.iter().map(|(tenant, subset)| format!("`{tenant}` on `{subset}`")).collect();
    pins.join(", ")
}

/// Canaries without a user are as good as none.
fn weights(rollout: Option<&Rollout>) -> String {
    let weights =
        rollout.into_iter().flat_map(|rollout| &rollout.weights).filter(|weight| weight.buckets > 0);
    let top = |weight: &Weight| match weight.from {
        End::Bottom => "",
        End::Top => " from the top",
    };
    let all: Vec<String> = weights
        .map(|weight| format!("{} % on `{}`{}", percent(weight.buckets), weight.subset, top(weight)))
        .collect();
    if all.is_empty() { "nobody on a canary".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::load_text;

    const FILE: &str = "version: 1
mesh: {name: shop, namespace: shop, clusters: {east: , west: {layer: west.yaml}}}
tenants: {green: {default: true}, gray: {}}
sticky: {keys: [{header: x-user-id}]}
services:
  api:
    port: 8080
    subsets: {stable: {version: v1}, canary: {version: v2}}
    baseline: stable
    pins: {gray: canary}
    rollout: {weights: {canary: 50}}
";

    fn checked(text: &str) -> Checked {
        let opened = crate::check::open(load_text("graylane.yaml", text).unwrap());
        opened.file.unwrap_or_else(|| panic!("{:?}", opened.findings))
    }

    fn said(from: &str, to: &str) -> Vec<(String, String)> {
        assert!(FILE.contains(from));
        let (one, other) = (checked(FILE), checked(&FILE.replace(from, to)));
        let found = differences(("east", &one), ("west", &other));
        found.into_iter().map(|found| (found.path.join("."), found.text)).collect()
    }

    #[test]
    fn whatever_places_a_user_differently_is_named() {
        assert_eq!(said("port: 8080", "port: 8081"), []);
        assert_eq!(said("canary: 50", "canary: {percent: 50}"), []);
        for (from, to, path, text) in [
            (
                "canary: 50",
                "canary: 10",
                "services.api.rollout.weights.canary",
                "`api` has 50 % on `canary` in `east`, and 10 % on `canary` in `west`",
            ),
            (
                "canary: 50",
                "canary: {percent: 50, from: top}",
                "services.api.rollout.weights.canary",
                "`api` has 50 % on `canary` in `east`, and 50 % on `canary` from the top in `west`",
            ),
            (
                "    rollout: {weights: {canary: 50}}\n",
                "",
                "services.api.rollout.weights",
                "`api` has 50 % on `canary` in `east`, and nobody on a canary in `west`",
            ),
            (
                "weights",
                "salt: other, weights",
                "services.api.rollout.salt",
                "`api` has the salt `api.shop.svc.cluster.local` in `east`, and the salt `other` in `west`",
            ),
            (
                "weights",
                "tenants: [gray], weights",
                "services.api.rollout.tenants",
                "`api` has a rollout of green in `east`, and a rollout of gray in `west`",
            ),
            (
                "pins: {gray: canary}",
                "pins: {}",
                "services.api.pins",
                "`api` has `gray` on `canary` in `east`, and no pins in `west`",
            ),
            (
                "baseline: stable",
                "baseline: canary",
                "services.api.baseline",
                "`api` has the baseline `stable` in `east`, and the baseline `canary` in `west`",
            ),
            ("x-user-id", "x-account", "sticky", "`sticky` differs between `east` and `west`"),
            (
                "name: shop",
                "name: west",
                "mesh.name",
                "the default salt of `sticky` is `shop` in `east`, and `west` in `west`",
            ),
        ] {
            // A baseline cannot have a weight.
            let (from, to) = if from.starts_with("baseline") {
                (
                    "baseline: stable\n    pins: {gray: canary}\n    rollout: {weights: {canary: 50}}",
                    "baseline: canary\n    pins: {gray: canary}\n    rollout: {weights: {stable: 50}}",
                )
            } else {
                (from, to)
            };
            let found = said(from, to);
            assert!(found.contains(&(path.to_owned(), text.to_owned())), "{from} → {to}: {found:?}");
        }
    }

    #[test]
    fn what_is_only_in_one_cluster_is_named() {
        for (from, to, path, text) in [
            (
                "{version: v2}",
                "{version: v3}",
                "services.api.subsets",
                "the subsets of `api` differ between `east` and `west`",
            ),
            (
                "    baseline: stable\n",
                "    baseline: stable\n    routes: [{name: new, match: [{uri: {exact: /new}}], baseline: canary}]\n",
                "services.api.routes",
                "`api` has the route `new` in `west`, and not in `east`",
            ),
            ("  api:", "  other:", "services.api", "`api` is a service in `east`, and not in `west`"),
            ("  api:", "  other:", "services.other", "`other` is a service in `west`, and not in `east`"),
        ] {
            let found = said(from, to);
            assert!(found.contains(&(path.to_owned(), text.to_owned())), "{from} → {to}: {found:?}");
        }
    }

    #[test]
    fn who_wants_it_says_so() {
        assert_eq!(said("weights: {canary: 50}", "perCluster: true, weights: {canary: 10}"), []);
        assert_eq!(said("weights: {canary: 50}", "perCluster: false, weights: {canary: 10}").len(), 1);
    }
}
