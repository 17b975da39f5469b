//! `ramp run --git` among people and machines that push, delete and configure: what others wrote is never lost, and what is secret
//! is not said.

mod by_git;

use by_git::{Rollout, in_between, must, pushed};

/// While a step is pushed, a person puts a pause before it, whatever characters the service's name has.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_comes_with_a_step_counts() {
    for service in ["api", "api.v1"] {
        let rollout = Rollout::of(service).await;
        in_between(
            &rollout,
            "sed -i 's/steps: .1, 5, 25, 100./steps: [1, {pause: approve}, 5, 25, 100]\\n      approvers: [ada]/' graylane.yaml && git \
             commit -qam Pause && git push -q",
        );
        let (code, said) = rollout.told(&[], "was changed meanwhile").await;
        assert!(code == Some(3) && rollout.weight() == "canary: 1", "{service}: {said}");
        let (_, said) = rollout.told(&[], "5 % waits for an approval").await;
        assert!(rollout.weight() == "canary: 1", "{service}: {said}");
    }
}

/// Also in the part of the service itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_abort_that_is_refused_is_done_whatever_is_edited_meanwhile() {
    let rollout = Rollout::of("api.v1").await;
    rollout.reaches("canary: 5").await;
    rollout.pre_receive("grep -q refs/heads/ && exit 1; exit 0");
    rollout.fails(0.5);
    let path = rollout.folder.path().join("said");
    let said = || std::fs::read_to_string(&path).unwrap_or_default();
    let mut command = rollout.run(&[]);
    command.stderr(std::fs::File::create(&path).unwrap());
    let mut process = by_git::Running(command.spawn().unwrap());
    by_git::until("it is refused", || said().contains("pre-receive hook declined")).await;
    std::fs::remove_file(rollout.bare().join("hooks/pre-receive")).unwrap();
    rollout.person("hold: 2s", "hold: 3s");
    let mut code = None;
    by_git::until("it ends", || {
        code = process.0.try_wait().unwrap();
        code.is_some()
    })
    .await;
    assert!(code.unwrap().code() == Some(1) && rollout.weight() == "canary: 0", "{}", said());
}

/// Whoever may push may also delete the log, or take it back: the branch says that there was more.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_deleted_or_taken_back_stops_it() {
    by_git::row("the log is deleted, or taken back");
    let rollout = Rollout::of("api.v1").await;
    rollout.reaches("canary: 5").await;
    let log = "refs/graylane/log/main/graylane.yaml/api.v1";
    let early = must(&rollout.bare(), &["rev-parse", log]);
    rollout.fails(0.5);
    let (code, said) = rollout.told(&[], "is aborted").await;
    assert!(code == Some(1) && rollout.weight() == "canary: 0", "{said}");
    rollout.fails(0.0);
    for words in [&["update-ref", "-d", log][..], &["update-ref", log, &early]] {
        must(&rollout.bare(), words);
        for _ in 0..2 {
            let (code, said) = rollout.once(&[]).await;
            assert!(code == Some(1) && rollout.weight() == "canary: 0", "{words:?}: {said}");
            let is_said = said
                .contains("the log `refs/graylane/log/main/graylane.yaml/api.v1` does not have commit ")
                || said.contains("it stopped at");
            assert!(is_said && said.contains("ramp run api.v1 --git --resume"), "{words:?}: {said}");
        }
    }
    // A person lets it go on, once.
    must(&rollout.bare(), &["update-ref", "-d", log]);
    rollout.once(&["--resume"]).await;
    rollout.reaches("canary: 1").await;
    rollout.reaches("canary: 5").await;
}

