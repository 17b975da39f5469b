//! A configuration, compiled once: everything that a request could otherwise have to parse, format or allocate.

mod checks;

use crate::carriers::Carriers;
use crate::choice::destination::Destinations;
use crate::choice::key::Keys;
use crate::choice::keyed::HashKey;
use crate::config::{self, Accept, Config, Mistake, Mode, PodMode, Policy, Restore, Role, Telemetry};
use crate::edge::Rules;
use crate::edge::facts::Properties;
use crate::edge::token::{TokenKey, Tokens};
use crate::exempt::Exempt;
use crate::ids::Kinds;
use crate::names::{MODE_LABEL, POINT_HEADER, TENANT_LABEL};
use crate::request::headers::{Asked, Interest};
use crate::sanitise::Sanitiser;
use crate::tenants::{TenantId, Tenants};
use crate::workload::{self, Labels};

use checks::Mistakes;

/// What is known of the proxy that a plan is for.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Its namespace; without one only names with a namespace are found.
    pub namespace: Option<String>,
    /// Those of its pod's labels that [`workload::labels`] names.
    pub labels: Labels,
    /// Is it a gateway? There the plugin for outbound does nothing: its match mode fits gateways too.
    pub is_router: bool,
    /// The key that [`config::Hash`] asks for.
    pub hash_key: Option<HashKey>,
    /// Those keys that [`config::Edge::tokens`] asks for, as far as they are there.
    pub token_keys: Vec<TokenKey>,
}

/// A compiled configuration.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the plugin runs.
    pub role: Role,
    /// Fingerprint of the file it came from, 48 bits; 0 if it says none.
    pub revision: u64,
    /// What becomes of decisions besides the request.
    pub telemetry: Telemetry,
    /// The declared tenants.
    pub tenants: Tenants,
    /// The services of the file.
    pub destinations: Destinations,
    /// How long to remember, in milliseconds.
    pub life: u64,
    /// Which headers it looks for.
    pub interest: Interest,
    /// What is taken off where the mesh ends.
    pub sanitiser: Sanitiser,
    pub(crate) carriers: Carriers,
    pub(crate) ids: Kinds,
    pub(crate) policy: Policy,
    /// Are tenants restored from memory, so that what comes in is worth remembering?
    pub(crate) remembers: bool,
    pub(crate) accept: Accept,
    pub(crate) rules: Rules,
    /// Takes lane tokens off, and reads them as far as their keys are there; none where the file asks for none.
    pub(crate) tokens: Option<Tokens>,
    /// Are keys missing that the configuration asks for?
    lacks_keys: bool,
    /// Who gets the debug header.
    pub(crate) debug: Rules,
    pub(crate) properties: Properties,
    pub(crate) keys: Option<Keys>,
    /// The tenant that the pod's label names.
    pub(crate) worker: Option<TenantId>,
    /// Inbound: the subset that the pod is.
    pub(crate) subset: Option<Box<str>>,
    pub(crate) exempt: Exempt,
    /// Where the point header is found; asked for where any destination needs one.
    pub(crate) point: Option<Asked>,
    /// It does nothing: a pod whose mode is off, or a plugin for outbound at a gateway.
    pub(crate) inert: bool,
    mode: Mode,
}

impl Plan {
    /// Compiles a configuration for a proxy.
    ///
    /// # Errors
    /// All mistakes at once; a configuration with any is refused whole.
    #[inline(never)] // Large functions cost V8 the most: decision 15.
    pub fn compile(config: &Config, node: &Node) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        mistakes.check(config);
        let mut tenants = match Tenants::new(&config.tenants, &config.default) {
            Some(tenants) if mistakes.list.is_empty() => tenants,
            _ => return Err(mistakes.list),
        };

