//! Lines as they are found, and ways that are put together of them.

use super::line::Line;
use super::{Compared, Trace, id, join, read};
use crate::document;
use crate::mesh::Mesh;

const TEXT: &str = r#"[2026-03-01T09:30:00.123Z] "GET /a?b="c HTTP/1.1" 200 - via_upstream - "-" 0 12 5 4 "10.0.0.1" "agent "q" [x]" "6F1e" "api.bank:8080" "10.1.1.1:8080" outbound|8080|canary|api.bank.svc.cluster.local 10.1.1.2:1 10.1.1.3:2 10.1.1.4:3 - api:pin traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 b3=- pod=web-7f-x tenant=gray-v1 subset=canary source=memory"#;
const JSON: &str = r#"{"start_time":"2026-03-01T09:30:00.123Z","duration":5,"request_id":"6F1e","authority":"api.bank:8080","upstream_cluster":"outbound|8080|canary|api.bank.svc.cluster.local","route_name":"api:pin","response_code":200,"tenant":"gray-v1","subset":"canary","source":"memory","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","b3":null,"pod":"web-7f-x"}"#;

fn line() -> Line {
    Line {
        time: 1_772_357_400_123,
        duration: Some(5),
        pod: Some("web-7f-x".to_owned()),
        ids: ["6f1e", "4bf92f3577b34da6a3ce929d0e0e4736"].map(str::to_owned).into(),
        authority: "api.bank:8080".to_owned(),
        cluster: "outbound|8080|canary|api.bank.svc.cluster.local".to_owned(),
        route: "api:pin".to_owned(),
        has_fields: true,
        tenant: Some("gray-v1".to_owned()),
        subset: Some("canary".to_owned()),
        source: Some("memory".to_owned()),
    }
}

