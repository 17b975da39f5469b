//! Header only: routes that a team wrote by hand, an application that loses the header, and a file without services, by which it is
//! restored. graylane renders no route.

use std::time::Duration;

use anyhow::{Result, ensure};
use graylane_tests::istio::{Look, until};

use crate::ask::Visit;
use crate::bank::Bank;

/// Twice as long as a listener drains.
const LIMIT: Duration = Duration::from_secs(90);
/// How many requests in a row.
const TIMES: usize = 20;

/// What the team has: two versions of api and of orders, chosen by the header.
const THEIRS: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api-by-hand, namespace: bank}
spec: {host: api, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: orders-by-hand, namespace: bank}
spec: {host: orders, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: api-by-hand, namespace: bank}
spec:
  hosts: [bank.example.com]
  gateways: [istio-ingress/public]
  http:
    - match: [{headers: {tenant: {exact: gray-v1}}}]
      route: [{destination: {host: api, subset: v2}}]
    - route: [{destination: {host: api, subset: v1}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: orders-by-hand, namespace: bank}
spec:
  hosts: [orders]
  http:
    - match: [{headers: {tenant: {exact: gray-v1}}}]
      route: [{destination: {host: orders, subset: v2}}]
    - route: [{destination: {host: orders, subset: v1}}]
";

/// The whole file.
const FILE: &str = "
version: 1
mesh: {name: bank, namespace: bank}
tenants: {green: {default: true}, gray-v1: {}}
edge:
  gateway: {selector: {istio: ingressgateway}, name: istio-ingress/public}
  accept: always
telemetry: {debugHeader: true, source: envoy}
";

/// A deployment, and the tenant that it sees.
type Seen = (String, Option<String>);

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let routes = bank
        .render(
            &bank.document,
            &bank.image,
            &["--without-filter", "--only", "VirtualService,DestinationRule"],
        )
        .await?;
    bank.cluster.delete(&routes).await?;
    bank.cluster.apply(THEIRS).await?;
    let result = lost_and_restored(bank).await;
    bank.cluster.delete(THEIRS).await?;
    result
}

async fn lost_and_restored(bank: &Bank<'_>) -> Result<()> {
    let rendered = bank.render(FILE, &bank.image, &[]).await?;
    for kind in ["VirtualService", "DestinationRule"] {
        ensure!(!rendered.contains(&format!("kind: {kind}")), "a {kind} is graylane's");
    }
    let rejected = rejections(bank).await?;
    bank.run(FILE).await?;
    bank.write(FILE)?;
    let off = bank.cluster.graylane(&["off", "-f", "bank.yaml"]).await?;
    ensure!(off.code == 0, "{}", off.text);
    bank.cluster.apply(&off.text).await?;
    all_are(bank, "a lost header stays lost", "gray-v1", [("api-v2", Some("gray-v1")), ("orders-v1", None)])
        .await?;

    // On again while listeners with the filter still drain: every proxy takes it.
    bank.run(FILE).await?;
    let restored = [("api-v2", Some("gray-v1")), ("orders-v2", Some("gray-v1"))];
    all_are(bank, "the lost header is restored", "gray-v1", restored).await?;
    all_are(bank, "live users have no header", "", [("api-v1", None), ("orders-v1", None)]).await?;
    ensure!(rejections(bank).await? == rejected, "proxies rejected what istiod sent: see its log");
    println!(
        "   {TIMES} gray users lost their header at api and reached orders-v2; {TIMES} live ones got none"
    );
    Ok(())
}

/// How many updates proxies rejected, by istiod's log.
async fn rejections(bank: &Bank<'_>) -> Result<usize> {
    let log = bank.cluster.kubectl(&["-n", "istio-system", "logs", "deployment/istiod", "--tail=-1"]).await?;
    Ok(log.matches("ACK ERROR").count())
}

/// Waits until a tenant's requests go this way, many in a row: a connection of before stays with its listener, with the filter or without,
/// until that has drained.
async fn all_are(bank: &Bank<'_>, what: &str, tenant: &str, want: [(&str, Option<&str>); 2]) -> Result<()> {
    let is = |seen: &[Seen]| seen.iter().map(|(who, tenant)| (who.as_str(), tenant.as_deref())).eq(want);
    until(what, LIMIT, async || {
        for _ in 0..TIMES {
            let seen = visits(bank, tenant).await?;
            if !is(&seen) {
                return Ok(Look::NotYet(format!("{seen:?}")));
            }
        }
        Ok(Look::Yes(()))
    })
    .await
}

/// Who answers at each hop of a chain whose first application keeps the request id alone, and the tenant that they see.
async fn visits(bank: &Bank<'_>, tenant: &str) -> Result<Vec<Seen>> {
    let headers: &[(&str, &str)] = if tenant.is_empty() { &[] } else { &[("tenant", tenant)] };
    let visit = bank.journey("path=api,orders&forward=api:x-request-id", headers).await?;
    let seen = |visit: &&Visit| (visit.deployment().to_owned(), visit.headers.get("tenant").cloned());
    Ok(visit.all().iter().map(seen).collect())
}
