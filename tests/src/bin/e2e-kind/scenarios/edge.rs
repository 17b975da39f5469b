//! Who may choose a tenant, at the gateway: `examples/edge`, with tokens that Istio verifies and a cookie that is minted.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use graylane_tests::istio::{Look, until};
use graylane_tests::level::Claims;
use graylane_tests::token::{ISSUER, keys, sign};
use serde_json::{Value as Json, json};

use crate::ask::{Answer, ask};
use crate::bank::Bank;
use crate::core::Core;
use crate::native::{GATEWAY, runs};

const LIMIT: Duration = Duration::from_secs(60);
pub const SHOP: &str = "shop.example.com";
pub const ACME: &str = "shop.acme.example";
/// Users with a token of theirs.
const USERS: usize = 20;
/// How often an anonymous user returns.
const VISITS: usize = 8;

/// Runs it: the shop in the place of the bank. `more`: how it is rendered.
pub async fn run(bank: &Bank<'_>, more: &[&str]) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/edge/graylane.yaml");
    let document = std::fs::read_to_string(path)?;
    let bank_objects = bank.render(&bank.document, &bank.image, &[]).await?;
    let shop_objects = bank.render(&document, &bank.image, more).await?;
    let gateway = [
        istio_gateway(),
        tokens(&json!({"selector": {"matchLabels": {"istio": "ingressgateway"}}}), "istio-system"),
    ];
    let around = around(&bank.cluster.noted("app-image")?) + &stream(&gateway);
    bank.cluster.delete(&bank_objects).await?;
    bank.cluster.apply(&around).await?;
    bank.cluster.apply(&shop_objects).await?;
    let result = async {
        bank.cluster.rolled_out("shop").await?;
        bank.runs(&document).await?;
        runs(bank, GATEWAY, "shop", more.contains(&"--native")).await?;
        everybody(&bank.cluster.gateway, &document).await
    };
    let result = result.await;
    bank.cluster.delete(&shop_objects).await?;
    bank.cluster.delete(&around).await?;
    gateway_as_it_was(bank).await?;
    result
}

/// Whoever comes to this gateway gets what the file says.
pub async fn everybody(gateway: &str, document: &str) -> Result<()> {
    reached(gateway).await?;
    decided(gateway, document).await?;
    stranger(gateway).await
}

/// The Gateway of the bank's hosts again, after another file was in its place.
pub async fn gateway_as_it_was(bank: &Bank<'_>) -> Result<()> {
    let apps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank/workloads/apps.yaml");
    let apps = std::fs::read_to_string(apps)?;
    let gateway: Vec<&str> = apps.split("---\n").filter(|one| one.contains("istio-ingress")).collect();
    bank.cluster.apply(&gateway.join("---\n")).await?;
    // Listeners of before, which drain, keep the bank's plugin: Envoy reuses it without configuring it again, and
    // what it counts as its configuration stays the shop's.
    bank.cluster
        .kubectl(&["-n", "istio-system", "rollout", "restart", "deployment/istio-ingressgateway"])
        .await?;
    bank.cluster.rolled_out("istio-system").await
}

/// The shop's pods.
pub fn around(image: &str) -> String {
    let metadata = |name: &str, namespace: &str| json!({"name": name, "namespace": namespace});
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Namespace",
               "metadata": {"name": "shop", "labels": {"istio-injection": "enabled"}}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-ingress"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("web", "shop"), "spec": {
               "selector": {"app": "web"}, "ports": [{"name": "http", "port": 8080, "targetPort": 9080}]}}),
    ];
    objects.extend(["v1", "v2"].map(|version| {
        let labels = json!({"app": "web", "version": version});
        let container = json!({"name": "app", "image": image, "args": ["serve"],
                               "readinessProbe": {"httpGet": {"path": "/healthz", "port": 9080}, "periodSeconds": 1}});
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(&format!("web-{version}"), "shop"),
               "spec": {"selector": {"matchLabels": labels},
                        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}})
    }));
    stream(&objects)
}

/// Istio's Gateway for the shop's hosts.
fn istio_gateway() -> Json {
    json!({"apiVersion": "networking.istio.io/v1", "kind": "Gateway",
           "metadata": {"name": "public", "namespace": "istio-ingress"},
           "spec": {"selector": {"istio": "ingressgateway"}, "servers": [
               {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [SHOP, ACME]}]}})
}

/// The keys that the shop's tokens are verified by, at some pods.
pub fn tokens(pods: &Json, namespace: &str) -> Json {
    let mut spec = json!({"jwtRules": [{"issuer": ISSUER, "jwks": keys().to_string()}]});
    spec.as_object_mut()
        .into_iter()
        .for_each(|spec| spec.extend(pods.as_object().cloned().unwrap_or_default()));
    json!({"apiVersion": "security.istio.io/v1", "kind": "RequestAuthentication",
           "metadata": {"name": "tokens", "namespace": namespace}, "spec": spec})
}

