//! A resource of Kubernetes that exists already, as far as graylane reads it.

use serde_json::Value as Json;

use crate::document::source::Span;
use crate::document::tree::Node;

/// A resource of Kubernetes.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace; `default` if it has none.
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
        format!("{} {}/{}", self.kind, self.namespace, self.name)
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
            kind,
            name,
            namespace: namespace.unwrap_or_else(|| "default".to_owned()),
            spec: json["spec"].clone(),
            whole: json,
            node,
        })
    }
}
