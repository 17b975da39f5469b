//! The journeys that are shown, and whether each became what it should.

use anyhow::Result;
use graylane_decide::config::Restore;
use graylane_decide::names::{SUBSET_HEADER, UNIT_MEMBER};

use crate::demo::app::Forward;
use crate::demo::cast::Cast;
use crate::demo::crowd;
use crate::demo::discovery::OUTSIDE_HOST;
use crate::demo::expect::Core;
use crate::demo::journey::{Arrival, Entry, Journey};
use crate::demo::row::{Row, Stop};
use crate::demo::testbed::Testbed;
use crate::demo::variants;
use crate::mesh::Mesh;

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
/// The trace of the request whose applications lose everything, so that its log can be found.
const LOST: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn journeys(mesh: &Mesh, cast: &Cast<'_>) -> Vec<Scenario> {
    let plan = Plan { mesh, cast, first: &cast.path[0] };
    let mut list = plan.kept();
    // Without a call between services nothing can get lost.
    if cast.path.len() > 1 {
        list.extend(plan.lost());
    }
    if !plan.restores(Restore::Memory) {
        list.retain(|scenario| scenario.want.iter().all(|(_, source)| *source != "memory"));
    }
    if cast.path.len() > 2 && plan.restores(Restore::Memory) && plan.restores(Restore::Baggage) {
        list.insert(list.len().min(4), plan.lost_twice());
    }
    if plan.restores(Restore::Workload) {
        list.push(plan.own_call());
    }
    list.extend(plan.not_believed());
    list.push(plan.leaving());
    list
}

/// What scenarios are made of.
struct Plan<'a> {
    mesh: &'a Mesh,
    cast: &'a Cast<'a>,
    /// The first service on the way.
    first: &'a String,
}

impl Plan<'_> {
    fn restores(&self, from: Restore) -> bool {
        self.mesh.document.policy.restore.contains(&from)
    }

    fn is_gray(&self, source: &'static str) -> (String, &'static str) {
        (self.cast.gray.clone(), source)
    }

    fn is_live(&self, source: &'static str) -> (String, &'static str) {
        (self.cast.live.clone(), source)
    }

    /// The first hop has the header, the others what is restored.
    fn then(&self, source: &'static str) -> Vec<(String, &'static str)> {
        let rest = self.cast.path.iter().skip(1).map(|_| self.is_gray(source));
        [self.is_gray("header")].into_iter().chain(rest).collect()
    }

    /// The first hop gets the default, the others the header that it makes.
    fn then_live(&self) -> Vec<(String, &'static str)> {
        let rest = self.cast.path.iter().skip(1).map(|_| self.is_live("header"));
        [self.is_live("default")].into_iter().chain(rest).collect()
    }

    fn sent_gray(&self) -> String {
        format!("{}: {}", self.mesh.header, self.cast.gray)
    }

    fn gray_journey(&self) -> Journey {
        self.cast.gray_journey(self.mesh)
    }

    fn gray(
        &self,
        name: &'static str,
        how: &str,
        journey: Journey,
        want: Vec<(String, &'static str)>,
    ) -> Scenario {
        let sent = format!("{}{how}", self.sent_gray());
        Scenario { name, sent, journey, want, key: None, unseen: Vec::new() }
    }

    /// Without a key the version of a user is not known.
    fn key(&self) -> Option<String> {
        self.cast.key.is_some().then(|| USER.to_owned())
    }

    /// Users whose applications lose nothing.
    fn kept(&self) -> Vec<Scenario> {
        let one = self.cast.has_one_tenant();
        let name = if one { "user who names the only tenant" } else { "gray user, end to end" };
        vec![
            self.gray(name, "", self.gray_journey(), self.then("header")),
            Scenario {
                name: "live user, end to end",
                sent: format!("no {}, {USER}", self.mesh.header),
                journey: self.cast.live_journey(USER),
                want: self.then_live(),
                key: self.key(),
                unseen: Vec::new(),
            },
        ]
    }

    /// Users whose applications lose the header.
    fn lost(&self) -> Vec<Scenario> {
        let all = |forward| self.cast.path.iter().map(|name| (name.clone(), forward)).collect::<Vec<_>>();
        let traced = vec![
            (self.mesh.header.clone(), self.cast.gray.clone()),
            ("traceparent".to_owned(), TRACEPARENT.to_owned()),
        ];
        let by_request_id = Journey { forward: all(Forward::Only("x-request-id")), ..self.gray_journey() };
        let by_trace_id =
            Journey { forward: all(Forward::Only("traceparent")), headers: traced, ..self.gray_journey() };
        let late = Journey {
            forward: all(Forward::Only("x-request-id")),
            late: vec![self.first.clone()],
            ..self.gray_journey()
        };
        let lost = vec![
            (self.mesh.header.clone(), self.cast.gray.clone()),
            ("traceparent".to_owned(), LOST.to_owned()),
        ];
        let nothing = Journey {
            headers: lost,
            forward: vec![(self.first.clone(), Forward::Nothing)],
            path: self.cast.path.iter().take(2).cloned().collect(),
            ..self.gray_journey()
        };
        vec![
            self.gray(
                "header lost, restored from the request id",
                "; applications forward x-request-id only",
                by_request_id,
                self.then("memory"),
            ),
            self.gray(
                "header lost, restored from the trace id",
                "; applications forward traceparent only",
                by_trace_id,
                self.then("memory"),
            ),
            self.gray(
                "the application calls after it has answered",
                "; a late call, x-request-id only",
                late,
                self.then("memory"),
            ),
            self.gray(
                "everything lost: the request is live again",
                &format!("; {} forwards nothing", self.first),
                nothing,
                vec![self.is_gray("header"), self.is_live("default")],
            ),
        ]
    }

    /// Two applications that lose the header, each in a way of its own.
    fn lost_twice(&self) -> Scenario {
        let second = &self.cast.path[1];
        let forward = vec![
            (self.first.clone(), Forward::Only("x-request-id")),
            (second.clone(), Forward::Only("baggage")),
        ];
        self.gray(
            "header lost, restored from baggage",
            &format!("; {second} forwards baggage only"),
            Journey { forward, ..self.gray_journey() },
            vec![self.is_gray("header"), self.is_gray("memory"), self.is_gray("baggage")],
        )
    }

    /// A worker's call, which follows from no request.
    fn own_call(&self) -> Scenario {
        let rest = self.cast.path.iter().skip(1).map(|_| self.is_gray("header"));
        Scenario {
            name: "no request to copy from: restored from the pod label",
            sent: "a call of the worker's own".to_owned(),
            journey: Journey { entry: Entry::Worker, headers: Vec::new(), ..self.gray_journey() },
            want: [self.is_gray("workload")].into_iter().chain(rest).collect(),
            key: None,
            unseen: Vec::new(),
        }
    }

    /// Callers who send what does not count.
    fn not_believed(&self) -> [Scenario; 2] {
        let header = &self.mesh.header;
        let live = |name, sent: String, headers: Vec<(String, String)>, unseen| {
            let mut journey = self.cast.live_journey(USER);
            journey.headers.extend(headers);
            Scenario { name, sent, journey, want: self.then_live(), key: self.key(), unseen }
        };
        let baggage = format!("{header}={},{UNIT_MEMBER}=ffffffffffffffff", self.cast.gray);
        [
            live(
                "unknown tenant",
                format!("{header}: blue, {USER}"),
                vec![(header.clone(), "blue".to_owned())],
                Vec::new(),
            ),
            live(
                "forged baggage and subset are removed at the gateway",
                format!("baggage: {header}={}, {SUBSET_HEADER}, {USER}", self.cast.gray),
                vec![
                    ("baggage".to_owned(), baggage),
                    (SUBSET_HEADER.to_owned(), "api.bank.svc.cluster.local/canary".to_owned()),
                ],
                vec![("baggage", "ffffffffffffffff"), (SUBSET_HEADER, "")],
            ),
        ]
    }

    fn leaving(&self) -> Scenario {
        let path = vec![self.first.clone(), OUTSIDE_HOST.to_owned()];
        self.gray(
            "a call that leaves the mesh carries no internal header",
            &format!("; {} calls {OUTSIDE_HOST}", self.first),
            Journey { path, ..self.gray_journey() },
            vec![self.is_gray("header")],
        )
    }
}

