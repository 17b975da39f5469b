use super::*;
use crate::check::open;
use crate::document;

const BANK: &str = include_str!("../../../examples/bank/graylane.yaml");

fn hops(text: &str, path: &str, headers: &[&str], drops: &[&str]) -> Vec<Hop> {
    explained(DataPlane::Sidecar, text, path, headers, drops).unwrap().0
}

fn explained(
    data_plane: DataPlane,
    text: &str,
    path: &str,
    headers: &[&str],
    drops: &[&str],
) -> Result<(Vec<Hop>, Vec<String>)> {
    let loaded = open(document::load_text("graylane.yaml", text).unwrap());
    assert!(!loaded.findings.has_errors(), "{:?}", loaded.findings);
    let project = loaded.file.unwrap();
    let mut request = Request {
        path: path.split(',').map(ToOwned::to_owned).collect(),
        headers: headers.iter().map(|text| header(text).unwrap()).collect(),
        data_plane,
        ..Request::default()
    };
    drops.iter().for_each(|text| request.drop(text).unwrap());
    let mesh = Mesh::of(&project);
    let hops = explain(&project, &loaded.sources, &mesh, &request, None)?;
    let notes = notes(&mesh, &request, &hops);
    Ok((hops, notes))
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
fn a_waypoint_decides_before_each_service_and_knows_baggage_alone() {
    let asked = |path: &str, headers: &[&str], drops: &[&str]| {
        explained(DataPlane::Ambient, BANK, path, headers, drops)
    };
    let (gray, notes) = asked("gateway,api,orders", &["tenant: gray-v1"], &[]).unwrap();
    assert_eq!(lanes(&gray), ["api canary header", "api canary header", "orders canary header"]);
    let by: Vec<&str> = gray.iter().map(|hop| hop.by.as_str()).collect();
    assert_eq!(by, ["gateway", "waypoint", "waypoint"]);
    assert!(notes.iter().any(|note| note.contains("istio.io/ingress-use-waypoint")), "{notes:?}");
    let (lost, notes) = asked("gateway,api,orders", &["tenant: gray-v1"], &["api=tenant"]).unwrap();
    assert_eq!(lanes(&lost)[2], "orders stable default");
    let said = notes
        .iter()
        .any(|note| note.starts_with("`api` does not forward the tenant, and the waypoint of `orders`"));
    assert!(said, "{notes:?}");
    let (kept, _) = asked("api,orders", &["baggage: tenant=gray-v1"], &["api=tenant"]).unwrap();
    assert_eq!(lanes(&kept), ["api canary baggage", "orders canary baggage"]);
    let (user, _) = asked("gateway,api,orders", &["x-user-id: user-7"], &[]).unwrap();
    assert!(user.iter().all(|hop| hop.unit == user[0].unit && hop.subset == user[0].subset), "{user:?}");
    let outside = asked("api,www.example.com", &[], &[]).unwrap_err().to_string();
    assert!(outside.contains("`www.example.com` has no waypoint"), "{outside}");
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
fn the_key_that_the_unit_is_of_is_said_with_the_reason() {
    let asked = |sticky: &str, claims: &[&str], headers: &[&str]| {
        let text = format!(
            "version: 1\nmesh: {{name: s, namespace: s}}\ntenants: {{green: {{default: true}}}}\nedge: {{gateway: {{selector: {{istio: x}}}}}}\n\
             sticky: {sticky}\nservices:\n  api: {{subsets: {{a: {{version: v1}}, b: {{version: v2}}}}, baseline: a, rollout: {{weights: {{b: 25}}}}}}\n"
        );
        let loaded = open(document::load_text("graylane.yaml", &text).unwrap());
        let project = loaded.file.unwrap();
        let mesh = Mesh::of(&project);
        let headers = headers.iter().map(|line| header(line).unwrap()).collect();
        let path = ["gateway", "api"].map(ToOwned::to_owned).to_vec();
        let mut request = Request { path, headers, ..Request::default() };
        claims.iter().for_each(|claim| request.claim(claim).unwrap());
        let hops = explain(&project, &loaded.sources, &mesh, &request, None).unwrap();
        (hops[0].unit_key, notes(&mesh, &request, &hops))
    };
    let both = "keys: [{claim: sub}, {cookie: lane-id, mint: {maxAge: 30d}}]";
    let session = format!("{{identity: session, {both}}}");
    let (minted, forged) = ("cookie: lane-id=0123456789abcdef", "cookie: lane-id=alice");
    let said = |key, why: &str| (Some(key), vec![format!("the unit is made from {why}")]);
    let first = "it is the first of `sticky.keys` that the request has";
    assert_eq!(
        asked(&format!("{{{both}}}"), &["sub=a"], &[minted]),
        said(0, &format!("the claim `sub`: {first}"))
    );
    assert_eq!(
        asked(&format!("{{{both}}}"), &[], &[forged]),
        said(1, &format!("the cookie `lane-id`: {first}"))
    );
    let cookies =
        "the cookie `lane-id`: with `sticky.identity: session` cookies are looked for before all other keys";
    assert_eq!(asked(&session, &["sub=a"], &[minted]), said(1, cookies));
    let none = "the claim `sub`: the request has no cookie that counts, and of the other keys this is the first that it has";
    assert_eq!(asked(&session, &["sub=a"], &[forged]), said(0, none));
    assert_eq!(
        asked("{keys: [{claim: sub}]}", &["sub=a"], &[]),
        (Some(0), vec![]),
        "one key explains itself"
    );
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

#[test]
fn a_batch_has_a_unit_for_each_call_and_no_message() {
    let explained = |text: &str, headers: &[&str]| {
        let loaded = open(document::load_text("graylane.yaml", text).unwrap());
        let project = loaded.file.unwrap();
        let request = Request {
            path: vec!["orders".to_owned(), "api".to_owned()],
            headers: headers.iter().map(|text| header(text).unwrap()).collect(),
            worker: Some(("interest".to_owned(), "green".to_owned())),
            ..Request::default()
        };
        let mesh = Mesh::of(&project);
        let hops = explain(&project, &loaded.sources, &mesh, &request, None).unwrap();
        (hops, notes(&mesh, &request, &[]))
    };
    let (hops, said) = explained(BANK, &["x-request-id: run-17"]);
    assert_eq!((hops.len(), hops[0].by.as_str()), (2, "interest"), "{hops:?}");
    assert_eq!((hops[0].unit_source, hops[1].unit_source), (Some("baggage"), Some("baggage")));
    assert_eq!(hops[0].unit, hops[1].unit);
    assert!(
        said[0].starts_with("`sticky: none`: each call of this worker gets a unit of its own"),
        "{said:?}"
    );
    // What the application says itself stands.
    let (hops, said) = explained(BANK, &["baggage: graylane-unit=788b5cc1f707e995"]);
    assert_eq!((hops[0].unit.as_deref(), said.len()), (Some("788b5cc1f707e995"), 0));
    // Without it, and where nothing is changed, the id of the run makes one user of it.
    for text in [BANK.replace(", sticky: none", ""), format!("{BANK}mode: observe\n")] {
        let (hops, _) = explained(&text, &["x-request-id: run-17"]);
        assert_eq!(hops[0].unit_source, Some("request"), "{hops:?}");
    }
}

#[test]
fn a_way_from_outside_names_one_of_several_gateways() {
    const GATEWAYS: &str = include_str!("../../../examples/gateways/graylane.yaml");
    let loaded = open(document::load_text("graylane.yaml", GATEWAYS).unwrap());
    let project = loaded.file.unwrap();
    let mesh = Mesh::of(&project);
    let ask = |first: &str, claims: &[&str]| {
        let path = vec![first.to_owned(), "api".to_owned()];
        let mut request = Request { path, ..Request::default() };
        claims.iter().for_each(|claim| request.claim(claim).unwrap());
        explain(&project, &loaded.sources, &mesh, &request, None).map(|hops| hops[0].clone())
    };
    let employee = ask("gateway:public", &["role=employee"]).unwrap();
    assert_eq!((employee.by.as_str(), employee.tenant.as_deref()), ("gateway:public", Some("gray-v1")));
    let rule = GATEWAYS.lines().position(|line| line.contains("exact: employee")).unwrap() + 1;
    assert_eq!(employee.rule.unwrap().line, rule);
    assert_eq!(ask("gateway:partner", &["role=employee"]).unwrap().tenant.as_deref(), Some("green"));
    assert_eq!(ask("gateway:partner", &["client=acme"]).unwrap().tenant.as_deref(), Some("partner-acme"));
    let said = |first| ask(first, &[]).unwrap_err().to_string();
    assert_eq!(
        said("gateway"),
        "--path: the file has several gateways, expected one of partner, public, as in `gateway:NAME`"
    );
    assert_eq!(
        said("gateway:x"),
        "--path: unknown gateway `x`, expected one of partner, public, as in `gateway:NAME`"
    );
}
