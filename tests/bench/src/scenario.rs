//! What is sent: requests as they come in a mesh, with sixteen headers unless said otherwise.

use std::io::Write as _;

use graylane::{document, lower, mesh::Mesh};
use graylane_decide::{Config, Role};

use anyhow::Result;

/// What a listener's filters are configured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setup {
    /// `api` has two subsets, gray is pinned to one.
    Plain,
    /// `api` has a rollout.
    Sticky,
    /// So many services, each with a rollout.
    Services(u32),
}

impl Setup {
    /// Its name, as part of a listener's.
    pub fn name(self) -> String {
        match self {
            Self::Plain => "plain".to_owned(),
            Self::Sticky => "sticky".to_owned(),
            Self::Services(count) => format!("services-{count}"),
        }
    }

    /// The configuration of graylane.
    ///
    /// # Errors
    /// When the file below is not in order.
    pub fn config(self, role: Role) -> Result<Config> {
        let choice = match self {
            Self::Plain => "pins: {gray-v1: canary}",
            Self::Sticky | Self::Services(_) => "rollout: {weights: {canary: 25}}",
        };
        let text = format!(
            "
version: 1
mesh: {{name: shop, namespace: shop}}
tenants: {{green: {{default: true}}, gray-v1: {{}}}}
sticky: {{keys: [{{header: x-user-id}}], at: edge}}
services:
  api: {{subsets: {{stable: {{version: v1}}, canary: {{version: v2}}}}, baseline: stable, {choice}}}
"
        );
        let file = graylane::check::open(document::load_text("bench.yaml", &text)?).checked()?;
        let mut config = lower::config(&Mesh::of(&file), role);
        if let Self::Services(count) = self
            && let Some(service) = config.services.pop()
        {
            config.services = (0..count)
                .map(|number| {
                    let mut service = service.clone();
                    service.name = format!("service-{number}");
                    service.host = format!("service-{number}.shop.svc.cluster.local");
                    service
                })
                .collect();
        }
        Ok(config)
    }
}

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// `tenant: green`.
    Live,
    /// Nothing.
    Absent,
    /// `tenant: gray-v1`.
    Gray,
    /// `tenant: green`, and the user's unit in baggage.
    LiveWithUnit,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called.
    pub title: &'static str,
    /// Through which plugin it goes.
    pub role: Role,
    /// What that is configured for.
    pub setup: Setup,
    /// What it carries.
    pub lane: Lane,
    /// How many headers it has, pseudo headers among them.
    pub headers: u32,
    /// The gray request with the same ids came in before.
    pub primed: bool,
    /// Can Lua do it?
    pub lua: bool,
    /// Its path; `/body` is answered by a server, with a body of [`BODY`] bytes if it is a GET.
    pub path: &'static str,
    /// Bytes that it sends.
    pub body: usize,
}

/// A large body.
pub const BODY: usize = 1 << 20;

const fn scenario(title: &'static str, role: Role, setup: Setup, lane: Lane) -> Scenario {
    Scenario { title, role, setup, lane, headers: 16, primed: false, lua: true, path: "/v1/orders", body: 0 }
}

/// Requests to a pod that are right: most of all.
pub const INBOUND_DEFAULT: &str = "inbound, default tenant present";
/// Requests of a pod that are right: most of all.
pub const OUTBOUND_RIGHT: &str = "outbound, right already";
/// What has to be remembered.
pub const INBOUND_GRAY: &str = "inbound gray, new trace and request id";
/// What has to be restored.
pub const OUTBOUND_LOST: &str = "outbound, lost, restored from memory";
/// What has to be sticky.
pub const OUTBOUND_STICKY: &str = "outbound, sticky rollout";
/// Few services.
pub const FEW: &str = "outbound, sticky, 10 services configured";
/// Many services.
pub const MANY: &str = "outbound, sticky, 5,000 services configured";

