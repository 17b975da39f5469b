//! Where requests enter the mesh: `edge.gateway`, or each of `edge.gateways`. Whatever depends on a gateway reads it from here, so
//! that nothing is done at one of them and forgotten at another.

use anyhow::{Result, bail};
use graylane_decide::Role;
use graylane_decide::config::{Accept, Mode};

use crate::document::model::{Document, Gateway, Jwt, Key, OneOfSeveral, Rule, TraceContext};

/// A way into the mesh, and who may choose a tenant there.
#[derive(Clone, Debug)]
pub struct Ingress<'a> {
    /// Its name in `edge.gateways`; none of `edge.gateway`.
    pub name: Option<&'a str>,
    /// The gateway; none where the file names none, and only says what would hold there.
    pub gateway: Option<&'a Gateway>,
    /// The mode that the file says for it, or for all gateways.
    pub own_mode: Option<Mode>,
    /// Its mode. It is never off: then it observes, and still removes what only graylane gives a meaning to.
    pub mode: Mode,
    /// Can its callers send the tenant header?
    pub accept: Accept,
    /// Who gets which tenant.
    pub rules: &'a [Rule],
    /// Headers of the file that it removes, lower case, as they are written.
    pub remove: Vec<String>,
    /// The tokens that it verifies.
    pub jwt: Option<&'a Jwt>,
    /// Where it finds users' keys.
    pub keys: &'a [Key],
    /// What the file says of trace ids of its callers.
    own_trace_context: Option<TraceContext>,
    /// Has it keys of its own?
    pub has_own_keys: bool,
    /// Does it say its mode itself?
    says_mode: bool,
}

/// All of them, at least one: in a file without a gateway the one that it would have. In byte order of their names.
#[must_use]
pub fn ingresses(document: &Document) -> Vec<Ingress<'_>> {
    match &document.edge.gateways {
        Some(several) if !several.is_empty() => {
            several.iter().map(|(name, one)| one_of_several(document, name, one)).collect()
        }
        _ => vec![only(document)],
    }
}

/// Those that the file names, with their gateways.
pub fn gateways(document: &Document) -> impl Iterator<Item = (Ingress<'_>, &Gateway)> {
    ingresses(document).into_iter().filter_map(|ingress| {
        let gateway = ingress.gateway?;
        Some((ingress, gateway))
    })
}

/// Does the file name a gateway?
#[must_use]
pub fn has_gateway(document: &Document) -> bool {
    gateways(document).next().is_some()
}

fn only(document: &Document) -> Ingress<'_> {
    let edge = &document.edge;
    Ingress {
        name: None,
        gateway: edge.gateway.as_ref(),
        own_mode: edge.mode,
        mode: mode(document, edge.mode),
        accept: edge.accept,
        rules: &edge.rules,
        remove: lower_case(&edge.remove).collect(),
        jwt: edge.jwt.as_ref(),
        keys: &document.sticky.keys,
        own_trace_context: edge.trace_context,
        has_own_keys: false,
        says_mode: false,
    }
}

fn one_of_several<'a>(document: &'a Document, name: &'a str, one: &'a OneOfSeveral) -> Ingress<'a> {
    let edge = &document.edge;
    let own_mode = one.mode.or(edge.mode);
    Ingress {
        name: Some(name),
        gateway: Some(&one.gateway),
        own_mode,
        mode: mode(document, own_mode),
        accept: one.accept,
        rules: &one.rules,
        remove: lower_case(&edge.remove).chain(lower_case(&one.remove)).collect(),
        jwt: one.jwt.as_ref(),
        keys: one.keys.as_deref().unwrap_or(&document.sticky.keys),
        own_trace_context: one.trace_context.or(edge.trace_context),
        has_own_keys: one.keys.is_some(),
        says_mode: one.mode.is_some(),
    }
}

fn mode(document: &Document, own: Option<Mode>) -> Mode {
    match own.unwrap_or(document.mode) {
        Mode::Off => Mode::Observe,
        mode => mode,
    }
}

fn lower_case(names: &[String]) -> impl Iterator<Item = String> {
    names.iter().map(|name| name.to_ascii_lowercase())
}

