//! `graylane plugin-config`: the JSON that the filter gets.

use anyhow::{Context as _, Result, ensure};
use graylane_decide::Role;

use crate::args::PluginConfig;
use crate::lower;
use crate::printer::{Outcome, Printer};

/// Runs it.
pub fn run(args: &PluginConfig, printer: Printer) -> Result<Outcome> {
    let Some((_, mesh)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    ensure!(
        args.gateway.is_none() || args.role == Role::Gateway,
        "--gateway: only a gateway's configuration depends on it: add `--role gateway`"
    );
    let config = match (&args.namespace, args.role) {
        (_, Role::Gateway) => {
            let ingress = mesh.ingress(args.gateway.as_deref()).context("--gateway")?;
            lower::gateway(&mesh, &ingress)
        }
        (Some(namespace), role) => lower::config_in(&mesh, role, namespace),
        (None, role) => lower::config(&mesh, role),
    };
    printer.json(&config)?;
    Ok(Outcome::Ok)
}
