//! Two versions of a file compared: users who are reassigned without a change of weight that asks for it.

use crate::document::Project;
use crate::document::finding::Findings;
use crate::mesh::{Mesh, Route, Service};
use crate::simulate::{Layout, moves};

use super::change::EVERYBODY;

/// Users that leave a canary whose weight does not fall, as after an entry at its end was removed or moved, or after a
/// new salt in the middle of a rollout: a finding each, with how many they are.
pub fn against(before: &Mesh, project: &Project, after: &Mesh, findings: &mut Findings) {
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
    let percent = back as f64 / 100.0;
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
