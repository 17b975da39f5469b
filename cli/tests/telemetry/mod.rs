//! What is rendered so that lanes can be seen.

use super::*;

fn telemetry(mesh: &Mesh, options: &Options) -> Vec<Json> {
    let all = resources(mesh, options);
    let ours = all.iter().filter(|resource| resource.kind() == Kind::Telemetry);
    ours.map(graylane::resources::Resource::json).collect()
}

#[test]
fn metrics_and_spans_get_tags_from_what_the_filter_writes() {
    let mesh = mesh(&root().join("examples/shop"));
    let base = Options { url: url(), ..Options::default() };
    let all = telemetry(&mesh, &base);
    let namespaces: Vec<&str> =
        all.iter().map(|one| one["metadata"]["namespace"].as_str().unwrap()).collect();
    assert_eq!(namespaces, ["finance", "istio-system", "shop"]);
    assert_eq!(
        all[1]["spec"]["selector"]["matchLabels"]["istio"], "ingressgateway",
        "not for the whole mesh"
    );
    let tags = &all[2]["spec"]["metrics"][0]["overrides"][0]["tagOverrides"];
    assert_eq!(tags["tenant"]["value"], "filter_state['wasm.tenant']");
    let spans = &all[2]["spec"]["tracing"][0]["customTags"];
    assert_eq!(spans["source"]["formatter"]["value"], "%FILTER_STATE(wasm.source:PLAIN)%");
    let old = telemetry(&mesh, &Options { header_tags: true, ..base.clone() });
    assert_eq!(old[2]["spec"]["tracing"][0]["customTags"]["tenant"]["header"]["name"], "tenant");
    assert_eq!(telemetry(&mesh, &Options { url: None, ..base }), [Json::Null; 0], "no filter, no state");
}

#[test]
fn what_costs_less_has_fewer_tags() {
    let base = Options { url: url(), ..Options::default() };
    let overrides = |mesh: &Mesh, options: &Options| {
        let all = telemetry(mesh, options);
        let list = all[0]["spec"]["metrics"][0]["overrides"].as_array().unwrap().clone();
        list.into_iter()
            .map(|one| (one["match"].clone(), one["tagOverrides"]["tenant"]["value"].clone()))
            .collect::<Vec<_>>()
    };
    let text = |telemetry: &str| {
        format!(
            "version: 1\nedge: none\nmesh: {{name: m, namespace: m}}\ntelemetry: {telemetry}\n\
             tenants: {{green: {{default: true}}, gray: {{}}, load: {{label: false}}, soak: {{label: false}}}}\n"
        )
    };
    let read = |telemetry: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("graylane.yaml"), text(telemetry)).unwrap();
        mesh(folder.path())
    };
    let count = |mode: &str| serde_json::json!({"metric": "REQUEST_COUNT", "mode": mode});
    let both = overrides(&read("{}"), &base);
    assert_eq!(both.len(), 2, "{both:?}");
    assert_eq!(both[0].0, count("CLIENT_AND_SERVER"));
    assert_eq!(
        both[0].1,
        "filter_state['wasm.tenant'] == b'load' || filter_state['wasm.tenant'] == b'soak' ? 'other' : filter_state['wasm.tenant']"
    );
    let least = read("{histograms: false, reporters: [client]}");
    assert_eq!(overrides(&least, &base).iter().map(|one| &one.0).collect::<Vec<_>>(), [&count("CLIENT")]);
    let server = read("{histograms: false, reporters: [server]}");
    assert_eq!(overrides(&server, &base)[0].0, count("SERVER"));
    let waypoints = Options { data_plane: DataPlane::Ambient, ..base };
    assert_eq!(overrides(&server, &waypoints)[0].0, count("CLIENT_AND_SERVER"), "a waypoint is neither");
    let queries = graylane::queries::Queries::of(&server).without_filter("5m");
    assert!(queries.contains(r#"reporter="destination""#), "{queries}");
}

#[test]
fn a_telemetry_that_exists_keeps_its_name_and_all_it_says() {
    let mesh = mesh(&root().join("examples/bank"));
    let text = "apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: default, namespace: bank}
spec:
  metrics:
  - providers: [{name: prometheus}]
    overrides:
    - {match: {metric: REQUEST_COUNT, mode: CLIENT_AND_SERVER}, tagOverrides: {method: {value: request.method}}}
    - {match: {metric: REQUEST_SIZE}, disabled: true}
  - providers: [{name: otel}]
  tracing: [{randomSamplingPercentage: 10, customTags: {team: {literal: {value: bank}}}}]
  accessLogging: [{providers: [{name: envoy}]}]
";
    let existing = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("existing.yaml");
        std::fs::write(&path, text).unwrap();
        let found =
            graylane::import::read(&[path], &mut Default::default(), &mut Default::default()).unwrap();
        graylane::resources::existing_telemetries(found)
    };
    let merged =
        |text: &str| Options { url: url(), telemetries: existing(text).unwrap(), ..Options::default() };
    let options = merged(text);
    graylane::resources::check_merge(&mesh, &options).unwrap();
    let all = telemetry(&mesh, &options);
    let one = all.iter().find(|one| one["metadata"]["namespace"] == "bank").unwrap();
    assert_eq!(one["metadata"]["name"], "default");
    let spec = &one["spec"];
    assert_eq!(spec["accessLogging"][0]["providers"][0]["name"], "envoy");
    let overrides = spec["metrics"][0]["overrides"].as_array().unwrap();
    assert_eq!(overrides.len(), 3, "{overrides:?}");
    let tags =
        |index: usize| overrides[index]["tagOverrides"].as_object().unwrap().keys().collect::<Vec<_>>();
    assert_eq!(tags(0), ["method", "subset", "tenant"]);
    assert_eq!(overrides[1]["disabled"], true);
    assert_eq!(spec["metrics"][1]["overrides"].as_array().unwrap().len(), 2, "each provider has the tags");
    let spans = spec["tracing"][0]["customTags"].as_object().unwrap();
    assert_eq!(spans.keys().collect::<Vec<_>>(), ["source", "subset", "team", "tenant"]);
    assert_eq!(spec["tracing"][0]["randomSamplingPercentage"], 10);

    let clash = merged(&text.replace("team: {literal", "tenant: {literal"));
    let error = graylane::resources::check_merge(&mesh, &clash).unwrap_err().to_string();
    assert!(error.contains("Telemetry bank/default") && error.contains("tenant"), "{error}");
    let selected = merged(&text.replace("spec:", "spec:\n  selector: {matchLabels: {app: api}}"));
    let all = telemetry(&mesh, &selected);
    assert!(all.iter().all(|one| one["metadata"]["name"] == "bank-lanes"), "one for some pods is another");
    let twice = format!("{text}---\n{}", text.replace("name: default", "name: other"));
    assert!(existing(&twice).unwrap_err().to_string().contains("uses only the oldest"));
    assert!(existing("kind: Service\nmetadata: {name: x}\n").is_err());
}

