use super::*;
use crate::check::open;
use crate::document;

const BANK: &str = include_str!("../../../examples/bank/graylane.yaml");

fn hops(text: &str, path: &str, headers: &[&str], drops: &[&str]) -> Vec<Hop> {
    let loaded = open(document::load_text("graylane.yaml", text).unwrap());
    assert!(!loaded.findings.has_errors(), "{:?}", loaded.findings);
    let project = loaded.file.unwrap();
    let mut request = Request {
        path: path.split(',').map(ToOwned::to_owned).collect(),
        headers: headers.iter().map(|text| header(text).unwrap()).collect(),
        ..Request::default()
    };
    drops.iter().for_each(|text| request.drop(text).unwrap());
    explain(&project, &loaded.sources, &Mesh::of(&project), &request, None).unwrap()
}

fn lanes(hops: &[Hop]) -> Vec<String> {
    let word = |value: Option<&str>| value.unwrap_or("-").to_owned();
    hops.iter()
        .map(|hop| format!("{} {} {}", hop.service, word(hop.subset.as_deref()), word(hop.source)))
        .collect()
}

#[test]
fn a_lost_tenant_is_restored_from_what_is_left() {
    let way = "gateway,api,ledger,orders";
    let gray = |drops: &[&str]| lanes(&hops(BANK, way, &["tenant: gray-v1"], drops));
    let kept = ["api canary header", "ledger stable header", "orders canary header"];
    assert_eq!(gray(&[]), kept);
    let restored = ["api canary header", "ledger stable memory", "orders canary header"];
    assert_eq!(gray(&["api"]), restored);
    assert_eq!(gray(&["api=tenant"]), restored);
    assert_eq!(gray(&["api=baggage"]), kept);
    let baggage = ["api canary header", "ledger stable memory", "orders canary memory"];
    assert_eq!(gray(&["api", "ledger"]), baggage);
    let lost = ["api canary header", "ledger stable default"];
    assert_eq!(gray(&["api=everything"])[..2], lost);
    // What was restored goes on in baggage as well, so a service that loses the header alone restores it from there.
    let in_baggage = ["api canary header", "ledger stable memory", "orders canary baggage"];
    assert_eq!(gray(&["api=tenant", "ledger=tenant"]), in_baggage);
}

#[test]
fn a_user_has_one_unit_and_one_bucket_a_salt() {
    let hops = hops(BANK, "gateway,api,ledger,orders", &["x-user-id: user-7"], &[]);
    assert_eq!(lanes(&hops), ["api stable default", "ledger stable header", "orders stable header"]);
    assert!(hops.iter().all(|hop| hop.unit == hops[0].unit), "{hops:?}");
    let sources: Vec<_> = hops.iter().map(|hop| hop.unit_source).collect();
    assert_eq!(sources, [Some("key"), Some("baggage"), Some("baggage")]);
    assert_eq!((hops[0].bucket, hops[1].bucket), (hops[2].bucket, None));
    assert!(hops[0].bucket.is_some_and(|bucket| bucket >= 2500), "{hops:?}");
}

#[test]
fn the_line_that_decided() {
    let line = |hop: &Hop| BANK.lines().nth(hop.line.unwrap() - 1).unwrap().trim().to_owned();
    let gray = hops(BANK, "gateway,api,ledger", &["tenant: gray-v1"], &[]);
    assert_eq!(line(&gray[0]), "pins: {gray-v1: canary}");
    assert_eq!(line(&gray[1]), "stable: {version: v1}");
    let on_the_canary = (0..100).map(|user| format!("x-user-id: user-{user}")).find_map(|header| {
        let hops = hops(BANK, "gateway,api", &[&header], &[]);
        (hops[0].subset.as_deref() == Some("canary")).then_some(hops)
    });
    let hops = on_the_canary.unwrap();
    assert_eq!(line(&hops[0]), "weights: {canary: 25}");
    assert_eq!(hops[0].file.as_deref(), Some("graylane.yaml"));
}

#[test]
fn outside_the_lane_ends_and_a_policy_can_end_it() {
    let out = hops(BANK, "api,www.example.com", &["tenant: gray-v1"], &[]);
    assert_eq!(lanes(&out), ["api canary header", "www.example.com - header"]);
    let strict = format!("{BANK}policy:\n  unknown: reject\n");
    let hops = hops(&strict, "gateway,api,orders", &["tenant: blue"], &[]);
    assert_eq!(hops.len(), 1);
    assert_eq!(hops[0].rejected, Some(Rejected { status: 400, reason: "unknown" }));
    assert_eq!(hops[0].line, Some(strict.lines().count()));
}

