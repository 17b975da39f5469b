//! The journeys that are shown, and whether each became what it should.

use anyhow::Result;
use graylane_decide::config::{Mode, Restore};
use graylane_decide::names::{SUBSET_HEADER, UNIT_MEMBER};
use serde::Serialize;

use crate::demo::app::Forward;
use crate::demo::cast::Cast;
use crate::demo::crowd;
use crate::demo::discovery::OUTSIDE_HOST;
use crate::demo::expect::Core;
use crate::demo::journey::{Entry, Hop, Journey};
use crate::demo::town::Town;
use crate::mesh::Mesh;

/// One line of the demo's table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What it shows.
    pub name: String,
    /// What was sent.
    pub sent: String,
    /// Where it went.
    pub hops: Vec<Stop>,
    /// Where each hop had the tenant from, or what was counted.
    pub source: String,
    /// Did it become what it should?
    pub ok: bool,
    /// If not: why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A hop of a row: of one request, or of many users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// The service.
    pub service: String,
    /// The subset.
    pub subset: String,
    /// Whose lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Where the tenant came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How many users went there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<usize>,
}

/// A journey and what should become of it.
struct Scenario {
    name: &'static str,
    sent: String,
    journey: Journey,
    /// By hop: tenant and source. A hop that is not named is not looked at.
    want: Vec<(String, &'static str)>,
    /// A live user's key.
    key: Option<String>,
    /// Headers that no application may see a value of, by part of the value.
    unseen: Vec<(&'static str, &'static str)>,
}

const USER: &str = "user-7";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn journeys(mesh: &Mesh, cast: &Cast<'_>) -> Vec<Scenario> {
    let gray = |source| (cast.gray.clone(), source);
    let live = |source| (cast.live.clone(), source);
    let header = &mesh.header;
    let sent_gray = format!("{header}: {}", cast.gray);
    let all = |forward| cast.path.iter().map(|name| (name.clone(), forward)).collect::<Vec<_>>();
    let first = cast.path[0].clone();
    // Without a key there is no telling which version a user gets.
    let key = cast.key.is_some().then(|| USER.to_owned());
    let restores = |from: Restore| mesh.document.policy.restore.contains(&from);
    // The first hop has the header, the others what is restored.
    let then = |source: &'static str| -> Vec<(String, &'static str)> {
        let rest = cast.path.iter().skip(1).map(|_| gray(source));
        [gray("header")].into_iter().chain(rest).collect()
    };
    let gray_scenario = |name, how: &str, journey, want| Scenario {
        name,
        sent: format!("{sent_gray}{how}"),
        journey,
        want,
        key: None,
        unseen: Vec::new(),
    };
    let gray_journey = || cast.gray_journey(mesh);
    let mut list = vec![
        gray_scenario(
            if cast.has_one_tenant() { "user who names the only tenant" } else { "gray user, end to end" },
            "",
            gray_journey(),
            then("header"),
        ),
        Scenario {
            name: "live user, end to end",
            sent: format!("no {header}, {USER}"),
            journey: cast.live_journey(USER),
            want: [live("default")]
                .into_iter()
                .chain(cast.path.iter().skip(1).map(|_| live("header")))
                .collect(),
            key: key.clone(),
            unseen: Vec::new(),
        },
        gray_scenario(
            "header lost, restored from the request id",
            "; applications forward x-request-id only",
            Journey { forward: all(Forward::Only("x-request-id")), ..gray_journey() },
            then("memory"),
        ),
        gray_scenario(
            "header lost, restored from the trace id",
            "; applications forward traceparent only",
            Journey {
                forward: all(Forward::Only("traceparent")),
                headers: vec![
                    (header.clone(), cast.gray.clone()),
                    ("traceparent".to_owned(), TRACEPARENT.to_owned()),
                ],
                ..gray_journey()
            },
            then("memory"),
        ),
        gray_scenario(
            "the application calls after it has answered",
            "; a late call, x-request-id only",
            Journey {
                forward: all(Forward::Only("x-request-id")),
                late: vec![first.clone()],
                ..gray_journey()
            },
            then("memory"),
        ),
        gray_scenario(
            "everything lost: the request is live again",
            &format!("; {first} forwards nothing"),
            Journey {
                forward: vec![(first.clone(), Forward::Nothing)],
                path: cast.path.iter().take(2).cloned().collect(),
                ..gray_journey()
            },
            vec![gray("header"), live("default")],
        ),
    ];
    if cast.path.len() < 2 {
        // Nobody calls anybody, so nothing gets lost.
        list.retain(|scenario| scenario.journey.forward.is_empty());
    }
    if !restores(Restore::Memory) {
        list.retain(|scenario| scenario.want.iter().all(|(_, source)| *source != "memory"));
    }
    if cast.path.len() > 2 && restores(Restore::Memory) && restores(Restore::Baggage) {
        let second = cast.path[1].clone();
        let forward =
            vec![(first.clone(), Forward::Only("x-request-id")), (second.clone(), Forward::Only("baggage"))];
        list.insert(
            list.len().min(4),
            gray_scenario(
                "header lost, restored from baggage",
                &format!("; {second} forwards baggage only"),
                Journey { forward, ..gray_journey() },
                vec![gray("header"), gray("memory"), gray("baggage")],
            ),
        );
    }
    let own_call = Scenario {
        name: "no request to copy from: restored from the pod label",
        sent: "a call of the worker's own".to_owned(),
        journey: Journey { entry: Entry::Worker, headers: Vec::new(), ..gray_journey() },
        want: [gray("workload")]
            .into_iter()
            .chain(cast.path.iter().skip(1).map(|_| gray("header")))
            .collect(),
        key: None,
        unseen: Vec::new(),
    };
    if restores(Restore::Workload) {
        list.push(own_call);
    }
    let mut unknown = cast.live_journey(USER);
    unknown.headers.push((header.clone(), "blue".to_owned()));
    list.push(Scenario {
        name: "unknown tenant",
        sent: format!("{header}: blue, {USER}"),
        journey: unknown,
        want: [live("default")].into_iter().chain(cast.path.iter().skip(1).map(|_| live("header"))).collect(),
        key: key.clone(),
        unseen: vec![],
    });
    let mut forged = cast.live_journey(USER);
    forged.headers.extend([
        ("baggage".to_owned(), format!("{header}={},{UNIT_MEMBER}=ffffffffffffffff", cast.gray)),
        (SUBSET_HEADER.to_owned(), "api.bank.svc.cluster.local/canary".to_owned()),
    ]);
    list.push(Scenario {
        name: "forged baggage and subset are removed at the gateway",
        sent: format!("baggage: {header}={}, {SUBSET_HEADER}, {USER}", cast.gray),
        journey: forged,
        want: [live("default")].into_iter().chain(cast.path.iter().skip(1).map(|_| live("header"))).collect(),
        key: key.clone(),
        unseen: vec![("baggage", "ffffffffffffffff"), (SUBSET_HEADER, "")],
    });
    list.push(Scenario {
        name: "a call that leaves the mesh takes nothing of ours along",
        sent: format!("{sent_gray}; {first} calls {OUTSIDE_HOST}"),
        journey: Journey { path: vec![first, OUTSIDE_HOST.to_owned()], ..gray_journey() },
        want: vec![gray("header")],
        key: None,
        unseen: Vec::new(),
    });
    list
}

