//! Sticky keys.

use graylane_decide::plan::{NAME_RULE, is_header_name, is_name};

use super::Checker;
use crate::document::duration;
use crate::document::model::At;

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    let sticky = &document.sticky;
    if let Some(salt) = &sticky.salt
        && !is_name(salt)
    {
        checker
            .error(&["sticky", "salt"], format!("`{salt}` cannot be a salt"))
            .help(format!("a salt has {NAME_RULE}"));
    }
    for (index, key) in sticky.keys.iter().enumerate() {
        let index = index.to_string();
        let path = ["sticky", "keys", &index];
        match (&key.header, &key.cookie) {
            (Some(header), None)
                if !is_header_name(header) && header != "authorization" && header != "x-request-id" =>
            {
                checker
                    .error(&path, format!("`{header}` is no header that could hold a user's key"))
                    .help("write a header that your clients or your gateway set, as in `x-user-id`");
            }
            (None, Some(cookie))
                if cookie.is_empty()
                    || cookie.contains(|c: char| !c.is_ascii_graphic() || "=;,\"\\".contains(c)) =>
            {
                checker
                    .error(&path, format!("`{cookie}` is no name of a cookie"))
                    .help("write a name, as in `lane-id`");
            }
            (Some(_), None) | (None, Some(_)) => {}
            _ => drop(
                checker
                    .error(&path, "a sticky key is one place")
                    .help("write `{header: x-user-id}` or `{cookie: lane-id}`"),
            ),
        }
        if let Some(mint) = &key.mint {
            if key.cookie.is_none() {
                checker
                    .error(&path, "only a cookie can be minted")
                    .help("write `{cookie: lane-id, mint: {maxAge: 30d}}`");
            }
            if let Some(age) = &mint.max_age
                && duration::parse(age).is_none()
            {
                checker
                    .error(&["sticky", "keys", &index, "mint", "maxAge"], format!("`{age}` is no duration"))
                    .help(duration::EXAMPLES);
            }
        }
    }
    if sticky.at == Some(At::Edge) && document.edge.gateway.is_none() && !sticky.keys.is_empty() {
        checker
            .warning(&["sticky", "at"], "keys count at the edge only, and no gateway is named")
            .help("add `edge.gateway`, or write `at: anywhere`");
    }
    let has_rollout = document.services.values().any(|service| service.rollout.is_some());
    if has_rollout && sticky.keys.is_empty() {
        checker
            .warning(
                &["sticky"],
                "there are rollouts but no sticky key: only one causal chain is sticky, not a user",
            )
            .help("add where a user's own value is, as in `sticky: {keys: [{header: x-user-id}]}`");
    }
}
