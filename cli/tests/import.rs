//! `import`: what is rendered, imported and rendered again routes the same; what cannot be carried over is said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use graylane::document;
use graylane::document::finding::{Findings, Severity};
use graylane::document::source::SourceFiles;
use graylane::import::{self, Choices, Found};
use graylane::mesh::Mesh;
use graylane::resources::{Kind, Options, resources, stream};
use serde_json::Value as Json;

fn mesh(loaded: document::Loaded) -> Mesh {
    Mesh::of(&graylane::check::open(loaded).checked().unwrap())
}

/// The file, and what is said: what is not carried over, and notes.
fn imported(text: &str) -> (String, Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("current.yaml");
    std::fs::write(&path, text).unwrap();
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let resources = import::read(&[path], &mut sources, &mut findings).unwrap();
    assert!(!findings.has_errors(), "{findings:?}");
    let imported = import::import(&Found::of(resources), &Choices::default(), &sources).unwrap();
    let of = |severity| {
        let own = imported.findings.iter().filter(|finding| finding.severity == severity);
        own.map(|finding| finding.message.clone()).collect()
    };
    let (lost, hints) = (of(Severity::Error), of(Severity::Note));
    (imported.text.unwrap_or_default(), lost, hints)
}

/// What routes: by kind and host, without names and without what only debugging adds.
fn routing(mesh: &Mesh) -> BTreeMap<String, Json> {
    let mut routing = BTreeMap::new();
    let routes = [Kind::VirtualService, Kind::DestinationRule];
    for resource in resources(mesh, &Options::default()) {
        if !routes.contains(&resource.kind()) {
            continue;
        }
        let mut json = resource.json();
        for rule in json["spec"]["http"].as_array_mut().into_iter().flatten() {
            rule.as_object_mut().unwrap().remove("name");
            rule.as_object_mut().unwrap().remove("headers");
        }
        let host = json["spec"]["host"].as_str().or(json["spec"]["hosts"][0].as_str()).unwrap().to_owned();
        routing.insert(format!("{} {host}", resource.kind().name()), json["spec"].take());
    }
    routing
}

#[test]
fn every_example_survives_a_round_trip() {
    for name in ["bank", "shop"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
        let before = mesh(document::load(&[path]).unwrap());
        let (file, lost, _) = imported(&stream(&resources(&before, &Options::default())));
        assert_eq!(lost, [""; 0], "{name}");
        let after = mesh(document::load_text("imported.yaml", &file).unwrap());
        let (before, after) = (routing(&before), routing(&after));
        assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
        for (resource, spec) in &before {
            assert_eq!(spec, &after[resource], "{name}, {resource}");
        }
    }
}

const BY_HAND: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: networking.istio.io/v1beta1
  kind: VirtualService
  metadata: {name: reviews, namespace: prod, resourceVersion: '5'}
  spec:
    hosts: [reviews]
    http:
    - match: [{headers: {x-lane: {exact: testers}}}]
      route: [{destination: {host: reviews, subset: v2}}]
      timeout: 3s
    - match: [{headers: {x-lane: {prefix: team-}}}]
      route: [{destination: {host: reviews, subset: v2}}]
    - match: [{uri: {prefix: /old}}]
      redirect: {uri: /new}
    - route:
      - {destination: {host: reviews, subset: v1}, weight: 2}
      - {destination: {host: reviews, subset: v2}, weight: 1}
      timeout: 3s
    tcp: [{route: [{destination: {host: reviews}}]}]
- apiVersion: networking.istio.io/v1
  kind: DestinationRule
  metadata: {name: reviews, namespace: prod}
  spec:
    host: reviews
    subsets:
    - {name: v1, labels: {version: v1}}
    - {name: v2, labels: {version: v2}, trafficPolicy: {loadBalancer: {simple: RANDOM}}}
- {apiVersion: v1, kind: Service, metadata: {name: reviews, namespace: prod}, spec: {}}
";

#[test]
fn what_people_wrote_by_hand_is_carried_over_as_far_as_it_goes() {
    let (file, lost, hints) = imported(BY_HAND);
    let json: Json = serde_saphyr::from_str(&file).unwrap();
    assert_eq!(json["header"], "x-lane");
    assert_eq!(json["mesh"]["namespace"], "prod");
    assert_eq!(json["policy"]["unknown"], "pass");
    let reviews = &json["services"]["reviews"];
    assert_eq!(reviews["baseline"], "v1");
    assert_eq!(reviews["rollout"]["weights"]["v2"], 33.33);
    assert_eq!(reviews["http"]["timeout"], "3s");
    let matches = |index: usize| &reviews["routes"][index]["match"][0];
    assert_eq!(matches(0)["headers"]["x-lane"]["exact"], "testers");
    assert_eq!(matches(1)["headers"]["x-lane"]["prefix"], "team-");
    assert_eq!(reviews["routes"][2]["http"]["redirect"]["uri"], "/new");
    assert_eq!(reviews["versions"]["v2"]["trafficPolicy"]["loadBalancer"]["simple"], "RANDOM");
    let all = lost.join("\n");
    assert_eq!(lost.len(), 1, "{all}");
    assert!(all.contains("`tcp` routes"), "{all}");
    assert!(file.contains("# not carried over: VirtualService prod/reviews: `tcp` routes"), "{file}");
    let hints = hints.join("\n");
    for part in ["1 of kind Service", "match `x-lane` other than by a tenant's name"] {
        assert!(hints.contains(part), "`{part}` is not in\n{hints}");
    }
    mesh(document::load_text("imported.yaml", &file).unwrap());
}

#[test]
fn input_that_is_not_a_resource_is_a_finding() {
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("x.yaml");
    std::fs::write(&path, "a: 1\n---\nkind: VirtualService\n").unwrap();
    import::read(&[path], &mut sources, &mut findings).unwrap();
    assert_eq!(findings.iter().count(), 2);
}

#[test]
fn what_init_proposes_passes_check() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/init/cluster.yaml");
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let found = import::read(&[path], &mut sources, &mut findings).unwrap();
    let choices = Choices { default_tenant: "green".to_owned(), ..Choices::default() };
    let (file, _) = import::init(&found, &choices);
    let mut loaded = document::load_text("graylane.yaml", &file.yaml()).unwrap();
    graylane::check::check(loaded.project.as_ref().unwrap(), &mut loaded.findings);
    assert_eq!(loaded.findings.iter().count(), 0, "{:?}", loaded.findings);
}

#[test]
fn folders_are_read_in_depth_and_templates_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(folder.path().join("values.yaml"), "image: {tag: [}\n").unwrap();
    std::fs::write(folder.path().join("settings.json"), "// no JSON\n{").unwrap();
    let resource = r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api"}}"#;
    std::fs::write(deep.join("service.json"), resource).unwrap();
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let found = import::read(&[folder.path().to_owned()], &mut sources, &mut findings).unwrap();
    assert_eq!(
        found.iter().map(graylane::manifest::Resource::title).collect::<Vec<_>>(),
        ["Service default/api"]
    );
    assert_eq!(findings.iter().count(), 0, "{findings:?}");

    let template = folder.path().join("template.yaml");
    std::fs::write(&template, "apiVersion: v1\nkind: Service\nmetadata: {name: {{ .Values.name }}}\n")
        .unwrap();
    import::read(&[template], &mut sources, &mut findings).unwrap();
    let finding = findings.iter().next().unwrap();
    assert_eq!((finding.message.as_str(), finding.span.unwrap().line), ("this is a template, not YAML", 3));
}
