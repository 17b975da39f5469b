//! What a request tells an application to do, and what it says that it did.
//!
//! What to do comes in the query, since headers are what is to be lost:
//! `/?run=7&path=api,ledger,orders&forward=api:x-request-id,ledger:nothing&late=api`.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Response header that says how a request was decided.
pub const DEBUG_HEADER: &str = "x-graylane-debug";
/// Headers that belong to one connection, or to one message of it.
const OWN: [header::HeaderName; 4] =
    [header::HOST, header::CONTENT_LENGTH, header::CONNECTION, header::TRANSFER_ENCODING];

/// What a request tells the applications on its way.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Orders {
    /// Which journey this is part of; each visit of one that has a name is logged.
    pub run: String,
    /// Services still to be passed, this one first, parted by commas.
    pub path: String,
    /// `service:header`, parted by commas: the only header that it copies. `nothing` is none, `all` is all; services
    /// that are not named copy all.
    pub forward: String,
    /// Services that call the next one only after they have answered, parted by commas.
    pub late: String,
    /// `service` or `service-subset` that answers 500, parted by commas.
    pub fail: String,
    /// `service` or `service-subset` that takes half a second, parted by commas.
    pub slow: String,
    /// `service:seconds` that it waits before it calls the next one, with its own answer still open, parted by commas.
    pub wait: String,
}

impl Orders {
    /// The service to call, and what it is to do.
    pub fn next(&self) -> Option<(String, Self)> {
        let (_, rest) = self.path.split_once(',')?;
        let next = rest.split(',').next().unwrap_or(rest);
        (!next.is_empty()).then(|| (next.to_owned(), Self { path: rest.to_owned(), ..self.clone() }))
    }

    /// Whether this service calls the next one only after its answer.
    pub fn is_late(&self, service: &str) -> bool {
        self.late.split(',').any(|name| name == service)
    }

    /// Whether a pod answers 500.
    pub fn fails(&self, pod: &str) -> bool {
        names(&self.fail, pod)
    }

    /// Whether a pod takes its time.
    pub fn is_slow(&self, pod: &str) -> bool {
        names(&self.slow, pod)
    }

    /// How long a service waits before it calls the next one.
    pub fn wait(&self, service: &str) -> Duration {
        let told = self.wait.split(',').filter_map(|part| part.split_once(':'));
        let own = told.filter(|(name, _)| *name == service).find_map(|(_, seconds)| seconds.parse().ok());
        Duration::from_secs(own.unwrap_or(0))
    }

    /// The headers that a service copies from the request it got.
    pub fn copied(&self, service: &str, headers: &HeaderMap) -> HeaderMap {
        let told = self.forward.split(',').filter_map(|part| part.split_once(':'));
        let word = told.filter(|(name, _)| *name == service).map(|(_, word)| word).next().unwrap_or("all");
        let wanted = |name: &header::HeaderName| match word {
            "all" => !OWN.contains(name),
            "nothing" => false,
            only => name.as_str() == only,
        };
        let pairs = headers.iter().filter(|(name, _)| wanted(name));
        pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// What happened at one application, and at those that it called.
#[derive(Debug, Serialize)]
pub struct Visit {
    /// Which journey.
    pub run: String,
    /// The pod that answers.
    pub pod: String,
    /// Headers that arrived.
    pub headers: BTreeMap<String, String>,
    /// Status of the call to the next application, if there was one.
    pub status: Option<u16>,
    /// How its sidecar decided that call.
    pub decided: Option<String>,
    /// What the next application says; its words, if they are no JSON.
    pub next: Option<Json>,
}

/// Headers as text.
pub fn readable(headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// Whether a list has the deployment, or the service, of a pod.
fn names(list: &str, pod: &str) -> bool {
    list.split(',').any(|name| !name.is_empty() && pod.starts_with(&format!("{name}-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(path: &str, forward: &str) -> Orders {
        Orders { path: path.to_owned(), forward: forward.to_owned(), ..Orders::default() }
    }

    #[test]
    fn each_service_drops_itself_from_the_path() {
        let (next, rest) = orders("api,orders,ledger", "").next().unwrap();
        assert_eq!((next.as_str(), rest.path.as_str()), ("orders", "orders,ledger"));
        let (next, rest) = rest.next().unwrap();
        assert_eq!((next.as_str(), rest.path.as_str()), ("ledger", "ledger"));
        assert!(rest.next().is_none());
    }

    #[test]
    fn what_is_copied_is_what_the_service_is_told() {
        let mut headers = HeaderMap::new();
        for name in ["tenant", "x-request-id", "host"] {
            headers.insert(name, "x".parse().unwrap());
        }
        let copied = |forward| {
            let mut names: Vec<String> =
                readable(&orders("", forward).copied("api", &headers)).into_keys().collect();
            names.sort();
            names
        };
        assert_eq!(copied("orders:nothing"), ["tenant", "x-request-id"]);
        assert_eq!(copied("api:x-request-id"), ["x-request-id"]);
        assert_eq!(copied("api:nothing"), [""; 0]);
    }

    #[test]
    fn a_pod_fails_by_its_deployment() {
        let orders = Orders { fail: "api-v2".to_owned(), ..Orders::default() };
        assert!(orders.fails("api-v2-6d5f-x1"));
        assert!(!orders.fails("api-v1-6d5f-x1"));
        assert!(!Orders::default().fails("api-v1-6d5f-x1"));
        let orders = Orders { wait: "api:7".to_owned(), ..Orders::default() };
        assert_eq!((orders.wait("api").as_secs(), orders.wait("ledger").as_secs()), (7, 0));
        let orders = Orders { slow: "api-v2".to_owned(), ..Orders::default() };
        assert!(orders.is_slow("api-v2-6d5f-x1") && !orders.is_slow("api-v1-6d5f-x1"));
    }
}
