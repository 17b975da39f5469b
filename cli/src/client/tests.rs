//! What is in a contract, and what must never be.

use std::collections::BTreeSet;

use super::*;
use crate::mesh::Mesh;
use crate::{check, document};

const FILE: &str = r#"
version: 1
mesh: {name: hidden-mesh, namespace: hidden-namespace}
header: X-Lane
tenants: {green: {default: true}, gray: {}, hidden-tenant: {}, partner: {}}
edge:
  gateway: {selector: {hidden: label}, name: hidden/gateway}
  remove: [x-internal]
  jwt: {issuer: https://hidden-issuer.example}
  rules:
    - {mayChoose: [partner, gray], claim: {name: hidden-claim, exact: hidden-value}}
    - {tenant: hidden-tenant, header: {name: x-hidden, exact: hidden-value}, trusted: true}
sticky:
  salt: hidden-salt
  keys:
    - {claim: hidden-sub}
    - {header: x-internal}
    - {header: authorization}
    - {header: X-User}
    - {cookie: own}
    - {cookie: lane-id, mint: {maxAge: 30d}}
    - {query: "q\u2028*/`\"'\\"}
    - {source: true}
services:
  hidden-service:
    port: 8080
    expose: {hosts: [b.example.com], routes: [{hosts: [c.example.com], match: [{uri: {prefix: /c}}]}, {}]}
    subsets: {hidden-stable: {version: v1}, hidden-canary: {version: v2}}
    baseline: hidden-stable
    rollout: {weights: {hidden-canary: 5}, salt: hidden-release}
  shown:
    port: 8080
    expose: {hosts: [a.example.com]}
    subsets: {stable: {version: v1}, canary: {version: v2}}
    baseline: stable
    rollout: {weights: {canary: 0.25}, salt: hidden-release}
"#;

fn mesh(text: &str) -> Mesh {
    Mesh::of(&check::open(document::load_text("graylane.yaml", text).unwrap()).checked().unwrap())
}

fn contract(text: &str) -> Contract {
    let mesh = mesh(text);
    Contract::of(&mesh, &origins(&mesh, &[]).unwrap(), &["shown".to_owned()]).unwrap()
}

#[test]
fn a_contract_has_what_an_application_needs() {
    let contract = contract(FILE);
    assert_eq!(contract.hosts, ["https://a.example.com", "https://b.example.com", "https://c.example.com"]);
    assert_eq!((&*contract.header, &contract.debug_header), ("x-lane", &None));
    assert_eq!(contract.tenants, ["gray", "partner"]);
    let keys = [
        Key::Token,
        Key::Header("authorization".to_owned()),
        Key::Header("x-user".to_owned()),
        Key::Cookie("own".to_owned()),
        Key::GatewayCookie("lane-id".to_owned()),
        Key::Query("q\u{2028}*/`\"'\\".to_owned()),
    ];
    assert_eq!(contract.sticky, keys);
    assert_eq!(contract.user_header(), Some("x-user"), "not what carries a token");
    assert_eq!(
        serde_json::to_string(&contract.rollouts).unwrap(),
        r#"{"shown":{"canary":0.25,"stable":99.75}}"#
    );
    assert_eq!(contract.left_to_the_application().len(), 4);
}

#[test]
fn nothing_hidden_is_in_it_and_code_reads_back() {
    let contract = contract(FILE);
    let mut texts = vec![serde_json::to_string_pretty(&contract).unwrap()];
    for language in [Language::TypeScript, Language::Kotlin, Language::Swift] {
        texts.push(code(&contract, language).unwrap());
    }
    for text in &texts {
        assert!(!text.contains("hidden") && !text.contains("x-internal"), "{text}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        assert_eq!(read(file.path()).unwrap(), contract);
    }
    // What could end a comment, or a line of one.
    for text in &texts[1..] {
        assert!(!text.contains('\u{2028}') && !text.contains("*/`"), "{text}");
    }
}

#[test]
fn the_fingerprint_changes_only_with_the_contract() {
    let print = |text: &str| contract(text).fingerprint;
    let same = FILE.replace("hidden-canary: 5", "hidden-canary: 50").replace("hidden-salt", "hidden-other");
    assert_eq!(print(FILE), print(&same));
    let others = [
        ("X-Lane", "x-other"),
        ("canary: 0.25", "canary: 1"),
        ("X-User", "x-account"),
        ("[partner, gray]", "[gray]"),
    ];
    let prints: BTreeSet<String> = others.iter().map(|(from, to)| print(&FILE.replace(from, to))).collect();
    assert!(prints.len() == others.len() && !prints.contains(&print(FILE)), "{prints:?}");
}

#[test]
fn who_cannot_name_a_tenant_is_told_why() {
    assert_eq!(closed(&mesh(FILE), &BTreeSet::new()), None);
    let never = FILE.replace("mayChoose: [partner, gray]", "tenant: partner");
    assert!(closed(&mesh(&never), &BTreeSet::new()).unwrap().contains("removes `x-lane` from every request"));
    let always = never.replace("remove:", "accept: always\n  remove:");
    assert_eq!(closed(&mesh(&always), &BTreeSet::new()), None);
    assert_eq!(contract(&always).tenants.len(), 4);
    let none = "version: 1\nmesh: {name: a, namespace: a}\ntenants: {green: {default: true}}\nedge: none\n";
    assert!(closed(&mesh(none), &BTreeSet::new()).unwrap().contains("`edge: none`"));
}

#[test]
fn weights_that_are_not_in_the_file_are_refused() {
    let mesh = mesh(FILE);
    let refused =
        |service: &str| Contract::of(&mesh, &BTreeSet::new(), &[service.to_owned()]).unwrap_err().to_string();
    assert!(refused("nobody").contains("service `nobody`"), "{}", refused("nobody"));
}
