//! A configuration, compiled once: everything that a request could otherwise have to parse, format or allocate.

use std::collections::BTreeMap;

use crate::config::{self, Accept, Config, Mistake, Mode, Policy, Restore, Role, Telemetry};
use crate::decision::Decision;
use crate::destination::Destinations;
use crate::edge::Rules;
use crate::edge::facts::Properties;
use crate::exempt::Exempt;
use crate::headers::{Interest, Seen};
use crate::key::Keys;
use crate::memory::MAX_SECONDS;
use crate::names::{SUBSET_HEADER, TENANT_LABEL};
use crate::sticky::BUCKETS;
use crate::tenants::{TenantId, Tenants};
use crate::world::World;
use crate::{gateway, inbound, outbound, workload};

/// What is known of the proxy that a plan is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its namespace; without one only names with a namespace are found.
    pub namespace: Option<String>,
    /// Those of its pod's labels that [`workload::labels`] names.
    pub labels: BTreeMap<String, String>,
    /// Is it a gateway? There the plugin for outbound does nothing: its match mode fits gateways too.
    pub is_router: bool,
}

/// A compiled configuration.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it stands.
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
    pub(crate) policy: Policy,
    /// Are tenants restored from memory, so that what comes in is worth remembering?
    pub(crate) remembers: bool,
    pub(crate) accept: Accept,
    pub(crate) rules: Rules,
    pub(crate) properties: Properties,
    pub(crate) keys: Option<Keys>,
    /// The tenant that the pod's label names.
    pub(crate) worker: Option<TenantId>,
    /// Inbound: the subset that the pod is.
    pub(crate) subset: Option<Box<str>>,
    exempt: Exempt,
    mode: Mode,
    inert: bool,
}

impl Plan {
    /// Compiles a configuration for a proxy.
    ///
    /// # Errors
    /// All mistakes at once; a configuration with any is refused whole.
    pub fn compile(config: &Config, node: &Node) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        mistakes.check(config);
        let tenants = Tenants::new(&config.tenants, &config.default);
        let Some(mut tenants) = tenants.filter(|_| mistakes.list.is_empty()) else {
            return Err(mistakes.list);
        };

        let mut interest = Interest::new(&config.header, config.role == Role::Gateway);
        let edge = config.edge.as_ref();
        let mut properties = Properties::new(edge.and_then(|edge| edge.issuer.as_deref()));
        let keys = config.sticky.as_ref().map(|sticky| Keys::new(sticky, &mut interest, &mut properties));
        edge.iter().flat_map(|edge| &edge.remove).for_each(|name| interest.refuse(name));
        let rules = edge.map_or(&[][..], |edge| &edge.rules);
        let rules = Rules::new(rules, &tenants, &mut interest, &mut properties).unwrap_or_else(|mistake| {
            mistakes.add(mistake.0, mistake.1);
            Rules::default()
        });
        for name in config.sticky.iter().flat_map(|sticky| &sticky.tenants) {
            tenants.find(name.as_bytes()).into_iter().for_each(|id| tenants.let_carry_unit(id));
        }
        let mut destinations =
            Destinations::new(&config.cluster_domain, node.namespace.as_deref(), &config.egress);
        for (index, service) in config.services.iter().enumerate() {
            if !destinations.add(service, &tenants) {
                mistakes
                    .add(format!("services[{index}].host"), format!("`{}` is no host name", service.host));
            }
        }
        if !mistakes.list.is_empty() {
            return Err(mistakes.list);
        }
        let mut policy = config.policy.clone();
        let remembers = policy.restore.contains(&Restore::Memory);
        if config.role != Role::Outbound {
            // What comes in is told apart by what it carries alone; memory and label are for what goes out.
            policy.restore.retain(|place| *place == Restore::Baggage);
            policy.conflict = config::Conflict::Header;
        }
        Ok(Self {
            role: config.role,
            revision: u64::from_str_radix(&config.revision, 16).unwrap_or(0),
            telemetry: config.telemetry,
            worker: node.labels.get(TENANT_LABEL).and_then(|name| tenants.find(name.as_bytes())),
            subset: workload::subset(&config.workloads, &node.labels).map(Into::into),
            tenants,
            destinations,
            life: u64::from(config.memory.seconds) * 1000,
            interest,
            policy,
            remembers,
            accept: edge.map(|edge| edge.accept).unwrap_or_default(),
            rules,
            properties,
            keys,
            exempt: Exempt::new(&config.exempt),
            mode: config.mode,
            inert: config.role == Role::Outbound && node.is_router,
        })
    }

    /// Decides about one request. None: it is to be left alone, not even counted.
    pub fn decide<'a, W: World>(&'a self, seen: &Seen<'a>, world: &mut W) -> Option<Decision<'a>> {
        if self.inert || (self.role != Role::Gateway && self.exempt.covers(seen, world)) {
            return None;
        }
        Some(match self.role {
            Role::Inbound => inbound::decide(self, seen),
            Role::Outbound | Role::Waypoint => outbound::decide(self, seen, world),
            Role::Gateway => gateway::decide(self, seen, world),
        })
    }

    /// Name of the tenant header, lower case.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.interest.tenant
    }

    /// Does it change requests, or only look on?
    #[must_use]
    pub fn enforces(&self) -> bool {
        self.mode == Mode::Enforce
    }
}

