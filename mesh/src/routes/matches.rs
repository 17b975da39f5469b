//! Which requests a rule is for.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::text::Text;
use crate::mesh::Fields;
use crate::traffic;

/// What a request has to be; all of it has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// The path, without its query.
    pub path: Option<Text>,
    /// Is the case of the path ignored?
    pub ignores_path_case: Option<bool>,
    /// The method.
    pub method: Option<Text>,
    /// `http` or `https`.
    pub scheme: Option<Text>,
    /// The host that was asked for.
    pub host: Option<Text>,
    /// Headers that have to be there.
    pub headers: BTreeMap<String, Text>,
    /// Headers that must not be there.
    pub without_headers: BTreeMap<String, Text>,
    /// Parameters of the query.
    pub query: BTreeMap<String, Text>,
    /// The port that the request was sent to.
    pub port: Option<u32>,
    /// Labels of the pod that calls.
    pub caller_labels: BTreeMap<String, String>,
    /// The namespace that calls.
    pub caller_namespace: Option<String>,
    /// The gateways that it came through; empty: any.
    pub gateways: Vec<String>,
    /// Fields of Istio's HTTPMatchRequest that this form does not have.
    pub istio: Fields,
}

impl Match {
    /// Of Istio's HTTPMatchRequest.
    #[must_use]
    pub fn of(fields: &Fields) -> Self {
        let mut one = Self::default();
        for (key, value) in fields {
            match key.as_str() {
                "uri" => one.path = Some(Text::of(value)),
                "ignoreUriCase" => one.ignores_path_case = value.as_bool(),
                "method" => one.method = Some(Text::of(value)),
                "scheme" => one.scheme = Some(Text::of(value)),
                "authority" => one.host = Some(Text::of(value)),
                "headers" => one.headers = texts(value),
                "withoutHeaders" => one.without_headers = texts(value),
                "queryParams" => one.query = texts(value),
                "port" => one.port = value.as_u64().and_then(|port| port.try_into().ok()),
                "sourceLabels" => {
                    let pairs = value.as_object().into_iter().flatten();
                    one.caller_labels =
                        pairs.filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect();
                }
                "sourceNamespace" => one.caller_namespace = text(value),
                "gateways" => {
                    one.gateways = value.as_array().into_iter().flatten().filter_map(text).collect();
                }
                _ => {}
            }
        }
        // Nothing gets lost, however it is written.
        let said = one.istio();
        one.istio = fields
            .iter()
            .filter(|(key, value)| said.get(*key) != Some(*value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        one
    }

    /// As Istio's HTTPMatchRequest.
    #[must_use]
    pub fn istio(&self) -> Fields {
        let mut fields = Fields::new();
        let mut put = |key: &str, value: Json| drop(fields.insert(key.to_owned(), value));
        for (key, text) in [
            ("uri", &self.path),
            ("method", &self.method),
            ("scheme", &self.scheme),
            ("authority", &self.host),
        ] {
            if let Some(text) = text {
                put(key, text.istio());
            }
        }
        if let Some(ignores) = self.ignores_path_case {
            put("ignoreUriCase", ignores.into());
        }
        for (key, texts) in [
            ("headers", &self.headers),
            ("withoutHeaders", &self.without_headers),
            ("queryParams", &self.query),
        ] {
            if !texts.is_empty() {
                put(key, texts.iter().map(|(name, text)| (name.clone(), text.istio())).collect());
            }
        }
        if let Some(port) = self.port {
            put("port", port.into());
        }
        if !self.caller_labels.is_empty() {
            put("sourceLabels", json!(self.caller_labels));
        }
        if let Some(namespace) = &self.caller_namespace {
            put("sourceNamespace", namespace.as_str().into());
        }
        if !self.gateways.is_empty() {
            put("gateways", json!(self.gateways));
        }
        fields.extend(self.istio.clone());
        fields
    }

    /// Does it hold for every request?
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// The same for requests with one exact header; none: no request is both.
    #[must_use]
    pub fn and_header(&self, name: &str, value: &str) -> Option<Self> {
        let mut one = self.clone();
        let own: Vec<String> =
            self.headers.keys().filter(|own| own.eq_ignore_ascii_case(name)).cloned().collect();
        for own in own {
            let text = one.headers.remove(&own)?;
            let decided = !matches!(text, Text::Other(_));
            if decided && !traffic::Text::from(&text).matches(Some(value), false) {
                return None;
            }
        }
        one.headers.insert(name.to_owned(), Text::Exact(value.to_owned()));
        Some(one)
    }

    /// Its condition on a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&Text> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, text)| text)
    }
}

fn text(json: &Json) -> Option<String> {
    json.as_str().map(ToOwned::to_owned)
}

fn texts(json: &Json) -> BTreeMap<String, Text> {
    let pairs = json.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.clone(), Text::of(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &Json) -> Match {
        Match::of(json.as_object().unwrap())
    }

    #[test]
    fn whatever_istio_matches_is_read_and_written_back() {
        for json in [
            json!({}),
            json!({"uri": {"prefix": "/api"}, "ignoreUriCase": true, "method": {"exact": "GET"}}),
            json!({"uri": {"regex": "/a.*"}, "ignoreUriCase": false, "scheme": {"exact": "https"}}),
            json!({"authority": {"prefix": "a."}, "port": 8080, "gateways": ["mesh"], "name": "x", "statPrefix": "y"}),
            json!({"headers": {"X-A": {"exact": "1"}, "b": {}}, "withoutHeaders": {"c": {"regex": "*"}}}),
            json!({"queryParams": {"q": {"exact": "1"}}, "sourceLabels": {"app": "web"}, "sourceNamespace": "shop"}),
            // No release of Istio takes these; they go on as they are.
            json!({"headers": {}, "uri": null, "port": "80", "gateways": [], "sourceLabels": {"a": 1}}),
            json!({"uri": {"exact": "/", "prefix": "/"}, "headers": {"a": {"exact": 5}, "b": null}, "new": [1]}),
        ] {
            assert_eq!(Json::from(of(&json).istio()), json);
        }
        assert!(of(&json!({})).is_everything() && !of(&json!({"name": "a"})).is_everything());
    }

    #[test]
    fn a_rule_for_one_tenant_is_not_for_another() {
        let both = |own: Json, value: &str| {
            of(&json!({"headers": {"Tenant": own}}))
                .and_header("tenant", value)
                .map(|one| Json::from(one.istio()))
        };
        let exact = |value: &str| Some(json!({"headers": {"tenant": {"exact": value}}}));
        assert_eq!(both(json!({"exact": "a"}), "a"), exact("a"));
        assert_eq!(both(json!({"exact": "a"}), "b"), None);
        assert_eq!(both(json!({"prefix": "gray-"}), "gray-v1"), exact("gray-v1"));
        assert_eq!(both(json!({"prefix": "gray-"}), "green"), None);
        assert_eq!(both(json!({"regex": "gray-.*"}), "gray-v1"), exact("gray-v1"));
        assert_eq!(both(json!({"regex": "gray-.*"}), "green"), None);
        assert_eq!(both(json!({}), "green"), exact("green"));
    }
}
