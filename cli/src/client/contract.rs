//! What an application may know of a file. An application is public, so this has no salt, no value of a rule, no name of the
//! mesh (which is the salt unless the file names one), and of services only what is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use graylane_decide::config::Accept;
use graylane_decide::names::DEBUG_HEADER;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use sha2::{Digest as _, Sha256};

use super::origin::Origin;
use crate::document::model;
use crate::mesh::{Ingress, Mesh};
use crate::simulate::{self, Layout};
use crate::{files, lower};

/// The version of this form.
const VERSION: u32 = 1;
/// Code that is made of a contract has it in a comment, behind this.
pub(super) const MARK: &str = "graylane-contract: ";

/// What an application may know of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contract {
    /// Version of this form: 1.
    pub version: u32,
    /// 12 hex digits of the SHA-256 of everything else here: it changes if, and only if, that does. One of the whole file
    /// would change with each weight, and be something to try salts against.
    pub fingerprint: String,
    /// The origins that get the headers, and no others.
    pub hosts: Vec<String>,
    /// The header that names the tenant.
    pub header: String,
    /// The tenants that a caller may name.
    pub tenants: Vec<String>,
    /// By what a user is recognised; the first one that a request has counts.
    pub sticky: Vec<Key>,
    /// The header of responses that says how a request was decided, if there is one.
    pub debug_header: Option<String>,
    /// Percent by subset, of the services that were asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rollouts: BTreeMap<String, BTreeMap<String, Number>>,
}

/// Where a user's key is in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "in", content = "name")]
pub enum Key {
    /// In a header.
    Header(String),
    /// In a cookie that the application sets.
    Cookie(String),
    /// In a cookie that the gateway sets, and the application keeps.
    GatewayCookie(String),
    /// In a parameter of the query.
    Query(String),
    /// In the token that the application sends anyway; which claim of it is no business of the application's.
    Token,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In comments of code as well, which nothing in it may end.
        let plain = |name: &str| name.replace(|c: char| !c.is_ascii_graphic() || "*/`".contains(c), "?");
        match self {
            Self::Header(name) => write!(f, "the header `{name}`"),
            Self::Cookie(name) => write!(f, "the cookie `{}`", plain(name)),
            Self::GatewayCookie(name) => write!(f, "the cookie `{}`, which the gateway sets", plain(name)),
            Self::Query(name) => write!(f, "the parameter `{}` of the query", plain(name)),
            Self::Token => f.write_str("the token"),
        }
    }
}

impl Contract {
    /// What a file says, for these hosts, and with the weights of these services.
    ///
    /// # Errors
    /// When one of the services has no weights.
    pub fn of(mesh: &Mesh, hosts: &BTreeSet<Origin>, services: &[String]) -> Result<Self> {
        let rollouts = services.iter().map(|name| Ok((name.clone(), weights(mesh, name)?)));
        let mut contract = Self {
            version: VERSION,
            fingerprint: String::new(),
            hosts: hosts.iter().map(ToString::to_string).collect(),
            header: mesh.header.clone(),
            tenants: tenants(mesh, hosts),
            sticky: keys(mesh, hosts),
            debug_header: (!mesh.document.telemetry.debug_header.is_off()).then(|| DEBUG_HEADER.to_owned()),
            rollouts: rollouts.collect::<Result<_>>()?,
        };
        let digest = Sha256::digest(serde_json::to_vec(&contract)?);
        contract.fingerprint = digest[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(contract)
    }

    /// In one line, in ASCII: `*/`, line ends and what turns the direction of a text cannot be in it.
    pub(super) fn line(&self) -> Result<String> {
        let mut line = String::new();
        for unit in serde_json::to_string(self)?.encode_utf16() {
            match u8::try_from(unit) {
                Ok(byte) if byte.is_ascii() && byte != b'*' && byte != 0x7f => line.push(byte.into()),
                // A star stays readable where it is the first label of a host.
                Ok(b'*') if line.ends_with("//") => line.push('*'),
                _ => line += &format!("\\u{unit:04x}"),
            }
        }
        Ok(line)
    }

    /// The header of the user's key that code of ours sends: not what the application, or the library that it uses, sends
    /// for other reasons.
    pub(super) fn user_header(&self) -> Option<&str> {
        let own = |name: &&str| !["authorization", "x-request-id"].contains(name);
        let headers = self.sticky.iter().filter_map(|key| match key {
            Key::Header(name) => Some(name.as_str()),
            Key::Cookie(_) | Key::GatewayCookie(_) | Key::Query(_) | Key::Token => None,
        });
        headers.into_iter().find(own)
    }

    /// What users are recognised by, and code of ours does not send.
    #[must_use]
    pub fn left_to_the_application(&self) -> Vec<String> {
        let ours = self.user_header();
        let note = |key: &Key| match key {
            Key::Header(name) if Some(name.as_str()) == ours => None,
            Key::Header(_) | Key::Cookie(_) | Key::Query(_) => Some(format!(
                "users are recognised by {key}: the code does not send it, so the application has to"
            )),
            Key::GatewayCookie(name) => Some(format!(
                "users are recognised by the cookie `{name}` of the gateway, so the application has to keep cookies"
            )),
            Key::Token => None,
        };
        self.sticky.iter().filter_map(note).collect()
    }
}

/// Why an application cannot name a tenant, if it cannot.
#[must_use]
pub fn closed(mesh: &Mesh, hosts: &BTreeSet<Origin>) -> Option<String> {
    let header = &mesh.header;
    if mesh.document.edge.none {
        return Some(format!(
            "`edge: none`: no requests enter from outside, or something else removes `{header}` from them. To let applications \
             name a tenant, write `edge` with a gateway, and a rule with `mayChoose`"
        ));
    }
    tenants(mesh, hosts).is_empty().then(|| {
        let example = mesh.tenants.iter().find(|tenant| **tenant != mesh.default).unwrap_or(&mesh.default);
        format!(
            "the gateway removes `{header}` from every request: `edge.accept` is `never`, and no rule has `mayChoose`. Add a \
             rule, as in `{{mayChoose: [{example}], claim: {{name: role, exact: tester}}}}`"
        )
    })
}

/// The gateways through which requests to these hosts come: those that expose one of them, or all, where the file does not say.
fn entered<'m>(mesh: &'m Mesh, hosts: &BTreeSet<Origin>) -> Vec<Ingress<'m>> {
    let is_called = |host: &String| Origin::parse(host).is_ok_and(|host| hosts.contains(&host));
    let shows = |ingress: &&Ingress<'m>| {
        mesh.services.iter().filter(|service| service.is_shown_at(ingress)).any(|service| {
            let outside = service.outside.iter().flat_map(|outside| &outside.hosts);
            service.expose.hosts.iter().chain(outside).any(is_called)
        })
    };
    let all = mesh.ingresses();
    let some: Vec<Ingress<'m>> = all.iter().filter(shows).cloned().collect();
    if some.is_empty() { all } else { some }
}

