//! Several files become one: a folder is one file per team, `-f` given again lays one file over another.

use crate::document::Loaded;
use crate::document::finding::Findings;
use crate::document::source::Span;
use crate::document::tree::{self, Entry, Node, Value};
use crate::document::variables::{self, Lookup};

/// The name of a file in messages, and its text.
pub type Text = (String, String);

/// Reads each list of texts as one layer: a file, or the files of a folder that must not contradict each other.
pub fn read(layers: Vec<Vec<Text>>, lookup: Lookup<'_>, loaded: &mut Loaded) -> Vec<Node> {
    let mut nodes = Vec::new();
    for texts in layers {
        let mut layer: Option<Node> = None;
        for (name, text) in texts {
            let file = loaded.sources.add(name, text);
            let Some(node) = document(file, lookup, loaded) else { continue };
            loaded.files.push((loaded.sources.name(file).to_owned(), node.clone()));
            layer = Some(match layer {
                None => node,
                Some(layer) => join(layer, node, &mut Vec::new(), &mut loaded.findings),
            });
        }
        nodes.extend(layer);
    }
    nodes
}

/// The one document of a file.
fn document(file: usize, lookup: Lookup<'_>, loaded: &mut Loaded) -> Option<Node> {
    let before = loaded.findings.count(crate::document::finding::Severity::Error);
    let mut documents = tree::parse(&loaded.sources, file, &mut loaded.findings).into_iter();
    let first = documents.next();
    let whole = Span { file, start: 0, end: 0, line: 1, column: 1 };
    let broken = loaded.findings.count(crate::document::finding::Severity::Error) > before;
    match &first {
        Some(node) if !matches!(node.value, Value::Map(_)) => {
            loaded
                .findings
                .error(Some(node.span), "a graylane file is a map")
                .help("start with `version: 1`, as in examples/bank/graylane.yaml");
            return None;
        }
        Some(node) if node.get("apiVersion").is_some() && node.get("kind").is_some() => {
            let kind = node.get("kind").and_then(Node::text).unwrap_or_default();
            let help = match kind {
                "VirtualService" | "DestinationRule" | "Gateway" => {
                    "`graylane import FILE` makes a graylane file of it"
                }
                _ => {
                    "`graylane import` makes a graylane file of VirtualServices and DestinationRules, `graylane init` of Services and Deployments"
                }
            };
            let message = format!("this is a resource of Kubernetes ({kind}), not a graylane file");
            loaded.findings.error(Some(node.span), message).help(help);
            return None;
        }
        None if !broken => {
            loaded
                .findings
                .error(Some(whole), "the file is empty")
                .help("start with `version: 1`, as in examples/bank/graylane.yaml");
        }
        _ => {}
    }
    for more in documents {
        loaded
            .findings
            .error(Some(more.span), "a second YAML document in one file")
            .help("put it into a file of its own; a folder of files is read as one");
    }
    first.map(|mut node| {
        variables::expand(&mut node, &loaded.sources, lookup, &mut loaded.findings);
        node
    })
}

/// Lays layers over each other: maps are merged, everything else is replaced, `null` removes. A list over a map, or a map
/// over a list, is a finding: it was written without knowing what is below.
#[must_use]
pub fn merge(layers: Vec<Node>, findings: &mut Findings) -> Option<Node> {
    let mut tree =
        layers.into_iter().reduce(|below, above| lay_over(below, above, &mut Vec::new(), findings));
    tree.iter_mut().for_each(variables::settle);
    tree
}

fn lay_over(below: Node, above: Node, path: &mut Vec<String>, findings: &mut Findings) -> Node {
    let list_and_map = match (&below.value, &above.value) {
        (Value::Map(_), Value::List(_)) => Some(("a map", "a list")),
        (Value::List(_), Value::Map(_)) => Some(("a list", "a map")),
        _ => None,
    };
    if let Some((was, is)) = list_and_map {
        findings
            .error(
                Some(above.span),
                format!("`{}` is {was}, and cannot be overridden by {is}", path.join(".")),
            )
            .help(format!("write {was} here, too, or remove it below"))
            .related(Some(below.span), format!("{was}, in the file below"));
        return below;
    }
    match (below.value, above.value) {
        (Value::Map(mut entries), Value::Map(news)) => {
            for new in news {
                match entries.iter().position(|entry| entry.key == new.key) {
                    Some(place) if new.node.value == Value::Null => drop(entries.remove(place)),
                    Some(place) => {
                        let old = std::mem::replace(
                            &mut entries[place].node,
                            Node { span: new.node.span, value: Value::Null },
                        );
                        let both_maps =
                            matches!((&old.value, &new.node.value), (Value::Map(_), Value::Map(_)));
                        entries[place] = Entry {
                            key_span: if both_maps { entries[place].key_span } else { new.key_span },
                            node: {
                                path.push(new.key.clone());
                                let node = lay_over(old, new.node, path, findings);
                                path.pop();
                                node
                            },
                            key: new.key,
                        };
                    }
                    None => entries.push(new),
                }
            }
            Node { span: below.span, value: Value::Map(entries) }
        }
        (_, value) => Node { span: above.span, value },
    }
}

