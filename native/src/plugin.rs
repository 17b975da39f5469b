//! Configurations: what Envoy hands over becomes what a plugin runs with.
//!
//! Istio has a filter in each of a proxy's listeners, and each has a configuration of its own in Envoy. They are the
//! same text, so it is read once and shared. It is never refused: see [`graylane_serve::Active`].

use std::sync::{Arc, Mutex, PoisonError, Weak};

use graylane_decide::Role;
use graylane_serve::{LastGood, Level, Setup};
use xxhash_rust::xxh64::xxh64;

use crate::abi::{self, Config};
use crate::counters::{self, Counters, Shown};
use crate::host::Active;
use crate::node;

/// A filter's configuration.
pub struct Plugin {
    /// What it runs with.
    pub active: Arc<Active>,
    id: u64,
}

/// What was read last under a filter's name.
struct Last {
    name: Vec<u8>,
    digest: Digest,
    active: Weak<Active>,
    shown: Shown,
}

type Digest = (usize, u64, u64);

struct Known {
    good: LastGood<Counters>,
    last: Vec<Last>,
}

static KNOWN: Mutex<Known> = Mutex::new(Known { good: LastGood::new(), last: Vec::new() });

impl Plugin {
    /// A configuration comes in. `name`: `<role>/<name>?<variable>=<value>&…`, all but the role optional; `text`: the
    /// plugin's configuration.
    pub fn load(config: Config, name: &[u8], text: &[u8]) -> Self {
        let (active, shown) = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).read(name, text);
        Self { active, id: counters::open(config, shown) }
    }

    /// Envoy's main thread was woken.
    pub fn scheduled(&self) {
        counters::tell(self.id);
    }

    /// Whatever runs with it is over.
    pub fn end(self) {
        counters::close(self.id);
    }
}

impl Known {
    fn read(&mut self, name: &[u8], text: &[u8]) -> (Arc<Active>, Shown) {
        let digest = (text.len(), xxh64(text, 0), xxh64(text, 1));
        let known = self.last.iter().find(|last| last.name == name && last.digest == digest);
        if let Some((active, shown)) = known.and_then(|last| Some((last.active.upgrade()?, last.shown))) {
            return (active, shown);
        }
        let mut proxy = Proxy::new(name);
        let active = self.good.load(text, &mut proxy);
        let shown = proxy.shown.unwrap_or(Shown { role: Role::Inbound, valid: false, revision: 0 });
        self.last.retain(|last| last.name != name);
        self.last.push(Last { name: name.to_vec(), digest, active: Arc::downgrade(&active), shown });
        (active, shown)
    }
}

/// The proxy that configures a plugin.
struct Proxy<'n> {
    /// `<role>/<name>`.
    name: &'n [u8],
    variables: &'n [u8],
    shown: Option<Shown>,
}

impl<'n> Proxy<'n> {
    fn new(name: &'n [u8]) -> Self {
        let mut parts = name.splitn(2, |byte| *byte == b'?');
        let (name, variables) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Self { name, variables, shown: None }
    }
}

impl Setup for Proxy<'_> {
    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        match path {
            b"plugin_root_id" => self.name.split(|byte| *byte == b'/').next().map(<[u8]>::to_vec),
            b"plugin_name" => Some(self.name.to_vec()),
            _ => node::text(path.strip_prefix(b"xds\0node\0")?),
        }
    }

    fn environment(&mut self, name: &str) -> Option<String> {
        let mut variables = self.variables.split(|byte| *byte == b'&');
        let value = variables.find_map(|variable| {
            let value = variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            String::from_utf8(value.to_vec()).ok()
        });
        value.or_else(|| std::env::var(name).ok())
    }

    fn log(&mut self, level: Level, line: &str) {
        abi::log(level, line);
    }

    fn show_configuration(&mut self, role: Role, valid: bool, revision: u64) {
        self.shown = Some(Shown { role, valid, revision });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filters_name_says_role_name_and_variables() {
        let mut proxy =
            Proxy::new(b"gateway/edge.graylane-gateway?GRAYLANE_HEADER=x-lane&GRAYLANE_REMOVE=a,b");
        assert_eq!(proxy.property(b"plugin_root_id").unwrap(), b"gateway");
        assert_eq!(proxy.property(b"plugin_name").unwrap(), b"gateway/edge.graylane-gateway");
        assert_eq!(proxy.environment("GRAYLANE_HEADER").as_deref(), Some("x-lane"));
        assert_eq!(proxy.environment("GRAYLANE_REMOVE").as_deref(), Some("a,b"));
        assert_eq!(proxy.environment("GRAYLANE"), None);
        let mut bare = Proxy::new(b"inbound");
        assert_eq!(bare.property(b"plugin_root_id").unwrap(), b"inbound");
        assert_eq!(bare.environment("GRAYLANE_HEADER"), None);
        assert_eq!(Proxy::new(b"").property(b"plugin_root_id").unwrap(), b"");
    }

    #[test]
    fn listeners_with_the_same_text_share_a_plan_and_a_broken_one_leaves_the_last_good_one() {
        let mut known = Known { good: LastGood::new(), last: Vec::new() };
        let text = |revision: &str| {
            format!(
                r#"{{"version": 1, "revision": "{revision}", "role": "inbound", "header": "tenant",
                    "tenants": ["gray"], "default": "gray"}}"#
            )
        };
        let (first, shown) = known.read(b"inbound/a", text("1").as_bytes());
        assert_eq!((shown.valid, shown.revision), (true, 1));
        let (again, _) = known.read(b"inbound/a", text("1").as_bytes());
        assert!(Arc::ptr_eq(&first, &again));
        let (other, _) = known.read(b"inbound/b", text("1").as_bytes());
        assert!(!Arc::ptr_eq(&first, &other), "another plugin");
        let (broken, shown) = known.read(b"inbound/a", b"{");
        assert!(Arc::ptr_eq(&first, &broken));
        assert_eq!((shown.valid, shown.revision), (false, 1));
        let (open, shown) = known.read(b"inbound/c", b"{");
        assert!(matches!(*open, Active::Open) && !shown.valid);
        let (closed, _) = known.read(b"gateway/c", b"{");
        assert!(matches!(*closed, Active::Closed(_)));
        let (second, shown) = known.read(b"inbound/a", text("2").as_bytes());
        assert!(!Arc::ptr_eq(&first, &second));
        assert_eq!((shown.valid, shown.revision), (true, 2));
    }
}
