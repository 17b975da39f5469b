//! Each alert's runbook (docs/runbooks.md), played: the alert's expression has a value, the command to look shows why, and the
//! command to stop ends it. Windows of five minutes are shortened, and how long an alert waits (`for`) is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use graylane::prometheus::Prometheus;
use graylane::resources::{Kind, Options, resources};
use graylane_tests::istio::{Look, until};
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;
use tokio::time::interval;

use super::restart::restart;
use crate::ask::ask;
use crate::bank::Bank;

const LIMIT: Duration = Duration::from_secs(150);
/// The window of the rules, and the one here: some scrapes long.
const WINDOWS: [[&str; 2]; 2] = [["[5m]", "[30s]"], [" offset 15m", " offset 30s"]];
const ALERTS: &str = "alerts:
  errorRatio: {canaryOverBaseline: 2}
  latencyP99: {canaryOverBaseline: 2, min: 100}
";
/// What is applied: the cluster has no Prometheus Operator.
const KINDS: [&str; 2] = ["--only", "WasmPlugin,VirtualService,DestinationRule,Telemetry,EnvoyFilter"];
/// Between two requests.
const PACE: Duration = Duration::from_millis(10);
/// All alerts, in the order in which they are played.
const PLAYED: [&str; 10] = [
    "GraylaneCanaryErrors",
    "GraylaneCanarySlow",
    "GraylaneConfigInvalid",
    "GraylaneConfigStale",
    "GraylaneFilterAbsent",
    "GraylaneFilterBypassed",
    "GraylaneHeaderLost",
    "GraylaneNotSticky",
    "GraylaneRejections",
    "GraylaneUpdateRefused",
];
/// As `weights: external` has it, for routes that have a single destination: Envoy refuses their table.
const REFUSED: &str = "apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata:
  name: point-orders
  namespace: bank
  labels: {app.kubernetes.io/managed-by: graylane, graylane.dev/service: orders}
spec:
  configPatches:
    - applyTo: HTTP_ROUTE
      match:
        context: SIDECAR_OUTBOUND
        routeConfiguration: {vhost: {domainName: orders.bank.svc.cluster.local}}
      patch:
        operation: MERGE
        value: {route: {weighted_clusters: {header_name: x-graylane-point}}}
";

/// Alerts about a canary.
pub async fn canaries(bank: &Bank<'_>) -> Result<()> {
    let play = Play::begin(bank)?;
    for (alert, order) in [("GraylaneCanaryErrors", "fail"), ("GraylaneCanarySlow", "slow")] {
        play.apply(&play.document).await?;
        let _callers = Callers::start(bank, &format!("/?path=api&{order}=api-v2"), None);
        play.fires(alert).await?;
        let look = bank.cluster.graylane(&["ramp", "status", "api", "-f", "bank.yaml"]).await?;
        ensure!(look.code == 0 && look.text.contains("25"), "{}", look.text);
        let stop = bank.cluster.graylane(&["ramp", "abort", "api", "-f", "bank.yaml"]).await?;
        ensure!(stop.code == 0, "{}", stop.text);
        let aborted = std::fs::read_to_string(bank.cluster.folder.path().join("bank.yaml"))?;
        play.apply(&aborted).await?;
        play.ends(alert).await?;
    }
    Ok(())
}

/// Alerts about the filter and its configuration.
pub async fn configurations(bank: &Bank<'_>) -> Result<()> {
    let play = Play::begin(bank)?;
    play.apply(&play.document).await?;
    let _callers = Callers::start(bank, "/?path=api,orders,ledger", None);

    bank.cluster.apply(&bank.render_unreadable(&bank.document, &bank.image).await?).await?;
    play.fires("GraylaneConfigInvalid").await?;
    bank.status_says(&bank.document, &["plugins cannot read"]).await?;
    play.apply(&play.document).await?;
    play.ends("GraylaneConfigInvalid").await?;

    let pod = cut_off_from_istiod(bank, "api-v1").await?;
    let changed = play.document.replacen("weights: {canary: 25}", "weights: {canary: 30}", 1);
    ensure!(changed != play.document, "nothing is changed");
    play.apply(&changed).await?;
    play.fires("GraylaneConfigStale").await?;
    bank.status_says(&changed, &[&pod]).await?;
    restart(bank, "api-v1").await?;
    play.ends("GraylaneConfigStale").await?;
    play.apply(&play.document).await?;

    let (repository, _) = bank.image.split_once('@').context("an image without a digest")?;
    let missing = format!("{repository}@sha256:{}", "0".repeat(64));
    let sidecars = bank.render(&play.document, &missing, &["--only", "WasmPlugin"]).await?;
    let sidecars: Vec<&str> =
        sidecars.split("---\n").filter(|one| !one.contains("pluginName: gateway")).collect();
    bank.cluster.apply(&sidecars.join("---\n")).await?;
    restart(bank, "api-v1").await?;
    play.fires("GraylaneFilterAbsent").await?;
    let look = ["get", "wasmplugin", "-A", "-l", "app.kubernetes.io/managed-by=graylane"];
    ensure!(
        bank.cluster.kubectl(&look).await?.contains("bank-inbound"),
        "the command to look shows no plugin"
    );
    play.apply(&play.document).await?;
    play.ends("GraylaneFilterAbsent").await?;

    bank.cluster.apply(REFUSED).await?;
    play.fires("GraylaneUpdateRefused").await?;
    let log = bank.cluster.kubectl(&["-n", "istio-system", "logs", "deployment/istiod", "--tail=-1"]).await?;
    ensure!(
        log.lines().any(|line| line.contains("ACK ERROR") && line.contains("RDS")),
        "the command to look names no route table"
    );
    let stop = ["delete", "envoyfilter", "-A", "-l", "graylane.dev/service"];
    bank.cluster.kubectl(&stop).await?;
    play.ends("GraylaneUpdateRefused").await
}