/// Joins the files of a folder: each thing is said once, or the same in all places.
fn join(left: Node, right: Node, path: &mut Vec<String>, findings: &mut Findings) -> Node {
    match (left.value, right.value) {
        (Value::Map(mut entries), Value::Map(news)) => {
            for new in news {
                let Some(old) = entries.iter_mut().find(|entry| entry.key == new.key) else {
                    entries.push(new);
                    continue;
                };
                // Things with a name are defined in one place, or two teams own one service.
                let named = matches!(&path[..], [section] if section == "services" || section == "workers");
                if named {
                    findings
                        .error(
                            Some(new.key_span),
                            format!("`{}.{}` is defined in two files", path.join("."), new.key),
                        )
                        .help("define it in one of them")
                        .related(Some(old.key_span), "the other one");
                    continue;
                }
                path.push(new.key);
                let empty = Node { span: old.node.span, value: Value::Null };
                let joined = join(std::mem::replace(&mut old.node, empty), new.node, path, findings);
                old.node = joined;
                path.pop();
            }
            Node { span: left.span, value: Value::Map(entries) }
        }
        (left_value, right_value) => {
            let (left, right) =
                (Node { span: left.span, value: left_value }, Node { span: right.span, value: right_value });
            if left.json() != right.json() {
                findings
                    .error(
                        Some(right.span),
                        format!("`{}` contradicts another file of this folder", path.join(".")),
                    )
                    .help("write it once, or the same in all files; to override, pass -f again")
                    .related(Some(left.span), "the other one");
            }
            left
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::source::SourceFiles;

    fn trees(texts: &[&str]) -> Vec<Node> {
        let mut sources = SourceFiles::default();
        let mut findings = Findings::default();
        let parse = |text: &&str| {
            let file = sources.add("f", *text);
            tree::parse(&sources, file, &mut findings).remove(0)
        };
        texts.iter().map(parse).collect()
    }

    #[test]
    fn later_layers_win_maps_merge_lists_replace_and_null_removes() {
        let layers = trees(&["a: {b: 1, c: [1, 2], d: x}\ne: 1", "a: {b: 2, c: [3], d: null}\nf: 1"]);
        let merged = merge(layers, &mut Findings::default()).unwrap();
        assert_eq!(merged.json(), serde_json::json!({"a": {"b": 2, "c": [3]}, "e": 1, "f": 1}));
        assert_eq!(merged.span_of(&["a", "b"]).file, 1, "each value knows the file that it came from");
        assert_eq!(merged.span_of(&["e"]).file, 0);
    }

    #[test]
    fn a_list_does_not_go_over_a_map() {
        let mut findings = Findings::default();
        let layers = trees(&["a: {b: {c: 1}, d: [1]}", "a: {b: [c], d: {e: 1}}"]);
        let merged = merge(layers, &mut findings).unwrap();
        assert_eq!(merged.json(), serde_json::json!({"a": {"b": {"c": 1}, "d": [1]}}));
        let said: Vec<_> =
            findings.iter().map(|finding| (&*finding.message, finding.span.unwrap().file)).collect();
        assert_eq!(
            said,
            [
                ("`a.b` is a map, and cannot be overridden by a list", 1),
                ("`a.d` is a list, and cannot be overridden by a map", 1),
            ]
        );
        assert!(findings.iter().all(|finding| finding.help.is_some() && finding.related[0].0.file == 0));
    }

    #[test]
    fn files_of_a_folder_may_agree_but_not_contradict() {
        let mut findings = Findings::default();
        let mut files = trees(&[
            "version: 1\nmesh: {name: shop}\nservices: {api: {port: 1}}",
            "version: 1\nmesh: {name: other}\nservices: {orders: {}, api: {}}",
        ])
        .into_iter();
        let (left, right) = (files.next().unwrap(), files.next().unwrap());
        let joined = join(left, right, &mut Vec::new(), &mut findings);
        assert!(joined.at(&["services", "orders"]).is_some());
        let messages: Vec<&str> = findings.iter().map(|finding| &*finding.message).collect();
        assert_eq!(
            messages,
            ["`mesh.name` contradicts another file of this folder", "`services.api` is defined in two files"]
        );
        assert!(findings.iter().all(|finding| finding.related.len() == 1));
    }
}