impl<'a> Ingress<'a> {
    /// Where something of it stands in the file: its rules, its tokens.
    #[must_use]
    pub fn path<'p>(&self, keys: &[&'p str]) -> Vec<&'p str>
    where
        'a: 'p,
    {
        let own = match self.name {
            Some(name) => vec!["edge", "gateways", name],
            None => vec!["edge"],
        };
        [&own[..], keys].concat()
    }

    /// Where its gateway stands in the file, or something of that: its selector.
    #[must_use]
    pub fn place<'p>(&self, keys: &[&'p str]) -> Vec<&'p str>
    where
        'a: 'p,
    {
        match self.name {
            Some(_) => self.path(keys),
            None => self.path(&[&["gateway"], keys].concat()),
        }
    }

    /// Where its mode stands, if it is not that of the whole file.
    #[must_use]
    pub fn mode_path(&self) -> Vec<&'a str> {
        if self.says_mode { self.path(&["mode"]) } else { vec!["edge", "mode"] }
    }

    /// Where its users' keys stand.
    #[must_use]
    pub fn keys_path(&self) -> Vec<&'a str> {
        if self.has_own_keys { self.path(&["keys"]) } else { vec!["sticky", "keys"] }
    }

    /// What its resources are called, after the mesh.
    #[must_use]
    pub fn resource(&self) -> String {
        match self.name {
            Some(name) => format!("{}-{name}", Role::Gateway.name()),
            None => Role::Gateway.name().to_owned(),
        }
    }

    /// As messages call it.
    #[must_use]
    pub fn title(&self) -> String {
        self.name.map_or_else(|| "the gateway".to_owned(), |name| format!("the gateway `{name}`"))
    }

    /// What happens to trace ids of its callers; None where there is no gateway.
    #[must_use]
    pub fn trace_context(&self) -> Option<TraceContext> {
        self.gateway?;
        let trusts = self.accept == Accept::Always || self.rules.iter().any(|rule| rule.trusted);
        let default = if trusts { TraceContext::Keep } else { TraceContext::Restart };
        Some(self.own_trace_context.unwrap_or(default))
    }

    /// Does the file say what happens to trace ids of its callers?
    #[must_use]
    pub fn says_trace_context(&self) -> bool {
        self.own_trace_context.is_some()
    }

    /// Is a Gateway resource, as `namespace/name`, its own? One without a name may have any.
    #[must_use]
    pub fn serves(&self, resource: &str) -> bool {
        self.gateway.is_some_and(|gateway| gateway.name.as_ref().is_none_or(|name| name == resource))
    }
}

impl super::Mesh {
    /// Where requests enter it: at least one, see [`ingresses`].
    #[must_use]
    pub fn ingresses(&self) -> Vec<Ingress<'_>> {
        ingresses(&self.document)
    }

    /// The gateways that the file names.
    pub fn gateways(&self) -> impl Iterator<Item = (Ingress<'_>, &Gateway)> {
        gateways(&self.document)
    }

    /// A gateway by its name; without one, the only one.
    ///
    /// # Errors
    /// When there is none of that name, or no name and several.
    pub fn ingress(&self, name: Option<&str>) -> Result<Ingress<'_>> {
        let mut all = self.ingresses();
        if let Some(place) = all.iter().position(|ingress| ingress.name == name) {
            return Ok(all.swap_remove(place));
        }
        let names: Vec<&str> = all.iter().filter_map(|ingress| ingress.name).collect();
        match name {
            Some(name) if names.is_empty() => {
                bail!("unknown gateway `{name}`: the file has no `edge.gateways`, so it has no name")
            }
            Some(name) => bail!("unknown gateway `{name}`, expected one of {}", names.join(", ")),
            None => bail!("the file has several gateways, expected one of {}", names.join(", ")),
        }
    }

    /// The mode of the gateways in a namespace: `observe` if one of them observes.
    #[must_use]
    pub fn gateway_mode(&self, namespace: &str) -> Mode {
        let all = self.ingresses();
        let is_there = |one: &&Ingress<'_>| one.gateway.is_some_and(|gateway| gateway.namespace == namespace);
        let anywhere = !all.iter().any(|one| is_there(&one));
        let enforces = |one: &Ingress<'_>| one.mode == Mode::Enforce;
        let enforce = all.iter().filter(|one| anywhere || is_there(one)).all(enforces);
        if enforce { Mode::Enforce } else { Mode::Observe }
    }

    /// Do all gateways enforce?
    #[must_use]
    pub fn gateways_enforce(&self) -> bool {
        self.ingresses().iter().all(|ingress| ingress.mode == Mode::Enforce)
    }

    /// Is a user recognised by a key of their own anywhere?
    #[must_use]
    pub fn has_keys(&self) -> bool {
        !self.document.sticky.keys.is_empty() || self.ingresses().iter().any(|one| !one.keys.is_empty())
    }

    /// Of several gateways keeps this one alone.
    pub fn keep_gateway(&mut self, name: &str) {
        self.document.edge.gateways.iter_mut().for_each(|all| all.retain(|other, _| other == name));
    }

    /// All pods and all gateways in one mode, whatever the file says.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
        self.modes.clear();
        let edge = &mut self.document.edge;
        edge.mode = Some(mode);
        for one in edge.gateways.iter_mut().flatten().map(|(_, one)| one) {
            one.mode = None;
        }
    }
}

#[cfg(test)]
mod tests;
