//! Routes that are there: the model of what a path holds, and where each rule was written.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::document::finding::Findings;
use crate::document::source::{SourceFiles, Span};
use crate::import::{self, Resource};
use crate::mesh::Mesh;
use crate::printer::Printer;
use crate::traffic::{At, World};

/// What a path holds.
pub struct There {
    /// Where it was written.
    pub sources: SourceFiles,
    /// What was written.
    pub resources: Vec<Resource>,
    /// What it means.
    pub world: World,
}

impl There {
    /// Reads it, and prints what is wrong with it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path, mesh: &Mesh, printer: Printer) -> Result<Self> {
        let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
        let resources = import::read(&[path.to_owned()], &mut sources, &mut findings)?;
        printer.findings(&findings, &sources);
        ensure!(!findings.has_errors(), "`{}` cannot be read", path.display());
        let world = world(&resources, mesh);
        Ok(Self { sources, resources, world })
    }
}

/// The model of resources.
pub fn world(resources: &[Resource], mesh: &Mesh) -> World {
    let whole: Vec<_> = resources.iter().map(|resource| &resource.whole).collect();
    World::of(&whole, &mesh.header)
}

/// Where a rule was written.
pub fn rule(resources: &[Resource], at: At) -> Option<Span> {
    let resource = resources.get(at.resource)?;
    Some(resource.place(&["spec", "http", &at.rule.to_string()]))
}
