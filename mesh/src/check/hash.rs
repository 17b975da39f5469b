//! The keyed hash of sticky keys.

use std::collections::BTreeSet;

use graylane_decide::names;
use graylane_decide::naming::{NAME_RULE, is_name};

use super::{Checker, listed};
use crate::document::model::{At, HashKind};
use crate::mesh::{has_gateway, ingresses};

/// Gateways know so many keys at most: the one in use, and the one that comes or goes.
const KEYS: usize = 2;

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    let sticky = &document.sticky;
    let keys = &sticky.hash_keys;
    let path = ["sticky", "hashKeys"];
    for (id, env) in keys {
        self::key(checker, id, env);
    }
    let variables: BTreeSet<&String> = keys.values().collect();
    if variables.len() < keys.len() {
        checker.error(&path, "two hash keys in one variable").help("give each key a variable of its own");
    }
    if sticky.hash != Some(HashKind::Keyed) {
        if !keys.is_empty() || sticky.hash_key.is_some() {
            let key = if keys.is_empty() { "hashKey" } else { "hashKeys" };
            checker
                .error_at_key(
                    &["sticky", key],
                    format!("`{key}` without `hash: keyed`: units would be made without a key"),
                )
                .help("add `hash: keyed`, or remove it");
        }
        return;
    }
    if keys.is_empty() {
        checker
            .error(&["sticky", "hash"], "`keyed` without a key")
            .help("name the variable of the gateway's environment that has it, as in `hashKeys: {k1: GRAYLANE_STICKY_KEY_1}`");
    }
    if keys.len() > KEYS {
        checker
            .error_at_key(
                &path,
                format!(
                    "{} hash keys: expected {KEYS} at most, one that is used and one that comes or goes",
                    keys.len()
                ),
            )
            .help("finish one rotation before the next: remove the key that no gateway uses any more");
    }
    match &sticky.hash_key {
        None if keys.len() > 1 => {
            checker
                .error_at_key(&path, "several hash keys, and nothing says which one is used")
                .help(format!("add `hashKey`, one of {}", listed(keys.keys().map(String::as_str))));
        }
        Some(id) if !keys.contains_key(id) => {
            checker
                .error(&["sticky", "hashKey"], format!("unknown hash key `{id}`"))
                .help(format!("write one of {}", listed(keys.keys().map(String::as_str))));
        }
        _ => {}
    }
    if !has_gateway(document) || sticky.at == Some(At::Anywhere) {
        checker
            .error(
                &["sticky", "hash"],
                "`keyed`: only a gateway has the key, and sidecars would make other units of the same user",
            )
            .help("add `edge.gateway`, and remove `at: anywhere`");
    }
    if ingresses(document).iter().all(|ingress| ingress.keys.is_empty()) {
        checker
            .error(&["sticky", "hash"], "`keyed` without sticky keys: there is nothing to hash")
            .help("add a key that identifies a user, as in `keys: [{claim: sub}]`");
    }
}

/// One key: its id, and the variable.
fn key(checker: &mut Checker<'_>, id: &str, env: &str) {
    let path = ["sticky", "hashKeys", id];
    if !is_name(id) {
        checker.error_at_key(&path, format!("invalid id `{id}`")).help(format!("an id has {NAME_RULE}"));
    }
    variable(checker, &path, env, "GRAYLANE_STICKY_KEY_1");
}

/// A variable of a gateway's environment with a key in it. What looks like a key itself is not repeated.
pub fn variable(checker: &mut Checker<'_>, path: &[&str], env: &str, example: &str) {
    let is_variable = env.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && env.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_variable || (env.len() >= 32 && env.chars().all(|c| c.is_ascii_hexdigit())) {
        checker
            .error(path, "expected the name of an environment variable, not what is in it")
            .help(format!("write the variable's name, as in `{example}`; if this was the key, make a new one: files are read by many"));
    } else if env.starts_with("ISTIO_META_") || [names::HEADER_ENV, names::REMOVE_ENV].contains(&env) {
        checker
            .error(path, format!("the variable `{env}` has another meaning"))
            .help(format!("choose another name, as in `{example}`"));
    }
}
