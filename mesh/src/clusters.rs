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
    /// The service; none: it is about all of them.
    pub service: Option<String>,
    /// Where it is in the second cluster's file.
    pub path: Vec<String>,
    /// In words.
    pub text: String,
}

/// What all services are placed by: who has which unit and which tenant.
const OF_ALL: [&str; 3] = ["header", "tenants", "sticky"];

/// How the second cluster places users differently than the first, except for rollouts with `perCluster: true`.
#[must_use]
pub fn differences(first: (&str, &Checked), second: (&str, &Checked)) -> Vec<Difference> {
    let [one, other] = [first, second].map(|(_, file)| Mesh::of(file));
    let [trees, others] = [first, second].map(|(_, file)| file.tree.json());
    let of_all = OF_ALL.into_iter().filter(|key| trees[key] != others[key]).map(|key| Difference {
        service: None,
        path: vec![key.to_owned()],
        text: format!("`{key}` differs between `{}` and `{}`", first.0, second.0),
    });
    let salts = (one.salt != other.salt && trees["sticky"] == others["sticky"]).then(|| Difference {
        service: None,
        path: vec!["mesh".to_owned(), "name".to_owned()],
        text: format!(
            "the salt of all users is `{}` in `{}`, and `{}` in `{}`",
            one.salt, first.0, other.salt, second.0
        ),
    });
    let services = other.services.iter().filter_map(|theirs| Some((one.service(&theirs.name)?, theirs)));
    let services =
        services.filter(|(ours, theirs)| !(is_per_cluster(ours.rest()) || is_per_cluster(theirs.rest())));
    let routes = services.flat_map(|(ours, theirs)| of_service([(first.0, ours), (second.0, theirs)]));
    of_all.chain(salts).chain(routes).collect()
}

fn is_per_cluster(route: &Route) -> bool {
    route.rollout.as_ref().is_some_and(|rollout| rollout.per_cluster)
}

fn of_service([(first, ours), (second, theirs)]: [(&str, &Service); 2]) -> Vec<Difference> {
    let known: BTreeMap<Option<&str>, &Route> =
        ours.all_routes().map(|route| (route.name.as_deref(), route)).collect();
    let mut found = Vec::new();
    for route in theirs.all_routes() {
        let Some(was) =
            known.get(&route.name.as_deref()).filter(|was| !(is_per_cluster(was) || is_per_cluster(route)))
        else {
            continue;
        };
        let mut say = |keys: &[&str], [is, was]: [String; 2]| {
            if is == was {
                return;
            }
            // A route's own keys are found by its index, which layers may change: its service is near enough.
            let keys = if route.name.is_none() { keys } else { &[] };
            let path = ["services", &theirs.name].iter().chain(keys).map(|key| (*key).to_owned()).collect();
            let of = route.name.as_ref().map_or_else(String::new, |name| format!(" (route `{name}`)"));
            let text = format!("`{}`{of} has {was} in `{first}`, and {is} in `{second}`", theirs.name);
            found.push(Difference { service: Some(theirs.name.clone()), path, text });
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
                "the salt of all users is `shop` in `east`, and `west` in `west`",
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
    fn who_wants_it_says_so() {
        assert_eq!(said("weights: {canary: 50}", "perCluster: true, weights: {canary: 10}"), []);
        assert_eq!(said("weights: {canary: 50}", "perCluster: false, weights: {canary: 10}").len(), 1);
    }
}
