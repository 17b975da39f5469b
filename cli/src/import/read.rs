//! Resources out of YAML: several documents in a file, and the lists that `kubectl get -o yaml` writes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

use crate::document::finding::Findings;
use crate::document::source::Sources;
use crate::document::tree;
use crate::files::{self, files_of};
pub use crate::manifest::Resource;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Routes.
    pub virtual_services: Vec<Resource>,
    /// Subsets.
    pub destination_rules: Vec<Resource>,
    /// How many there are of other kinds.
    pub others: BTreeMap<String, usize>,
}

impl Found {
    /// From resources of any kind.
    #[must_use]
    pub fn of(resources: Vec<Resource>) -> Self {
        let mut found = Self::default();
        for resource in resources {
            match resource.kind.as_str() {
                "VirtualService" => found.virtual_services.push(resource),
                "DestinationRule" => found.destination_rules.push(resource),
                _ => *found.others.entry(resource.kind).or_default() += 1,
            }
        }
        found
    }

    /// The namespace that most of them are in.
    #[must_use]
    pub fn namespace(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for resource in self.virtual_services.iter().chain(&self.destination_rules) {
            *counts.entry(&resource.namespace).or_default() += 1;
        }
        let most = counts.into_iter().max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a)));
        most.map_or("default", |(name, _)| name).to_owned()
    }
}

/// Reads files, folders and `-`. What is no YAML or no resource is a finding.
///
/// # Errors
/// When one cannot be read at all.
pub fn read(paths: &[PathBuf], sources: &mut Sources, findings: &mut Findings) -> Result<Vec<Resource>> {
    let mut resources = Vec::new();
    for path in paths {
        for path in files_of(path)? {
            let file = files::read(sources, &path)?;
            for node in tree::parse(sources, file, findings) {
                let json = node.json();
                let is_list = json["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
                if json["kind"] == "Kustomization" {
                    continue;
                }
                match (is_list, Resource::of(&json)) {
                    (true, _) => {
                        resources
                            .extend(json["items"].as_array().into_iter().flatten().filter_map(Resource::of));
                    }
                    (false, Some(resource)) => resources.push(resource),
                    (false, None) => {
                        findings
                            .error(Some(node.span), "this is no Kubernetes resource: it has no kind, or no name")
                            .help("pass VirtualServices and DestinationRules, as in `kubectl get vs,dr -o yaml`");
                    }
                }
            }
        }
    }
    Ok(resources)
}
