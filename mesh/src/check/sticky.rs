//! Sticky keys.

use graylane_decide::naming::{NAME_RULE, is_header_name, is_name};

use super::{Checker, listed};
use crate::dns::is_dns_name;
use crate::document::duration;
use crate::document::model::{At, Identity, Key, Mint, SameSite};
use crate::mesh::{has_gateway, ingresses};
use crate::words::{is_cookie_name, is_token};

/// Cookies that servers make for a login, by parts of their names.
const SESSIONS: [&str; 6] = ["session", "sessid", "connect.sid", "asp.net", "auth", "token"];

/// Longer than that no browser keeps a cookie (RFC 6265bis, section 5.5).
const MAX_AGE_DAYS: u64 = 400;

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
    keys(checker, &sticky.keys, &["sticky", "keys"]);
    for ingress in ingresses(document).iter().filter(|ingress| ingress.has_own_keys) {
        keys(checker, ingress.keys, &ingress.path(&["keys"]));
    }
    if sticky.at == Some(At::Edge) && !has_gateway(document) && !sticky.keys.is_empty() {
        checker
            .warning(&["sticky", "at"], "keys are read at the edge only, and the file names no gateway")
            .help("add `edge.gateway`, or write `at: anywhere`");
    }
    identity(checker);
    let has_rollout = document.services.values().any(|service| service.rollout.is_some());
    // A gateway of several that has none of its own reads these.
    let has_none = ingresses(document).iter().any(|ingress| ingress.keys.is_empty() && !ingress.has_own_keys);
    if has_rollout && has_none {
        checker
            .warning(
                &["sticky"],
                "rollouts without a sticky key: the requests of one causal chain stay together, but users may change versions",
            )
            .help("add a key that identifies a user, as in `sticky: {keys: [{header: x-user-id}]}`");
    }
}

/// Keys that are looked for in one place: in the whole mesh, or at a gateway.
fn keys(checker: &mut Checker<'_>, keys: &[Key], list: &[&str]) {
    let document = checker.document();
    let mut minted = None;
    for (index, key) in keys.iter().enumerate() {
        let number = index.to_string();
        let path = [list, &[&number]].concat();
        place(checker, key, &path);
        if let Some(mint) = &key.mint {
            self::mint(checker, key, mint, &path);
            if let Some(first) = minted.replace(index) {
                let first = checker.project.span(&[list, &[&first.to_string()]].concat());
                checker
                    .error(&path, "a second minted cookie: users who have the first one have a key already")
                    .help("keep one `mint`")
                    .related(first, "the first one");
            }
        }
        if !has_gateway(document) && (key.claim.is_some() || key.source || key.mint.is_some()) {
            let what = if key.mint.is_some() { "a cookie is made" } else { "this key is seen" };
            checker
                .warning(&path, format!("{what} at a gateway only, and the file names none"))
                .help("add `edge.gateway`, as in `gateway: {selector: {istio: ingressgateway}}`");
        }
    }
}

/// Who stays on one version where users log in.
fn identity(checker: &mut Checker<'_>) {
    let sticky = &checker.document().sticky;
    let keys = &sticky.keys;
    let claim = keys.iter().position(|key| key.claim.is_some());
    let cookie = keys.iter().position(|key| key.cookie.is_some());
    let path = ["sticky", "identity"];
    let mut of_gateways = ingresses(checker.document()).into_iter().flat_map(|ingress| ingress.keys);
    if cookie.is_none() && of_gateways.any(|key| key.cookie.is_some()) {
        return;
    }
    match (sticky.identity, claim, cookie) {
        (Some(Identity::Session), _, None) => {
            checker
                .error(
                    &path,
                    "`session` needs a cookie among `sticky.keys`: it is what stays the same at a login",
                )
                .help("add one, as in `{cookie: lane-id, mint: {maxAge: 30d}}`, or remove `identity`");
        }
        (Some(Identity::User), Some(claim), Some(cookie)) if cookie < claim => {
            checker
                .warning(&path, "keys are looked for in their order, and the cookie stands before the claim: users keep the cookie's version when they log in")
                .help("move the claim before the cookie, or write `identity: session`");
        }
        (None, Some(claim), Some(cookie)) if claim < cookie => {
            checker
                .warning(
                    &["sticky", "keys"],
                    "a claim before a cookie: users get another unit when they log in, and may change versions then",
                )
                .help(
                    "write `identity: user` if a person must see one version on all devices and most requests have a token, or \
                     `identity: session` if nobody may change versions at login and logout; each device then has a version of its own",
                );
        }
        _ => {}
    }
}

