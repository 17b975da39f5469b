//! A resource of Kubernetes that exists already, as far as it has to be understood.

use serde_json::Value as Json;

/// A resource of Kubernetes.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace; `default` if it says none.
    pub namespace: String,
    /// All of it.
    pub whole: Json,
    /// Its spec.
    pub spec: Json,
}

impl Resource {
    /// What to call it in a message.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }

    /// Out of JSON; none: it has no kind, or no name.
    #[must_use]
    pub fn of(json: &Json) -> Option<Self> {
        let text = |value: &Json| value.as_str().map(ToOwned::to_owned);
        Some(Self {
            kind: text(&json["kind"])?,
            name: text(&json["metadata"]["name"])?,
            namespace: text(&json["metadata"]["namespace"]).unwrap_or_else(|| "default".to_owned()),
            spec: json["spec"].clone(),
            whole: json.clone(),
        })
    }
}