/// All of them.
pub const SCENARIOS: [Scenario; 9] = [
    scenario(INBOUND_DEFAULT, Role::Inbound, Setup::Plain, Lane::Live),
    scenario("inbound, absent", Role::Inbound, Setup::Plain, Lane::Absent),
    scenario(INBOUND_GRAY, Role::Inbound, Setup::Plain, Lane::Gray),
    scenario(OUTBOUND_RIGHT, Role::Outbound, Setup::Plain, Lane::Live),
    Scenario {
        primed: true,
        lua: false,
        ..scenario(OUTBOUND_LOST, Role::Outbound, Setup::Plain, Lane::Absent)
    },
    scenario(OUTBOUND_STICKY, Role::Outbound, Setup::Sticky, Lane::LiveWithUnit),
    Scenario {
        headers: 60,
        ..scenario("outbound, right already, 60 headers", Role::Outbound, Setup::Plain, Lane::Live)
    },
    Scenario { lua: false, ..scenario(FEW, Role::Outbound, Setup::Services(10), Lane::LiveWithUnit) },
    Scenario { lua: false, ..scenario(MANY, Role::Outbound, Setup::Services(5000), Lane::LiveWithUnit) },
];

/// The request before it: the same ids, gray, inbound.
pub const PRIMING: Scenario = scenario("priming", Role::Inbound, Setup::Plain, Lane::Gray);

/// With a large body: how much does an export cost that Envoy calls for each piece of it?
pub const BODIES: [Scenario; 2] = [
    Scenario { path: "/body", ..scenario("1 MiB download", Role::Outbound, Setup::Plain, Lane::Live) },
    Scenario {
        path: "/body",
        body: BODY,
        ..scenario("1 MiB upload", Role::Outbound, Setup::Plain, Lane::Live)
    },
];

/// A number that looks like a random one (splitmix64), the same in every run.
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Scenario {
    /// Writes its request of this number: ids and destination follow from that.
    pub fn write(&self, number: u64, to: &mut Vec<u8>) {
        let (path, body) = (self.path, self.body);
        let (a, b) = (mix(number), mix(!number));
        // All services in turn, far from each other; each with one user, so that each is counted once.
        let (authority, unit) = match self.setup {
            Setup::Services(count) => {
                let service = (number % u64::from(count)) * 7919 % u64::from(count);
                (format!("service-{service}:8080"), mix(service))
            }
            _ => ("api:8080".to_owned(), b),
        };
        let tenant = match self.lane {
            Lane::Live | Lane::LiveWithUnit => "tenant: green\r\n",
            Lane::Gray => "tenant: gray-v1\r\n",
            Lane::Absent => "",
        };
        let (tail, method) = ((a >> 16) & 0xffff_ffff_ffff, if body > 0 { "POST" } else { "GET" });
        // Pseudo headers are four: method, path, authority, scheme. Writing to a vector cannot fail.
        let _ = write!(
            to,
            "{method} {path}/{number}?expand=lines HTTP/1.1\r\n\
             host: {authority}\r\n\
             user-agent: grpc-java-netty/1.66.0\r\n\
             accept: application/json, text/plain, */*\r\n\
             x-request-id: {:08x}-{:04x}-4{:03x}-a{:03x}-{tail:012x}\r\n\
             traceparent: 00-{a:016x}{b:016x}-{b:016x}-01\r\n\
             tracestate: rojo=00f067aa0ba902b7,congo=t61rcWkgMzE\r\n\
             baggage: session=5f3c9a71e2,region=eu-central-1{}\r\n\
             {tenant}\
             authorization: Bearer {}\r\n\
             content-type: application/json\r\n\
             accept-encoding: gzip, deflate, br\r\n\
             cookie: theme=dark; consent=all; lane-id=8c1f0f64a7d94b0d\r\n",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            b & 0xfff,
            if self.lane == Lane::LiveWithUnit {
                format!(",graylane-unit={unit:016x}")
            } else {
                String::new()
            },
            "eyJhbGciOiJSUzI1NiJ9".repeat(16),
        );
        for extra in 16..self.headers {
            let _ = write!(to, "x-application-{extra}: a value of an ordinary length\r\n");
        }
        if body > 0 {
            let _ = write!(to, "content-length: {body}\r\n");
        }
        to.extend_from_slice(b"\r\n");
        to.resize(to.len() + body, b'x');
    }
}
