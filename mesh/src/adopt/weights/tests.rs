use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::document;

proptest! {
    /// As the canary's weight rises, users move to it alone, in whichever order the two are listed.
    #[test]
    fn a_rising_weight_moves_users_to_the_canary_alone(
        point in any::<u64>(), canary_first in any::<bool>(), sum in 1u64..1000, mut steps in prop::collection::vec(0.0..=1.0, 1..8)
    ) {
        steps.sort_by(f64::total_cmp);
        let mut on_canary = false;
        for step in steps {
            let weight = (step * sum as f64) as u64;
            let mut list = [("stable", sum - weight), ("canary", weight)];
            if canary_first {
                list.reverse();
            }
            let (version, share) = *choose(&list, |(_, weight)| *weight, point).unwrap();
            prop_assert!(share > 0, "nobody is where nobody is to be");
            prop_assert!(!on_canary || version == "canary");
            on_canary = version == "canary";
        }
    }

    /// And so many are there as the weights say.
    #[test]
    fn shares_are_those_of_the_weights(weight in 0u64..=100, canary_first in any::<bool>()) {
        let mut list = [("stable", 100 - weight), ("canary", weight)];
        if canary_first {
            list.reverse();
        }
        let there = (0..100).filter(|point| choose(&list, |(_, weight)| *weight, *point).unwrap().0 == "canary").count();
        prop_assert_eq!(there as u64, weight);
    }
}

#[test]
fn weights_of_zero_choose_no_destination() {
    assert_eq!(choose(&[("stable", 0), ("canary", 0)], |(_, weight)| *weight, 7), None);
}

const FILE: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}}
edge: none
sticky: {keys: [{header: x-user-id}]}
services: {api: {routing: external, rollout: {weights: external, route: primary}}}
";

fn said(file: &str, http: Json) -> Vec<String> {
    let file = crate::check::open(document::load_text("graylane.yaml", file).unwrap()).checked().unwrap();
    let mut json = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "api", "namespace": "shop"}, "spec": {"hosts": ["api"]},
    });
    json["spec"]["http"] = http;
    let world = World::of(&[&json], "tenant");
    let problems = problems(&Mesh::of(&file), &world).into_iter();
    problems
        .map(|one| {
            format!("{}{} / {}", if one.is_error { "" } else { "warning: " }, one.foretold(), one.help)
        })
        .collect()
}

fn two(canary: u64) -> Json {
    json!([
        {"destination": {"host": "api", "subset": "stable"}, "weight": 100 - canary},
        {"destination": {"host": "api", "subset": "canary"}, "weight": canary},
    ])
}

fn one(file: &str, http: Json, part: &str) {
    let said = said(file, http);
    assert!(said.len() == 1 && said[0].contains(part), "`{part}`: {said:?}");
}

#[test]
fn a_weighted_rule_of_that_name_is_fit_whatever_else_there_is() {
    let header = json!({"name": "testers", "match": [{"headers": {"tenant": {"exact": "gray-v1"}}}], "route": [{"destination": {"host": "api", "subset": "canary"}}]});
    assert_eq!(
        said(FILE, json!([header, {"name": "primary", "route": two(0)}])),
        [""; 0],
        "a weight of 0 in a list of two is right"
    );
    let all = FILE.replace(", route: primary", "");
    one(
        &all,
        json!([header, {"route": two(10)}]),
        "rule `testers` of `api.shop.svc.cluster.local` inside the mesh has a single destination",
    );
    assert_eq!(said(&all, json!([{"route": two(10)}])), [""; 0]);
}

#[test]
fn what_envoy_would_refuse_is_said_before() {
    let single = json!([{"destination": {"host": "api", "subset": "stable"}, "weight": 100}]);
    one(FILE, json!([{"name": "primary", "route": single}]), "Envoy would reject the whole route table");
    one(FILE, json!([{"name": "primary", "redirect": {"uri": "/x"}}]), "has no destination");
    one(FILE, json!([{"name": "primry", "route": two(10)}]), "did you mean `primry`?");
    one(FILE, json!([{"route": two(10)}]), "its rules have no names");
    one(
        FILE,
        json!([{"name": "primary", "match": [{"name": "all"}], "route": two(10)}]),
        "a name of its own",
    );
    let halves = json!([
        {"destination": {"host": "api", "subset": "stable"}, "weight": 1},
        {"destination": {"host": "api", "subset": "canary"}, "weight": 1},
    ]);
    one(
        FILE,
        json!([{"name": "primary", "route": halves}]),
        "warning: the weights of rule `primary` of `api.shop.svc.cluster.local` add up to 2",
    );
    let elsewhere = FILE.replace("api: {", "web: {");
    one(
        &elsewhere,
        json!([{"name": "primary", "route": two(10)}]),
        "no VirtualService has the host `web.shop.svc.cluster.local`",
    );
}
