//! Two versions of a file compared: users who are reassigned without a change of weight that asks for it.

use crate::document::Project;
use crate::document::finding::Findings;
use crate::document::model::Sticky;
use crate::mesh::{Mesh, Route, Service};
use crate::simulate::{Layout, moves};

use super::change::EVERYBODY;

/// Users that leave a canary whose weight does not fall, as after an entry at its end was removed or moved, or after a
/// new salt in the middle of a rollout: a finding each, with how many they are.
pub fn against(before: &Mesh, project: &Project, after: &Mesh, findings: &mut Findings) {
    units(before, project, after, findings);
    for service in &after.services {
        let Some(was) = before.service(&service.name) else { continue };
        for (index, route) in service.routes.iter().enumerate() {
            let Some(route_was) = was.routes.iter().find(|other| other.name == route.name) else { continue };
            let Some(problem) = problem((was, route_was), (service, route)) else { continue };
            let index = index.to_string();
            let own = ["services", &service.name, "routes", &index, "rollout", "weights"];
            let whole = ["services", &service.name, "rollout", "weights"];
            // A route without a rollout of its own has the service's, and says the same.
            let path = if route.name.is_some() { &own[..] } else { &whole };
            if project.tree.at(path).is_some() {
                findings.error(project.key(path), problem).help(
                    "keep an entry and give it weight 0, let one canary fill from each end, change a salt between rollouts",
                );
            }
        }
    }
}

/// Everybody's unit changes with the salt of all units, the hash and its key.
fn units(before: &Mesh, project: &Project, after: &Mesh, findings: &mut Findings) {
    let (was, is) = (&before.document.sticky, &after.document.sticky);
    let at = |key: &str| project.span(&["sticky", key]);
    let known = |id: &String| was.hash_keys.contains_key(id);
    if let (Some(_), Some((id, _))) = (was.used_key(), is.used_key())
        && !known(id)
    {
        let problem = format!(
            "hash key `{id}` is used at once: gateways that have not read its variable yet make no units"
        );
        findings.error(at("hashKeys"), problem).help(
            "list it beside the old one and apply that first; use it once every gateway has it (docs/privacy.md)",
        );
    }
    let added: Vec<&String> = is.hash_keys.keys().filter(|id| !known(id)).collect();
    if let ([_, _, ..], [third, ..]) = (&was.hash_keys.keys().collect::<Vec<_>>()[..], &added[..]) {
        findings
            .error(
                at("hashKeys"),
                format!("a third hash key, `{third}`, before the rotation of the other two is over"),
            )
            .help(
                "remove the key that no gateway uses any more, apply that, and begin the next rotation then",
            );
    }
    let id = |sticky: &Sticky| sticky.used_key().map(|(id, _)| id.clone());
    let (key, what) = if id(was) != id(is) {
        (if is.hash_key.is_some() { "hashKey" } else { "hash" }, "another hash key")
    } else if before.salt != after.salt {
        ("salt", "another salt of all units")
    } else {
        return;
    };
    let running = |mesh: &Mesh, name: &str| {
        let service = mesh.service(name);
        service.is_some_and(|service| service.rollouts().any(|rollout| is_between(service, rollout)))
    };
    let services =
        after.services.iter().filter(|one| running(before, &one.name) && running(after, &one.name));
    let names: Vec<String> = services.map(|service| format!("`{}`", service.name)).collect();
    if !names.is_empty() {
        findings
            .error(
                at(key),
                format!(
                    "{what} in the middle of a rollout: users of {} are assigned again",
                    names.join(", ")
                ),
            )
            .help("change it while every rollout is at 0 or 100 %");
    }
}

/// Do some users have another version than others? Weights of others may be anything.
fn is_between(service: &Service, rollout: &crate::mesh::Rollout) -> bool {
    let layout = Layout::of(&service.baseline, &rollout.weights);
    service.external || layout.subsets.iter().filter(|subset| layout.share(subset) > 0).count() > 1
}

