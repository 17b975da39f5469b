//! A real waypoint with the filter: the bank without sidecars, called through the gateway, which reaches the waypoint by HBONE. There
//! is no ztunnel (no registry of packages has it), so calls from pod to pod do not come through the waypoint here.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use graylane_tests::istio::{Look, until};

use crate::ambient::{SELECTOR, counts, enter, leave, rendered, sidecars};
use crate::ask::HOST;
use crate::bank::Bank;
use crate::controllers::program;
use crate::core::Core;

const LIMIT: Duration = Duration::from_secs(120);
/// Users of each tenant.
const USERS: usize = 25;
const TENANTS: [Option<&str>; 4] = [None, Some("green"), Some("gray-v1"), Some("unheard-of")];

/// What a stranger may send to a waypoint whose gateway does nothing.
const SENT: [&[(&str, &str)]; 9] = [
    &[],
    &[("tenant", "gray-v1")],
    &[("tenant", "unheard-of")],
    &[("tenant", "green"), ("tenant", "gray-v1")],
    &[("tenant", "gray-v1"), ("tenant", "gray-v1")],
    &[("baggage", "tenant=gray-v1")],
    &[("baggage", "graylane-unit=00000000000000ff")],
    &[("tenant", "green"), ("baggage", "tenant=gray-v1,graylane-unit=d24a82797f6b3384,a=b")],
    &[("x-graylane-subset", "api.bank.svc.cluster.local/canary")],
];

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let file = bank.changed(
        "workers:\n  interest: {kind: CronJob, sticky: none} # nightly, for all users in one run\n",
        "",
    )?;
    let definitions = program("istioctl").await?.with_file_name("standard");
    let sidecars = bank.render(&bank.document, &bank.image, &[]).await?;
    let result = async {
        enter(bank, &file, &definitions, &sidecars).await?;
        behind_the_gateway(bank, &file).await.context("behind the gateway")?;
        weights(bank, &file).await.context("weights")?;
        alone(bank, &file).await.context("the waypoint alone")?;
        switched_off(bank, &file).await.context("switched off")?;
        mixed(bank, &file).await.context("sidecars and a waypoint")
    }
    .await;
    let result = match result {
        Ok(()) => Ok(()),
        Err(error) => Err(error).context(waypoint_log(bank).await),
    };
    let left = leave(bank, &file, &definitions).await;
    result.and(left)
}

/// The gateway decides who it is, and the waypoint which subset: what the core says of the two.
async fn behind_the_gateway(bank: &Bank<'_>, file: &str) -> Result<()> {
    let mut core = Core::new(file)?;
    let mut canary = 0;
    for tenant in TENANTS {
        for number in 0..USERS {
            let user = format!("user-{number}");
            let mut headers = vec![("x-user-id", user.as_str())];
            headers.extend(tenant.map(|tenant| ("tenant", tenant)));
            let want = core.gateway("api", HOST, "/", &headers, None)?;
            let deployment = core.deployment("api", &want)?;
            let answer = bank.ask("/", &headers).await?;
            let visit = answer.visit()?;
            ensure!(visit.deployment() == deployment, "{headers:?}: {deployment} is to answer: {answer:?}");
            let [tenant, _, subset] = want.lane.as_ref().context("the gateway has not decided")?;
            let said = format!("tenant={tenant},subset={subset},");
            ensure!(
                answer.decided.starts_with(&said),
                "{headers:?}: {said} is true, it says {}",
                answer.decided
            );
            ensure!(visit.headers.get("tenant") == Some(tenant), "{headers:?}: the pod sees {visit:?}");
            ensure!(!visit.headers.contains_key("x-graylane-subset"), "{visit:?}");
            canary += usize::from(deployment == "api-v2");
        }
    }
    let counted = counts(bank).await?;
    let others: Vec<_> = counted.keys().filter(|(service, _)| service != "api").collect();
    ensure!(others.is_empty(), "the waypoint has taken requests to api for others: {others:?}");
    println!(
        "   {} requests through gateway and waypoint, {canary} of them to the canary",
        TENANTS.len() * USERS
    );
    Ok(())
}

/// Nobody goes back to the baseline when the canary's weight grows.
async fn weights(bank: &Bank<'_>, file: &str) -> Result<()> {
    let mut last: Vec<bool> = Vec::new();
    for weight in ["25", "50", "100"] {
        let file = file.replace("weights: {canary: 25}", &format!("weights: {{canary: {weight}}}"));
        bank.cluster.apply(&rendered(bank, &file).await?).await?;
        // As `status` says it, of gateway and waypoint.
        bank.runs(&file).await?;
        let mut core = Core::new(&file)?;
        let mut wanted = Vec::new();
        for number in 0..USERS {
            let user = format!("user-{number}");
            let want = core.gateway("api", HOST, "/", &[("x-user-id", &user)], None)?;
            wanted.push(core.deployment("api", &want)? == "api-v2");
        }
        let mut seen = Vec::new();
        until("the weight is everywhere", LIMIT, async || {
            seen.clear();
            for number in 0..USERS {
                let user = format!("user-{number}");
                let visit = bank.ask("/", &[("x-user-id", &user)]).await?.visit()?;
                seen.push(visit.deployment() == "api-v2");
            }
            Ok(Look::whether(seen == wanted, || format!("{seen:?}, {wanted:?}")))
        })
        .await?;
        let back = last.iter().zip(&seen).filter(|(was, is)| **was && !**is).count();
        ensure!(back == 0, "at {weight} % {back} users are back on the baseline");
        last = seen;
    }
    bank.cluster.apply(&rendered(bank, file).await?).await?;
    println!("   25, 50, 100 %: of {USERS} users nobody moved back");
    Ok(())
}

