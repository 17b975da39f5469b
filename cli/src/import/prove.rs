//! Requests through the original and through what would be rendered.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::Value as Json;

use super::Made;
use super::drafts::Drafts;
use super::read::{Found, HTTP_ROUTE, Resource};
use super::said::{self, Said};
use crate::document;
use crate::document::finding::{Finding, Severity};
use crate::mesh::Mesh;
use crate::resources::{Kind, Options, resources};
use crate::traffic::{self, Difference, MESH, Report, World, full_host};

/// What was found out.
pub struct Proof {
    /// How many requests were tried.
    pub tried: usize,
    /// What would be rendered; none: `check` rejects the file.
    pub rendered: Option<Vec<Json>>,
    /// What `check` says against it.
    refused: Vec<Finding>,
    report: Report,
}

/// Renders a file without filter and compares.
pub fn compare(made: &Made, before: &World, found: &Found, drafts: &Drafts) -> Result<Proof> {
    let mut proof = Proof { tried: 0, rendered: None, refused: Vec::new(), report: Report::default() };
    if made.file.is_empty() {
        proof.rendered = Some(Vec::new());
        return Ok(proof);
    }
    let opened = crate::check::open(document::load_text("graylane.yaml", &made.file.yaml())?);
    let errors = opened.findings.iter().filter(|finding| finding.severity == Severity::Error);
    proof.refused = errors.cloned().collect();
    let Some(file) = opened.file else { return Ok(proof) };
    let options = Options {
        without_filter: true,
        only: Some(BTreeSet::from([Kind::VirtualService, Kind::HttpRoute, Kind::DestinationRule])),
        ..Options::default()
    };
    let rendered: Vec<Json> =
        resources(&Mesh::of(&file), &options).iter().map(crate::resources::Resource::json).collect();
    let kept =
        found.known.iter().enumerate().filter(|(place, resource)| {
            stays(*place, resource, made, drafts) && !drafts.aside.contains(place)
        });
    let applied: Vec<Json> = rendered.iter().map(|json| traffic::applied(json, &[])).collect();
    let after: Vec<&Json> = applied.iter().chain(kept.map(|(_, resource)| &resource.whole)).collect();
    let after =
        World::of(&after, made.file.header.as_deref().unwrap_or(graylane_decide::names::DEFAULT_HEADER));
    proof.report = traffic::compare(before, &after);
    proof.tried = proof.report.tried;
    proof.rendered = Some(rendered);
    Ok(proof)
}

/// Does a resource stay when the file takes over?
pub fn stays(place: usize, resource: &Resource, made: &Made, drafts: &Drafts) -> bool {
    match resource.kind.as_str() {
        "VirtualService" | HTTP_ROUTE => drafts.kept.contains(&place),
        "DestinationRule" => {
            let host = full_host(resource.spec["host"].as_str().unwrap_or_default(), &resource.namespace);
            // Beside HTTPRoutes nothing that is rendered has its subsets, which somebody else's routes may use.
            let has_subsets = resource.spec["subsets"].as_array().is_some_and(|subsets| !subsets.is_empty());
            !made.names.contains_key(&host) || (made.file.mesh.routes.is_some() && has_subsets)
        }
        _ => true,
    }
}

impl Proof {
    /// Hosts whose paths alone do not say what their gateways do.
    pub fn hosts_to_spell_out(&self, simple: &BTreeSet<String>, drafts: &Drafts) -> BTreeSet<String> {
        let differs = |host: &str, gateways: &[String]| {
            self.report.differences.iter().any(|difference| {
                let request = &difference.request;
                let covers = |pattern: &str| match pattern.strip_prefix('*') {
                    Some(rest) => request.host.ends_with(rest),
                    None => pattern == request.host,
                };
                request.place != MESH && gateways.contains(&request.place) && covers(host)
            })
        };
        let refused = self.rendered.is_none();
        let of = |host: &String| {
            let fronts = drafts.all.get(host).map_or(&[][..], |draft| draft.fronts.as_slice());
            fronts
                .iter()
                .any(|front| refused || front.hosts.iter().any(|host| differs(host, &front.gateways)))
        };
        simple.iter().filter(|host| of(host)).cloned().collect()
    }

    /// Says what differs, and what is not known.
    pub fn say(&self, resources: &[Resource], before: &World, made: &Made, said: &mut Said) {
        for finding in &self.refused {
            said.loss(
                None,
                None,
                format!("`check` rejects the file: {}", finding.message),
                finding.help.as_deref().unwrap_or_default(),
            );
        }
        let known = said.clone();
        let unsaid =
            self.report.differences.iter().filter(|difference| !known.has_loss_of(difference.before.rule));
        for difference in unsaid {
            let request = &difference.request;
            let own = before.of_host(&request.place, &request.host);
            let place = match difference.before.rule {
                Some(at) => Some(said::place(resources, at)),
                None => own.first().and_then(|own| resources.get(own.resource)).map(Resource::name_place),
            };
            let target = difference.before.targets.first().or(difference.after.targets.first());
            let host = if made.names.contains_key(&request.host) {
                Some(request.host.clone())
            } else {
                target.map(|(target, _)| target.host.clone())
            };
            let more = if difference.count > 1 {
                format!(" ({} requests of {} tried)", difference.count, self.tried)
            } else {
                String::new()
            };
            said.loss(place, host.as_deref(), format!("{}{more}", difference.text()), help(difference));
        }
        for (at, what) in &self.report.undecided {
            said.loss(
                Some(said::place(resources, *at)),
                None,
                format!(
                    "{}: {what}; whether the file does the same was not tested",
                    said::title(resources, *at)
                ),
                "compare it by hand",
            );
        }
    }
}

/// What to do about a difference.
fn help(difference: &Difference) -> &'static str {
    let before = &difference.before;
    if difference.request.place == MESH && before.rule.is_none() && before.targets.is_empty() {
        return "no rule matches it, so it gets 404; if that is meant, end `routes` with `{match: [{uri: {prefix: /}}], http: {directResponse: {status: 404}}}`";
    }
    "write it by hand, or keep its routes and take the service out of the file"
}
