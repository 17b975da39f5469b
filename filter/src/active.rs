//! What a plugin runs with: a plan, or what is left to do without one.
//!
//! A bad configuration never takes a service down. Envoy answers 500 to everything on a listener whose plugin
//! refuses its first configuration, so this never refuses: sidecars and waypoints keep their last good plan, or let
//! requests through untouched; a gateway without a plan still removes what no stranger may send.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use graylane_decide::config::Mistake;
use graylane_decide::headers::Interest;
use graylane_decide::plan::Node;
use graylane_decide::{Config, Plan, Role, config, names, workload};

use crate::counters::{Counters, show_configuration};
use crate::host::{self, Level};

/// What a plugin runs with.
pub enum Active {
    /// A plan.
    Plan {
        /// The plan.
        plan: Box<Plan>,
        /// Its counters.
        counters: Counters,
    },
    /// A gateway that knows nothing: everything of ours is removed, so that the routes give the default.
    Closed(Interest),
    /// Nothing: requests pass untouched.
    Open,
}

impl Active {
    /// What a gateway does with a request of which it does not know whose it is; no gateway: nothing.
    pub fn closed(&self) -> Option<Rc<Self>> {
        let interest = match self {
            Self::Plan { plan, .. } => &plan.interest,
            Self::Closed(interest) => interest,
            Self::Open => return None,
        };
        interest.outside.then(|| Rc::new(Self::Closed(interest.clone())))
    }
}

/// Role and name: Istio names a plugin `<namespace>.<name>` and keeps that name when its configuration changes.
type PluginKey = (&'static str, Vec<u8>);

fn plugin_key(role: Role) -> PluginKey {
    (role.name(), host::property(b"plugin_name").unwrap_or_default())
}

thread_local! {
    /// The last good plan of each plugin. Outlives a change of configuration, as the VM does.
    static LAST_GOOD: RefCell<BTreeMap<PluginKey, Rc<Active>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Reads a configuration, and says in log and gauge what came of it.
pub fn load(configuration: &[u8]) -> Rc<Active> {
    let root_id = host::property(b"plugin_root_id").unwrap_or_default();
    let named = Role::named(&root_id);
    match compile(configuration, named) {
        Ok(plan) => {
            let (role, revision) = (plan.role, plan.revision);
            show_configuration(role, true, revision);
            host::log(Level::Info, &format!("graylane: {} runs revision {revision:012x}", role.name()));
            let active = Rc::new(Active::Plan { plan: Box::new(plan), counters: Counters::default() });
            LAST_GOOD.with_borrow_mut(|good| good.insert(plugin_key(role), Rc::clone(&active)));
            active
        }
        Err(mistakes) => {
            let role = named.unwrap_or(if is_router() { Role::Gateway } else { Role::Inbound });
            for mistake in &mistakes {
                host::log(Level::Error, &format!("graylane: configuration of {}: {mistake}", role.name()));
            }
            fall_back(role)
        }
    }
}

fn compile(configuration: &[u8], named: Option<Role>) -> Result<Plan, Vec<Mistake>> {
    let config = config::parse(configuration)?;
    if let Some(named) = named.filter(|named| *named != config.role) {
        let (is, wanted) = (config.role.name(), named.name());
        let problem = format!("`{is}`, but the plugin's name (root id) says `{wanted}`");
        return Err(vec![Mistake { field: "role".to_owned(), problem }]);
    }
    Plan::compile(&config, &node(&config))
}

fn fall_back(role: Role) -> Rc<Active> {
    if let Some(good) = LAST_GOOD.with_borrow(|good| good.get(&plugin_key(role)).cloned()) {
        let revision = if let Active::Plan { plan, .. } = &*good { plan.revision } else { 0 };
        show_configuration(role, false, revision);
        let text = format!("graylane: {} keeps revision {revision:012x}, the last good one", role.name());
        host::log(Level::Error, &text);
        return good;
    }
    show_configuration(role, false, 0);
    if role == Role::Gateway {
        let header = std::env::var(names::HEADER_ENV).unwrap_or_else(|_| names::DEFAULT_HEADER.to_owned());
        let text = format!(
            "graylane: gateway has no configuration: `{header}` and all of ours is removed from requests"
        );
        host::log(Level::Error, &text);
        return Rc::new(Active::Closed(Interest::new(&header, true)));
    }
    let text = format!("graylane: {} has no configuration: requests pass untouched", role.name());
    host::log(Level::Error, &text);
    Rc::new(Active::Open)
}

/// `xds.node` can be read while a plugin is configured; nothing else of `xds` can.
fn node(config: &Config) -> Node {
    let label = |name: &str| host::property(&[LABELS, name.as_bytes()].concat()).and_then(text);
    let mut labels = BTreeMap::new();
    labels.extend(
        workload::labels(&config.workloads)
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), label(name)?))),
    );
    let namespace = host::property(b"xds\0node\0metadata\0NAMESPACE").and_then(text);
    let node = Node {
        namespace: namespace.filter(|name| !name.is_empty()).or_else(namespace_of_id),
        labels,
        is_router: is_router(),
    };
    let tenant = node.labels.get(names::TENANT_LABEL);
    if let Some(tenant) = tenant.filter(|tenant| !config.tenants.contains(tenant)) {
        let label = names::TENANT_LABEL;
        let text = format!("graylane: pod label {label} names `{tenant}`, which is no declared tenant");
        host::log(Level::Warn, &text);
    }
    node
}

const LABELS: &[u8] = b"xds\0node\0metadata\0LABELS\0";

/// The node id is `sidecar~10.0.0.1~pod.namespace~namespace.svc.cluster.local`
/// (`Proxy.ServiceNode` in istio/pkg/model/proxy.go).
fn node_id() -> Option<String> {
    host::property(b"xds\0node\0id").and_then(text)
}

fn namespace_of_id() -> Option<String> {
    let id = node_id()?;
    let (_, namespace) = id.split('~').nth(2)?.rsplit_once('.')?;
    (!namespace.is_empty()).then(|| namespace.to_owned())
}

fn is_router() -> bool {
    node_id().is_some_and(|id| id.starts_with("router~"))
}

fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok()
}