#[derive(Default)]
struct Mistakes {
    list: Vec<Mistake>,
}

impl Mistakes {
    fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.list.push(Mistake { field: field.into(), problem: problem.into() });
    }

    fn check(&mut self, config: &Config) {
        if !is_header_name(&config.header) {
            self.add("header", format!("`{}` cannot be the tenant header", config.header));
        }
        for (index, tenant) in config.tenants.iter().enumerate() {
            self.check_name(&format!("tenants[{index}]"), tenant);
        }
        self.check_tenant(config, "default", &config.default);
        if !(1..=MAX_SECONDS).contains(&config.memory.seconds) {
            self.add("memory.seconds", format!("{} is not within 1 to {MAX_SECONDS}", config.memory.seconds));
        }
        for (index, tenant) in config.sticky.iter().flat_map(|sticky| &sticky.tenants).enumerate() {
            self.check_tenant(config, &format!("sticky.tenants[{index}]"), tenant);
        }
        for (index, service) in config.services.iter().enumerate() {
            self.check_service(config, &format!("services[{index}]"), service);
        }
    }

    fn check_service(&mut self, config: &Config, path: &str, service: &config::Service) {
        self.check_subset(service, &format!("{path}.baseline"), &service.baseline);
        for (index, subset) in service.subsets.iter().enumerate() {
            self.check_name(&format!("{path}.subsets[{index}]"), subset);
        }
        self.check_choices(config, service, path, &service.pins, service.rollout.as_ref());
        for (index, route) in service.routes.iter().enumerate() {
            let path = format!("{path}.routes[{index}]");
            self.check_choices(config, service, &path, &route.pins, route.rollout.as_ref());
        }
    }

    fn check_choices(
        &mut self,
        config: &Config,
        service: &config::Service,
        path: &str,
        pins: &[config::Pin],
        rollout: Option<&config::Rollout>,
    ) {
        for (index, pin) in pins.iter().enumerate() {
            self.check_tenant(config, &format!("{path}.pins[{index}].tenant"), &pin.tenant);
            self.check_subset(service, &format!("{path}.pins[{index}].subset"), &pin.subset);
        }
        let Some(rollout) = rollout else { return };
        for (index, tenant) in rollout.tenants.iter().enumerate() {
            self.check_tenant(config, &format!("{path}.rollout.tenants[{index}]"), tenant);
        }
        let mut sum = 0u32;
        for (index, weight) in rollout.weights.iter().enumerate() {
            self.check_subset(service, &format!("{path}.rollout.weights[{index}].subset"), &weight.subset);
            sum += u32::from(weight.buckets);
        }
        if sum > u32::from(BUCKETS) {
            self.add(format!("{path}.rollout.weights"), format!("{sum} buckets, but there are {BUCKETS}"));
        }
        if config.sticky.is_none() {
            self.add("sticky", format!("missing, but {path} has a rollout"));
        }
    }

    fn check_name(&mut self, field: &str, name: &str) {
        if !is_name(name) {
            self.add(field, format!("`{name}` is no name ({NAME_RULE})"));
        }
    }

    fn check_tenant(&mut self, config: &Config, field: &str, name: &str) {
        if !config.tenants.iter().any(|tenant| tenant == name) {
            self.add(field, format!("`{name}` is not among the tenants"));
        }
    }

    fn check_subset(&mut self, service: &config::Service, field: &str, name: &str) {
        if !service.subsets.iter().any(|subset| subset == name) {
            self.add(field, format!("`{name}` is not among the subsets of `{}`", service.name));
        }
    }
}

/// What a name looks like, in words.
pub const NAME_RULE: &str = "1 to 63 letters, digits, `.`, `_` and `-`, with a letter or digit at both ends";

/// Is this a name that a tenant, subset or salt may have: `[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?`, a
/// Kubernetes label value?
#[must_use]
pub fn is_name(name: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    bytes.len() <= 63
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

/// Can this be the tenant header: a field name (RFC 9110, section 5.1) of at most 63 bytes that nothing else uses?
#[must_use]
pub fn is_header_name(name: &str) -> bool {
    const TAKEN: [&str; 12] = [
        "baggage",
        "traceparent",
        "tracestate",
        "b3",
        "x-b3-traceid",
        "x-request-id",
        "cookie",
        "host",
        "authorization",
        "content-type",
        "content-length",
        "transfer-encoding",
    ];
    let lower = name.to_ascii_lowercase();
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        && !TAKEN.contains(&&*lower)
        && !lower.starts_with("x-graylane-")
        && lower != SUBSET_HEADER
}
