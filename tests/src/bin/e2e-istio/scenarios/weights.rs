//! examples/argo-rollouts, with the harness as the controller: weights in a VirtualService that is not graylane's. Users
//! flip without the EnvoyFilter and stay with it; a rule that loses its second destination breaks a push, and deleting the
//! EnvoyFilter heals it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use graylane::adopt::weights::choose;
use graylane_decide::choice::sticky::{Seed, Unit};
use graylane_tests::istio::{ControlPlane, Look, Mesh, Pod, Service, until};

use super::examples::has_filter;
use crate::compare::ensure_who;
use crate::example::{CALLER, CALLER_PORT, Example, file, status};

/// What the controller owns, as it is before it begins.
const THEIRS: &str = include_str!("../../../../../examples/argo-rollouts/theirs/api.yaml");
const USERS: usize = 60;
const REQUESTS: usize = 3;
const STEPS: [u64; 4] = [0, 10, 50, 100];
/// The pods' hashes, as the DestinationRule has them.
const HASH: &str = "rollouts-pod-template-hash";
/// What takes the EnvoyFilter away.
const REMOVAL: &str =
    "kubectl delete envoyfilter -A -l app.kubernetes.io/part-of=shop,graylane.dev/service=api";
/// How long something may take to be seen.
const LIMIT: Duration = Duration::from_secs(30);

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
    let flipped = ask_all(&mesh, false).await?.values().filter(|who| who.len() > 1).count();
    ensure!(flipped > USERS / 3, "without graylane users flip: {flipped} of {USERS}");

    for (app, stays) in [("somebody-else", false), (CALLER, true)] {
        let callers = format!("services: {{api: {{rollout: {{callers: {{app: {app}}}}}}}}}\n");
        let callers = file(&callers)?;
        let path = callers.path().to_str().context("a path that is no text")?;
        plane.apply(&example.render_with_filter(&["-f", path]).await?).await?;
        has_filter(&example, &mesh).await?;
        // Without the EnvoyFilter the point reaches the pod, whose own filter would remove it; these pods have none.
        let flipped = ask_all(&mesh, !stays).await?.values().filter(|who| who.len() > 1).count();
        let right = if stays { flipped == 0 } else { flipped > USERS / 3 };
        ensure!(right, "callers with app={app} get the EnvoyFilter first: {flipped} of {USERS} flip");
    }
    plane.apply(&example.render_with_filter(&[]).await?).await?;
    has_filter(&example, &mesh).await?;
    for canary_first in [false, true] {
        let mut on_canary = BTreeSet::new();
        for canary in STEPS {
            plane.apply(&routes(canary, canary_first)).await?;
            for (user, who) in ask_all(&mesh, false).await? {
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
    guarded(plane, &example).await?;
    broken(plane, &mesh).await
}

/// The API server refuses a single destination while the EnvoyFilter is there, and nothing else.
async fn guarded(plane: &ControlPlane, example: &Example) -> Result<()> {
    // It hears of a new policy a moment later.
    let refused = until("a single destination is refused", LIMIT, async || {
        Ok(Look::at(edit(plane, &single()).await.err(), || "it is accepted".to_owned()))
    });
    let refused = format!("{:#}", refused.await?);
    for part in ["shop-point-api", "rule `primary`", "at least two destinations", REMOVAL] {
        ensure!(refused.contains(part), "the API server says why, and what to do ({part}): {refused}");
    }
    for (canary, canary_first) in [(0, false), (100, true), (37, false)] {
        edit(plane, &routes(canary, canary_first)).await.context("weights alone may be edited")?;
    }
    edit(plane, &routes(50, false).replace("name: testers", "name: someone"))
        .await
        .context("and other rules")?;
    let differences = example.differences(plane).await?;
    ensure!(differences.is_empty(), "nothing is there that was not rendered: {differences}");

    remove(plane, REMOVAL).await?;
    accepted(plane).await.context("without the EnvoyFilter")?;

    // What follows is for who does without the policy.
    let policies = "kubectl delete validatingadmissionpolicybinding,validatingadmissionpolicy -l graylane.dev/service=api";
    remove(plane, policies).await?;
    plane.apply(&example.render_with_filter(&["--without-admission-policy"]).await?).await?;
    accepted(plane).await.context("without the policy")
}

/// Waits until the API server would take a single destination: it hears of what was deleted a moment later.
async fn accepted(plane: &ControlPlane) -> Result<()> {
    until("a single destination is accepted", LIMIT, async || {
        Ok(edit(plane, &single()).await.map_or_else(|error| Look::NotYet(format!("{error:#}")), Look::Yes))
    })
    .await
}

/// Would the API server take it? Nothing is changed.
async fn edit(plane: &ControlPlane, yaml: &str) -> Result<()> {
    let apply = ["apply", "--dry-run=server", "--filename", "-"];
    plane.kube.kubectl(&apply, &format!("---\n{yaml}")).await.map(drop)
}

/// Runs a command of kubectl, as it is printed.
async fn remove(plane: &ControlPlane, command: &str) -> Result<()> {
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    plane.kube.kubectl(&words, "").await.map(drop)
}

/// The controller, or somebody, leaves a single destination: Envoy refuses the table and goes on with the old one, until
/// the EnvoyFilter is gone.
async fn broken(plane: &ControlPlane, mesh: &Mesh<'_>) -> Result<()> {
    plane.apply(&routes(100, false)).await?;
    let before = mesh.proxy(CALLER).rejections().await?;
    plane.kube.kubectl(&["apply", "--filename", "-"], &format!("---\n{}", single())).await?;
    until("Envoy rejects the routes", LIMIT, async || {
        let now = mesh.proxy(CALLER).rejections().await?;
        Ok(Look::whether(now != before, || format!("{now} rejections")))
    })
    .await?;
    let kept = mesh.pod(CALLER).call("api:8080").header("x-user-id", "user-1").send().await?;
    ensure_who(&kept, "canary", "a proxy that runs keeps the table that it has")?;
    // What a person would do: look, and run the command that is printed.
    let (said, code) = status(plane, "argo-rollouts").await?;
    let wanted = "rule `primary` of `api.shop.svc.cluster.local` inside the mesh has a single destination, and EnvoyFilter \
                  shop/shop-point-api makes it invalid: proxies of namespace shop";
    ensure!(code == Some(1) && said.contains(wanted), "status names the EnvoyFilter: {code:?} {said}");
    let command = said.split('`').find(|part| part.starts_with("kubectl "));
    remove(plane, command.with_context(|| format!("no command: {said}"))?).await?;
    plane.push().await?;
    let (said, _) = status(plane, "argo-rollouts").await?;
    ensure!(!said.contains("error:"), "and is content without it: {said}");
    let healed = mesh.pod(CALLER).call("api:8080").header("x-user-id", "user-1").send().await?;
    ensure_who(&healed, "stable", "deleting the EnvoyFilter heals it")
}

/// What somebody leaves of it who takes the canary out.
fn single() -> String {
    let theirs = THEIRS.split("---\n").last().unwrap_or_default();
    theirs.replace("        - {destination: {host: api, subset: canary}, weight: 10}\n", "")
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

/// Who answered each user's requests. `arrives`: whether the pods see the user's point.
async fn ask_all(mesh: &Mesh<'_>, arrives: bool) -> Result<BTreeMap<usize, BTreeSet<String>>> {
    let mut all = BTreeMap::new();
    for user in 0..USERS {
        let mut who = BTreeSet::new();
        for _ in 0..REQUESTS {
            let call = mesh.pod(CALLER).call("api:8080").header("x-user-id", &format!("user-{user}"));
            let answer = call.send().await?;
            ensure!(
                answer.seen("x-graylane-point").is_some() == arrives,
                "whether the point arrives: {answer:?}"
            );
            who.insert(answer.who());
        }
        all.insert(user, who);
    }
    Ok(all)
}
