//! `ramp run --git` where there is more than one rollout in a repository, and where the user has settings of Git.

mod by_git;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use by_git::{Rollout, hook, must, pushed, row};

/// Two files, and two branches: what is known of one rollout is nothing to another, also where a merge brings its commits.
#[tokio::test(flavor = "multi_thread")]
async fn rollouts_of_other_files_and_branches_have_logs_of_their_own() {
    row("another file or branch has a service of this name");
    let rollout = Rollout::new().await;
    let work = rollout.work();
    std::fs::create_dir(work.join("eu")).unwrap();
    std::fs::copy(work.join("graylane.yaml"), work.join("eu/graylane.yaml")).unwrap();
    must(&work, &["add", "eu"]);
    must(&work, &["commit", "--quiet", "--message", "Europe"]);
    must(&work, &["push", "--quiet", "origin", "main"]);
    rollout.reaches("canary: 5").await;
    must(&rollout.bare(), &["branch", "prod", "main"]);
    let elsewhere = |key: &str| -> BTreeSet<String> {
        let events = rollout.log_of(key).into_iter();
        events.map(|record| record["event"].as_str().unwrap().to_owned()).collect()
    };
    for (words, key) in [
        (&["-f", "eu/graylane.yaml"][..], "main/eu%2Fgraylane.yaml/api"),
        (&["--branch", "prod"], "prod/graylane.yaml/api"),
    ] {
        for _ in 0..2 {
            let (code, said) = rollout.once(words).await;
            assert!(code == Some(3) && !said.contains("log `"), "{words:?}: {said}");
        }
        let events = elsewhere(key);
        assert!(events.contains("applied") && !events.contains("advance"), "{key}: {events:?}");
    }
    assert!(pushed(&rollout.bare()).contains("canary: 5}"));
    // Both go on.
    rollout.reaches("canary: 25").await;
}

/// A setting of the user's own, also one that is for some folders alone, says how `ssh` is called.
#[tokio::test(flavor = "multi_thread")]
async fn ssh_is_called_as_the_user_says() {
    let rollout = Rollout::new().await;
    let root = rollout.folder.path();
    let (ssh, log) = (root.join("ssh"), root.join("ssh.log"));
    hook(&ssh, &format!("echo \"$@\" >> {}\nfor last; do :; done\nexec sh -c \"$last\"", log.display()));
    std::fs::write(root.join("included"), format!("[core]\n sshCommand = {}\n", ssh.display())).unwrap();
    let included = root.join("included").display().to_string();
    let global = format!("[includeIf \"gitdir:{}/\"]\n path = {included}\n", rollout.work().display());
    std::fs::write(root.join("global"), global).unwrap();
    let url = format!("ssh://fake.invalid{}", rollout.bare().display());
    must(&rollout.work(), &["remote", "set-url", "origin", &url]);
    let mut command = rollout.run(&["--once"]);
    command.env("GIT_CONFIG_GLOBAL", root.join("global")).env_remove("GIT_SSH_COMMAND").env_remove("GIT_SSH");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", by_git::said(&output));
    let calls = std::fs::read_to_string(&log).unwrap();
    assert!(calls.contains("git-upload-pack") && calls.contains("git-receive-pack"), "{calls}");
    assert!(!calls.contains("BatchMode"), "{calls}");
}

/// What a server heard, and the command lines that there were meanwhile with the token in them.
#[derive(Clone, Default)]
struct Heard {
    with: Arc<Mutex<Vec<String>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

async fn ask(
    State(heard): State<Heard>,
    headers: HeaderMap,
) -> (StatusCode, [(header::HeaderName, &'static str); 1]) {
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains("T0KEN/x") || line.contains("T0KEN%2Fx") {
            heard.seen.lock().unwrap().push(line);
        }
    }
    let basic = [(header::WWW_AUTHENTICATE, "Basic realm=\"x\"")];
    match headers.get(header::AUTHORIZATION) {
        Some(with) => {
            heard.with.lock().unwrap().push(with.to_str().unwrap().to_owned());
            (StatusCode::NOT_FOUND, basic)
        }
        None => (StatusCode::UNAUTHORIZED, basic),
    }
}

/// The token of the checkout's address reaches the server, and no command line.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_in_no_command_line() {
    let rollout = Rollout::new().await;
    let heard = Heard::default();
    let router = Router::new().fallback(ask).with_state(heard.clone());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap_or_default() });
    let url = format!("http://ci:T0KEN%2Fx@{address}/shop.git");
    std::fs::write(rollout.folder.path().join("url"), &url).unwrap();
    // Not as an argument here either.
    let path = rollout.work().join(".git/config");
    let bare = must(&rollout.work(), &["remote", "get-url", "origin"]);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(&format!("url = {bare}"), &format!("url = {url}"))).unwrap();
    let mut command = rollout.run(&["--once"]);
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(name);
    }
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    server.abort();
    let said = by_git::said(&output);
    assert!(output.status.code() == Some(2) && said.contains("cannot clone `origin`"), "{said}");
    assert!(!said.contains("T0KEN"), "{said}");
    // `ci:T0KEN/x`
    assert!(heard.with.lock().unwrap().contains(&"Basic Y2k6VDBLRU4veA==".to_owned()), "{said}");
    assert_eq!(*heard.seen.lock().unwrap(), [""; 0]);
}

/// What a run prints for programs are its own lines; and past the point of no return it names commands that fit.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_prints_its_own_lines_and_commands() {
    let rollout = Rollout::new().await;
    rollout.person("      hold: 2s\n", "      hold: 2s\n      noReturn: 1\n");
    let mut all = Vec::new();
    for _ in 0..3 {
        let mut command = rollout.run(&["--once", "--output", "json"]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let events = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        all.push(events.map(|record| record["event"].as_str().unwrap().to_owned()).collect::<Vec<_>>());
    }
    let of_all = all.concat();
    assert_eq!(of_all.iter().filter(|event| *event == "applied").count(), 1, "{all:?}");
    assert_eq!(of_all.iter().filter(|event| *event == "step").count(), 1, "{all:?}");
    assert!(all[2].contains(&"look".to_owned()), "{all:?}");
    rollout.fails(0.5);
    let (code, said) = rollout.told(&[], "held, the canary is worse").await;
    assert!(code == Some(3) && said.contains("with `graylane ramp run api --git --resume`"), "{said}");
    assert!(said.contains("`graylane ramp abort api --past-no-return` in a checkout"), "{said}");
}