fn problem(was: (&Service, &Route), is: (&Service, &Route)) -> Option<String> {
    let (before, after) = (was.1.rollout.as_ref()?, is.1.rollout.as_ref()?);
    let layout =
        |service: &Service, rollout: &crate::mesh::Rollout| Layout::of(&service.baseline, &rollout.weights);
    let (old, new) = (layout(was.0, before), layout(is.0, after));
    if before.salt != after.salt {
        let mixed =
            |layout: &Layout| layout.subsets.iter().filter(|subset| layout.share(subset) > 0).count() > 1;
        return (mixed(&old) && mixed(&new)).then(|| {
            format!("a new salt in the middle of a rollout: users of `{}` are assigned again", is.0.name)
        });
    }
    let back = moves(&old, &new, &EVERYBODY).moved_back;
    let percent = crate::percent::of(back);
    (back > 0).then(|| {
        format!("{percent} % of the users leave a canary of `{}` whose weight does not fall", is.0.name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    fn findings(before: &str, after: &str) -> Vec<String> {
        let project = |rollout: &str| {
            let text = format!(
                "version: 1\nmesh: {{name: shop, namespace: shop}}\ntenants: {{green: {{default: true}}}}\nservices:\n  api:\n    subsets: {{stable: {{v: a}}, x: {{v: b}}, y: {{v: c}}}}\n    baseline: stable\n    rollout: {rollout}\n"
            );
            crate::check::open(document::load_text("a.yaml", &text).unwrap()).checked().unwrap()
        };
        let (before, after) = (project(before), project(after));
        let mut found = Findings::default();
        against(&Mesh::of(&before), &after, &Mesh::of(&after), &mut found);
        found.iter().map(|finding| finding.message.clone()).collect()
    }

    #[test]
    fn a_hash_key_is_listed_before_it_is_used_and_changes_between_rollouts() {
        let findings = |before: (&str, u8), after: (&str, u8)| -> Vec<String> {
            let project = |(sticky, weight): (&str, u8)| {
                let text = format!(
                    "version: 1\nmesh: {{name: s, namespace: s}}\ntenants: {{green: {{default: true}}}}\nedge: {{gateway: {{selector: {{istio: x}}}}}}\nsticky: {{{sticky}keys: [{{header: x-user}}]}}\nservices:\n  api:\n    subsets: {{stable: {{v: a}}, x: {{v: b}}}}\n    baseline: stable\n    rollout: {{weights: {{x: {weight}}}}}\n"
                );
                crate::check::open(document::load_text("a.yaml", &text).unwrap()).checked().unwrap()
            };
            let (before, after) = (project(before), project(after));
            let mut found = Findings::default();
            against(&Mesh::of(&before), &after, &Mesh::of(&after), &mut found);
            found.iter().map(|finding| finding.message.clone()).collect()
        };
        let (open, salt) = ("", "salt: other, ");
        let one = "hash: keyed, hashKeys: {k1: A}, ";
        let two = "hash: keyed, hashKeys: {k1: A, k2: B}, hashKey: k1, ";
        let second = "hash: keyed, hashKeys: {k1: A, k2: B}, hashKey: k2, ";
        let later = "hash: keyed, hashKeys: {k2: B, k3: C}, hashKey: k2, ";
        let moved = |what: &str| {
            vec![format!("{what} in the middle of a rollout: users of `api` are assigned again")]
        };
        // A whole rotation.
        for (before, after) in [
            ((open, 0), (one, 0)),
            ((one, 25), (two, 25)),
            ((two, 100), (second, 100)),
            ((second, 25), ("hash: keyed, hashKeys: {k2: B}, ", 25)),
        ] {
            assert_eq!(findings(before, after), [""; 0], "{before:?} {after:?}");
        }
        assert_eq!(findings((open, 25), (one, 25)), moved("another hash key"));
        assert_eq!(findings((two, 25), (second, 25)), moved("another hash key"));
        assert_eq!(findings((second, 25), (open, 25)), moved("another hash key"));
        assert_eq!(findings((open, 25), (salt, 25)), moved("another salt of all units"));
        assert_eq!(findings((one, 25), ("hash: keyed, hashKeys: {k1: RENAMED}, ", 25)), [""; 0]);
        let at_once = findings((one, 0), ("hash: keyed, hashKeys: {k2: B}, ", 0));
        assert!(at_once.len() == 1 && at_once[0].contains("`k2` is used at once"), "{at_once:?}");
        let twice = findings((two, 0), (later, 0));
        assert!(twice.len() == 1 && twice[0].contains("a third hash key, `k3`"), "{twice:?}");
    }

    #[test]
    fn an_entry_that_goes_or_moves_takes_others_with_it() {
        let both = "{weights: {x: 10, y: 20}}";
        let ten = ["10 % of the users leave a canary of `api` whose weight does not fall"];
        assert_eq!(findings(both, "{weights: {y: 20}}"), ten);
        assert_eq!(findings(both, "{weights: {x: {percent: 10, from: top}, y: 20}}").len(), 1);
        assert_eq!(
            findings(
                "{weights: {x: 10, y: {percent: 20, from: top}}}",
                "{weights: {y: {percent: 20, from: top}}}"
            ),
            [""; 0]
        );
        assert_eq!(findings("{weights: {x: 10}}", "{weights: {x: 5}}"), [""; 0]);
        assert_eq!(findings("{weights: {x: 10}}", "{weights: {x: 10}, salt: new}").len(), 1);
        assert_eq!(findings("{weights: {x: 0}}", "{weights: {x: 10}, salt: new}"), [""; 0]);
    }
}