/// An approval that a step used up does not come back with the log gone.
#[tokio::test(flavor = "multi_thread")]
async fn approvals_from_before_a_lost_log_do_not_count() {
    let rollout = Rollout::new().await;
    rollout
        .person("steps: [1, 5, 25, 100]", "steps: [1, {pause: approve}, 5, 25, 100]\n      approvers: [ada]");
    rollout.told(&[], "5 % waits for an approval").await;
    // Where nobody would see it.
    let output = rollout.graylane(&["ramp", "approve", "api", "--by", "ada"]).output().unwrap();
    let said = by_git::said(&output);
    assert!(
        said.contains("exit Some(2)") && said.contains("`graylane ramp approve api --git --by ada`"),
        "{said}"
    );
    // A log of another kind of run in the folder is nothing that is not committed.
    std::fs::write(rollout.work().join("graylane-ramp-api.jsonl"), "").unwrap();
    let folder = rollout.once(&["-f", "."]).await.1;
    assert!(!folder.contains("not committed"), "{folder}");
    let output = rollout.graylane(&["ramp", "approve", "api", "--git", "--by", "ada"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}{}", by_git::said(&output));
    rollout.reaches("canary: 5").await;
    let message = must(&rollout.bare(), &["log", "-1", "--format=%B", "main"]);
    assert!(
        message.contains("\napproved by ada\n") && message.contains("\nGraylane-Approved-By: ada"),
        "{message}"
    );
    must(&rollout.work(), &["pull", "--quiet"]);
    let history = by_git::said(&rollout.graylane(&["history", "api"]).output().unwrap());
    assert!(history.contains("approved by ada: pass: "), "{history}");
    must(&rollout.bare(), &["update-ref", "-d", "refs/graylane/log/main/graylane.yaml/api"]);
    rollout.person("canary: 5", "canary: 1");
    rollout.once(&["--resume"]).await;
    let (_, said) = rollout.told(&[], "5 % waits for an approval").await;
    assert_eq!(rollout.weight(), "canary: 1", "{said}");
}

/// The token of an address is not said, whether Git can be reached or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_an_address_is_not_said() {
    let rollout = Rollout::new().await;
    let (code, said) =
        rollout.once(&["--remote", "http://u:TOKEN@127.0.0.1:1/shop.git", "--branch", "main"]).await;
    assert!(code == Some(2) && said.contains("cannot clone `http://127.0.0.1:1/shop.git`"), "{said}");
    assert!(!said.contains("TOKEN"), "{said}");
    // Git gets the address without it, and reads that as another one here, so that it gets farther.
    let real = rollout.bare().display().to_string();
    let configure = |command: &mut std::process::Command| {
        command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", format!("url.{real}.insteadOf"));
        command.env("GIT_CONFIG_VALUE_0", "http://nobody.invalid/x.git");
    };
    let address = ["--once", "--remote", "http://u:TOKEN@nobody.invalid/x.git", "--branch", "main"];
    let mut command = rollout.run(&address);
    configure(&mut command);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = by_git::said(&output);
    // The settings of the environment reach every call, also those with settings of ours.
    assert!(output.status.code() == Some(3) && !said.contains("cannot fetch"), "{said}");
    rollout.pre_receive("grep -q refs/graylane/run && exit 1; exit 0");
    let mut command = rollout.run(&address);
    configure(&mut command);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = by_git::said(&output);
    assert!(
        said.contains("`http://nobody.invalid/x.git` refuses the push") && !said.contains("TOKEN"),
        "{said}"
    );
}

/// Who wrote a commit is said, whatever it says of itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_with_the_trailer_of_a_run_is_still_of_its_author() {
    let rollout = Rollout::new().await;
    rollout.reaches("canary: 5").await;
    rollout.person("{canary: 5} #", "{canary: 7} #");
    let person = rollout.folder.path().join("person");
    // What a name has that a terminal would obey is shown, and not obeyed.
    must(&person, &["config", "user.name", "Grace\u{1b}[2J\u{202e}"]);
    let amend = [
        "commit",
        "--quiet",
        "--amend",
        "--reset-author",
        "-m",
        "Mine\n\nGraylane-Runner: deploy@ci\u{1b}[2J",
    ];
    must(&person, &amend);
    must(&person, &["push", "--quiet", "--force", "origin", "main"]);
    let (code, said) = rollout.told(&[], "the file was edited").await;
    let is_plain = |said: &str| !said.contains(['\u{1b}', '\u{202e}']);
    assert!(
        code == Some(1) && said.contains("by Grace\\u{1b}[2J\\u{202e}: Mine") && is_plain(&said),
        "{said}"
    );
    must(&rollout.work(), &["pull", "--quiet"]);
    for words in [&["history", "api"][..], &["history", "api", "-o", "json"], &["user", "x"]] {
        let said = by_git::said(&rollout.graylane(words).output().unwrap());
        assert!(is_plain(&said), "{words:?}: {said}");
        assert!(words != ["history", "api"] || said.contains("run deploy@ci [2J (Grace [2J"), "{said}");
    }
    assert!(pushed(&rollout.bare()).contains("canary: 7"));
}