/// Runs all of it; `step` is told the name of what comes next.
///
/// # Errors
/// When the town itself breaks.
pub async fn run(
    town: &mut Town,
    cast: &Cast<'_>,
    users: usize,
    mut step: impl FnMut(&str),
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let core = Core::of(&town.mesh)?;
    for scenario in journeys(&town.mesh, cast) {
        step(scenario.name);
        let result = scenario.journey.go(town, cast.client).await;
        let stops = result.as_deref().map(|hops| hops.iter().map(stop).collect()).unwrap_or_default();
        let problem = match result {
            Ok(hops) => judge(town, &core, &scenario, &hops)?,
            Err(error) => Some(format!("{error:#}")),
        };
        rows.push(row(scenario.name, scenario.sent, stops, problem));
    }
    rows.extend(crowd::rows(town, cast, users, &mut step).await?);
    step("mode: observe");
    rows.push(observe(town, cast).await?);
    Ok(rows)
}

fn stop(hop: &Hop) -> Stop {
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Stop {
        service: hop.service.clone(),
        subset: hop.subset.clone(),
        tenant: some(&hop.tenant),
        source: some(&hop.source),
        users: None,
    }
}

/// A row of one journey.
fn row(name: &str, sent: String, hops: Vec<Stop>, problem: Option<String>) -> Row {
    let sources: Vec<&str> = hops.iter().filter_map(|stop| stop.source.as_deref()).collect();
    Row { name: name.to_owned(), sent, source: sources.join(", "), hops, ok: problem.is_none(), problem }
}