/// Without the gateway's plugin: what the waypoint makes of what anybody sends.
async fn alone(bank: &Bank<'_>, file: &str) -> Result<()> {
    let gateway =
        bank.render(file, &bank.image, &["--namespace", "istio-system", "--only", "WasmPlugin"]).await?;
    bank.cluster.delete(&gateway).await?;
    until("the gateway decides nothing", LIMIT, async || {
        // The gateway's unit is the user's, the waypoint's is made of the request id.
        let unit = async || {
            anyhow::Ok(bank.ask("/", &[("x-user-id", "user-1")]).await?.visit()?.headers.remove("baggage"))
        };
        let (one, other) = (unit().await?, unit().await?);
        Ok(Look::whether(one != other, || format!("{one:?}")))
    })
    .await?;
    let mut core = Core::new(file)?;
    let mut restored = 0;
    for sent in SENT {
        for _ in 0..10 {
            let visit = bank.ask("/", sent).await?.visit()?;
            let id = visit.headers.get("x-request-id").context("no request id")?.clone();
            let came: Vec<(&str, &str)> =
                sent.iter().copied().chain([("x-request-id", id.as_str())]).collect();
            let want = core.waypoint("api", HOST, &came)?;
            let deployment = core.deployment("api", &want)?;
            ensure!(visit.deployment() == deployment, "{sent:?}: {deployment} is to answer: {visit:?}");
            for name in ["tenant", "baggage", "x-graylane-subset"] {
                let header = want.headers.iter().filter(|(is, _)| is == name);
                let header: Vec<_> = header.map(|(_, value)| String::from_utf8_lossy(value)).collect();
                let header = (!header.is_empty() && name != "x-graylane-subset").then(|| header.join(","));
                let seen = visit.headers.get(name).cloned();
                ensure!(seen == header, "{sent:?}: {name} is to be {header:?}, the pod sees {seen:?}");
            }
            restored += usize::from(want.lane.is_some_and(|[_, source, _]| source == "baggage"));
        }
    }
    println!(
        "   the waypoint alone: {} requests as the core says, {restored} of them restored",
        SENT.len() * 10
    );
    bank.cluster.apply(&rendered(bank, file).await?).await
}

/// The kill switch: the waypoint decides nothing, tenants go by header, and what `render` prints switches it on again.
async fn switched_off(bank: &Bank<'_>, file: &str) -> Result<()> {
    bank.write(file)?;
    let off = bank.cluster.graylane(&["off", "-f", "bank.yaml", "--data-plane", "ambient"]).await?;
    ensure!(off.code == 0, "{}", off.text);
    bank.cluster.apply(&off.text).await?;
    let decides = async || {
        let before = counts(bank).await?;
        let visit = bank.ask("/", &[("tenant", "gray-v1")]).await?.visit()?;
        ensure!(visit.deployment() == "api-v2", "gray-v1 is routed by its header: {visit:?}");
        Ok(counts(bank).await? != before)
    };
    until("the waypoint decides nothing", LIMIT, async || {
        for _ in 0..USERS {
            if decides().await? {
                return Ok(Look::NotYet("it counts requests".to_owned()));
            }
        }
        Ok(Look::Yes(()))
    })
    .await?;
    bank.cluster.apply(&rendered(bank, file).await?).await?;
    until("the waypoint decides again", LIMIT, async || {
        Ok(Look::whether(decides().await?, || "it counts no request".to_owned()))
    })
    .await?;
    println!("   switched off: of {USERS} requests the waypoint decided none");
    Ok(())
}

/// api with sidecars, orders without, behind the waypoint: the caller's sidecar decides, and calls the pod itself.
async fn mixed(bank: &Bank<'_>, file: &str) -> Result<()> {
    let cluster = bank.cluster;
    cluster.apply(&bank.render(file, &bank.image, &["--only", "WasmPlugin"]).await?).await?;
    let own = ["-n", "bank", "label", "service", "api", "istio.io/ingress-use-waypoint-"];
    cluster.kubectl(&own).await?;
    sidecars(bank, true).await?;
    let services = ["api", "orders"];
    let mut core = Core::new(file)?;
    until("the gateway and api's sidecars decide", LIMIT, async || {
        let mut compared = Ok(());
        for headers in [[("x-user-id", "user-0")], [("tenant", "gray-v1")]] {
            let visit = bank.journey("path=api,orders", &headers).await?;
            compared = compared.and(core.compare(&services, &headers, &visit.all()));
        }
        Ok(Look::whether(compared.is_ok(), || format!("{compared:?}")))
    })
    .await?;
    let before = counts(bank).await?;
    for tenant in TENANTS {
        for number in 0..USERS {
            let user = format!("user-{number}");
            let mut headers = vec![("x-user-id", user.as_str())];
            headers.extend(tenant.map(|tenant| ("tenant", tenant)));
            let visit = bank.journey("path=api,orders", &headers).await?;
            core.compare(&services, &headers, &visit.all())?;
        }
    }
    let after = counts(bank).await?;
    ensure!(before == after, "the waypoint decided as well: {before:?}, then {after:?}");
    println!(
        "   api with sidecars, orders behind the waypoint: {} chains, each call decided once",
        TENANTS.len() * USERS
    );
    Ok(())
}

/// The end of the waypoint's log.
async fn waypoint_log(bank: &Bank<'_>) -> String {
    let log = ["-n", "bank", "logs", "-l", SELECTOR, "--tail=12"];
    bank.cluster.kubectl(&log).await.unwrap_or_else(|error| error.to_string())
}
