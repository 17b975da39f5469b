//! docs/exit-codes.md is true: every row is run.

use std::path::Path;
use std::process::Command;

use axum::Router;
use axum::routing::get;
use clap::CommandFactory as _;

const PAGE: &str = include_str!("../../docs/exit-codes.md");
const GOOD: &str = "version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}}
sticky: {keys: [{header: x-user-id}]}
services:
  api:
    port: 8080
    subsets: {stable: {version: v1}, canary: {version: v2}}
    baseline: stable
    rollout: {weights: {canary: 5}, steps: [5, 25, 100]}
";

/// A folder with everything that the rows speak of.
fn folder(program: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    put("good.yaml", GOOD);
    put("broken.yaml", &GOOD.replace("baseline: stable", "baseline: stabel"));
    put("dear.yaml", &format!("{GOOD}telemetry: {{budget: {{series: 10}}}}\n"));
    put("later.yaml", &GOOD.replace("version: 1\n", "version: 2\n"));
    let open = GOOD.replace("sticky:", "edge: {gateway: {selector: {a: b}}, accept: always}\nsticky:");
    let open = open.replace(
        "    port: 8080\n",
        "    port: 8080\n    expose: {hosts: [api.example.com], gateways: [a/b]}\n",
    );
    put("open.yaml", &open);
    let tokens = "edge: {gateway: {selector: {a: b}}, tokens: {keys: [TOKEN_KEY_THAT_NOBODY_SETS]}}\nsticky:";
    put("tokens.yaml", &GOOD.replace("sticky:", tokens));
    put("token.key", &"k".repeat(32));
    put("renamed.yaml", &open.replace("version: 1\n", "version: 1\nheader: x-lane\n"));
    put("teams/ours.yaml", GOOD);
    put("teams/theirs.yaml", "services: {orders: {baseline: [}\n");
    put(
        "bank/graylane.yaml",
        &GOOD.replace(
            "{weights: {canary: 5}, steps: [5, 25, 100]}",
            "{weights: {canary: 25}, steps: [5, 25, {pause: approve}, 100], noReturn: 25, approvers: [ada]}",
        ),
    );
    let call = |id: &str, subset: &str| {
        let cluster = format!("outbound|8080|{subset}|api.shop.svc.cluster.local");
        let line = serde_json::json!({
            "start_time": "2026-03-01T09:30:00.000Z", "request_id": id, "upstream_cluster": cluster, "tenant": "green",
            "subset": subset, "source": "default",
        });
        format!("{line}\n")
    };
    put("access.log", &(call("a1", "stable") + &call("b2", "older")));
    let printed = |args: &[&str]| {
        let output = Command::new(program).args(args).current_dir(folder.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    put("there.yaml", &printed(&["render", "-f", "good.yaml"]));
    put("released.ts", &printed(&["client", "--lang", "typescript", "-f", "open.yaml"]));
    folder
}

fn run(program: &str, line: &str, prometheus: &str, folder: &Path) -> (Option<i32>, String) {
    let line = line.replace("PROMETHEUS", prometheus).replace("AWAY", "127.0.0.1:1");
    let words = line.split_whitespace().skip(1).collect::<Vec<_>>();
    let output = Command::new(program).args(words).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_is_true_and_every_command_has_one() {
    let program = env!("CARGO_BIN_EXE_graylane");
    let nothing = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
    let router = Router::new().route("/api/v1/query", get(async move || nothing));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let prometheus = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let mut lines = Vec::new();
    for row in PAGE.lines().filter(|line| line.starts_with("| `graylane ")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (line, code) = (cells[1].trim_matches('`'), cells[2].parse::<i32>().unwrap());
        let fresh = folder(program);
        let mut steps = line.split(" && ").collect::<Vec<_>>();
        let last = steps.pop().unwrap();
        for step in steps {
            assert_eq!(run(program, step, &prometheus, fresh.path()).0, Some(0), "{step}");
        }
        let (is, said) = run(program, last, &prometheus, fresh.path());
        assert_eq!(is, Some(code), "{line}: {said}");
        lines.push(line);
    }
    for command in graylane::args::Cli::command().get_subcommands() {
        let name = format!("graylane {}", command.get_name());
        let has = |name: &str| lines.iter().any(|line| line.contains(name));
        assert!(has(&name), "{name} has no row");
        if command.get_name() != "ramp" {
            continue;
        }
        for inner in command.get_subcommands() {
            let name = format!("{name} {}", inner.get_name());
            assert!(has(&name), "{name} has no row");
        }
    }
}