/// Runs all of it; `step` is told the name of what comes next.
///
/// # Errors
/// When the testbed itself fails.
pub async fn run(
    testbed: &mut Testbed,
    cast: &Cast<'_>,
    users: usize,
    mut step: impl FnMut(&str),
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let core = Core::of(&testbed.mesh)?;
    for scenario in journeys(&testbed.mesh, cast) {
        step(scenario.name);
        let result = scenario.journey.go(testbed, cast.client).await;
        let stops = result.as_deref().map(|hops| hops.iter().map(Stop::of).collect()).unwrap_or_default();
        let problem = match result {
            Ok(hops) => judge(testbed, &core, &scenario, &hops)?,
            Err(error) => Some(format!("{error:#}")),
        };
        rows.push(Row::of(scenario.name, scenario.sent, stops, problem));
    }
    rows.extend(crowd::rows(testbed, cast, users, &mut step).await?);
    step("a file without services");
    rows.extend(variants::header_only(testbed, cast).await?);
    step("mode: observe");
    rows.push(variants::observe(testbed, cast).await?);
    Ok(rows)
}

/// What is wrong with a journey, if anything.
fn judge(testbed: &Testbed, core: &Core, scenario: &Scenario, hops: &[Arrival]) -> Result<Option<String>> {
    for (hop, (tenant, source)) in hops.iter().zip(&scenario.want) {
        if hop.tenant != *tenant || hop.source != *source {
            return Ok(Some(format!(
                "{}: wanted {tenant} from {source}, got {} from {}",
                hop.service, hop.tenant, hop.source
            )));
        }
        let authority = testbed.authorities.get(&hop.service).map_or("", String::as_str);
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
    let ours = [testbed.mesh.header.as_str(), "baggage", SUBSET_HEADER];
    let leaked = outside.and_then(|hop| ours.into_iter().find(|name| hop.headers.contains_key(*name)));
    Ok(leaked.map(|name| format!("{OUTSIDE_HOST} got the header {name}")))
}