/// The tenants that some caller may name.
fn tenants(mesh: &Mesh, hosts: &BTreeSet<Origin>) -> Vec<String> {
    if mesh.document.edge.none {
        return Vec::new();
    }
    let ingresses = entered(mesh, hosts);
    if ingresses.iter().any(|ingress| ingress.accept == Accept::Always) {
        return mesh.tenants.clone();
    }
    let rules = ingresses.iter().flat_map(|ingress| ingress.rules);
    let named: BTreeSet<&String> = rules.flat_map(|rule| &rule.may_choose).collect();
    named.into_iter().cloned().collect()
}

/// The keys that a request of an application can have.
fn keys(mesh: &Mesh, hosts: &BTreeSet<Origin>) -> Vec<Key> {
    let mut ingresses = entered(mesh, hosts).into_iter();
    let mut keys = ingresses.next().map(|first| keys_at(mesh, &first)).unwrap_or_default();
    for key in ingresses.flat_map(|ingress| keys_at(mesh, &ingress)) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

fn keys_at(mesh: &Mesh, ingress: &Ingress<'_>) -> Vec<Key> {
    let removed = lower::removed_at_the_edge(mesh, ingress);
    let key = |key: &model::Key| {
        if let Some(header) = &key.header {
            let header = header.to_ascii_lowercase();
            return (!removed.contains(&header)).then_some(Key::Header(header));
        }
        if let Some(cookie) = key.cookie.clone() {
            return Some(if key.mint.is_some() { Key::GatewayCookie(cookie) } else { Key::Cookie(cookie) });
        }
        key.query.clone().map(Key::Query).or_else(|| key.claim.as_ref().map(|_| Key::Token))
    };
    let mut keys: Vec<Key> =
        mesh.document.sticky.in_order(ingress.keys).into_iter().filter_map(key).collect();
    keys.dedup();
    keys
}

/// Percent by subset.
fn weights(mesh: &Mesh, service: &str) -> Result<BTreeMap<String, Number>> {
    let (service, rollout) = simulate::rollout(mesh, service)?;
    let layout = Layout::of(&service.baseline, &rollout.weights);
    let number = |buckets: u32| match buckets % 100 {
        0 => Some(Number::from(buckets / 100)),
        _ => Number::from_f64(crate::percent::of(buckets)),
    };
    layout
        .subsets
        .iter()
        .map(|subset| Ok((subset.clone(), number(layout.share(subset)).context("a share is a number")?)))
        .collect()
}

/// The contract that was written before, as data or as code.
///
/// # Errors
/// When it cannot be read, or `graylane client` did not write it.
pub fn read(path: &Path) -> Result<Contract> {
    let name = path.display();
    let text = files::text(path)?;
    let line = text.lines().find_map(|line| line.split_once(MARK)).map(|(_, json)| json);
    let contract: Contract = serde_json::from_str(line.unwrap_or(&text)).with_context(|| {
        format!("`{name}` is not a file that `graylane client` wrote: expected its JSON, or code with a line `{MARK}…`")
    })?;
    ensure!(
        contract.version == VERSION,
        "`{name}` has version {} of the contract: this program reads version {VERSION}",
        contract.version
    );
    Ok(contract)
}
