//! Lane tokens: what the documented lines of a service make is what the commands read, and the other way round.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const FILE: &str = "cli/tests/cmd/token.yaml";
const KEY: &str = "cli/tests/cmd/token.key";
const VARIABLE: &str = "GRAYLANE_TOKEN_KEY_1";

fn graylane(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_graylane"))
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .env_remove(VARIABLE)
        .output()
        .unwrap()
}

fn said(output: &Output) -> (i32, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn read(token: &str, more: &[&str]) -> (i32, String) {
    said(&graylane(&[&["token", "read", token, "-f", FILE, "--token-key-file", KEY], more].concat()))
}

/// What the lines of docs/edge.md make of these headers.
fn python(headers: &str, seconds: i64) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/edge.md")).unwrap();
    let lines = page.split("<!-- token.py -->\n```python\n").nth(1).unwrap().split("```").next().unwrap();
    let key = std::fs::read_to_string(root.join(KEY)).unwrap();
    let mut python = Command::new("python3")
        .arg("-")
        .env(VARIABLE, key.trim())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let program = format!("{lines}\nprint(lane_token({headers}, {seconds}))\n");
    python.stdin.take().unwrap().write_all(program.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_documented_lines_make_tokens_that_gateways_accept() {
    let headers = r#"{"tenant": "gray-v1", "baggage": "a=b, graylane-unit=3cb755a01455661a,c=d"}"#;
    let (code, text) = read(&python(headers, 600), &[]);
    assert_eq!(code, 0, "{text}");
    for part in ["tenant    gray-v1\n", "unit      3cb755a01455661a\n", "accepted  yes\n"] {
        assert!(text.contains(part), "{text}");
    }
    let (code, text) = read(&python(r#"{"tenant": "green"}"#, 600), &[]);
    assert!(code == 0 && text.contains("unit      -\n"), "{text}");
    let (code, text) = read(&python(r#"{"tenant": "green"}"#, -3600), &[]);
    assert!(code == 1 && text.contains("accepted  no: it expired 36"), "{text}");
}

#[test]
fn a_token_that_is_made_is_read_and_leads_where_it_says() {
    let url = "https://shop.example.com/paid?id=7";
    let made = graylane(&[
        "token",
        "make",
        "-f",
        FILE,
        "--token-key-file",
        KEY,
        "--tenant",
        "green",
        "--key",
        "bob",
        "--for",
        "1h",
        "--url",
        url,
    ]);
    let (code, made) = said(&made);
    assert!(
        code == 0
            && made
                .starts_with("https://shop.example.com/paid?id=7&graylane-token=v1.green.788b5cc1f707e995."),
        "{made}"
    );
    let made = made.trim();
    let (code, text) = read(made, &["--output", "json"]);
    assert!(code == 0 && text.contains("\"accepted\": true") && text.contains("788b5cc1f707e995"), "{text}");
    let (code, text) = read(made, &["--at", "2100-01-01"]);
    assert!(code == 1 && text.contains("it expired"), "{text}");
    let path = format!(":path: {}", made.strip_prefix("https://shop.example.com").unwrap());
    let explain = ["explain", "-f", FILE, "--path", "gateway,api", "-H", &path];
    let (code, text) = said(&graylane(&[&explain[..], &["--token-key-file", KEY]].concat()));
    assert!(code == 0 && text.contains("token") && text.contains("788b5cc1f707e995"), "{text}");
    let (code, text) = said(&graylane(&explain));
    assert!(
        code == 0
            && text.contains(
                "note: the lane token counts for nothing: nobody here can verify it: set GRAYLANE_TOKEN_KEY_1"
            ),
        "{text}"
    );
}

#[test]
fn what_is_wrong_with_a_token_is_said() {
    let good = python(r#"{"tenant": "gray-v1"}"#, 600);
    let cases = [
        (good.replace("gray-v1", "green"), "it was changed, or signed with another key"),
        (good.replace("gray-v1", "gray-v9"), "its tenant `gray-v9` is unknown"),
        (good.replace("gray-v1", ".."), "its tenant `..` is unknown"),
        (good.replace("v1.", "v2."), "invalid: expected `v1.<tenant>.<unit or ->.<expiry>.<mac>`"),
        (good.repeat(100), "bytes, expected 160 at most"),
    ];
    for (token, part) in cases {
        let (code, text) = read(&token, &[]);
        assert!(code == 1 && text.contains(part), "{token}: {text}");
    }
    let make = |more: &[&str]| said(&graylane(&[&["token", "make", "-f", FILE], more].concat()));
    for (more, part) in [
        (&["--tenant", "gray-v9"][..], "--tenant: unknown tenant `gray-v9`, expected one of "),
        (&["--tenant", "green", "--unit", "7"], "--unit: invalid unit `7`: expected 16 lowercase hex digits"),
        (
            &["--tenant", "green"],
            "the key that signs is missing: set GRAYLANE_TOKEN_KEY_1 or pass --token-key-file FILE",
        ),
        (&["--tenant", "green", "--token-key-file", FILE, "--url", "shop"], "--url: invalid URL `shop`"),
    ] {
        let (code, text) = make(more);
        assert!(code == 2 && text.contains(part), "{more:?}: {text}");
    }
}
