//! Lane tokens.

use super::Checker;
use super::hash::variable;
use crate::mesh::has_gateway;

/// A gateway knows so many keys at most: the one that signs, and the one that comes or goes.
const KEYS: usize = 2;
const EXAMPLE: &str = "GRAYLANE_TOKEN_KEY_1";

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    let Some(tokens) = &document.edge.tokens else { return };
    let path = ["edge", "tokens", "keys"];
    for (index, env) in tokens.keys.iter().enumerate() {
        let place = index.to_string();
        let at = ["edge", "tokens", "keys", &place];
        variable(checker, &at, env, EXAMPLE);
        if tokens.keys.iter().take(index).any(|earlier| earlier == env) {
            checker.error(&at, "two token keys in one variable").help("give each key a variable of its own");
        }
        if document.sticky.hash_keys.values().any(|hash| hash == env) {
            checker.error(&at, format!("the key in `{env}` makes units as well (`sticky.hashKeys`)")).help(
                "use two keys: services that make tokens must not be able to test guesses of users' ids",
            );
        }
    }
    if tokens.keys.is_empty() {
        checker.error(&path, "no key: no token would count").help(format!(
            "name the variable of the gateway's environment that has it, as in `keys: [{EXAMPLE}]`"
        ));
    }
    if tokens.keys.len() > KEYS {
        let message = format!(
            "{} token keys: expected {KEYS} at most, one that signs and one that comes or goes",
            tokens.keys.len()
        );
        checker
            .error(&path, message)
            .help("finish one rotation before the next: remove the key that no service signs with any more");
    }
    if !has_gateway(document) {
        checker
            .error_at_key(&["edge", "tokens"], "a gateway reads tokens, and the file names none")
            .help("add `edge.gateway`, as in `gateway: {selector: {istio: ingressgateway}}`");
    }
}
