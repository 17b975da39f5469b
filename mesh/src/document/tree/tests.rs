use super::*;

fn read(text: &str) -> (Vec<Node>, Vec<String>) {
    let mut sources = SourceFiles::default();
    let file = sources.add("a.yaml", text);
    let mut findings = Findings::default();
    let nodes = parse(&sources, file, &mut findings);
    (
        nodes,
        findings
            .iter()
            .map(|finding| format!("{}:{}", finding.span.map_or(0, |span| span.line), finding.message))
            .collect(),
    )
}

#[test]
fn places_are_bytes_lines_and_columns() {
    let text = "ü: 1\nmap:\n  list: [a, \"b c\"]\n";
    let (nodes, findings) = read(text);
    assert_eq!(findings, [""; 0]);
    let span = nodes[0].span_of(&["map", "list", "1"]);
    assert_eq!((span.line, span.column), (3, 13));
    assert_eq!(&text[span.start..span.end], "\"b c\"");
    let key = nodes[0].span_of(&["map", "missing"]);
    assert_eq!(&text[key.start..key.end], "map", "what is not there points at the nearest thing above");
}

#[test]
fn yaml_is_read_as_1_2_and_every_double_key_is_reported() {
    let (nodes, findings) = read("no: yes\nport: 030\nno: 1\nno: 2\n---\n# nothing\n---\n1: {}\n");
    assert_eq!(nodes.len(), 2);
    assert_eq!(nodes[0].json(), serde_json::json!({"no": "yes", "port": "030"}));
    assert_eq!(nodes[1].json(), serde_json::json!({"1": {}}));
    assert_eq!(findings, ["3:duplicate key `no`", "4:duplicate key `no`"]);
}

#[test]
fn many_documents_are_read() {
    let (nodes, findings) = read(&"---\na: [1, 2]\n".repeat(5_000));
    assert_eq!((nodes.len(), findings), (5_000, Vec::new()));
}

#[test]
fn invalid_yaml_is_one_finding_with_a_place() {
    let (_, findings) = read("a: 1\nb: [\n");
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].starts_with("2:invalid YAML: ") || findings[0].starts_with("3:invalid YAML: "),
        "{findings:?}"
    );
    let bomb = format!(
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n{}",
        (1..12)
            .map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(",")))
            .collect::<String>()
    );
    let many = format!("a: &a {{version: v1}}\nb: [{}]\n", vec!["*a"; 3_500_000].join(","));
    assert!(many.len() > 10_000_000);
    for text in [bomb, many] {
        let (_, findings) = read(&text);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].contains("expand to more than is allowed"), "{findings:?}");
    }
}

#[test]
fn numbers_are_what_was_written() {
    let (nodes, findings) = read("a: 1.10\nb: 12e4567\nc: 0x1F\nd: .inf\ne: 010\nf: 5e10\n1.10: x\n");
    assert_eq!(findings, [""; 0]);
    let value = |key: &str| nodes[0].get(key).unwrap().value.clone();
    let number = |number: f64, text: &str| {
        Value::Number(serde_json::Number::from_f64(number).unwrap(), text.to_owned())
    };
    assert_eq!(value("a"), number(1.1, "1.10"));
    assert_eq!(value("f"), number(5e10, "5e10"));
    for (key, text) in [("b", "12e4567"), ("c", "0x1F"), ("d", ".inf")] {
        assert_eq!(value(key), Value::Odd(text.to_owned()));
    }
    assert_eq!(value("e"), Value::Text("010".to_owned()));
    assert_eq!(value("1.10"), Value::Text("x".to_owned()));
}

#[test]
fn a_tab_is_reported_at_its_line() {
    for text in ["a:\n  b: c\n\td: e\n", "a: b\nc:\n\td: e\n"] {
        let (_, findings) = read(text);
        assert!(findings.len() == 1 && findings[0].starts_with("3:invalid YAML"), "{findings:?}");
    }
}