/// Objects, one document each.
pub fn stream(objects: &[Json]) -> String {
    objects.iter().map(|object| format!("---\n{object}\n")).collect()
}

/// Waits until the gateway knows the pods of both versions. That it runs the file says nothing about them: its plugins and
/// its endpoints come by different streams, and a pod that has only just become ready is in neither.
async fn reached(gateway: &str) -> Result<()> {
    let mut tester = Claims::new();
    tester.insert("iss".to_owned(), json!(ISSUER));
    tester.insert("realm_access".to_owned(), json!({"roles": ["tester"]}));
    let token = format!("Bearer {}", sign(&tester, None));
    let gray = vec![("host", SHOP), ("tenant", "gray-v1"), ("authorization", token.as_str())];
    for (headers, version) in [(vec![("host", SHOP)], "web-v1"), (gray, "web-v2")] {
        until("the gateway reaches both versions", LIMIT, async || {
            let answer = fresh(gateway, &headers).await?;
            let there = answer.visit().is_ok_and(|visit| visit.deployment() == version);
            Ok(Look::whether(there, || format!("{version}: {answer:?}")))
        })
        .await?;
    }
    Ok(())
}

/// A host, headers, and the claims of a token.
type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, Option<Claims>);

/// Every way to a tenant, and forged ones.
async fn decided(gateway: &str, document: &str) -> Result<()> {
    let mut core = Core::new(document)?;
    let claims = |claims: serde_json::Value| {
        let mut claims = claims.as_object().cloned().unwrap_or_default();
        claims.insert("iss".to_owned(), json!(ISSUER));
        claims
    };
    let tester = claims(json!({"sub": "tess", "realm_access": {"roles": ["tester"]}}));
    let employee = claims(json!({"sub": "emma", "role": "employee"}));
    let mut cases: Vec<Case> = vec![
        (SHOP, vec![("tenant", "gray-v1"), ("x-tester", "nobody")], Some(claims(json!({"sub": "mallory"})))),
        (SHOP, vec![("tenant", "gray-v1")], Some(tester.clone())),
        (SHOP, vec![], Some(tester)),
        (SHOP, vec![], Some(employee)),
        (SHOP, vec![("x-tester", "alice-7f3a9c")], Some(claims(json!({"sub": "alice"})))),
        (ACME, vec![], Some(claims(json!({"sub": "acme"})))),
    ];
    cases.extend(
        (0..USERS).map(|number| (SHOP, vec![], Some(claims(json!({"sub": format!("user-{number}")}))))),
    );
    for (host, headers, claims) in cases {
        let outcome = core.gateway("web", host, "/", &headers, claims.as_ref())?;
        let token = claims.as_ref().map(|claims| format!("Bearer {}", sign(claims, None)));
        let all: Vec<(&str, &str)> = [("host", host)]
            .into_iter()
            .chain(headers.clone())
            .chain(token.as_deref().map(|token| ("authorization", token)))
            .collect();
        let answer = fresh(gateway, &all).await?;
        let what = || format!("{host} {headers:?} {claims:?}: {answer:?}");
        let visit = answer.visit().with_context(what)?;
        ensure!(visit.deployment() == core.deployment("web", &outcome)?, "{}", what());
        let tenant = outcome.headers.iter().find(|(name, _)| name == "tenant");
        let tenant = tenant.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        ensure!(visit.headers.get("tenant") == tenant.as_ref(), "expected {tenant:?}: {}", what());
    }
    let forged = fresh(gateway, &[("host", SHOP), ("authorization", "Bearer nonsense")]).await?;
    ensure!(forged.status == 401, "a token that is none: {forged:?}");
    Ok(())
}

/// A stranger gets a cookie, and with it always the same version.
async fn stranger(gateway: &str) -> Result<()> {
    let first = until("a stranger gets a cookie", LIMIT, async || {
        let answer = fresh(gateway, &[("host", SHOP)]).await?;
        Ok(Look::at(answer.cookie.clone().map(|cookie| (answer.body.clone(), cookie)), || {
            format!("{answer:?}")
        }))
    })
    .await?;
    let cookie = first.1.split(';').next().unwrap_or_default().to_owned();
    ensure!(cookie.starts_with("lane-id="), "{cookie}");
    for _ in 0..VISITS {
        let answer: Answer = fresh(gateway, &[("host", SHOP), ("cookie", &cookie)]).await?;
        let mine: crate::ask::Visit = serde_json::from_str(&first.0)?;
        ensure!(answer.visit()?.deployment() == mine.deployment(), "the cookie does not hold: {answer:?}");
        ensure!(answer.cookie.is_none(), "a cookie that is good is not made anew: {answer:?}");
    }
    Ok(())
}

/// A request over a connection of its own: one that is kept since before has the plugins of before until it has drained.
async fn fresh(gateway: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let client = graylane::http::direct().pool_max_idle_per_host(0).timeout(LIMIT).build()?;
    ask(&client, gateway, "/", headers).await
}
