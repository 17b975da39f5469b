//! Thousands of users: who is on a canary, who flipped, who moved back.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::demo::app::Forward;
use crate::demo::cast::{Cast, KeyOf};
use crate::demo::expect::Core;
use crate::demo::journey::Journey;
use crate::demo::row::{Row, Stop};
use crate::demo::testbed::Testbed;
use crate::mesh::Mesh;

/// Requests of each user.
const TIMES: usize = 3;
/// Journeys under way at once.
const AT_ONCE: usize = 24;
/// How many points of percent the canaries rise for the second crowd.
const RISE: u16 = 2500;

/// Subsets by user and service.
type Lanes = BTreeMap<usize, BTreeMap<String, BTreeSet<String>>>;

/// The rows of users, if the file has a rollout and a header with a user's key.
pub async fn rows(
    testbed: &mut Testbed,
    cast: &Cast<'_>,
    users: usize,
    step: &mut impl FnMut(&str),
) -> Result<Vec<Row>> {
    let rollouts: Vec<String> = cast
        .path
        .iter()
        .filter(|name| testbed.mesh.service(name).is_some_and(|service| service.rest().rollout.is_some()))
        .cloned()
        .collect();
    if rollouts.is_empty() || cast.key.is_none() {
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    let first = send(testbed, cast, users, &[], step).await?;
    rows.push(shares(testbed, cast, users, &rollouts, &first, None)?);
    rows.extend(together(testbed, cast, step).await?);
    let before = testbed.mesh.clone();
    let more = raised(&before);
    if crate::lower::revision(&more) == crate::lower::revision(&before) {
        // Everybody is on the canary already.
        return Ok(rows);
    }
    testbed.change(more).await?;
    let second = send(testbed, cast, users, &[], step).await?;
    rows.push(shares(testbed, cast, users, &rollouts, &second, Some(&first))?);
    testbed.change(before).await?;
    Ok(rows)
}

fn user(number: usize) -> String {
    format!("user-{number}")
}

/// Sends the requests of all users, and says where they went.
async fn send(
    testbed: &Testbed,
    cast: &Cast<'_>,
    users: usize,
    forward: &[(String, Forward)],
    step: &mut impl FnMut(&str),
) -> Result<Lanes> {
    let journeys = (0..users * TIMES).map(|number| async move {
        let journey = Journey { forward: forward.to_vec(), ..cast.live_journey(&user(number % users)) };
        journey.go(testbed, cast.client).await.map(|hops| (number % users, hops))
    });
    let mut lanes = Lanes::new();
    let mut done = 0;
    let mut answers = futures_util::stream::iter(journeys).buffer_unordered(AT_ONCE);
    while let Some((user, hops)) = answers.try_next().await? {
        for hop in hops {
            lanes.entry(user).or_default().entry(hop.service).or_default().insert(hop.subset);
        }
        done += 1;
        if done % TIMES == 0 {
            step(&format!("{} of {users} live users", done / TIMES));
        }
    }
    Ok(lanes)
}

/// The canaries of every rollout, raised by [`RISE`] as far as there is room.
fn raised(mesh: &Mesh) -> Mesh {
    let mut mesh = mesh.clone();
    for rollout in mesh.services.iter_mut().filter_map(|service| service.routes.last_mut()?.rollout.as_mut())
    {
        let sum: u16 = rollout.weights.iter().map(|weight| weight.buckets).sum();
        if let Some(weight) = rollout.weights.first_mut() {
            weight.buckets += RISE.min(10_000 - sum);
        }
    }
    mesh
}

fn percent(mesh: &Mesh, service: &str) -> f64 {
    let rollout = mesh.service(service).and_then(|service| service.rest().rollout.as_ref());
    let sum: u16 =
        rollout.into_iter().flat_map(|rollout| &rollout.weights).map(|weight| weight.buckets).sum();
    crate::percent::of(sum)
}

/// The shares of a crowd, and whether each user is where the core says, at every request.
fn shares(
    testbed: &Testbed,
    cast: &Cast<'_>,
    users: usize,
    rollouts: &[String],
    lanes: &Lanes,
    before: Option<&Lanes>,
) -> Result<Row> {
    let mesh = &testbed.mesh;
    let core = Core::of(mesh)?;
    let (mut flipped, mut misplaced, mut back) = (0, 0, 0);
    let mut stops = Vec::new();
    for name in rollouts {
        let baseline = mesh.service(name).map(|service| service.baseline.clone()).unwrap_or_default();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for number in 0..users {
            let at = |lanes: &Lanes| {
                lanes.get(&number).and_then(|services| services.get(name)).cloned().unwrap_or_default()
            };
            let is = at(lanes);
            flipped += usize::from(is.len() != 1);
            let want = core.subset(&testbed.authorities[name], &cast.live, Some(&user(number)))?;
            misplaced += usize::from(want.as_ref().is_none_or(|want| !is.contains(want)));
            let was = before.map(at).unwrap_or_default();
            back += usize::from(was.iter().any(|subset| *subset != baseline) && is.contains(&baseline));
            is.into_iter().for_each(|subset| *counts.entry(subset).or_default() += 1);
        }
        let counted = counts.into_iter().filter(|(subset, _)| *subset != baseline);
        stops.extend(counted.map(|(subset, users)| Stop {
            service: name.clone(),
            subset,
            tenant: None,
            source: None,
            users: Some(users),
        }));
    }
    let weights: BTreeSet<String> = rollouts.iter().map(|name| percent(mesh, name).to_string()).collect();
    let weights = weights.into_iter().collect::<Vec<_>>().join(" and ");
    let mut source = format!("{flipped} users flipped");
    if before.is_some() {
        source += &format!(", {back} moved back");
    }
    let problem = (flipped + misplaced + back > 0)
        .then(|| format!("{source}, {misplaced} are not where the core says"));
    Ok(Row {
        name: format!("{users} live users, {TIMES} requests each, canary at {weights} %"),
        sent: format!(
            "no {}, {}: user-0 to user-{}",
            mesh.header,
            cast.key.as_ref().map_or("", KeyOf::name),
            users - 1
        ),
        hops: stops,
        source,
        ok: problem.is_none(),
        problem,
    })
}

/// Two services that share a salt, a hop without rollout in between, and applications that lose the baggage.
async fn together(testbed: &Testbed, cast: &Cast<'_>, step: &mut impl FnMut(&str)) -> Result<Option<Row>> {
    const USERS: usize = 100;
    let salt = |name: &String| {
        testbed
            .mesh
            .service(name)
            .and_then(|service| service.rest().rollout.as_ref())
            .map(|rollout| rollout.salt.clone())
    };
    let services: Vec<(&String, Option<String>)> = cast.path.iter().map(|name| (name, salt(name))).collect();
    let between = services.iter().position(|(_, salt)| salt.is_none());
    let Some(between) = between else { return Ok(None) };
    let (left, right) = services.split_at(between);
    let pair = left.iter().find_map(|(first, salt)| {
        let (second, _) = right.iter().find(|(_, other)| salt.is_some() && other == salt)?;
        Some(((*first).clone(), (*second).clone(), salt.clone().unwrap_or_default()))
    });
    let Some((first, second, salt)) = pair else { return Ok(None) };
    let forward: Vec<(String, Forward)> =
        cast.path.iter().map(|name| (name.clone(), Forward::Only("x-request-id"))).collect();
    let lanes = send(testbed, cast, USERS, &forward, step).await?;
    let apart = lanes.values().filter(|services| services.get(&first) != services.get(&second)).count();
    let baseline =
        |name: &str| testbed.mesh.service(name).map(|service| service.baseline.clone()).unwrap_or_default();
    let stops = [&first, &second].map(|name| {
        let baseline = baseline(name);
        let on_canary = lanes
            .values()
            .filter(|services| services.get(name).is_some_and(|subsets| !subsets.contains(&baseline)));
        Stop {
            service: name.clone(),
            subset: "canary".to_owned(),
            tenant: None,
            source: None,
            users: Some(on_canary.count()),
        }
    });
    let problem = (apart > 0).then(|| format!("{apart} users got different versions"));
    Ok(Some(Row {
        name: format!("{first} and {second} share a salt, {} in between has no rollout", services[between].0),
        sent: format!("{USERS} live users, x-request-id only, salt {salt}"),
        hops: stops.to_vec(),
        source: format!("{apart} users on different versions"),
        ok: problem.is_none(),
        problem,
    }))
}
