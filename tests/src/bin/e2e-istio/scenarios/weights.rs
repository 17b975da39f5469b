//! examples/argo-rollouts, with the harness as the controller: weights in a VirtualService that is not graylane's. Users
//! flip without the EnvoyFilter and stay with it; a rule that loses its second destination breaks a push, and deleting the
//! EnvoyFilter heals it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use graylane::adopt::weights::choose;
use graylane_decide::choice::sticky::{Seed, Unit};
use graylane_tests::istio::{ControlPlane, Mesh, Pod, Service};

use super::examples::has_filter;
use crate::compare::ensure_who;
use crate::example::{CALLER, CALLER_PORT, Example, status};

/// What the controller owns, as it is before it begins.
const THEIRS: &str = include_str!("../../../../../examples/argo-rollouts/theirs/api.yaml");
const USERS: usize = 60;
const REQUESTS: usize = 3;
const STEPS: [u64; 4] = [0, 10, 50, 100];
/// The pods' hashes, as the DestinationRule has them.
const HASH: &str = "rollouts-pod-template-hash";

/// Runs it.
pub async fn run(plane: &ControlPlane) -> Result<()> {
    let example = Example::load("argo-rollouts")?;
    let api = Service::new("api").port(8080, 9080).selector(&[("app", "api")]);
    let own = Service::new(CALLER).port(8081, CALLER_PORT).selector(&[("app", CALLER)]);
    let mesh = plane
        .mesh("shop")
        .service(api)
        .service(own)
        .pod(Pod::plain("stable").labels(&[("app", "api"), (HASH, "5f7c8d")]))
        .pod(Pod::plain("canary").labels(&[("app", "api"), (HASH, "9b6a4e")]))
        .pod(Pod::sidecar(CALLER).labels(&[("app", CALLER)]))
        .create()
        .await?;
    let subsets = THEIRS.split("---\n").filter(|one| one.contains("kind: DestinationRule"));
    plane.apply(&subsets.collect::<String>()).await?;
    plane.apply(&routes(50, false)).await?;
    let flipped = ask_all(&mesh).await?.values().filter(|who| who.len() > 1).count();
    ensure!(flipped > USERS / 3, "without graylane users flip: {flipped} of {USERS}");

    plane.apply(&example.render_with_filter(&[]).await?).await?;
    has_filter(&example, &mesh).await?;
    for canary_first in [false, true] {
        let mut on_canary = BTreeSet::new();
        for canary in STEPS {
            plane.apply(&routes(canary, canary_first)).await?;
            for (user, who) in ask_all(&mesh).await? {
                let wanted = wanted(user, canary, canary_first);
                ensure!(
                    who == BTreeSet::from([wanted.to_owned()]),
                    "{canary} %, user {user}: {who:?}, not {wanted}"
                );
                ensure!(wanted == "canary" || !on_canary.contains(&user), "user {user} moved back");
                if wanted == "canary" {
                    on_canary.insert(user);
                }
            }
            let tester = mesh.pod(CALLER).call("api:8080").header("tenant", "gray-v1").send().await?;
            ensure_who(&tester, "canary", "a tester has the canary all along")?;
        }
        ensure!(on_canary.len() == USERS);
    }
    broken(plane, &mesh).await
}

/// The controller, or somebody, leaves a single destination: Envoy refuses the table and goes on with the old one, until
/// the EnvoyFilter is gone.
async fn broken(plane: &ControlPlane, mesh: &Mesh<'_>) -> Result<()> {
    plane.apply(&routes(100, false)).await?;
    let before = mesh.proxy(CALLER).rejections().await?;
    let single = THEIRS
        .split("---\n")
        .last()
        .unwrap_or_default()
        .replace("        - {destination: {host: api, subset: canary}, weight: 10}\n", "");
    plane.kube.kubectl(&["apply", "--filename", "-"], &format!("---\n{single}")).await?;
    let refused = async {
        while mesh.proxy(CALLER).rejections().await? == before {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(30), refused).await??;
    let kept = mesh.pod(CALLER).call("api:8080").header("x-user-id", "user-1").send().await?;
    ensure_who(&kept, "canary", "a proxy that runs keeps the table that it has")?;
    // What a person would do: look, and run the command that is printed.
    let (said, code) = status(plane, "argo-rollouts").await?;
    let wanted = "rule `primary` of `api.shop.svc.cluster.local` inside the mesh has a single destination, and EnvoyFilter \
                  shop/shop-point-api makes it invalid: proxies of namespace shop";
    ensure!(code == Some(1) && said.contains(wanted), "status names the EnvoyFilter: {code:?} {said}");
    let command = said.split('`').find_map(|part| part.strip_prefix("kubectl "));
    let command: Vec<&str> = command.with_context(|| format!("no command: {said}"))?.split(' ').collect();
    plane.kube.kubectl(&command, "").await?;
    plane.push().await?;
    let (said, _) = status(plane, "argo-rollouts").await?;
    ensure!(!said.contains("error:"), "and is content without it: {said}");
    let healed = mesh.pod(CALLER).call("api:8080").header("x-user-id", "user-1").send().await?;
    ensure_who(&healed, "stable", "deleting the EnvoyFilter heals it")
}

/// The controller's VirtualService with other weights.
fn routes(canary: u64, canary_first: bool) -> String {
    let line = |subset: &str, weight: u64| {
        format!("        - {{destination: {{host: api, subset: {subset}}}, weight: {weight}}}\n")
    };
    let theirs = THEIRS.split("---\n").last().unwrap_or_default();
    let was = [line("stable", 90), line("canary", 10)].concat();
    let mut list = [line("stable", 100 - canary), line("canary", canary)];
    if canary_first {
        list.reverse();
    }
    theirs.replace(&was, &list.concat())
}

fn wanted(user: usize, canary: u64, canary_first: bool) -> &'static str {
    let unit = Unit::of(format!("user-{user}").as_bytes(), Seed::of("shop"));
    let mut list = [("stable", 100 - canary), ("canary", canary)];
    if canary_first {
        list.reverse();
    }
    choose(&list, |(_, weight)| *weight, unit.point(Seed::of("release-42")))
        .map_or("nobody", |(name, _)| name)
}

/// Who answered each user's requests.
async fn ask_all(mesh: &Mesh<'_>) -> Result<BTreeMap<usize, BTreeSet<String>>> {
    let mut all = BTreeMap::new();
    for user in 0..USERS {
        let mut who = BTreeSet::new();
        for _ in 0..REQUESTS {
            let call = mesh.pod(CALLER).call("api:8080").header("x-user-id", &format!("user-{user}"));
            let answer = call.send().await?;
            ensure!(answer.seen("x-graylane-point").is_none(), "the point goes no further: {answer:?}");
            who.insert(answer.who());
        }
        all.insert(user, who);
    }
    Ok(all)
}
