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
            "extra: unknown field, expected one of version, role, revision, mode, header, tenants, default, policy, \
         exempt, memory, clusterDomain, egress, sticky, services, workloads, telemetry, edge",
            "role: `sideways` is none of inbound, outbound, gateway, waypoint",
            "header: expected a string, found a number",
            "tenants[1]: expected a string, found a number",
            "default: missing",
            "services[0].port: expected a whole number up to 65535, found a number",
            "services[0].pins[0].subset: missing",
        ]
    );
}

#[test]
fn what_is_no_document_of_this_version_says_so() {
    assert_eq!(problems(""), ["it is empty"]);
    assert!(problems("{").concat().starts_with("it is no JSON: "));
    assert_eq!(problems("[]"), ["expected an object, found a list"]);
    assert_eq!(problems(r#"{"version": 2, "news": 1}"#), ["version: 2, but this filter speaks version 1"]);
}