#[test]
fn text_and_json_are_the_same() {
    assert_eq!(read(JSON), (vec![line()], 0));
    let text = TEXT.replace(r#""agent "q" [x]""#, r#""agent""#);
    // A quote in a path is the caller's, and does not hide what stands behind it.
    let (lines, _) = read(&text.replace(r#"/a?b="c"#, "/a"));
    assert_eq!(lines, [line()]);
    // Quotes of a caller's agent cost no more than how long it took.
    let (lines, others) = read(TEXT);
    assert_eq!((lines[0].tenant.as_deref(), &lines[0].ids, others), (Some("gray-v1"), &line().ids, 0));
}

#[test]
fn what_tools_put_before_a_line_names_the_pod() {
    let text = TEXT
        .replace(" pod=web-7f-x", "")
        .replace(r#"/a?b="c"#, "/a")
        .replace(r#""agent "q" [x]""#, r#""agent""#);
    let json = JSON.replace(r#","pod":"web-7f-x""#, "");
    for before in [
        "[pod/web-7f-x/istio-proxy] ",
        "web-7f-x istio-proxy ",
        "2026-03-01T09:30:00Z {namespace=\"bank\", pod=\"web-7f-x\"} ",
    ] {
        assert_eq!(read(&format!("{before}{text}")), (vec![line()], 0), "{before}");
        assert_eq!(read(&format!("{before}{json}")), (vec![line()], 0), "{before}");
    }
    let wrapped = serde_json::json!({"log": format!("{text}\n"), "kubernetes": {"pod_name": "web-7f-x"}});
    assert_eq!(read(&wrapped.to_string()), (vec![line()], 0));
}

#[test]
fn other_lines_are_counted() {
    let log =
        format!("2026-03-01T09:30:00Z\tinfo\txdsproxy connected\n\n{{\"level\":\"info\"}}\n[x] y\n{JSON}\n");
    assert_eq!(read(&log).1, 3);
    assert_eq!(read(&log).0.len(), 1);
}

#[test]
fn an_id_is_any_form_of_it() {
    for text in
        ["4BF92F3577B34DA6A3CE929D0E0E4736", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]
    {
        assert_eq!(id(text), "4bf92f3577b34da6a3ce929d0e0e4736");
    }
    assert_eq!(id("6F1E-4-x"), "6f1e-4-x");
}

const FILE: &str = "version: 1
mesh: {name: bank, namespace: bank}
tenants: {green: {default: true}, gray-v1: {}}
sticky: {at: anywhere, keys: [{header: x-user-id}]}
services:
  api: {port: 8080, subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable, pins: {gray-v1: canary}, rollout: {weights: {canary: 25}, salt: release-42}}
  ledger: {port: 8080, subsets: {stable: {version: v1}}}
";

/// A call: milliseconds, pod, id, called service, subset, tenant and source.
fn call(time: i64, pod: &str, id: &str, to: (&str, &str), tenant: &str, source: &str) -> Line {
    let some = |text: &str| Some(text.to_owned()).filter(|text| text != "-");
    Line {
        time,
        pod: some(pod),
        ids: [id.to_owned()].into(),
        cluster: format!("outbound|8080|{}|{}.bank.svc.cluster.local", to.1, to.0),
        has_fields: true,
        tenant: some(tenant),
        subset: some(to.1),
        source: some(source),
        ..Line::default()
    }
}

fn answer(time: i64, duration: i64, pod: &str, id: &str) -> Line {
    let line = call(time, pod, id, ("", ""), "gray-v1", "-");
    Line { cluster: "inbound|8080||".to_owned(), duration: Some(duration), ..line }
}

fn trace(lines: &[Line], id: &str, key: Option<&str>) -> anyhow::Result<Trace> {
    trace_by(FILE, lines, id, key)
}

fn trace_by(file: &str, lines: &[Line], id: &str, key: Option<&str>) -> anyhow::Result<Trace> {
    let opened = crate::check::open(document::load_text("graylane.yaml", file)?);
    let sources = opened.sources.clone();
    let file = opened.checked()?;
    let mesh = Mesh::of(&file);
    Trace::of(&Compared { file: &file, sources: &sources, mesh: &mesh, key }, id, &join(lines, id), 0)
}

#[test]
fn callers_come_before_what_they_call_though_clocks_differ() {
    let lines = [
        call(10, "api-v2-x", "a", ("ledger", "stable"), "gray-v1", "memory"),
        call(12, "gateway-x", "a", ("api", "canary"), "gray-v1", "claim"),
    ];
    let trace = trace(&lines, "a", None).unwrap();
    let way: Vec<String> = trace.hops.iter().map(|hop| format!("{} → {}", hop.from, hop.to)).collect();
    assert_eq!(way, ["gateway-x → api", "api → ledger"]);
    assert_eq!((trace.left, trace.hops[0].reason), (None, Some("pin")));
    assert_eq!(trace.hops[0].line.as_deref(), Some("graylane.yaml:6"));
}

#[test]
fn a_call_without_an_id_is_known_where_its_pod_answered_nothing_else() {
    let mut lines = vec![
        call(10, "gateway-x", "a", ("api", "canary"), "gray-v1", "claim"),
        answer(11, 20, "api-v2-x", "a"),
        call(15, "api-v2-x", "b", ("ledger", "stable"), "green", "default"),
    ];
    let lost = trace(&lines, "a", None).unwrap();
    let left = lost.left.unwrap();
    assert_eq!((left.hop, lost.hops[1].by_time), (1, true));
    assert!(left.why.starts_with("the tenant was lost: api was called for `gray-v1`"), "{}", left.why);
    lines.push(answer(14, 5, "api-v2-x", "c"));
    assert_eq!(trace(&lines, "a", None).unwrap().hops.len(), 1);
    // How long the other request took is not known, so it may have been that one.
    lines[3] = Line { duration: None, ..answer(2, 0, "api-v2-x", "c") };
    assert_eq!(trace(&lines, "a", None).unwrap().hops.len(), 1);
}

#[test]
fn what_is_only_counted_is_not_compared() {
    let other = [call(10, "gateway-x", "a", ("api", "stable"), "gray-v1", "claim")];
    for mode in ["observe", "off"] {
        let file = FILE.replace("version: 1\n", &format!("version: 1\nmode: {mode}\n"));
        assert_eq!(trace_by(&file, &other, "a", None).unwrap().left, None, "{mode}");
    }
    // The caller's mode is its own.
    let lost = [call(10, "api-v2-x", "a", ("ledger", "other"), "gray-v1", "header")];
    assert!(trace(&lost, "a", None).unwrap().left.is_some());
    let file = FILE.replace("api: {", "api: {mode: observe, ");
    assert_eq!(trace_by(&file, &lost, "a", None).unwrap().left, None);
}

#[test]
fn a_caller_s_trace_header_does_not_pass_for_a_decision() {
    let forged = "traceparent=x tenant=green subset=stable source=claim";
    let text =
        TEXT.replacen(&TEXT[TEXT.find("traceparent=").unwrap()..TEXT.find(" b3=").unwrap()], forged, 1);
    let (lines, _) = read(&text);
    assert_eq!(
        (lines[0].tenant.as_deref(), lines[0].subset.as_deref()),
        (Some("gray-v1"), Some("canary")),
        "{text}"
    );
}

#[test]
fn another_version_and_a_hop_without_filter_leave_the_file() {
    let other = call(10, "gateway-x", "a", ("api", "stable"), "gray-v1", "claim");
    let left = trace(std::slice::from_ref(&other), "a", None).unwrap().left.unwrap();
    assert_eq!(left.why, "another version: api stable, and the file says canary");
    assert!(left.help.contains("graylane status"), "{}", left.help);
    let routed = Line { subset: Some("canary".to_owned()), ..other };
    let left = trace(&[routed], "a", None).unwrap().left.unwrap();
    assert!(left.help.contains("the route led elsewhere"), "{}", left.help);
    let none = call(10, "gateway-x", "a", ("api", "stable"), "-", "-");
    let left = trace(&[none], "a", None).unwrap().left.unwrap();
    assert_eq!(left.why, "no filter decided about this call");
}

#[test]
fn a_user_s_key_says_which_side_of_a_rollout_it_is() {
    // Both users of the vectors: alice has bucket 7101, bob 1012.
    let live = |subset| [call(10, "gateway-x", "a", ("api", subset), "green", "default")];
    for subset in ["stable", "canary"] {
        let trace = trace(&live(subset), "a", None).unwrap();
        assert_eq!((trace.left, trace.hops[0].file_says.join(" or ")), (None, "canary or stable".to_owned()));
    }
    let buckets = crate::user::Sides::of(
        &Mesh::of(&crate::check::open(document::load_text("f", FILE).unwrap()).checked().unwrap()),
        b"bob",
    );
    let right = buckets.unwrap().all[0].subset.clone().unwrap();
    let wrong = if right == "canary" { "stable" } else { "canary" };
    assert_eq!(trace(&live(&right), "a", Some("bob")).unwrap().left, None);
    assert!(trace(&live(wrong), "a", Some("bob")).unwrap().left.is_some());
}

#[test]
fn without_lines_of_callers_or_fields_nothing_is_said() {
    let error = trace(&[answer(1, 1, "api-v2-x", "a")], "a", None).unwrap_err().to_string();
    assert!(error.contains("the logs of the callers"), "{error}");
    let bare = Line { has_fields: false, ..call(1, "-", "a", ("api", "canary"), "-", "-") };
    let error = trace(&[bare], "a", None).unwrap_err().to_string();
    assert!(error.contains("--mesh-config"), "{error}");
}

#[test]
fn the_service_of_a_subset_says_which_version_a_call_reached() {
    let file = FILE.replace("namespace: bank}", "namespace: bank, routes: gateway-api}");
    let mut line = call(10, "web-x", "a", ("api", "canary"), "gray-v1", "header");
    // The filter chose the canary, and Envoy sent it elsewhere.
    line.cluster = "outbound|8080||api-stable.bank.svc.cluster.local".to_owned();
    let trace = trace_by(&file, std::slice::from_ref(&line), "a", None).unwrap();
    assert!(trace.hops[0].subset.as_deref() == Some("stable") && trace.left.is_some());
    line.cluster = "outbound|8080||api-canary.bank.svc.cluster.local".to_owned();
    let trace = trace_by(&file, &[line], "a", None).unwrap();
    assert_eq!((trace.hops[0].subset.as_deref(), trace.left), (Some("canary"), None));
}
