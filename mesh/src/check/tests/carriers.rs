//! What can be found in carriers and ids, and what is said of traces and of observing.

use super::{findings, notes};

const GOOD: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
services: {api: {subsets: {stable: {version: v1}}}}
";

fn policy(lines: &str) -> Vec<String> {
    findings(&format!("{GOOD}policy: {lines}\n"))
}

fn edge(mode: &str, lines: &str) -> String {
    format!("{GOOD}{mode}edge:\n  gateway: {{selector: {{istio: ingressgateway}}}}\n{lines}")
}

#[test]
fn carriers_and_ids_in_order_have_no_finding() {
    let all = "{carriers: [ot-baggage, uberctx, correlation-context, sw8-correlation, {header: x-any}], \
        ids: [request-id, w3c, b3, datadog, xray, jaeger, cloud-trace, skywalking, grpc-trace-bin, \
              {header: x-correlation-id}, {header: x-batch-id, keep: true}]}";
    assert_eq!(policy(all), [""; 0]);
    assert_eq!(policy("{ids: [request-id, {id: xray, keep: true}]}"), [""; 0]);
}

#[test]
fn what_is_wrong_with_them_is_said() {
    for (lines, says) in [
        ("{carriers: [ot-bagage]}", "did you mean `ot-baggage`?"),
        ("{carriers: [baggage]}", "`policy.carriers.0` cannot be `baggage`"),
        ("{carriers: [uberctx, uberctx]}", "duplicate `uberctx`"),
        ("{carriers: [{header: tenant}]}", "`tenant` cannot carry the tenant"),
        ("{carriers: [{header: traceparent}]}", "`traceparent` cannot carry the tenant"),
        ("{carriers: [{header: x-graylane-x}]}", "cannot carry the tenant"),
        ("{carriers: [uberctx], restore: [memory]}", "nothing is read from carriers"),
        ("{ids: [datadgo]}", "did you mean `datadog`?"),
        ("{ids: [request-id, request-id]}", "duplicate `request-id`"),
        ("{ids: [{header: 'x id'}]}", "`x id` cannot be an id"),
        ("{ids: [{id: w3c, keep: true}]}", "write `edge.traceContext: keep` or `restart`"),
        ("{ids: []}", "the memory cannot recognise requests"),
    ] {
        let found = policy(lines);
        assert_eq!(found.len(), 1, "{lines}: {found:#?}");
        assert!(found[0].contains(says), "{lines}: `{says}` is not in {}", found[0]);
        assert!(!found[0].contains("(no help)"), "{}", found[0]);
    }
}

#[test]
fn a_header_that_proxies_write_is_refused_as_tenant_header() {
    for header in ["te", "user-agent", "x-forwarded-for", "X-Envoy-Original-Path", "host", "x-request-id"] {
        let found = findings(&format!("{GOOD}header: {header}\n"));
        assert_eq!(found.len(), 1, "{header}: {found:#?}");
        assert!(found[0].contains("cannot be the tenant header"), "{}", found[0]);
    }
}

#[test]
fn the_default_for_trace_ids_from_outside_is_reported_unless_the_file_sets_it() {
    let says = |lines: &str| notes(&edge("", lines));
    assert!(says("")[0].contains("the gateway starts traces of its own"));
    assert!(says("  accept: always\n")[0].contains("continue in the mesh"));
    let trusted = "  rules: [{tenant: gray-v1, header: {name: x-user, in: [alice]}, trusted: true}]\n";
    assert!(says(trusted)[0].contains("continue in the mesh"));
    assert_eq!(says("  traceContext: keep\n"), [""; 0]);
    let nowhere = findings(&format!("{GOOD}edge: {{traceContext: keep}}\n"));
    assert!(nowhere[0].contains("are handled at a gateway, and the file names none"), "{nowhere:?}");
}

#[test]
fn what_enforcing_will_take_off_is_said_while_one_observes() {
    let found = notes(&edge("mode: observe\n", "  traceContext: keep\n  remove: [x-user-role]\n"));
    let [found] = &found[..] else { panic!("{found:?}") };
    for part in ["`x-graylane-*`", "`x-user-role`", "`tenant`", "graylane_would_remove_total"] {
        assert!(found.contains(part), "`{part}` is not in {found}");
    }
}