/// What is wrong with a journey, if anything.
fn judge(town: &Town, core: &Core, scenario: &Scenario, hops: &[Hop]) -> Result<Option<String>> {
    for (hop, (tenant, source)) in hops.iter().zip(&scenario.want) {
        if hop.tenant != *tenant || hop.source != *source {
            return Ok(Some(format!(
                "{}: wanted {tenant} from {source}, got {} from {}",
                hop.service, hop.tenant, hop.source
            )));
        }
        let authority = town.authorities.get(&hop.service).map_or("", String::as_str);
        let want = core.subset(authority, tenant, scenario.key.as_deref())?;
        if let Some(want) = want.filter(|want| *want != hop.subset) {
            return Ok(Some(format!("{}: wanted subset {want}, got {}", hop.service, hop.subset)));
        }
        let unseen =
            |(name, part): &&(&str, &str)| hop.headers.get(*name).is_some_and(|value| value.contains(part));
        if let Some((name, _)) = scenario.unseen.iter().find(unseen) {
            return Ok(Some(format!("{} got the forged {name}: {}", hop.service, hop.headers[*name])));
        }
    }
    let outside = hops.iter().find(|hop| hop.service == OUTSIDE_HOST);
    let ours = [town.mesh.header.as_str(), "baggage", SUBSET_HEADER];
    let leaked = outside.and_then(|hop| ours.into_iter().find(|name| hop.headers.contains_key(*name)));
    Ok(leaked.map(|name| format!("{OUTSIDE_HOST} got the header {name}")))
}

/// In mode observe nothing changes, and everything is counted.
async fn observe(town: &mut Town, cast: &Cast<'_>) -> Result<Row> {
    let enforced = town.mesh.clone();
    let mut observing = enforced.clone();
    observing.mode = Mode::Observe;
    town.change(observing).await?;
    const COUNTER: &str = "graylane_requests_total";
    let before = (town.metric(COUNTER, &[]).await?, town.metric(COUNTER, &[("source", "memory")]).await?);
    let first = cast.path[0].clone();
    // Two hops are enough: where a third one goes, the weights would draw.
    let path: Vec<String> = cast.path.iter().take(2).cloned().collect();
    let decisions = (2 * path.len()) as f64;
    let forward = vec![(first, Forward::Only("x-request-id"))];
    let lost = Journey { forward, path, ..cast.gray_journey(&enforced) };
    let hops = lost.go(town, cast.client).await?;
    let after = (town.metric(COUNTER, &[]).await?, town.metric(COUNTER, &[("source", "memory")]).await?);
    town.change(enforced).await?;

    let header = &town.mesh.header;
    let memory = town.mesh.document.policy.restore.contains(&Restore::Memory);
    // One decision where it comes in, then one on each side of every hop.
    let (counted, restored) = (after.0 - before.0, after.1 - before.1);
    let changed = hops
        .iter()
        .skip(1)
        .find(|hop| hop.headers.contains_key(header) || hop.headers.contains_key("baggage"));
    let problem = match changed {
        Some(hop) => Some(format!("{} got a header that was not sent", hop.service)),
        None if counted != decisions => Some(format!("counted {counted} decisions of {decisions}")),
        // With one service nothing gets lost on the way.
        None if restored < 1.0 && hops.len() > 1 && memory => {
            Some("what would have been restored was not counted".to_owned())
        }
        None => None,
    };
    let sent = format!("{header}: {}; x-request-id only, mode: observe", cast.gray);
    let stops = hops.iter().map(stop).collect();
    let row = row("mode: observe changes nothing and counts everything", sent, stops, problem);
    Ok(Row { source: format!("{counted} decisions counted, {restored} would be restored"), ..row })
}