        let mut interest = Interest::new(&config.header);
        let carriers = Carriers::new(&config.header, &config.policy.carriers, &mut interest);
        let ids = Kinds::new(&config.policy.ids, &mut interest);
        let edge = config.edge.as_ref();
        let mut properties = Properties::new(edge.and_then(|edge| edge.issuer.as_deref()));
        let keys = config.sticky.as_ref();
        let keys = keys.map(|sticky| Keys::new(sticky, node.hash_key, &mut interest, &mut properties));
        let (rules, debug) = edge.map_or((&[][..], &[][..]), |edge| (&edge.rules, &edge.debug));
        let mut compile = Compile { tenants: &tenants, interest: &mut interest, properties: &mut properties };
        let rules = compile.rules("edge.rules[", rules, &mut mistakes);
        let debug = compile.rules("edge.debug[", debug, &mut mistakes);
        for name in config.sticky.iter().flat_map(|sticky| &sticky.tenants) {
            tenants.find(name.as_bytes()).into_iter().for_each(|id| tenants.let_carry_unit(id));
        }
        let mut destinations =
            Destinations::new(&config.cluster_domain, node.namespace.as_deref(), &config.egress);
        for (index, service) in config.services.iter().enumerate() {
            if let Err(host) = destinations.add(service, &tenants) {
                mistakes.add(format!("services[{index}].host"), format!("invalid host name `{host}`"));
            }
        }
        if !mistakes.list.is_empty() {
            return Err(mistakes.list);
        }
        let asks_for = edge.map_or(0, |edge| edge.tokens.len());
        let tokens = (asks_for > 0).then(|| Tokens::new(&node.token_keys, &mut interest));
        let point = (config.points || config.services.iter().any(config::Service::is_weighed_by_another))
            .then(|| interest.ask(POINT_HEADER));
        let mode = mode(config, node);
        let mut policy = config.policy.clone();
        let remembers = policy.restore.contains(&Restore::Memory);
        if config.role != Role::Outbound {
            policy.conflict = config::Conflict::Header;
        }
        Ok(Self {
            role: config.role,
            revision: u64::from_str_radix(&config.revision, 16).unwrap_or(0),
            telemetry: config.telemetry.clone(),
            worker: node.labels.get(TENANT_LABEL).and_then(|name| tenants.find(name.as_bytes())),
            subset: workload::subset(&config.workloads, &node.labels).map(Into::into),
            tenants,
            destinations,
            life: u64::from(config.memory.seconds) * 1000,
            interest,
            sanitiser: sanitiser(config),
            carriers,
            ids,
            policy,
            remembers,
            accept: edge.map(|edge| edge.accept).unwrap_or_default(),
            rules,
            tokens,
            debug,
            properties,
            lacks_keys: asks_for > node.token_keys.len() || keys.as_ref().is_some_and(Keys::lack_a_key),
            keys,
            exempt: Exempt::new(&config.exempt),
            point,
            mode,
            inert: (config.role == Role::Outbound && node.is_router)
                || (config.role != Role::Gateway && mode == Mode::Off),
        })
    }

    /// Name of the tenant header, lower case.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.interest.tenant
    }

    /// Does it leave all requests alone, without a look at them?
    #[must_use]
    pub fn is_inert(&self) -> bool {
        self.inert
    }

    /// Is a key missing that it asks for, of the hash of units or of lane tokens?
    #[must_use]
    pub fn lacks_keys(&self) -> bool {
        self.lacks_keys
    }

    /// Does it change requests, or only look on?
    #[must_use]
    pub fn enforces(&self) -> bool {
        self.mode == Mode::Enforce
    }
}

/// What rules are compiled with.
struct Compile<'a> {
    tenants: &'a Tenants,
    interest: &'a mut Interest,
    properties: &'a mut Properties,
}

impl Compile<'_> {
    /// Some rules; none if there is a mistake in them.
    #[inline(never)] // Large functions cost V8 the most: decision 15.
    fn rules(&mut self, field: &str, list: &[config::Rule], mistakes: &mut Mistakes) -> Rules {
        Rules::new(field, list, self.tenants, self.interest, self.properties).unwrap_or_else(|mistake| {
            mistakes.add(mistake.0, mistake.1);
            Rules::default()
        })
    }
}

/// The mode of a pod: its label's, else its service's, else its namespace's, else the file's. A gateway has none but its own:
/// no label opens the edge.
#[inline(never)] // Large functions cost V8 the most: decision 15.
fn mode(config: &Config, node: &Node) -> Mode {
    if config.role == Role::Gateway {
        return config.mode;
    }
    let said = node.labels.get(MODE_LABEL).and_then(Mode::named);
    let of_pod = || PodMode::of(&config.modes, node.namespace.as_deref(), node.labels.service());
    said.or_else(|| of_pod().map(|one| one.mode)).unwrap_or(config.mode)
}

/// What outside callers must not send, by the configuration: headers that the file lists, and ids that the file names, since
/// a caller who knows another user's id could use it.
#[inline(never)] // Large functions cost V8 the most: decision 15.
fn sanitiser(config: &Config) -> Sanitiser {
    let mut sanitiser = Sanitiser::new(&config.header, &config.policy.carriers);
    if let Some(edge) = &config.edge {
        edge.remove.iter().for_each(|name| sanitiser.refuse(name.as_bytes(), true));
        let ids = config.policy.ids.iter().filter(|id| id.is_refused());
        ids.flat_map(config::Id::headers).for_each(|name| sanitiser.refuse(name.as_bytes(), false));
    }
    sanitiser
}