/// Alerts about requests.
pub async fn requests(bank: &Bank<'_>) -> Result<()> {
    let play = Play::begin(bank)?;
    let all_exempt = format!("{}policy: {{exempt: {{paths: [\"/*\"]}}}}\n", play.document);
    play.apply(&all_exempt).await?;
    {
        let _callers = Callers::start(bank, "/?path=api,orders", None);
        play.fires("GraylaneFilterBypassed").await?;
        play.apply(&play.document).await?;
        play.ends("GraylaneFilterBypassed").await?;
    }
    {
        let path = "/?path=api,orders&forward=api:x-request-id";
        let _callers = Callers::start(bank, path, Some("gray-v1"));
        play.fires("GraylaneHeaderLost").await?;
        let look = ["report", "-f", "bank.yaml", "--prometheus", &bank.cluster.prometheus];
        let said = bank.cluster.graylane(&look).await?;
        ensure!(said.text.contains("api"), "exit {}: {}", said.code, said.text);
    }
    // Nothing to stop: it ends with the calls.
    play.ends("GraylaneHeaderLost").await?;

    {
        // api passes nothing on, so its calls to orders are of nobody, and drawn by an id of their own.
        let _callers = Callers::start(bank, "/?path=api,orders&forward=api:accept", None);
        play.fires("GraylaneNotSticky").await?;
        let look = ["report", "-f", "bank.yaml", "--prometheus", &bank.cluster.prometheus];
        let said = bank.cluster.graylane(&look).await?;
        ensure!(said.text.contains("Users who may change versions from call to call"), "{}", said.text);
    }
    play.ends("GraylaneNotSticky").await?;

    play.apply(&format!("{}policy: {{unknown: reject}}\n", play.document)).await?;
    let _callers = Callers::start(bank, "/?path=api", Some("unknown"));
    play.fires("GraylaneRejections").await?;
    let look = "sum by (reason, direction) (rate(graylane_rejected_total[5m]))";
    ensure!(!play.prometheus.query(look).await?.is_empty(), "the query to look shows nothing");
    let stop = "policy: {missing: default, unknown: default, conflict: header}\n";
    play.apply(&format!("{}{stop}", play.document)).await?;
    play.ends("GraylaneRejections").await
}

/// The bank with alerts, and a Prometheus that is asked for them.
struct Play<'p> {
    bank: &'p Bank<'p>,
    document: String,
    prometheus: Prometheus,
    /// Expressions by alert.
    rules: BTreeMap<String, Vec<String>>,
}

impl<'p> Play<'p> {
    fn begin(bank: &'p Bank<'p>) -> Result<Self> {
        let document = format!("{}{ALERTS}", bank.document);
        let loaded = graylane::document::load_text("bank.yaml", &document)?;
        let mesh = graylane::mesh::Mesh::of(&graylane::check::open(loaded).checked()?);
        let all = resources(&mesh, &Options::default());
        let rule =
            all.iter().find(|one| one.kind() == Kind::PrometheusRule).context("there are no rules")?.json();
        let groups = rule["spec"]["groups"].as_array().into_iter().flatten();
        let mut rules: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for rule in groups.flat_map(|group| group["rules"].as_array().into_iter().flatten()) {
            let (Some(alert), Some(expr)) = (rule["alert"].as_str(), rule["expr"].as_str()) else { continue };
            rules
                .entry(alert.to_owned())
                .or_default()
                .push(WINDOWS.iter().fold(expr.to_owned(), |expr, [long, short]| expr.replace(long, short)));
        }
        let names: BTreeSet<&str> = rules.keys().map(String::as_str).collect();
        ensure!(
            names == BTreeSet::from(PLAYED),
            "alerts without a play, or plays without an alert: {names:?}"
        );
        Ok(Self { bank, document, prometheus: Prometheus::new(&bank.cluster.prometheus)?, rules })
    }