#[test]
fn tags_of_an_earlier_file_are_replaced_and_not_kept_beside() {
    let folder = tempfile::tempdir().unwrap();
    let file = |telemetry: &str, load: &str| {
        let text = format!(
            "version: 1\nedge: none\nmesh: {{name: m, namespace: m}}\ntelemetry: {telemetry}\n\
             tenants: {{green: {{default: true}}, load: {load}}}\n"
        );
        std::fs::write(folder.path().join("graylane.yaml"), text).unwrap();
        mesh(folder.path())
    };
    let base = Options { url: url(), ..Options::default() };
    let wanted = file("{histograms: false, reporters: [client]}", "{}");
    for was in [file("{}", "{}"), file("{}", "{label: false}")] {
        let there = folder.path().join("there.yaml");
        std::fs::write(&there, telemetry(&was, &base)[0].to_string()).unwrap();
        let found =
            graylane::import::read(&[there], &mut Default::default(), &mut Default::default()).unwrap();
        let telemetries = graylane::resources::existing_telemetries(found).unwrap();
        let options = Options { telemetries, ..base.clone() };
        graylane::resources::check_merge(&wanted, &options).unwrap();
        assert_eq!(telemetry(&wanted, &options)[0]["spec"], telemetry(&wanted, &base)[0]["spec"]);
    }
}

#[test]
fn alerts_bring_rules_receivers_and_a_dashboard() {
    let watched = mesh(&root().join("examples/observability"));
    let bank = mesh(&root().join("examples/bank"));
    let sight = [Kind::PrometheusRule, Kind::AlertmanagerConfig, Kind::ConfigMap];
    let kinds = |mesh: &Mesh, options: &Options| {
        let all: Vec<Kind> = resources(mesh, options).iter().map(Resource::kind).collect();
        all.into_iter().filter(|kind| sight.contains(kind)).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&bank, &Options::default()), [], "who asks for none gets none");
    assert_eq!(kinds(&watched, &Options::default()), sight);
    let dashboard = Options { dashboards: Some(true), ..Options::default() };
    assert_eq!(kinds(&bank, &dashboard), [Kind::PrometheusRule, Kind::ConfigMap], "weights are rules");
    let none = Options { dashboards: Some(false), ..Options::default() };
    assert_eq!(kinds(&watched, &none), [Kind::PrometheusRule, Kind::AlertmanagerConfig]);
    let plain = Options { without_filter: true, ..Options::default() };
    assert_eq!(kinds(&watched, &plain), []);

    let all = resources(&watched, &Options::default());
    let of = |kind: Kind| all.iter().find(|one| one.kind() == kind).unwrap().json();
    let rule = of(Kind::PrometheusRule);
    assert_eq!(rule["metadata"]["labels"]["release"], "prometheus");
    for rule in
        rule["spec"]["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap())
    {
        let is_alert = !rule["alert"].is_null();
        assert!(!is_alert || rule["labels"]["namespace"] == "bank", "no receiver would get it: {rule}");
    }
    let receiver = &of(Kind::AlertmanagerConfig)["spec"]["receivers"][0];
    assert_eq!(receiver["slackConfigs"][0]["apiURL"]["name"], "slack");
    assert_eq!(receiver["pagerdutyConfigs"][0]["routingKey"]["key"], "routing-key");
    let map = of(Kind::ConfigMap);
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
    let dashboard: Json = serde_json::from_str(map["data"]["bank-lanes.json"].as_str().unwrap()).unwrap();
    let ids: Vec<u64> =
        dashboard["panels"].as_array().unwrap().iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
}
