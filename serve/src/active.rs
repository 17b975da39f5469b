//! What a plugin runs with: a plan, or what is left to do without one.
//!
//! A bad configuration never takes a service down. Envoy answers 500 to everything on a listener whose plugin
//! refuses its first configuration, so this never refuses: sidecars and waypoints keep their last good plan, or let
//! requests through untouched; a gateway without a plan still removes what outside callers must not send.

use std::sync::Arc;

use graylane_decide::choice::keyed::{HashKey, KEY_RULE};
use graylane_decide::config::{self, Carrier, Hash, Mistake, Mode};
use graylane_decide::edge::token::{self, TokenKey};
use graylane_decide::plan::Node;
use graylane_decide::{Config, Plan, Role, Sanitiser, names, naming, workload};
use serde_json::Value;

/// What a plugin runs with. `C`: the counters of a plan.
#[derive(Debug)]
pub enum Active<C> {
    /// A plan.
    Plan {
        /// The plan.
        plan: Box<Plan>,
        /// Its counters.
        counters: C,
    },
    /// A gateway that knows nothing: everything of ours is removed, so that the routes give the default.
    Closed(Sanitiser),
    /// Nothing: requests pass untouched.
    Open,
}

impl<C> Active<C> {
    /// What a gateway runs with for a request whose tenant it does not know; `None` for other roles.
    #[must_use]
    pub fn closed(&self) -> Option<Arc<Self>> {
        let sanitiser = match self {
            Self::Plan { plan, .. } if plan.role == Role::Gateway => &plan.sanitiser,
            Self::Closed(sanitiser) => sanitiser,
            Self::Plan { .. } | Self::Open => return None,
        };
        Some(Arc::new(Self::Closed(sanitiser.clone())))
    }
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Information.
    Info,
    /// An operator should look at it.
    Warn,
    /// An operator must act.
    Error,
}

/// A proxy that configures a plugin.
pub trait Setup {
    /// A property by its path, whose steps are joined by NUL. While a plugin is configured, `xds.node` can be read and
    /// nothing else of `xds`.
    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>>;
    /// A variable of the VM's environment.
    fn environment(&mut self, name: &str) -> Option<String>;
    /// Writes a line to the proxy's log.
    fn log(&mut self, level: Level, line: &str);
    /// Sets the gauges that tell what a plugin runs with.
    fn show_configuration(&mut self, role: Role, valid: bool, revision: u64);
}

