//! What a rollout is judged by.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checker, instead};
use crate::document::model::Rollout;

pub fn check(checker: &mut Checker<'_>, path: &[&str], pins: &BTreeMap<String, String>, rollout: &Rollout) {
    if let Some(gate) = &rollout.gate {
        let at = [path, &["gate"]].concat();
        let document = checker.document();
        if !document.tenants.contains_key(gate) {
            checker
                .error(&at, format!("unknown tenant `{gate}`"))
                .help(instead(gate, document.tenants.keys().map(String::as_str)));
        } else if !pins.get(gate).is_some_and(|subset| rollout.weights.contains_key(subset)) {
            checker
                .warning(
                    &at,
                    format!("`{gate}` is not pinned to a canary of this rollout, so it tests no canary"),
                )
                .help(format!(
                    "before the next rollout pin it, as in `pins: {{{gate}: canary}}`, or leave `gate` out"
                ));
        }
    }
    judged(checker, path, rollout);
    let mut names = BTreeSet::new();
    for (index, guard) in rollout.guards.iter().enumerate() {
        let number = index.to_string();
        let at = |key| [path, &["guards", &number, key]].concat();
        if guard.name.trim().is_empty() || !names.insert(&guard.name) {
            checker
                .error(&at("name"), format!("missing or duplicate guard name `{}`", guard.name))
                .help("give every guard a unique name, as in `payments`; `ramp run` prints it");
        }
        if guard.query.trim().is_empty() {
            checker.error(&at("query"), "empty query").help("write PromQL that returns one series");
        }
        if guard.max.is_none() && guard.min.is_none() {
            checker
                .error(&[path, &["guards", &number]].concat(), format!("guard `{}` has no limit", guard.name))
                .help("add `max:` or `min:`");
        }
    }
}

/// A canary is judged by the requests of those who take part, without those that are left out of it.
fn judged(checker: &mut Checker<'_>, path: &[&str], rollout: &Rollout) {
    let document = checker.document();
    let left_out =
        |name: &str| document.tenants.get(name).is_some_and(|one| one.as_ref().is_some_and(|one| !one.judge));
    let default = || {
        let mut all = document.tenants.iter();
        all.find(|(_, one)| one.as_ref().is_some_and(|one| one.default)).map(|(name, _)| name.clone())
    };
    let part = rollout.tenants.clone().unwrap_or_else(|| default().into_iter().collect());
    if !part.is_empty() && part.iter().all(|name| left_out(name)) {
        checker
            .error_at_key(path, "no tenant of this rollout is judged")
            .help("remove `judge: false` of one of its tenants, or add a tenant to the rollout");
    }
    if let Some(gate) = rollout.gate.as_ref().filter(|gate| left_out(gate)) {
        checker
            .error(
                &[path, &["gate"]].concat(),
                format!("the requests of `{gate}` are the gate, and are left out of all figures"),
            )
            .help(format!("remove `judge: false` of `{gate}`, or `gate`"));
    }
}
