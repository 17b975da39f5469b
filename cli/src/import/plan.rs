//! How a file takes over: which resources are made, which go, which stay, and in what order, so that there is no gap.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value as Json;

use super::Made;
use super::drafts::Drafts;
use super::prove::stays;
use super::read::{Found, Resource};

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Rendered from the file, and applied first.
    Apply,
    /// The same, in the place of one of its name.
    Replace,
    /// Replaced by what was applied: deleted afterwards.
    Delete,
    /// Left as it is.
    Keep,
}

/// All of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Plan {
    /// Are the routes those of the Gateway API?
    pub of_gateway_api: bool,
    /// What happens, and to what: kind, namespace and name.
    pub steps: Vec<(Step, String)>,
}

/// Makes it.
pub fn of(found: &Found, drafts: &Drafts, made: &Made, rendered: &[Json]) -> Plan {
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    let title = |json: &Json| {
        format!(
            "{} {}/{}",
            text(&json["kind"]),
            text(&json["metadata"]["namespace"]),
            text(&json["metadata"]["name"])
        )
    };
    let applied: BTreeSet<String> = rendered.iter().map(title).collect();
    let mut plan = Plan { of_gateway_api: found.is_of_gateway_api(), ..Plan::default() };
    let there: BTreeSet<String> = found.known.iter().map(super::read::Resource::title).collect();
    let step = |own: &String| if there.contains(own) { Step::Replace } else { Step::Apply };
    plan.steps.extend(rendered.iter().map(title).map(|own| (step(&own), own)));
    // The youngest is deleted first: of rules that match equally well the oldest counts, so none takes over in between.
    let mut ages: Vec<(usize, &Resource)> = found.known.iter().enumerate().collect();
    ages.sort_by_key(|(_, one)| {
        Reverse(one.whole["metadata"]["creationTimestamp"].as_str().unwrap_or_default())
    });
    for (place, resource) in ages {
        let own = resource.title();
        let step = if stays(place, resource, made, drafts) { Step::Keep } else { Step::Delete };
        if !applied.contains(&own) {
            plan.steps.push((step, own));
        }
    }
    plan.steps.sort_by_key(|(step, _)| *step);
    plan
}

/// Those that stay, and that something rendered has the name of.
pub fn overwritten<'a>(
    found: &'a Found,
    drafts: &Drafts,
    made: &Made,
    rendered: &[Json],
) -> Vec<&'a Resource> {
    let named = |own: &Resource| {
        rendered.iter().any(|json| {
            json["kind"] == own.kind.as_str()
                && json["metadata"]["namespace"] == own.namespace.as_str()
                && json["metadata"]["name"] == own.name.as_str()
        })
    };
    let all = found.known.iter().enumerate();
    all.filter(|(place, own)| stays(*place, own, made, drafts) && named(own)).map(|(_, own)| own).collect()
}

impl Plan {
    /// For people, as commands with their reasons.
    #[must_use]
    pub fn text(&self) -> String {
        let of =
            |wanted: Step| self.steps.iter().filter(move |(step, _)| *step == wanted).map(|(_, title)| title);
        let list = |wanted: Step| of(wanted).map(|title| format!("#   {title}\n")).collect::<String>();
        let mut text = String::from("# 1. Apply what the file makes. ");
        text.push_str(if self.of_gateway_api {
            "Of two HTTPRoutes of a host inside the mesh or at a gateway Istio uses the\n#    older one for requests that both match equally well. So nothing changes yet.\n"
        } else {
            "Of two VirtualServices of a host inside the mesh Istio uses the older one, at a\n#    gateway it uses both, the older first; DestinationRules are merged. So nothing changes yet.\n"
        });
        text.push_str(&list(Step::Apply));
        let replaced = list(Step::Replace);
        if !replaced.is_empty() {
            text.push_str("#    These exist and are replaced in place, so they take effect at once: DestinationRules first, with all their subsets.\n");
            text.push_str(&replaced);
        }
        text.push_str("graylane render -f graylane.yaml --without-filter | kubectl apply -f -\n");
        let mut gone = of(Step::Delete).peekable();
        if gone.peek().is_some() {
            let routes = if self.of_gateway_api { "HTTPRoute" } else { "VirtualService" };
            text.push_str(&format!("\n# 2. Delete what it replaces, {routes}s first: each subset stays as long as a route leads to it.\n"));
            let mut gone: Vec<&String> = gone.collect();
            gone.sort_by_key(|title| !title.starts_with(routes));
            for title in gone {
                let (kind, name) = title.split_once(' ').unwrap_or((title, ""));
                let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
                text.push_str(&format!("kubectl delete {} -n {namespace} {name}\n", kind.to_lowercase()));
            }
        }
        let kept = list(Step::Keep);
        if !kept.is_empty() {
            text.push_str(&format!("\n# These stay as they are.\n{kept}"));
        }
        text
    }
}
