//! What the filter changes for routes that are external.

use anyhow::Result;

use super::there;
use crate::adopt;
use crate::document::finding::Findings;
use crate::import::Resource;
use crate::mesh::{self, Mesh};
use crate::traffic::{MESH, Request};

/// Warns of each difference, at the rule that the request meets today.
pub fn differences(current: &[Resource], mesh: &Mesh, findings: &mut Findings) -> Result<()> {
    if !mesh::adopts(&mesh.document) {
        return Ok(());
    }
    let report = adopt::differences(mesh, &there::world(current, mesh))?;
    for difference in &report.differences {
        let at = difference.before.rule.or(difference.after.rule);
        let place = at.and_then(|at| there::rule(current, at));
        let text = format!("with the filter: {}", difference.text());
        findings.warning(place, text).help(help(mesh, &difference.request));
    }
    Ok(())
}

/// Says what stands in the way of users who stay where the weights of somebody else put them.
pub fn weights(current: &[Resource], mesh: &Mesh, findings: &mut Findings) {
    for problem in adopt::weights::problems(mesh, &there::world(current, mesh)) {
        let place = problem.at.and_then(|at| there::rule(current, at));
        let text = format!("service `{}`: {}", problem.service, problem.foretold());
        let finding =
            if problem.is_error { findings.error(place, text) } else { findings.warning(place, text) };
        finding.help(problem.help);
    }
}

/// Gateways whose pods have no filter, and from which routes lead to services of the mesh.
pub fn unlisted_gateways(current: &[Resource], mesh: &Mesh, findings: &mut Findings) {
    let whole: Vec<_> = current.iter().map(|resource| &resource.whole).collect();
    for unlisted in adopt::unlisted::gateways(mesh, &whole) {
        let place = current.get(unlisted.resource).map(Resource::name_place);
        findings.error(place, unlisted.text).help(unlisted.help);
    }
}

fn help(mesh: &Mesh, request: &Request) -> String {
    let header = &mesh.header;
    let sent = request.headers.get(header);
    let declared = |tenant: &String| mesh.tenants.contains(tenant);
    match sent {
        Some(tenant) if request.place != MESH && declared(tenant) => format!(
            "the gateway removes the `{header}` header from outside; write who can send it with `edge.rules`, as in \
             `{{mayChoose: [{tenant}], …}}`, or `accept: always` if any caller can"
        ),
        Some(tenant) if !declared(tenant) => format!(
            "declare it, as in `tenants: {{{tenant}: {{}}}}`, or leave tenants that are not declared alone: `policy: {{unknown: pass}}`"
        ),
        _ => format!(
            "leave requests without a tenant alone: `policy: {{missing: pass}}`, or match the default tenant in that rule as well, \
             `{header}: {{exact: {}}}`",
            mesh.default
        ),
    }
}
