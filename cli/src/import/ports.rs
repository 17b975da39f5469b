//! Ports of a Service: which of them speaks HTTP.

use serde_json::Value as Json;

/// What is known of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP, by what it says.
    Http,
    /// Something else, by what it says.
    Other,
    /// It does not say: Istio looks at the first bytes.
    Unknown,
}

/// First words of port names by which Istio knows HTTP
/// (<https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/>).
const HTTP: [&str; 5] = ["http", "http2", "grpc", "grpc-web", "h2c"];
/// Those by which Istio knows that it is none, and what else is never HTTP. `https` is none either: a sidecar sees TLS.
const OTHER: [&str; 32] = [
    "https",
    "tcp",
    "tls",
    "udp",
    "sctp",
    "mongo",
    "mongodb",
    "mysql",
    "mariadb",
    "redis",
    "postgres",
    "postgresql",
    "pgsql",
    "pg",
    "amqp",
    "amqps",
    "kafka",
    "zookeeper",
    "mqtt",
    "nats",
    "cassandra",
    "cql",
    "memcache",
    "memcached",
    "etcd",
    "smtp",
    "ldap",
    "dns",
    "ssh",
    "ftp",
    "sql",
    "mssql",
];
/// Values of `appProtocol` that are HTTP.
const APP_HTTP: [&str; 7] =
    ["http", "http2", "grpc", "grpc-web", "kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss"];

/// By its protocol, `appProtocol`, then its name.
#[must_use]
pub fn speaks(port: &Json) -> Speaks {
    if port["protocol"].as_str().is_some_and(|protocol| !protocol.eq_ignore_ascii_case("tcp")) {
        return Speaks::Other;
    }
    if let Some(app) = port["appProtocol"].as_str().map(str::to_ascii_lowercase) {
        return if APP_HTTP.contains(&&*app) { Speaks::Http } else { Speaks::Other };
    }
    let name = port["name"].as_str().unwrap_or_default().to_ascii_lowercase();
    let word = name.split('-').next().unwrap_or_default();
    if HTTP.contains(&&*name) || HTTP.contains(&word) {
        Speaks::Http
    } else if OTHER.contains(&word) {
        Speaks::Other
    } else {
        Speaks::Unknown
    }
}

/// What to call a port in a message.
#[must_use]
pub fn title(port: &Json) -> String {
    let number = port["port"].as_u64().map(|number| number.to_string()).unwrap_or_default();
    match port["appProtocol"].as_str().or(port["name"].as_str()) {
        Some(name) => format!("{number} ({name})"),
        None if port["protocol"].as_str().is_some_and(|protocol| protocol != "TCP") => {
            format!("{number} ({})", port["protocol"].as_str().unwrap_or_default())
        }
        None => number,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_port_says_what_it_speaks() {
        for (port, wanted) in [
            (json!({"name": "http"}), Speaks::Http),
            (json!({"name": "grpc-api"}), Speaks::Http),
            (json!({"name": "http-metrics", "appProtocol": "tcp"}), Speaks::Other),
            (json!({"name": "tcp-db", "appProtocol": "kubernetes.io/h2c"}), Speaks::Http),
            (json!({"name": "mysql"}), Speaks::Other),
            (json!({"name": "https"}), Speaks::Other),
            (json!({"name": "http", "protocol": "UDP"}), Speaks::Other),
            (json!({"name": "web"}), Speaks::Unknown),
            (json!({"name": "httpbin"}), Speaks::Unknown),
            (json!({}), Speaks::Unknown),
        ] {
            assert_eq!(speaks(&port), wanted, "{port}");
        }
    }
}
