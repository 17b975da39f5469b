use super::*;

fn problems(json: &str) -> Vec<String> {
    parse(json.as_bytes()).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn every_mistake_is_named_with_its_field() {
    let json = r#"{"version": 1, "role": "sideways", "header": 5, "tenants": ["a", 1], "extra": 0,
        "services": [{"name": "x", "host": "x", "subsets": [], "baseline": "b", "port": 70000,
                      "pins": [{"tenant": "a"}]}]}"#;
    assert_eq!(
        problems(json),
        [
            "extra: unknown field, expected one of version, role, revision, mode, modes, header, tenants, default, \
         policy, exempt, memory, clusterDomain, egress, sticky, services, workloads, telemetry, points, edge",
            "role: unknown `sideways`, expected one of inbound, outbound, gateway, waypoint",
            "header: expected a string, found a number",
            "tenants[1]: expected a string, found a number",
            "default: missing",
            "services[0].port: expected a whole number up to 65535, found a number",
            "services[0].pins[0].subset: missing",
        ]
    );
}

#[test]
fn a_document_of_another_version_is_reported() {
    assert_eq!(problems(""), ["it is empty"]);
    assert_eq!(problems("{"), ["it ends too early: line 1 column 1"]);
    assert_eq!(problems("[1 2]"), ["invalid JSON: line 1 column 4"]);
    assert_eq!(problems("[]"), ["expected an object, found a list"]);
    assert_eq!(
        problems(r#"{"version": 3, "news": 1}"#),
        ["version: 3, but this filter reads versions 1 to 2"]
    );
}

fn policy(json: &str) -> Result<Policy, Vec<String>> {
    let json = format!(
        r#"{{"version": 2, "role": "inbound", "header": "t", "tenants": ["a"], "default": "a", "policy": {json}}}"#
    );
    let config = parse(json.as_bytes());
    config.map(|config| config.policy).map_err(|all| all.iter().map(ToString::to_string).collect())
}

#[test]
fn carriers_and_ids_are_read_as_they_are_written() {
    let json = r#"{"carriers": ["ot-baggage", "uberctx", "correlation-context", "sw8-correlation", {"header": "x-any"}],
        "ids": ["request-id", "w3c", "b3", "datadog", "xray", "jaeger", "cloud-trace", "skywalking", "grpc-trace-bin",
                {"header": "x-correlation-id"}, {"header": "x-batch", "keep": true}, {"id": "xray", "keep": true}]}"#;
    let read = policy(json).unwrap();
    assert_eq!(read.carriers.len(), 5);
    assert_eq!(read.ids.len(), 12);
    let written = serde_json::to_value(&read).unwrap();
    let wanted: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!((&written["carriers"], &written["ids"]), (&wanted["carriers"], &wanted["ids"]));
    assert!(read.needs_version_2());
}

#[test]
fn a_policy_without_news_is_written_as_it_was_before() {
    let text = serde_json::to_string(&Policy::default()).unwrap();
    let before = r#"{"missing":"default","unknown":"default","conflict":"header","restore":["baggage","memory","workload"]}"#;
    assert_eq!(text, before);
    assert!(!Policy::default().needs_version_2());
}

#[test]
fn unknown_carriers_and_ids_are_mistakes() {
    for (json, problem) in [
        (
            r#"{"carriers": ["baggage"]}"#,
            "policy.carriers[0]: unknown `baggage`, expected one of ot-baggage, uberctx, correlation-context, sw8-correlation",
        ),
        (
            r#"{"ids": ["zipkin"]}"#,
            "policy.ids[0]: unknown `zipkin`, expected one of request-id, w3c, b3, datadog, xray, jaeger, \
             cloud-trace, skywalking, grpc-trace-bin",
        ),
        (r#"{"ids": [{"keep": true}]}"#, "policy.ids[0]: expected a string, found null"),
        (r#"{"carriers": [{"header": 5}]}"#, "policy.carriers[0].header: expected a string, found a number"),
    ] {
        assert_eq!(policy(json).unwrap_err(), [problem]);
    }
}

/// What can be named stands in `KNOWN`, and so a gateway takes it off.
#[cfg(feature = "document")]
#[test]
fn every_carrier_with_a_word_is_known() {
    let schema = serde_json::to_string(&schemars::schema_for!(Carrier)).unwrap();
    let words = schema.matches("\"const\"").count() + schema.matches("\"enum\"").count();
    assert!(words > 0);
    for known in Carrier::KNOWN {
        let word = known.word().unwrap();
        assert!(schema.contains(&format!("\"{word}\"")), "{word}");
        assert_eq!(serde_json::to_value(known).unwrap(), word);
    }
    assert_eq!(schema.matches("\"const\"").count(), Carrier::KNOWN.len(), "{schema}");
}
