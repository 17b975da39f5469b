//! What the core says should become of a journey.

use anyhow::{Context, Result};
use graylane_decide::choice::keyed::Units;
use graylane_decide::world::Nothing;
use graylane_decide::{Plan, Role, plan::Node};

use crate::lower;
use crate::mesh::Mesh;

/// The core, for one version of the file.
pub struct Core {
    plan: Plan,
    units: Units,
    header: String,
}

impl Core {
    /// For a mesh.
    pub fn of(mesh: &Mesh) -> Result<Self> {
        let node = Node { namespace: Some(mesh.document.mesh.namespace.clone()), ..Node::default() };
        let plan = Plan::compile(&lower::config(mesh, Role::Outbound), &node);
        let plan = plan.map_err(|mistakes| {
            anyhow::anyhow!("{}", mistakes.first().map_or_else(String::new, ToString::to_string))
        })?;
        Ok(Self { plan, units: mesh.units()?, header: mesh.header.clone() })
    }

    /// The subset that a tenant's request to an authority gets, with the unit of this key. None: the weights draw.
    pub fn subset(&self, authority: &str, tenant: &str, key: Option<&str>) -> Result<Option<String>> {
        let unit = key.map(|key| format!("graylane-unit={}", self.units.of(key.as_bytes())));
        let headers =
            [(":authority", Some(authority)), (&*self.header, Some(tenant)), ("baggage", unit.as_deref())];
        let pairs =
            headers.iter().filter_map(|(name, value)| Some((name.as_bytes(), value.as_ref()?.as_bytes())));
        let decision = self.plan.decide(pairs, &mut Nothing).context("the core leaves this request alone")?;
        Ok(decision.subset.map(ToOwned::to_owned))
    }
}