#[test]
fn what_is_not_in_the_file_is_an_error_with_the_nearest_word() {
    let loaded = open(document::load_text("graylane.yaml", BANK).unwrap());
    let project = loaded.file.unwrap();
    let ask = |path: &[&str], drops: &str| {
        let mut request =
            Request { path: path.iter().map(|name| (*name).to_owned()).collect(), ..Request::default() };
        request
            .drop(drops)
            .and_then(|()| explain(&project, &loaded.sources, &Mesh::of(&project), &request, None))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(ask(&["gateway", "aip"], "api"), "--path: unknown service `aip`: did you mean `api`?");
    assert_eq!(
        ask(&["gateway"], "api"),
        "--path: missing service: write the services in order, as in `gateway,api,orders`"
    );
    assert_eq!(ask(&["api"], "orders"), "--drops: the request does not pass `orders`");
    assert_eq!(
        ask(&["api"], "api=half"),
        "--drops api=half: unknown `half`, expected some of all, tenant, baggage, everything"
    );
    assert!(header("no colon").is_err() && header("a b: c").is_err());
    assert_eq!(header("Tenant:  gray "), Ok(("tenant".to_owned(), b"gray".to_vec())));
    assert_eq!(header(":path: /a:b").unwrap().0, ":path");
    assert_eq!(header("Host: a.example").unwrap().0, ":authority");
}

#[test]
fn a_claim_of_a_verified_token_gives_a_tenant_and_the_rules_line_is_said() {
    let text = BANK.replace(
        "  accept: always",
        "  jwt: {issuer: 'https://id.example'}\n  rules:\n    - {tenant: gray-v1, claim: {name: role, exact: employee}}\n  accept: never",
    );
    let loaded = open(document::load_text("graylane.yaml", &text).unwrap());
    assert!(!loaded.findings.has_errors(), "{:?}", loaded.findings);
    let project = loaded.file.unwrap();
    let lane = |claims: &[&str]| {
        let path = ["gateway", "api"].map(ToOwned::to_owned).to_vec();
        let mut request = Request { path, ..Request::default() };
        claims.iter().for_each(|claim| request.claim(claim).unwrap());
        let hops = explain(&project, &loaded.sources, &Mesh::of(&project), &request, None).unwrap();
        (hops[0].tenant.clone().unwrap(), hops[0].rule.as_ref().map(|rule| rule.line))
    };
    let line = text.lines().position(|line| line.contains("role")).unwrap() + 1;
    let gray = ("gray-v1".to_owned(), Some(line));
    let green = ("green".to_owned(), None);
    assert_eq!(lane(&["role=employee"]), gray);
    assert_eq!(lane(&["role=guest", "role=employee"]), gray);
    assert_eq!(lane(&["role=guest"]), green);
    assert_eq!(lane(&["role=employee", "iss=https://evil.example"]), green);
    assert_eq!(lane(&[]), green);
    assert!(Request::default().claim("role").is_err());
}

#[test]
fn the_mode_that_holds_and_the_line_that_says_so() {
    let file = BANK
        .replace("edge:\n", "mode: observe\nedge:\n  mode: enforce\n")
        .replace("  namespace: bank\n", "  namespace: bank\n  modes: {bank: observe}\n")
        .replace("  ledger:\n", "  ledger:\n    mode: 'off'\n");
    let hops = hops(&file, "gateway,api,ledger,orders", &["tenant: gray-v1"], &["api", "ledger"]);
    let said = |hop: &Hop| {
        let mode = hop.mode.as_ref().unwrap();
        let line = file.lines().nth(mode.at.as_ref().unwrap().line - 1).unwrap().trim().to_owned();
        (mode.mode, mode.key.clone(), line)
    };
    let of = |mode, key: &str, line: &str| (mode, key.to_owned(), line.to_owned());
    assert_eq!(said(&hops[0]), of("enforce", "edge.mode", "mode: enforce"));
    assert_eq!(said(&hops[1]), of("observe", "mesh.modes.bank", "modes: {bank: observe}"));
    assert_eq!(said(&hops[2]), of("off", "services.ledger.mode", "mode: 'off'"));
    assert_eq!(lanes(&hops), ["api canary header", "ledger stable memory", "orders - -"]);
    assert!(render(&hops).contains("mode off"), "{}", render(&hops));
    assert!(super::tests::hops(BANK, "gateway,api", &[], &[]).iter().all(|hop| hop.mode.is_none()));
}
