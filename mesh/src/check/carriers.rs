//! What tenant and unit travel in, and what requests are recognised by.

use std::collections::BTreeSet;

use graylane_decide::config::{Carrier, IdKind, Mode, Restore};
use graylane_decide::ids::MAX_KINDS;
use graylane_decide::naming::is_header_name;

use super::{Checker, listed};
use crate::document::model::TraceContext;
use crate::mesh::{Ingress, ingresses};

pub fn check(checker: &mut Checker<'_>) {
    carriers(checker);
    ids(checker);
    edge(checker);
}

fn carriers(checker: &mut Checker<'_>) {
    let document = checker.document();
    let mut seen = BTreeSet::new();
    for (index, carrier) in document.policy.carriers.iter().enumerate() {
        let index = index.to_string();
        let path = ["policy", "carriers", &index];
        let name = match carrier {
            Carrier::Header(name) => name.to_ascii_lowercase(),
            known => known.word().unwrap_or_default().to_owned(),
        };
        if let Carrier::Header(_) = carrier {
            header(checker, &path, &name, "carry the tenant");
        }
        if !seen.insert(name.clone()) {
            checker
                .error(&path, format!("duplicate `{name}` in `policy.carriers`"))
                .help("list it only once");
        }
    }
    if !document.policy.carriers.is_empty() && !document.policy.restore.contains(&Restore::Baggage) {
        checker
            .error(
                &["policy", "carriers"],
                "`policy.restore` has no `baggage`: nothing is read from carriers",
            )
            .help("add `baggage` to `policy.restore` (it covers all carriers), or remove `carriers`");
    }
}

fn header(checker: &mut Checker<'_>, path: &[&str], name: &str, what: &str) {
    let tenant = checker.document().header.to_ascii_lowercase();
    if !is_header_name(name) || name == tenant {
        let message = format!("`{name}` cannot {what}");
        let help = "write a header other than the tenant header: letters, digits and `-`, up to 63 of them";
        checker.error(path, message).help(help);
    }
}

fn ids(checker: &mut Checker<'_>) {
    let policy = &checker.document().policy;
    let mut seen = BTreeSet::new();
    for (index, id) in policy.ids.iter().enumerate() {
        let index = index.to_string();
        let path = ["policy", "ids", &index];
        let name = if id.kind == IdKind::Header { &id.header } else { id.kind.word() };
        if id.kind == IdKind::Header {
            header(checker, &path, name, "be an id");
        }
        if !seen.insert(name) {
            checker.error(&path, format!("duplicate `{name}` in `policy.ids`")).help("list it only once");
        }
        if id.keep && id.kind.is_default() {
            checker
                .error(&path, format!("`keep` has no effect on `{name}`: a gateway does not remove it"))
                .help(match id.kind {
                    IdKind::W3c | IdKind::B3 => "write `edge.traceContext: keep` or `restart`",
                    _ => "write the name without `{header: …}`",
                });
        }
    }
    if policy.ids.len() > MAX_KINDS {
        let message = format!("{} ids: at most {MAX_KINDS} are read", policy.ids.len());
        checker.error(&["policy", "ids"], message).help("name those that applications forward");
    }
    if policy.ids.is_empty() && policy.restore.contains(&Restore::Memory) {
        checker
            .error(&["policy", "ids"], "no ids: the memory cannot recognise requests")
            .help("write `[request-id, w3c, b3]`, or remove `memory` from `policy.restore`");
    }
}

/// What gateways do without being told by the file.
fn edge(checker: &mut Checker<'_>) {
    let document = checker.document();
    let ingresses = ingresses(document);
    for ingress in &ingresses {
        trace_context(checker, ingress);
    }
    // Those that take their mode from the file observe for one reason.
    let mut said: Vec<Vec<&str>> = Vec::new();
    for ingress in ingresses.iter().filter(|ingress| ingress.gateway.is_some()) {
        let path = if ingress.own_mode.is_some() { ingress.mode_path() } else { vec!["mode"] };
        if ingress.mode == Mode::Observe && ingress.own_mode != Some(Mode::Off) && !said.contains(&path) {
            observes(checker, ingress, &path);
            said.push(path);
        }
    }
}

fn trace_context(checker: &mut Checker<'_>, ingress: &Ingress<'_>) {
    let Some(context) = ingress.trace_context() else {
        if ingress.says_trace_context() {
            checker
                .error(
                    &["edge", "traceContext"],
                    "trace ids from outside are handled at a gateway, and the file names none",
                )
                .help("add `edge.gateway`, as in `gateway: {selector: {istio: ingressgateway}}`");
        }
        return;
    };
    if ingress.says_trace_context() {
        return;
    }
    let (message, help) = match context {
        TraceContext::Restart => (
            "trace ids from outside are not used: the gateway starts traces of its own",
            "write `traceContext: restart` to make this explicit, or `keep` if callers' traces must continue",
        ),
        TraceContext::Keep => (
            "trace ids from outside continue in the mesh, since the file trusts some callers outside",
            "write `traceContext: keep` to make this explicit, or `restart`: a caller who knows the trace id of \
             another user's request can join it",
        ),
    };
    checker.note(&ingress.place(&[]), message).help(help);
}

fn observes(checker: &mut Checker<'_>, ingress: &Ingress<'_>, path: &[&str]) {
    let document = checker.document();
    let stays = document.header.as_str();
    let removed = match ingress.remove.is_empty() {
        true => String::new(),
        false => {
            format!(", and {} as `edge.remove` says", listed(ingress.remove.iter().map(String::as_str)))
        }
    };
    checker
        .note(
            path,
            format!(
                "`{}`: the gateway removes `x-graylane-*` and units that callers outside send{removed}; `{stays}` \
                 and its baggage members pass unchanged, so any caller outside can choose a tenant",
                ingress.own_mode.unwrap_or(document.mode).word()
            ),
        )
        .help(format!(
            "`enforce` will also remove `{stays}`, in any spelling, and its members from every carrier; \
             `graylane_would_remove_total` counts the requests that come with one"
        ));
}