/// A key is in one place, which has a name.
fn place(checker: &mut Checker<'_>, key: &Key, path: &[&str]) {
    let given =
        [key.header.is_some(), key.cookie.is_some(), key.query.is_some(), key.claim.is_some(), key.source];
    if given.into_iter().filter(|given| *given).count() != 1 {
        checker
            .error(path, "a sticky key needs exactly one source")
            .help("write one of `{header: x-user-id}`, `{cookie: lane-id}`, `{query: user}`, `{claim: sub}`, `{source: true}`");
        return;
    }
    if let Some(header) = &key.header
        && !is_header_name(header)
        && header != "authorization"
        && header != "x-request-id"
    {
        checker
            .error(path, format!("the header `{header}` cannot identify a user"))
            .help("write a header that your clients or your gateway set, as in `x-user-id`");
    }
    if let Some(claim) = &key.claim
        && (claim.path().is_empty() || claim.path().iter().any(String::is_empty))
    {
        checker.error(path, "a claim without a name").help("write its name, as in `{claim: sub}`");
    }
    if key.query.as_ref().is_some_and(String::is_empty) {
        checker.error(path, "a parameter without a name").help("write its name, as in `{query: user}`");
    }
    let Some(cookie) = &key.cookie else { return };
    if !is_cookie_name(cookie) {
        checker.error(path, format!("invalid cookie name `{cookie}`")).help("write a name, as in `lane-id`");
        return;
    }
    let lower = cookie.to_ascii_lowercase();
    if SESSIONS.iter().any(|part| lower.contains(part)) || lower == "sid" {
        checker
            .warning(
                path,
                format!("`{cookie}` looks like a session cookie: users would move between versions at each login"),
            )
            .help("use a value that stays with the user, as in `{claim: sub}`, or a cookie of its own, as in `{cookie: lane-id, mint: {maxAge: 30d}}`");
    }
}

/// What browsers, and RFC 6265, do not take.
fn mint(checker: &mut Checker<'_>, key: &Key, mint: &Mint, path: &[&str]) {
    let Some(cookie) = &key.cookie else {
        checker
            .error(path, "only a cookie can be minted")
            .help("write `{cookie: lane-id, mint: {maxAge: 30d}}`");
        return;
    };
    let at = |key: &'static str| [path, &["mint", key]].concat();
    if !is_token(cookie) && is_cookie_name(cookie) {
        checker
            .error(path, format!("a cookie named `{cookie}` cannot be minted"))
            .help("use letters, digits and `-`");
    }
    match mint.max_age.as_deref().map(|age| (age, duration::parse(age))) {
        None => {
            checker
                .warning(&at("maxAge"), "a cookie without `maxAge` ends with the browser session: the user may move when it is closed")
                .help("write how long a user stays on one version, as in `maxAge: 30d`");
        }
        Some((age, None)) => {
            checker.error(&at("maxAge"), format!("invalid duration `{age}`")).help(duration::EXAMPLES);
        }
        Some((age, Some(length))) if length.as_secs() > MAX_AGE_DAYS * 86_400 => {
            checker
                .warning(&at("maxAge"), format!("no browser keeps a cookie for `{age}`"))
                .help(format!("write at most `{MAX_AGE_DAYS}d`"));
        }
        Some((age, Some(length))) if length.as_secs() == 0 => {
            checker.error(&at("maxAge"), format!("`{age}` expires at once")).help("write at least `1s`");
        }
        Some(_) => {}
    }
    if !mint.path.starts_with('/') || mint.path.contains(|c: char| !c.is_ascii_graphic() || c == ';') {
        checker
            .error(&at("path"), format!("invalid cookie path `{}`", mint.path))
            .help("write a prefix of paths, as in `/`");
    }
    if let Some(domain) = &mint.domain
        && !is_dns_name(domain.trim_start_matches('.'))
    {
        checker
            .error(&at("domain"), format!("invalid domain `{domain}`"))
            .help("write a domain that your public hosts are under, as in `example.com`");
    }
    secure(checker, cookie, mint, path);
}

fn secure(checker: &mut Checker<'_>, cookie: &str, mint: &Mint, path: &[&str]) {
    let at = |key: &'static str| [path, &["mint", key]].concat();
    let host_only = mint.path == "/" && mint.domain.is_none();
    if cookie.starts_with("__Host-") && !(mint.secure && host_only) {
        checker
            .error(
                &at("domain"),
                "browsers refuse a cookie `__Host-…` that has a domain, a path, or no `Secure`",
            )
            .help("keep `path: /` and `secure: true`, without `domain`");
        return;
    }
    if mint.secure {
        return;
    }
    if mint.same_site == SameSite::None || cookie.starts_with("__Secure-") {
        checker
            .error(&at("secure"), "browsers refuse this cookie without `Secure`")
            .help("remove `secure: false`");
        return;
    }
    // A file does not describe the Gateway's servers. Names that are for one's own machine only need no HTTPS.
    let local =
        |host: &str| [".test", ".localhost", ".local", ".internal"].iter().any(|end| host.ends_with(end));
    let services = checker.document().services.values();
    let hosts = services.filter_map(|service| service.expose.as_ref()).flat_map(|expose| &expose.hosts);
    let public: Vec<&str> = hosts.map(String::as_str).filter(|host| !local(host)).collect();
    if !public.is_empty() {
        let hosts = listed(public);
        checker
            .warning(
                &at("secure"),
                format!(
                    "{hosts}: without `Secure` the cookie goes over plain HTTP too, where \
                anyone can read and set it"
                ),
            )
            .help("remove `secure: false`; it is for hosts that have no HTTPS");
    }
}
