//! `import --keep-names`: what the file makes replaces in place what is there.

use graylane::document::finding::Findings;
use graylane::document::source::SourceFiles;
use graylane::import::{self, Choices, Found, Imported, Step};
use graylane::mesh::Mesh;
use graylane::resources::{Options, resources};
use graylane::{check, document};

const THERE: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews-routes, namespace: prod}
spec:
  hosts: [reviews]
  http:
  - match: [{headers: {tenant: {exact: gray-v1}}}]
    route: [{destination: {host: reviews, subset: v2}}]
  - route: [{destination: {host: reviews, subset: v1}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews-versions, namespace: prod}
spec:
  host: reviews
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: prod}
spec:
  hosts: [shop.example.com]
  gateways: [istio-ingress/public]
  http:
  - match: [{uri: {prefix: /reviews}}]
    route: [{destination: {host: reviews, subset: v1, port: {number: 9080}}}]
  - route: [{destination: {host: details, port: {number: 9080}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: both, namespace: prod}
spec:
  hosts: [ratings, ratings.example.com]
  gateways: [mesh, istio-ingress/public]
  http: [{route: [{destination: {host: ratings, port: {number: 9080}}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: hidden, namespace: prod}
spec:
  hosts: [cart]
  exportTo: ['.']
  http: [{timeout: 3s, route: [{destination: {host: cart}}]}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: details-all, namespace: prod}
spec: {host: details, subsets: [{name: all, labels: {}}, {name: v1, labels: {version: v1}}]}
";

fn imported(text: &str) -> Imported {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("there.yaml");
    std::fs::write(&file, text).unwrap();
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let found = Found::of(import::read(&[file], &mut sources, &mut findings).unwrap());
    let choices = Choices { keep_names: true, ..Choices::default() };
    import::import(&found, &choices, &sources).unwrap()
}

/// What is rendered of a file: kind, namespace and name.
fn titles(file: &str) -> Vec<String> {
    let file = check::open(document::load_text("graylane.yaml", file).unwrap()).checked().unwrap();
    let all = resources(&Mesh::of(&file), &Options { without_filter: true, ..Options::default() });
    let title = |own: &graylane::resources::Resource| {
        format!("{} {}/{}", own.kind().name(), own.metadata.namespace, own.metadata.name)
    };
    all.iter().map(title).collect()
}

#[test]
fn what_one_resource_stands_for_keeps_its_name() {
    let imported = imported(THERE);
    let text = imported.text.clone().unwrap();
    let titles = titles(&text);
    let kept = [
        "VirtualService prod/reviews-routes",
        "DestinationRule prod/reviews-versions",
        "VirtualService prod/shop",
    ];
    for kept in kept {
        assert!(titles.iter().any(|title| title == kept), "{kept} is not in {titles:?}\n{text}");
        assert!(imported.plan.steps.contains(&(Step::Replace, kept.to_owned())), "{kept}");
        assert!(!imported.plan.text().contains(&format!("delete {kept}")));
    }
    let gone = ["VirtualService prod/both", "VirtualService prod/hidden", "DestinationRule prod/details-all"];
    for gone in gone {
        assert!(
            imported.plan.steps.contains(&(Step::Delete, gone.to_owned())),
            "{gone}: {:?}",
            imported.plan
        );
    }
    let said: Vec<&str> = imported.findings.iter().map(|finding| finding.message.as_str()).collect();
    let said = said.join("\n");
    for part in [
        "VirtualService prod/both: its name is not kept: 4 rendered resources replace it",
        "VirtualService prod/hidden: its name is not kept: `exportTo` would be left in it",
        "DestinationRule prod/details-all: its name is not kept: subset all would be gone",
    ] {
        assert!(said.contains(part), "`{part}` is not in\n{said}");
    }
}

#[test]
fn names_are_checked() {
    let findings = |names: &str| -> String {
        let text = format!(
            "version: 1\nmesh: {{name: shop, namespace: shop}}\ntenants: {{green: {{default: true}}}}\nservices:\n  \
             other: {{subsets: {{stable: {{version: v1}}}}, names: {{virtualService: taken}}}}\n  \
             third: {{host: api, port: 90, subsets: {{stable: {{version: v1}}}}, names: {{destinationRule: api}}}}\n  \
             api:\n    port: 80\n    subsets: {{stable: {{version: v1}}}}\n    names: {names}\n"
        );
        let opened = check::open(document::load_text("graylane.yaml", &text).unwrap());
        opened.findings.iter().map(|finding| finding.message.clone()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(findings("{virtualService: api-routes, destinationRule: api}"), "");
    assert_eq!(findings("{virtualService: shop-api}"), "", "its own default");
    for (names, said) in [
        ("{virtualService: A_B}", "invalid name `A_B` of a VirtualService"),
        ("{virtualService: taken}", "a second VirtualService `taken` in namespace `shop`"),
        ("{destinationRule: shop-other}", "`shop-other` is the name of another DestinationRule"),
        (
            "{destinationRule: b}",
            "the DestinationRule of `api.shop.svc.cluster.local` is given a second name",
        ),
        ("{hosts: {www.example.com: www}}", "`api` is not exposed at `www.example.com`"),
    ] {
        assert!(findings(names).contains(said), "{names}: {}", findings(names));
    }
}
