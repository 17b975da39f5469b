//! Steps, pauses, hooks, windows, the point of no return, and whose requests are judged.

use super::{GOOD, findings, one};

/// A file with this in its rollout has exactly this finding.
fn rollout(text: &str, says: &[&str]) {
    let with = format!("    baseline: stable\n    rollout: {{weights: {{canary: 1}}, {text}}}");
    one("    baseline: stable", &with, says);
}

#[test]
fn a_rollout_as_a_bank_runs_it_is_in_order() {
    let all = "    rollout:
      weights: {canary: 1}
      steps: [1, 5, {pause: approve}, 25, 100, {pause: approve}]
      noReturn: 25
      approvers: [ada@example.com, bob]
      hooks: {before: {1: ./one.sh, \"25.0\": ./two.sh, promote: ./three.sh}, afterAbort: ./four.sh, timeout: 1m}
      windows:
        - {days: [mon, tue], from: \"09:00\", to: \"16:00\", zone: Europe/Berlin}
        - {days: [sat], from: 22:00, to: 02:00, zone: UTC}
";
    assert_eq!(findings(&format!("{GOOD}{all}")), [""; 0]);
}

#[test]
fn pauses() {
    let who = "approvers: [ada]";
    rollout(
        "steps: [1, {pause: approve}, 5]",
        &["`pause: approve` without `approvers`", "approvers: [ada@example.com]"],
    );
    rollout(
        &format!("steps: [1, {{pause: approve}}, {{pause: approve}}, 5], {who}"),
        &["two pauses in a row"],
    );
    rollout(&format!("steps: [1, 5, {{pause: approve}}], {who}"), &["nothing follows this pause"]);
    rollout("steps: [{pause: wait}]", &["cannot be `wait`"]);
    rollout("steps: [5, {pause: approve}, 1], approvers: [ada]", &["step 1 comes after 5"]);
    rollout("approvers: [ada, ada]", &["`ada` is listed twice"]);
    rollout("approvers: [\" ada\"]", &["invalid name of an approver"]);
}

#[test]
fn the_point_of_no_return() {
    for wrong in ["0", "-1", "100.5", "33.333"] {
        rollout(&format!("noReturn: {wrong}"), &[&format!("invalid point of no return {wrong}")]);
    }
}

#[test]
fn hooks() {
    let help = "write one of `1`, `5`, `promote`";
    rollout("steps: [1, 5], hooks: {before: {25: x}}", &["a hook before `25`, which is not a step", help]);
    rollout("steps: [1, 5], hooks: {before: {promotion: x}}", &["a hook before `promotion`", help]);
    rollout("hooks: {before: {1: x}}", &["a hook before `1`", "write one of `promote`"]);
    rollout("steps: [1], hooks: {before: {1: x, \"1.0\": y}}", &["a second hook before `1.0`"]);
    rollout("steps: [1], hooks: {before: {1: \" \"}}", &["a hook without a command"]);
    rollout("hooks: {afterAbort: \"\"}", &["a hook without a command"]);
    rollout("hooks: {timeout: long}", &["invalid duration `long`"]);
}

#[test]
fn windows() {
    let window = |days: &str, from: &str, to: &str, zone: &str, says: &[&str]| {
        let text = format!("windows: [{{days: {days}, from: \"{from}\", to: \"{to}\", zone: {zone}}}]");
        rollout(&text, says);
    };
    window("[]", "09:00", "16:00", "UTC", &["a window without days never opens"]);
    window("[mon]", "09:00", "09:00", "UTC", &["from 09:00 to 09:00 never opens", "24:00"]);
    window("[mon]", "9", "16:00", "UTC", &["invalid time of day `9`"]);
    window("[mon]", "09:00", "25:00", "UTC", &["invalid time of day `25:00`"]);
    window("[mon]", "24:00", "01:00", "UTC", &["invalid time of day `24:00`"]);
    window(
        "[mon]",
        "09:00",
        "16:00",
        "Europe/Berln",
        &["unknown time zone", "did you mean `Europe/Berlin`?"],
    );
    window("[mon]", "09:00", "16:00", "Here", &["unknown time zone `Here`"]);
    window("[monday]", "09:00", "16:00", "UTC", &["cannot be `monday`", "write one of: mon, tue"]);
}

#[test]
fn what_a_single_route_cannot_have() {
    let route = |text: &str| {
        let match_ = "match: [{uri: {prefix: /pay}}]";
        let route =
            format!("    routes: [{{name: pay, {match_}, rollout: {{weights: {{canary: 1}}, {text}}}}}]\n");
        findings(&format!("{GOOD}{route}"))
    };
    for (text, what) in [
        ("noReturn: 25", "noReturn"),
        ("hooks: {afterAbort: x}", "hooks"),
        ("approvers: [ada]", "approvers"),
        ("windows: []", "windows"),
        ("steps: [1, {pause: approve}, 5]", "pause"),
    ] {
        let found = route(text);
        assert!(
            matches!(&found[..], [only] if only.contains(&format!("`{what}` has no effect at a single route"))),
            "{found:?}"
        );
    }
}

#[test]
fn whose_requests_are_judged() {
    let with = |tenants: &str, more: &str| {
        findings(&(GOOD.replace("gray-v1: {}", &format!("gray-v1: {tenants}")) + more))
    };
    assert_eq!(with("{judge: false}", "    rollout: {weights: {canary: 1}}\n"), [""; 0]);
    let found = with("{judge: false}", "telemetry: {source: envoy}\n");
    assert!(found[0].contains("`gray-v1` cannot be left out: Envoy's statistics"), "{found:?}");
    let found = with("{judge: false}", "    rollout: {weights: {canary: 1}, tenants: [gray-v1]}\n");
    assert!(found[0].contains("no tenant of this rollout is judged"), "{found:?}");
    let gate = "    pins: {gray-v1: canary}\n    rollout: {weights: {canary: 1}, gate: gray-v1}\n";
    let found = with("{judge: false}", gate);
    assert!(found[0].contains("the requests of `gray-v1` are the gate"), "{found:?}");
}
