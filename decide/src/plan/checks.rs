//! What has to hold of a configuration before it is compiled: all mistakes at once.

use crate::choice::sticky::BUCKETS;
use crate::config::{self, Config, Mistake};
use crate::ids::MAX_KINDS;
use crate::memory::MAX_SECONDS;
use crate::naming::{NAME_RULE, is_header_name, is_name};

/// The mistakes found so far.
#[derive(Default)]
pub struct Mistakes {
    pub list: Vec<Mistake>,
}

impl Mistakes {
    pub fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.list.push(Mistake { field: field.into(), problem: problem.into() });
    }

    #[inline(never)] // Large functions cost V8 the most: decision 15.
    pub fn check(&mut self, config: &Config) {
        if !is_header_name(&config.header) {
            self.add("header", format!("`{}` cannot be the tenant header", config.header));
        }
        for (index, tenant) in config.tenants.iter().enumerate() {
            self.check_name(&format!("tenants[{index}]"), tenant);
        }
        self.check_tenant(config, "default", &config.default);
        if !(1..=MAX_SECONDS).contains(&config.memory.seconds) {
            self.add("memory.seconds", format!("expected 1 to {MAX_SECONDS}, got {}", config.memory.seconds));
        }
        for (index, tenant) in config.sticky.iter().flat_map(|sticky| &sticky.tenants).enumerate() {
            self.check_tenant(config, &format!("sticky.tenants[{index}]"), tenant);
        }
        self.check_carriers(config);
        for (index, service) in config.services.iter().enumerate() {
            self.check_service(config, &format!("services[{index}]"), service);
        }
    }

    fn check_carriers(&mut self, config: &Config) {
        for (index, carrier) in config.policy.carriers.iter().enumerate() {
            if let config::Carrier::Header(name) = carrier
                && (!is_header_name(name) || name.eq_ignore_ascii_case(&config.header))
            {
                self.add(
                    format!("policy.carriers[{index}].header"),
                    format!("`{name}` cannot carry a tenant"),
                );
            }
        }
        for (index, id) in config.policy.ids.iter().enumerate() {
            let name = &id.header;
            if id.kind == config::IdKind::Header
                && (!is_header_name(name) || name.eq_ignore_ascii_case(&config.header))
            {
                self.add(format!("policy.ids[{index}].header"), format!("`{name}` cannot be an id"));
            }
        }
        if config.policy.ids.len() > MAX_KINDS {
            self.add("policy.ids", format!("expected at most {MAX_KINDS}, got {}", config.policy.ids.len()));
        }
    }

    fn check_service(&mut self, config: &Config, path: &str, service: &config::Service) {
        if !service.baseline.is_empty() || !service.subsets.is_empty() {
            self.check_subset(service, &format!("{path}.baseline"), &service.baseline);
        }
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
            self.add(field, format!("invalid name `{name}`: expected {NAME_RULE}"));
        }
    }

    fn check_tenant(&mut self, config: &Config, field: &str, name: &str) {
        if !config.tenants.iter().any(|tenant| tenant == name) {
            self.add(field, format!("`{name}` is not a tenant of the file"));
        }
    }

    fn check_subset(&mut self, service: &config::Service, field: &str, name: &str) {
        if !service.subsets.iter().any(|subset| subset == name) {
            self.add(field, format!("`{name}` is not among the subsets of `{}`", service.name));
        }
    }
}