/// A hook that takes longer than the lease: the turn is renewed meanwhile, and no other run begins the hook again.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_hook_does_not_lose_the_turn() {
    by_git::row("a hook takes longer than `--lease`");
    let rollout = Rollout::new().await;
    let (ran, go) = (rollout.folder.path().join("ran"), rollout.folder.path().join("go"));
    let hook = format!("echo x >> {}; until [ -e {} ]; do sleep 0.1; done", ran.display(), go.display());
    rollout.person(
        "steps: [1, 5, 25, 100]",
        &format!("steps: [1, 5, 25, 100]\n      hooks: {{before: {{5: '{hook}'}}}}"),
    );
    must(&rollout.work(), &["pull", "--quiet"]);
    let first = rollout.run(&["--runner", "first", "--lease", "4s"]).spawn().unwrap();
    let _first = by_git::Running(first);
    by_git::until("the hook runs", || ran.exists()).await;
    // It waits in place until it has seen the turn unchanged for the whole lease, or that it is renewed.
    for _ in 0..2 {
        let (code, said) = rollout.once(&["--runner", "second", "--lease", "4s"]).await;
        assert!(code == Some(3) && said.contains("another run has the rollout: `first`"), "{said}");
    }
    std::fs::write(&go, "").unwrap();
    by_git::until("it goes on", || rollout.weight() != "canary: 1").await;
    assert_eq!(std::fs::read_to_string(&ran).unwrap(), "x\n");
}

/// An approval is a commit: the branch says who may, and any machine sees it.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_pushed() {
    let rollout = Rollout::new().await;
    rollout
        .person("steps: [1, 5, 25, 100]", "steps: [1, {pause: approve}, 5, 25, 100]\n      approvers: [ada]");
    let (code, said) = rollout.told(&[], "5 % waits for an approval").await;
    assert!(code == Some(3) && said.contains("`graylane ramp approve api --git --by NAME`"), "{said}");
    let approve = |by: &str| {
        let mut command =
            rollout.graylane(&["ramp", "approve", "api", "--git", "--by", by, "--ticket", "CHG-8"]);
        async move {
            let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
            (output.status.code(), by_git::said(&output))
        }
    };
    let head = must(&rollout.bare(), &["rev-parse", "main"]);
    let (code, said) = approve("eve").await;
    assert!(code == Some(1) && said.contains("those who may are ada"), "{said}");
    rollout.pre_receive("grep -q refs/heads/ && { echo ask ada >&2; exit 1; }; exit 0");
    let (code, said) = approve("ada").await;
    assert!(code == Some(2) && said.contains("refuses the push") && said.contains("ask ada"), "{said}");
    assert_eq!(must(&rollout.bare(), &["rev-parse", "main"]), head);
    std::fs::remove_file(rollout.bare().join("hooks/pre-receive")).unwrap();
    // Others push at the same moment: it is put on top of theirs.
    in_between(&rollout, "echo x > other.txt && git add . && git commit -qm Other && git push -q");
    let (code, said) = approve("ada").await;
    assert!(code == Some(0) && said.contains("api: `ada` allows 5 % of `canary`, commit "), "{said}");
    let subjects = must(&rollout.bare(), &["log", "--format=%an: %s", "-2", "main"]);
    assert_eq!(subjects, "Ada: api: ada allows 5 % of canary\nGrace: Other");
    rollout.reaches("canary: 5").await;
    let approvals: Vec<_> = rollout.log().into_iter().filter(|record| record["event"] == "approve").collect();
    assert!(approvals.len() == 1 && approvals[0]["approval"]["ticket"] == "CHG-8", "{approvals:?}");
    let (code, said) = approve("ada").await;
    assert!(code == Some(1) && said.contains("there is nothing to approve"), "{said}");
}
