//! A sidecar or a gateway as it is in Istio's image: `pilot-agent`, which starts Envoy with Istio's own bootstrap, stands
//! between it and istiod, fetches the images of plugins, and hands over the certificate.

use std::fs::Permissions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use graylane_decide::metrics::TAGS;
use graylane_mesh::native;
use serde_json::json;

use super::control_plane::ControlPlane;
use super::declare::Pod;
use super::objects::{ACCOUNT, labels};
use super::process::Process;
use super::proxy::{Proxy, Running};
use super::sidecar::VERSION_LABEL;
use super::wait::{Look, until};
use crate::tls;

/// How long it may take to come up.
const LIMIT: Duration = Duration::from_secs(60);
/// Where the agent keeps plugins; the path is compiled into it.
const MODULES: &str = "/var/lib/istio/data";

/// Starts it, and waits until its Envoy has everything that istiod has for it.
///
/// # Errors
/// When it does not come up; with the end of its log.
pub async fn start(plane: &ControlPlane, namespace: &str, pod: &Pod, address: Ipv4Addr) -> Result<Proxy> {
    // The run's own, see `.ci/in-own-network`.
    std::fs::create_dir_all(MODULES).with_context(|| format!("{MODULES} cannot be made"))?;
    let folder = tempfile::Builder::new().prefix("graylane-agent-").tempdir()?;
    // The agent and its Envoy listen on these wherever they are, so each pod has its own.
    let [.., low] = address.octets();
    let port = |base: u16| base + u16::from(low);
    let admin = SocketAddr::from(([127, 0, 0, 1], port(20000)));
    let proxy_config = json!({
        "binaryPath": wrapper(&plane.tools.envoy, folder.path())?,
        "configPath": folder.path().join("proxy"),
        "proxyBootstrapTemplatePath": plane.tools.bootstrap_template(),
        "discoveryAddress": plane.cluster.discovery().to_string(),
        "controlPlaneAuthPolicy": "NONE",
        "proxyAdminPort": admin.port(),
        "statusPort": port(20300),
        "concurrency": 2,
        // Connections between proxies outlive a change of filters for so long.
        "drainDuration": "1s",
        "extraStatTags": TAGS,
        "runtimeValues": {native::STRIP: "true"},
    });
    let mut command = Command::new(plane.tools.program("pilot-agent"));
    command.current_dir(folder.path());
    let role = if pod.kind.is_gateway() { "router" } else { "sidecar" };
    command.args(["proxy", role, "--domain"]).arg(format!("{namespace}.svc.cluster.local"));
    command.args(["--stsPort", "0", "--proxyComponentLogLevel", "wasm:info"]);
    command.env("PROXY_CONFIG", proxy_config.to_string());
    command.env("ENVOY_STATUS_PORT", port(20600).to_string());
    command.env("ENVOY_PROMETHEUS_PORT", port(20900).to_string());
    command.env("INSTANCE_IP", address.to_string());
    command.env("POD_NAME", &pod.name);
    command.env("POD_NAMESPACE", namespace);
    command.env("ISTIO_METAJSON_LABELS", labels(pod).to_string());
    // Which version EnvoyFilters take it for; its own is that of a build from sources.
    command.envs(pod.labels.get(VERSION_LABEL).map(|version| ("ISTIO_META_ISTIO_VERSION", version)));
    command.envs([
        ("FILE_MOUNTED_CERTS", "true"),
        ("WASM_INSECURE_REGISTRIES", "*"),
        ("ISTIO_META_INTERCEPTION_MODE", "NONE"),
        ("ISTIO_META_CLUSTER_ID", plane.cluster.id),
        ("SERVICE_ACCOUNT", ACCOUNT),
    ]);
    if plane.cluster.has_network {
        command.env("ISTIO_META_NETWORK", plane.cluster.id);
        write_certificate(namespace, folder.path())?;
    }
    command.envs(pod.environment.iter().cloned());
    let mut agent = Process::start(&pod.name, command, folder.path())?;
    let (client, address) = (plane.client.clone(), format!("http://{admin}/ready"));
    until(&format!("{}'s agent and Envoy are ready", pod.name), LIMIT, async || {
        agent.ensure_alive()?;
        Ok(match client.get(&address).send().await {
            Ok(answer) if answer.status().is_success() => Look::Yes(()),
            Ok(answer) => Look::NotYet(format!("{}\n{}", answer.status(), agent.log_end())),
            Err(error) => Look::NotYet(format!("{error}\n{}", agent.log_end())),
        })
    })
    .await?;
    Ok(Proxy::new(&pod.name, admin, client, Running::Agent { process: agent, _folder: folder }))
}

/// Puts a certificate of the pod's account where an agent looks for one that is mounted, below its working directory.
fn write_certificate(namespace: &str, folder: &Path) -> Result<()> {
    let certificates = folder.join("etc/certs");
    std::fs::create_dir_all(&certificates)?;
    let identity = tls::identity(&format!("spiffe://cluster.local/ns/{namespace}/sa/{ACCOUNT}"))?;
    for (name, pem) in
        [("cert-chain", identity.certificate), ("key", identity.key), ("root-cert", identity.root)]
    {
        std::fs::write(certificates.join(format!("{name}.pem")), pem)?;
    }
    Ok(())
}

/// A program in Envoy's place that ends with the agent, which would not take its Envoy along when it is killed.
fn wrapper(envoy: &Path, folder: &Path) -> Result<std::path::PathBuf> {
    let path = folder.join("envoy");
    let script = format!("#!/bin/sh\nexec setpriv --pdeathsig KILL -- '{}' \"$@\"\n", envoy.display());
    std::fs::write(&path, script)?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    Ok(path)
}
