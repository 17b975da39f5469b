//! Controllers that move weights, built from their Go modules, as processes of this machine: what they need in the cluster, and
//! what graylane adds for their services.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use graylane_tests::istio::{Look, Process, until};
use serde_json::{Value as Json, json};

use crate::bank::Bank;

/// How long a proxy may take to have what the controller wrote.
const LIMIT: Duration = Duration::from_secs(60);
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// What a proxy's admin port says about its routes.
const ROUTES: &str = "config_dump?resource=dynamic_route_configs";
/// Who applies what graylane renders, as the API server notes it at each field.
const MANAGER: &str = "graylane";

/// A controller that runs, and the resources that it defines.
pub struct Controller {
    process: Process,
    definitions: PathBuf,
}

impl Controller {
    /// Creates its resource definitions, and starts it with these arguments and variables of its environment. They lie at
    /// `definitions` beside the program.
    pub async fn start(
        bank: &Bank<'_>,
        name: &str,
        definitions: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let program = program(name).await?;
        let definitions = program.with_file_name(definitions);
        let option = if definitions.is_dir() { "-k" } else { "-f" };
        // They are larger than the annotation of a plain apply.
        let apply = ["apply", "--server-side", option, &definitions.display().to_string()];
        let applied = bank.cluster.kubectl(&apply).await?;
        let names = applied.lines().filter_map(|line| line.split(' ').next());
        let wait: Vec<&str> = ["wait", "--for=condition=Established"].into_iter().chain(names).collect();
        bank.cluster.kubectl(&wait).await?;
        let mut command = std::process::Command::new(program);
        command.args(arguments).envs(environment.iter().copied());
        Ok(Self { process: Process::start(name, command, bank.cluster.folder.path())?, definitions })
    }

    /// What a scenario came to, with the end of the controller's log if it failed.
    pub fn explain<T>(&self, result: Result<T>) -> Result<T> {
        result.with_context(|| {
            format!("{} says at last:\n{}\nand that is why:", self.process.name(), self.process.log_end())
        })
    }

    /// Fails if it has ended.
    pub fn ensure_alive(&mut self) -> Result<()> {
        self.process.ensure_alive()
    }

    /// Removes what it defines, and ends it.
    pub async fn stop(self, bank: &Bank<'_>) -> Result<()> {
        let option = if self.definitions.is_dir() { "-k" } else { "-f" };
        let delete = ["delete", "--ignore-not-found", option, &self.definitions.display().to_string()];
        bank.cluster.kubectl(&delete).await.map(drop)
    }
}