    /// Applies a file, and leaves it where the commands read it.
    async fn apply(&self, document: &str) -> Result<()> {
        let rendered = self.bank.render(document, &self.bank.image, &KINDS).await?;
        self.bank.cluster.apply(&rendered).await
    }

    async fn values(&self, alert: &str) -> Result<usize> {
        let mut count = 0;
        for expr in self.rules.get(alert).with_context(|| format!("no alert {alert}"))? {
            count += self.prometheus.query(expr).await?.len();
        }
        Ok(count)
    }

    async fn fires(&self, alert: &str) -> Result<()> {
        until(&format!("{alert} fires"), LIMIT, async || {
            let values = self.values(alert).await?;
            Ok(Look::whether(values > 0, || format!("no value of {:?}", self.rules.get(alert))))
        })
        .await
    }

    async fn ends(&self, alert: &str) -> Result<()> {
        until(&format!("{alert} ends"), LIMIT, async || {
            let values = self.values(alert).await?;
            Ok(Look::whether(values == 0, || format!("{values} values of {:?}", self.rules.get(alert))))
        })
        .await?;
        println!("   {alert}: fires, and ends by its runbook");
        Ok(())
    }
}

/// Requests at a steady rate, whatever becomes of them.
struct Callers(JoinHandle<()>);

impl Callers {
    fn start(bank: &Bank<'_>, path: &str, tenant: Option<&'static str>) -> Self {
        let (client, gateway, path) =
            (bank.cluster.client.clone(), bank.cluster.gateway.clone(), path.to_owned());
        Self(tokio::spawn(async move {
            let mut tick = interval(PACE);
            for number in 0usize.. {
                tick.tick().await;
                let user = format!("user-{}", number * 7 % 1009);
                let (client, gateway, path) = (client.clone(), gateway.clone(), path.clone());
                tokio::spawn(async move {
                    let mut headers = vec![("x-user-id", user.as_str())];
                    headers.extend(tenant.map(|tenant| ("tenant", tenant)));
                    let _ = ask(&client, &gateway, &path, &headers).await;
                });
            }
        }))
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Drops what a pod's proxy sends to istiod, by a container that joins the pod: it keeps the configuration that it has. Its name.
async fn cut_off_from_istiod(bank: &Bank<'_>, deployment: &str) -> Result<String> {
    let pods = bank.cluster.get("pods -n bank").await?;
    let is_it = |pod: &&Json| {
        pod["metadata"]["name"].as_str().is_some_and(|name| crate::ask::deployment(name) == deployment)
    };
    let pod = pods.iter().find(is_it).with_context(|| format!("no pod of {deployment}"))?;
    let name = pod["metadata"]["name"].as_str().context("a pod without a name")?.to_owned();
    // A sidecar is one of the containers, or an init container that stays.
    let containers = ["containers", "initContainers"]
        .into_iter()
        .flat_map(|list| pod["spec"][list].as_array().into_iter().flatten());
    let proxy =
        containers.into_iter().find(|one| one["name"] == "istio-proxy").context("no proxy in the pod")?;
    let cut = json!({"spec": {"ephemeralContainers": [{
        "name": "cut-off",
        "image": proxy["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": ["iptables", "-I", "OUTPUT", "-p", "tcp", "--dport", "15012", "-j", "DROP"],
        "securityContext": {
            "runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": false,
            "capabilities": {"add": ["NET_ADMIN", "NET_RAW"]},
        },
    }]}});
    bank.cluster
        .kubectl(&[
            "-n",
            "bank",
            "patch",
            "pod",
            &name,
            "--subresource=ephemeralcontainers",
            "--patch",
            &cut.to_string(),
        ])
        .await?;
    until("the pod is cut off from istiod", LIMIT, async || {
        let pod = bank.cluster.get(&format!("pod {name} -n bank")).await?;
        let state = &pod[0]["status"]["ephemeralContainerStatuses"][0]["state"];
        let code = state["terminated"]["exitCode"].as_i64();
        ensure!(code.is_none_or(|code| code == 0), "iptables in {name}: {state}");
        Ok(Look::whether(code == Some(0), || state.to_string()))
    })
    .await?;
    Ok(name)
}
