//! A resource of Kubernetes that exists already, as far as graylane reads it.

use serde_json::Value as Json;

use crate::document::source::Span;
use crate::document::tree::Node;

/// Kinds of the whole cluster, of those that graylane writes.
const OF_THE_CLUSTER: [&str; 2] = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];

/// The namespace of a resource that names none; empty if its kind has none.
#[must_use]
pub fn default_namespace(kind: &str) -> &'static str {
    if OF_THE_CLUSTER.contains(&kind) { "" } else { "default" }
}

/// What to call a resource in a message.
#[must_use]
pub fn title(kind: &str, namespace: &str, name: &str) -> String {
    if namespace.is_empty() { format!("{kind} {name}") } else { format!("{kind} {namespace}/{name}") }
}

/// A resource of Kubernetes.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace; `default` if it has none, empty if it is the whole cluster's.
    pub namespace: String,
    /// All of it.
    pub whole: Json,
    /// Its spec.
    pub spec: Json,
    /// All of it, with the places that it was written at.
    node: Node,
}

impl Resource {
    /// What to call it in a message.
    #[must_use]
    pub fn title(&self) -> String {
        title(&self.kind, &self.namespace, &self.name)
    }

    /// Where a part of it was written.
    #[must_use]
    pub fn place(&self, path: &[&str]) -> Span {
        self.node.span_of(path)
    }

    /// Where its name was written.
    #[must_use]
    pub fn name_place(&self) -> Span {
        self.node.span_of(&["metadata", "name"])
    }

    /// Out of YAML.
    ///
    /// # Errors
    /// The node itself: it has no kind, or no name.
    pub fn of(node: Node) -> Result<Self, Box<Node>> {
        let json = node.json();
        let text = |value: &Json| value.as_str().map(ToOwned::to_owned);
        let (Some(kind), Some(name)) = (text(&json["kind"]), text(&json["metadata"]["name"])) else {
            return Err(Box::new(node));
        };
        let namespace = text(&json["metadata"]["namespace"]).filter(|name| !name.is_empty());
        Ok(Self {
            name,
            namespace: namespace.unwrap_or_else(|| default_namespace(&kind).to_owned()),
            kind,
            spec: json["spec"].clone(),
            whole: json,
            node,
        })
    }
}