/// A program of a Go module, which `make e2e-kind` built.
pub async fn program(name: &str) -> Result<PathBuf> {
    let script = Path::new(CHECKOUT).join(".ci/go-program");
    let output = tokio::process::Command::new(script).arg(name).output().await?;
    ensure!(output.status.success(), "go-program {name}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

/// A namespace, and in it `web`, which calls others; the gateway has it under this host.
pub fn namespace(name: &str, host: &str, image: &str) -> String {
    let metadata = json!({"name": "web", "namespace": name});
    let labels = json!({"app": "web"});
    let container = json!({"name": "app", "image": image, "args": ["serve"],
                           "readinessProbe": {"httpGet": {"path": "/healthz", "port": 9080}, "periodSeconds": 1}});
    let servers = json!([{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [host]}]);
    let route = json!([{"route": [{"destination": {"host": "web"}}]}]);
    let objects = [
        json!({"apiVersion": "v1", "kind": "Namespace",
               "metadata": {"name": name, "labels": {"istio-injection": "enabled"}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata,
               "spec": {"selector": labels, "ports": [{"name": "http", "port": 8080, "targetPort": 9080}]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
               "spec": {"selector": {"matchLabels": labels},
                        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}}),
        json!({"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": metadata,
               "spec": {"selector": {"istio": "ingressgateway"}, "servers": servers}}),
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata,
               "spec": {"hosts": [host], "gateways": ["web"], "http": route}}),
    ];
    objects.iter().map(|object| format!("---\n{object}\n")).collect()
}

/// What the owner applies, of an example: with the image of the cluster's application, and as this version.
pub fn theirs(example: &str, kinds: &[&str], image: &str, version: &str) -> Result<String> {
    let path = Path::new(CHECKOUT).join("examples").join(example).join("theirs/api.yaml");
    let all = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let wanted = all
        .split("---\n")
        .filter(|one| kinds.iter().any(|kind| one.lines().any(|line| line == format!("kind: {kind}"))));
    let wanted: Vec<&str> = wanted.collect();
    ensure!(wanted.len() >= kinds.len(), "{}: expected {kinds:?}", path.display());
    let text = wanted.join("---\n");
    let made = text
        .replace("registry.example/shop/api:2", image)
        .replace("version: v2", &format!("version: {version}"));
    Ok(made)
}

/// Applies what graylane renders of an example, given all routes that there are; what it rendered.
pub async fn adopt(bank: &Bank<'_>, example: &str) -> Result<(String, String)> {
    let path = Path::new(CHECKOUT).join("examples").join(example).join("graylane.yaml");
    let document = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let routes =
        bank.cluster.kubectl(&["get", "virtualservices,destinationrules", "-A", "-o", "yaml"]).await?;
    std::fs::write(bank.cluster.folder.path().join("theirs.yaml"), routes)?;
    let rendered = bank.render(&document, &bank.image, &["--against", "theirs.yaml"]).await?;
    apply(bank, &rendered).await?;
    Ok((document, rendered))
}

/// Applies what graylane rendered, in its name.
pub async fn apply(bank: &Bank<'_>, rendered: &str) -> Result<()> {
    let arguments = ["apply", "--field-manager", MANAGER, "-f", "-"];
    bank.cluster.kubectl_with(&arguments, rendered).await.map(drop)
}

/// Nothing differs from what graylane rendered, and it wrote nothing of these objects.
pub async fn untouched(bank: &Bank<'_>, rendered: &str, theirs: &str) -> Result<()> {
    let difference = bank.cluster.kubectl_with(&["diff", "-f", "-"], rendered).await?;
    ensure!(difference.trim().is_empty(), "what was rendered was changed: {difference}");
    let objects = bank.cluster.get(&format!("{theirs} --show-managed-fields")).await?;
    ensure!(!objects.is_empty(), "there are no {theirs}");
    for object in objects {
        let fields = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        ensure!(!fields.is_empty(), "nobody wrote {object}");
        ensure!(fields.iter().all(|field| field["manager"] != MANAGER), "graylane wrote {object}");
    }
    Ok(())
}

/// Waits until a proxy chooses by the header that the filter writes, or no longer does.
pub async fn reads_point(bank: &Bank<'_>, proxy: (&str, &str), does: bool) -> Result<()> {
    until("the proxy follows the EnvoyFilter", LIMIT, async || {
        let dump = bank.cluster.admin(proxy.0, proxy.1, ROUTES).await?;
        Ok(Look::whether(dump.contains("x-graylane-point") == does, || format!("{proxy:?}")))
    })
    .await
}

/// Waits until a proxy gives this weight to the cluster with this text in its name, in a list that has a cluster of `of`.
pub async fn weighs(bank: &Bank<'_>, proxy: (&str, &str), of: &str, canary: &str, weight: u64) -> Result<()> {
    until("the proxy has the weights", LIMIT, async || {
        let dump = bank.cluster.admin(proxy.0, proxy.1, ROUTES).await?;
        let mut lists = Vec::new();
        weighted(&serde_json::from_str(&dump)?, &mut lists);
        lists.retain(|list| list.iter().any(|(name, _)| name.contains(of)));
        let right = |list: &Vec<(String, u64)>| {
            list.iter().find(|(name, _)| name.contains(canary)).map_or(0, |(_, weight)| *weight) == weight
        };
        Ok(Look::whether(lists.iter().any(right), || {
            format!("{proxy:?}: {canary} is to have {weight}: {lists:?}")
        }))
    })
    .await
}

/// Every list of weighted clusters in a configuration.
fn weighted(part: &Json, found: &mut Vec<Vec<(String, u64)>>) {
    if let Some(clusters) = part.pointer("/weighted_clusters/clusters").and_then(Json::as_array) {
        let entry = |one: &Json| {
            (one["name"].as_str().unwrap_or_default().to_owned(), one["weight"].as_u64().unwrap_or(0))
        };
        found.push(clusters.iter().map(entry).collect());
    }
    match part {
        Json::Array(items) => items.iter().for_each(|item| weighted(item, found)),
        Json::Object(fields) => fields.values().for_each(|field| weighted(field, found)),
        _ => {}
    }
}
