//! The pod that this is. The ABI does not tell a module its node, so it is read where Envoy has it from: the bootstrap
//! that its command line names, which Istio's agent writes; else the environment and the pod's files.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// Labels of the pod, one `name="value"` a line (Kubernetes' downward API); where Istio's templates mount them.
const LABELS: &str = "/etc/istio/pod/labels";

/// The node, as `xds.node` has it: id and metadata.
static NODE: Mutex<Option<Value>> = Mutex::new(None);

/// A text of the node by its path, whose steps are joined by NUL.
pub(crate) fn text(path: &[u8]) -> Option<Vec<u8>> {
    let mut node = NODE.lock().unwrap_or_else(PoisonError::into_inner);
    lookup(node.get_or_insert_with(|| of_bootstrap(std::env::args()).unwrap_or_else(of_surroundings)), path)
}

/// Of a host that has no bootstrap: from now on this is the node.
pub fn is(node: Value) {
    *NODE.lock().unwrap_or_else(PoisonError::into_inner) = Some(node);
}

fn lookup(node: &Value, path: &[u8]) -> Option<Vec<u8>> {
    let mut at = node;
    for step in path.split(|byte| *byte == 0) {
        at = at.get(std::str::from_utf8(step).ok()?)?;
    }
    at.as_str().map(|text| text.as_bytes().to_vec())
}

/// The node of the bootstrap that this command line names. Istio's agent writes JSON; without that, the environment and
/// the pod's files are read.
fn of_bootstrap(mut arguments: impl Iterator<Item = String>) -> Option<Value> {
    let mut node = None;
    while let Some(argument) = arguments.next() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (argument.as_str(), None),
        };
        let text = match name {
            "-c" | "--config-path" => {
                value.or_else(|| arguments.next()).and_then(|path| fs::read_to_string(path).ok())
            }
            "--config-yaml" => value.or_else(|| arguments.next()),
            _ => None,
        };
        let found = text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
        node = found.and_then(|mut bootstrap| bootstrap.get_mut("node").map(Value::take)).or(node);
    }
    node
}

fn of_surroundings() -> Value {
    let namespace = std::env::var("POD_NAMESPACE").unwrap_or_default();
    let labels = fs::read_to_string(Path::new(LABELS)).unwrap_or_default();
    json!({"metadata": {"NAMESPACE": namespace, "LABELS": labels_of(&labels)}})
}

/// Values are quoted as Go does it, but no label's value has anything to quote.
fn labels_of(text: &str) -> Value {
    let label = |line: &str| {
        let (name, value) = line.split_once('=')?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        Some((name.to_owned(), Value::from(value)))
    };
    text.lines().filter_map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments<'a>(list: &'a [&str]) -> impl Iterator<Item = String> + 'a {
        list.iter().map(|argument| (*argument).to_owned())
    }

    #[test]
    fn the_bootstrap_says_who_we_are() {
        let node = json!({"node": {"id": "router~10.0.0.1~gw.edge~edge.svc", "metadata": {
            "NAMESPACE": "edge", "LABELS": {"app.kubernetes.io/name": "gw"},
        }}});
        let file = std::env::temp_dir().join(format!("graylane-node-{}.json", std::process::id()));
        fs::write(&file, node.to_string()).unwrap();
        let path = file.to_str().unwrap();
        let joined = format!("--config-path={path}");
        let inline = node.to_string();
        for list in [
            &["envoy", "-c", path, "--drain-time-s", "45"][..],
            &["envoy", &joined],
            &["envoy", "--config-yaml", &inline],
            &["envoy", "-c", "/does/not/exist", "--config-yaml", &inline],
        ] {
            let node = of_bootstrap(arguments(list)).unwrap();
            let text = |path: &[u8]| lookup(&node, path).map(|text| String::from_utf8(text).unwrap());
            assert_eq!(text(b"id").as_deref(), Some("router~10.0.0.1~gw.edge~edge.svc"), "{list:?}");
            assert_eq!(text(b"metadata\0NAMESPACE").as_deref(), Some("edge"));
            assert_eq!(text(b"metadata\0LABELS\0app.kubernetes.io/name").as_deref(), Some("gw"));
            assert_eq!(text(b"metadata\0LABELS"), None, "not a text");
            assert_eq!(text(b"metadata\0nothing"), None);
        }
        fs::remove_file(file).unwrap();
        for list in [&["envoy"][..], &["envoy", "-c"], &["envoy", "-c", "/does/not/exist"]] {
            assert_eq!(of_bootstrap(arguments(list)), None, "{list:?}");
        }
    }

    #[test]
    fn labels_are_read_as_kubelet_writes_them() {
        let labels = labels_of("app=\"web\"\nversion=\"v2\"\nempty=\"\"\nnothing\n");
        assert_eq!(labels, json!({"app": "web", "version": "v2", "empty": ""}));
    }
}
