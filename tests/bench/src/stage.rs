//! An Envoy with one listener for each variant and setup: all in one process, so that what is compared shares its luck
//! with memory layout and neighbours.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use graylane::envoy::{Envoy, Options, config, locate};
use graylane_decide::Role;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::machine::{self, Cores, Worker};
use crate::scenario::Setup;
use crate::variant::{self, Modules, Variant};

/// What a listener is for.
pub type ListenerKey = (Variant, Setup, &'static str);

/// What every Envoy is started with.
pub struct Workshop {
    /// For the few things that are asynchronous.
    pub runtime: Runtime,
    /// The program.
    pub envoy: PathBuf,
    /// The modules.
    pub modules: Modules,
    /// The cores.
    pub cores: Cores,
    /// A server behind Envoy, for what has a body.
    pub upstream: SocketAddr,
}

impl Workshop {
    /// With what there is.
    ///
    /// # Errors
    /// When there is no Envoy, or one core only.
    pub fn new(modules: Modules, body: usize) -> Result<Self> {
        let cores = Cores::find()?;
        machine::pin(cores.client)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, envoy: locate()?, modules, cores, upstream: crate::client::serve(body)? })
    }

    /// Starts an Envoy with these listeners on Envoy's core.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self, places: &BTreeSet<ListenerKey>, workers: u32) -> Result<Stage> {
        let mut listeners = Vec::new();
        for place in places {
            listeners.push(self.listener(*place)?);
        }
        let node = config::node("sidecar", "api-1", "shop", &json!({"version": "v1"}));
        let upstream = config::cluster("upstream", &[self.upstream]);
        let bootstrap = config::bootstrap(&node, &listeners, &[upstream]);
        // A process starts on the core of the thread that starts it, and so do all its threads.
        machine::pin(self.cores.envoy)?;
        let started = self.runtime.block_on(Envoy::start(
            &self.envoy,
            "bench",
            &bootstrap,
            Options { concurrency: workers, environment: &[] },
        ));
        machine::pin(self.cores.client)?;
        let envoy = started?;
        let mut addresses = BTreeMap::new();
        for place in places {
            addresses.insert(*place, self.runtime.block_on(envoy.listener(&name(*place)))?);
        }
        Ok(Stage { worker: Worker::of(envoy.pid())?, envoy, addresses })
    }

    fn listener(&self, place: ListenerKey) -> Result<Json> {
        let (variant, setup, role) = place;
        let role = Role::named(role.as_bytes()).context("a role")?;
        let filters = variant::filters(variant, role, setup, &self.modules)?;
        let header = |name: &str, value: &str| json!([{"name": name, "string_match": {"exact": value}}]);
        let answer = |headers: Json| json!({"match": {"prefix": "/", "headers": headers}, "direct_response": {"status": 200}});
        let mut routes = vec![json!({
            "match": {"prefix": "/body"}, "route": {"cluster": "upstream", "timeout": "0s"},
        })];
        if role == Role::Outbound {
            // As graylane renders them.
            let subset = |subset: &str| format!("api.shop.svc.cluster.local/{subset}");
            routes.push(answer(header("x-graylane-subset", &subset("canary"))));
            routes.push(answer(header("x-graylane-subset", &subset("stable"))));
            routes.push(answer(header("tenant", "gray-v1")));
        }
        routes.push(answer(json!([])));
        let manager = json!({
            "generate_request_id": false,
            "preserve_external_request_id": true,
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        });
        let direction = if role == Role::Inbound { "INBOUND" } else { "OUTBOUND" };
        Ok(config::listener(&name(place), 0, direction, &filters, &manager))
    }
}

fn name((variant, setup, role): ListenerKey) -> String {
    format!("{}/{}/{role}", variant.name(), setup.name())
}

/// A running Envoy.
pub struct Stage {
    /// The process.
    pub envoy: Envoy,
    /// Its first worker.
    pub worker: Worker,
    addresses: BTreeMap<ListenerKey, SocketAddr>,
}

impl Stage {
    /// Connections to one of its listeners.
    ///
    /// # Errors
    /// When there is no such listener.
    pub fn client(&self, place: ListenerKey) -> Result<Client> {
        Client::connect(*self.addresses.get(&place).with_context(|| format!("no listener {}", name(place)))?)
    }
}