/// Role and name: Istio names a plugin `<namespace>.<name>` and keeps that name when its configuration changes.
type PluginKey = (&'static str, Vec<u8>);

/// The last good plan of each plugin. Outlives a change of configuration, as the VM does.
#[derive(Debug)]
pub struct LastGood<C>(Vec<(PluginKey, Arc<Active<C>>)>);

impl<C> Default for LastGood<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> LastGood<C> {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    fn key(role: Role, setup: &mut impl Setup) -> PluginKey {
        (role.name(), setup.property(b"plugin_name").unwrap_or_default())
    }

    fn keep(&mut self, key: PluginKey, active: Arc<Active<C>>) {
        match self.0.iter_mut().find(|(is, _)| *is == key) {
            Some((_, good)) => *good = active,
            None => self.0.push((key, active)),
        }
    }

    /// Reads a configuration, and says in log and gauge what came of it.
    pub fn load(&mut self, configuration: &[u8], setup: &mut impl Setup) -> Arc<Active<C>>
    where
        C: Default,
    {
        let root_id = setup.property(b"plugin_root_id").unwrap_or_default();
        let named = Role::named(&root_id);
        match compile(configuration, named, setup) {
            Ok(plan) => {
                let (role, revision) = (plan.role, plan.revision);
                // It runs, since traffic must pass, and says that it is not what was wanted.
                setup.show_configuration(role, !plan.lacks_keys(), revision);
                setup.log(Level::Info, &format!("graylane: {} runs revision {revision:012x}", role.name()));
                let active = Arc::new(Active::Plan { plan: Box::new(plan), counters: C::default() });
                self.keep(Self::key(role, setup), Arc::clone(&active));
                active
            }
            Err(mistakes) => {
                let is_router = is_router(setup);
                let role = named.unwrap_or(if is_router { Role::Gateway } else { Role::Inbound });
                for mistake in &mistakes {
                    let line = format!("graylane: configuration of {}: {mistake}", role.name());
                    setup.log(Level::Error, &line);
                }
                self.fall_back(role, configuration, setup)
            }
        }
    }

    #[inline(never)] // Large functions cost V8 the most: decision 15.
    fn fall_back(&self, role: Role, configuration: &[u8], setup: &mut impl Setup) -> Arc<Active<C>> {
        let key = Self::key(role, setup);
        let good = self.0.iter().find(|(is, _)| *is == key).map(|(_, good)| Arc::clone(good));
        if let Some(good) = good {
            let revision = if let Active::Plan { plan, .. } = &*good { plan.revision } else { 0 };
            setup.show_configuration(role, false, revision);
            let text = format!("graylane: {} keeps revision {revision:012x}, the last good one", role.name());
            setup.log(Level::Error, &text);
            return good;
        }
        setup.show_configuration(role, false, 0);
        if role == Role::Gateway {
            let (header, sanitiser) = without_plan(configuration, setup);
            let text = format!(
                "graylane: gateway has no configuration: `{header}` and all of ours is removed from requests"
            );
            setup.log(Level::Error, &text);
            return Arc::new(Active::Closed(sanitiser));
        }
        let text = format!("graylane: {} has no configuration: requests pass untouched", role.name());
        setup.log(Level::Error, &text);
        Arc::new(Active::Open)
    }
}

/// What a gateway removes that has no plan: the names that travel outside of it, in the environment, and those that can
/// still be told in a configuration that cannot be run as a whole, of a newer version perhaps.
#[inline(never)] // Large functions cost V8 the most: decision 15.
fn without_plan(configuration: &[u8], setup: &mut impl Setup) -> (String, Sanitiser) {
    let document: Value = serde_json::from_slice(configuration).unwrap_or_default();
    let in_environment = setup.environment(names::HEADER_ENV).filter(|name| !name.is_empty());
    let in_document =
        document.get("header").and_then(Value::as_str).filter(|name| naming::is_header_name(name));
    let header = in_document.or(in_environment.as_deref()).unwrap_or(names::DEFAULT_HEADER).to_owned();

    let carriers = headers_of(document.get("policy").and_then(|policy| policy.get("carriers")));
    let carriers: Vec<Carrier> = carriers.map(|name| Carrier::Header(name.to_owned())).collect();
    let mut sanitiser = Sanitiser::new(&header, &carriers);
    let removed = setup.environment(names::REMOVE_ENV).unwrap_or_default().into_bytes();
    removed.split(|byte| *byte == b',').for_each(|name| sanitiser.refuse(name.trim_ascii(), true));
    if let Some(name) = in_environment {
        sanitiser.refuse(name.as_bytes(), true);
    }
    let refused = document.get("edge").and_then(|edge| edge.get("remove")).and_then(Value::as_array);
    let refused = refused.into_iter().flatten().filter_map(Value::as_str);
    let ids = headers_of(document.get("policy").and_then(|policy| policy.get("ids")));
    refused.chain(ids).for_each(|name| sanitiser.refuse(name.as_bytes(), true));
    (header, sanitiser)
}

/// The headers that a list names as objects: `{"header": "x-any"}`; not those that are to be kept.
fn headers_of(list: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter(|entry| entry.get("keep") != Some(&Value::Bool(true)))
        .filter_map(|entry| entry.get("header").and_then(Value::as_str))
}

#[inline(never)] // Large functions cost V8 the most: decision 15.
fn compile(configuration: &[u8], named: Option<Role>, setup: &mut impl Setup) -> Result<Plan, Vec<Mistake>> {
    let config = config::parse(configuration)?;
    if let Some(named) = named.filter(|named| *named != config.role) {
        let (is, wanted) = (config.role.name(), named.name());
        let problem = format!("`{is}`, but the plugin's name (root id) says `{wanted}`");
        return Err(vec![Mistake { field: "role".to_owned(), problem }]);
    }
    let node = node(&config, setup);
    let plan = Plan::compile(&config, &node)?;
    if naming::is_written_by_proxies(&config.header) {
        let text = format!("graylane: header `{}` is written by proxies: choose another", config.header);
        setup.log(Level::Warn, &text);
    }
    Ok(plan)
}

#[inline(never)] // Large functions cost V8 the most: decision 15.
fn node(config: &Config, setup: &mut impl Setup) -> Node {
    let names = workload::labels(&config.workloads).into_iter();
    let labels = names.filter_map(|name| {
        let value = setup.property(&[LABELS, name.as_bytes()].concat()).and_then(text)?;
        Some((name.to_owned(), value))
    });
    let labels = labels.collect();
    let namespace = setup.property(b"xds\0node\0metadata\0NAMESPACE").and_then(text);
    let node = Node {
        namespace: namespace.filter(|name| !name.is_empty()).or_else(|| namespace_of_id(setup)),
        labels,
        is_router: is_router(setup),
        hash_key: config.sticky.as_ref().and_then(|sticky| hash_key(sticky.hash.as_ref()?, setup)),
        token_keys: config
            .edge
            .iter()
            .flat_map(|edge| &edge.tokens)
            .filter_map(|env| token_key(env, setup))
            .collect(),
    };
    let tenant = node.labels.get(names::TENANT_LABEL);
    if let Some(tenant) = tenant.filter(|tenant| !config.tenants.iter().any(|one| one == tenant)) {
        let label = names::TENANT_LABEL;
        let text = format!("graylane: pod label {label} names `{tenant}`, which is not a declared tenant");
        setup.log(Level::Warn, &text);
    }
    let mode = node.labels.get(names::MODE_LABEL);
    if let Some(mode) = mode.filter(|mode| Mode::named(mode).is_none()) {
        let label = names::MODE_LABEL;
        let text = format!("graylane: pod label {label} names `{mode}`, which is not a mode");
        setup.log(Level::Warn, &text);
    }
    node
}

/// The key of the keyed hash.
fn hash_key(hash: &Hash, setup: &mut impl Setup) -> Option<HashKey> {
    let text = setup.environment(&hash.env);
    let key = text.as_deref().and_then(HashKey::parse);
    if key.is_none() {
        without(&["hash key `", &hash.id, "`"].concat(), &hash.env, text.is_some(), HASH, setup);
    }
    key
}

/// A key of lane tokens.
fn token_key(env: &str, setup: &mut impl Setup) -> Option<TokenKey> {
    let text = setup.environment(env);
    let key = text.as_deref().and_then(TokenKey::parse);
    if key.is_none() {
        without("token key", env, text.is_some(), TOKEN, setup);
    }
    key
}

/// What a key has to look like, and what is lost without it.
type Kind = (&'static str, &'static str);
const HASH: Kind = (KEY_RULE, ": no unit is made of a user's key");
const TOKEN: Kind = (token::KEY_RULE, ": no token of it counts");

/// A key that is missing or invalid is named, and nothing of it said.
#[inline(never)] // One copy for both kinds.
fn without(what: &str, env: &str, is_there: bool, kind: Kind, setup: &mut impl Setup) {
    let is = if is_there { " is invalid: expected " } else { " is missing: expected " };
    setup.log(Level::Error, &["graylane: ", what, " in ", env, is, kind.0, kind.1].concat());
}

const LABELS: &[u8] = b"xds\0node\0metadata\0LABELS\0";

/// The node id is `sidecar~10.0.0.1~pod.namespace~namespace.svc.cluster.local`
/// (`Proxy.ServiceNode` in istio/pkg/model/proxy.go).
fn node_id(setup: &mut impl Setup) -> Option<String> {
    setup.property(b"xds\0node\0id").and_then(text)
}

fn namespace_of_id(setup: &mut impl Setup) -> Option<String> {
    let id = node_id(setup)?;
    let (_, namespace) = id.split('~').nth(2)?.rsplit_once('.')?;
    (!namespace.is_empty()).then(|| namespace.to_owned())
}

fn is_router(setup: &mut impl Setup) -> bool {
    node_id(setup).is_some_and(|id| id.starts_with("router~"))
}

fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok()
}
