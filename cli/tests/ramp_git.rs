//! `ramp run --git`: a rollout that is committed and pushed, and what goes wrong there. Each row of the table in docs/gitops.md is
//! one of these cases.

mod by_git;

use std::path::Path;

use by_git::{FILE, Rollout, Running, hook, in_between, must, pushed, row, said, until};

/// To the end: each step is a commit with its figures, in the log and in the history; the checkout stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_is_a_series_of_commits() {
    let rollout = Rollout::new().await;
    let mut command = rollout.run(&["--ticket", "CHG-7", "--runner", "deploy@ci"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let want = FILE.replacen("baseline: stable", "baseline: canary", 1).replacen(
        "{canary: 1} #",
        "{stable: 0} #",
        1,
    );
    assert_eq!(pushed(&rollout.bare()), want);
    let subjects = must(&rollout.bare(), &["log", "--format=%s", "main"]);
    let want = "api: canary is the baseline\napi: canary 25 % → 100 %\napi: canary 5 % → 25 %\napi: canary 1 % → 5 %\nBegin";
    assert_eq!(subjects, want);
    let message = must(&rollout.bare(), &["log", "-1", "--format=%an%n%B", "main~1"]);
    for part in [
        "Ada\n",
        "\npass\n- errors (pass): 0.00 % of its requests failed",
        "canary: 1000 requests, 0 failed\nbaseline: 1000 requests, 0 failed\n",
        "\nGraylane-Service: api\nGraylane-Rollout: main/graylane.yaml/api\nGraylane-Verdict: pass: ",
        "\nGraylane-Revision: ",
        "\nGraylane-Runner: deploy@ci\nGraylane-Ticket: CHG-7",
    ] {
        assert!(message.contains(part), "{part:?}: {message}");
    }
    assert_eq!(rollout.events().last().unwrap(), "promoted 100.0");
    let advance = rollout.log().into_iter().find(|record| record["event"] == "advance").unwrap();
    assert_eq!(advance["commit"], must(&rollout.bare(), &["rev-parse", "main~3"]));
    // Nothing is left of the run but the log, and the checkout is what it was.
    assert_eq!(
        must(&rollout.bare(), &["for-each-ref", "--format=%(refname)", "refs/graylane"]),
        "refs/graylane/log/main/graylane.yaml/api"
    );
    assert_eq!(std::fs::read_to_string(rollout.work().join("graylane.yaml")).unwrap(), FILE);
    assert_eq!(must(&rollout.work(), &["status", "--porcelain"]), "");
    must(&rollout.work(), &["pull", "--quiet"]);
    let history = rollout.graylane(&["history", "api"]).output().unwrap();
    let text = String::from_utf8(history.stdout).unwrap();
    assert!(
        text.contains("run deploy@ci")
            && text.contains("CHG-7: pass: ")
            && text.contains("promoted: stable → canary"),
        "{text}"
    );
    // It is done, and stays so on any machine.
    let (code, said) = rollout.once(&[]).await;
    assert!(code == Some(0) && said.contains("was promoted"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_machine_goes_on_from_the_remote_alone() {
    row("a runner is killed, and its disk is lost");
    let rollout = Rollout::new().await;
    let mut process = Running(rollout.run(&["--lease", "1s"]).spawn().unwrap());
    until("the second step", || rollout.weight() == "canary: 25").await;
    process.0.kill().unwrap();
    drop(process);
    // Without a checkout, in an empty folder.
    let elsewhere = tempfile::tempdir().unwrap();
    let url = rollout.bare().display().to_string();
    let mut command = rollout.run(&["--remote", &url, "--branch", "main", "--lease", "1s"]);
    command.current_dir(elsewhere.path());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let subjects = must(&rollout.bare(), &["log", "--format=%s", "main"]);
    assert_eq!(subjects.lines().count(), 5, "each step once: {subjects}");
    let advances =
        rollout.events().into_iter().filter(|event| event.starts_with("advance")).collect::<Vec<_>>();
    assert_eq!(advances, ["advance 5.0", "advance 25.0", "advance 100.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_is_a_commit_too() {
    let rollout = Rollout::new().await;
    rollout.reaches("canary: 5").await;
    rollout.fails(0.5);
    let (code, said) = rollout.told(&[], "is aborted").await;
    assert!(code == Some(1) && rollout.weight() == "canary: 0", "{said}");
    let message = must(&rollout.bare(), &["log", "-1", "--format=%B", "main"]);
    assert!(
        message.starts_with("api: canary 5 % → 0 %, aborted\n\nabort\n- errors (abort): 50.00 %"),
        "{message}"
    );
    assert!(message.contains("Graylane-Verdict: abort: errors: 50.00 %"), "{message}");
    let (code, said) = rollout.once(&[]).await;
    assert!(code == Some(1) && said.contains("was aborted"), "on any machine: {said}");
}

/// Before anything is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_that_says_too_little_is_refused() {
    let rollout = Rollout::new().await;
    let work = rollout.work();
    for (name, before, after, words, wanted) in [
        (
            "no remote",
            &["remote", "rename", "origin", "upstream"][..],
            &["remote", "rename", "upstream", "origin"][..],
            &[][..],
            "it has upstream",
        ),
        (
            "detached HEAD",
            &["checkout", "--quiet", "--detach"],
            &["checkout", "--quiet", "main"],
            &[],
            "with --branch",
        ),
        (
            "a branch that is not there",
            &["status"],
            &["status"],
            &["--branch", "prod"],
            "Remote branch prod not found",
        ),
    ] {
        row(name);
        must(&work, before);
        let (code, said) = rollout.once(words).await;
        assert!(code == Some(2) && said.contains(wanted), "{name}: {said}");
        must(&work, after);
    }
    row("changes that are not committed");
    std::fs::write(work.join("graylane.yaml"), FILE.replace("hold: 2s", "hold: 3s")).unwrap();
    let (code, said) = rollout.once(&[]).await;
    assert!(
        code == Some(2) && said.contains("not committed (graylane.yaml)") && said.contains("git stash"),
        "{said}"
    );
    // What is committed and not pushed is another thing: it is said, and what is pushed counts.
    must(&work, &["commit", "--quiet", "--all", "--message", "Later"]);
    let (code, said) = rollout.once(&[]).await;
    assert!(code == Some(3) && said.contains("has commits that are not pushed"), "{said}");
    row("no repository");
    let nowhere = tempfile::tempdir().unwrap();
    std::fs::write(nowhere.path().join("graylane.yaml"), FILE).unwrap();
    let output = rollout
        .run(&["--once"])
        .current_dir(nowhere.path())
        .env("GIT_CEILING_DIRECTORIES", nowhere.path().parent().unwrap())
        .output();
    let said = by_git::said(&output.unwrap());
    assert!(
        said.contains("exit Some(2)") && said.contains("not a git repository") && said.contains("--remote"),
        "{said}"
    );
    assert_eq!(pushed(&rollout.bare()), FILE);
}

/// Hooks on both sides, and a protected branch: it holds, and goes on once it may.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_holds() {
    let rollout = Rollout::new().await;
    let hooks = rollout.work().join(".git/hooks");
    for (name, path, wanted) in [
        (
            "a hook of the checkout refuses the commit",
            hooks.join("pre-commit"),
            "the commit fails, nothing is changed (a hook of the checkout?): not on a Friday",
        ),
        (
            "a hook of the checkout refuses the push",
            hooks.join("pre-push"),
            "cannot push to `main` of `origin`",
        ),
        (
            "the branch is protected",
            rollout.bare().join("hooks/pre-receive"),
            "[remote rejected] (pre-receive hook declined): not on a Friday: let me push to `main`",
        ),
    ] {
        row(name);
        // The lease and the log are no part of the branch.
        let script = "if [ $# = 0 ]; then grep -q refs/heads/ || [ \"$(basename \"$0\")\" = pre-commit ] || exit 0; fi\necho not on a Friday >&2; exit 1";
        hook(&path, script);
        let (code, said) = rollout.told(&["--runner", "me"], wanted).await;
        assert!(code == Some(3) && said.contains("not on a Friday"), "{name}: {said}");
        assert_eq!(pushed(&rollout.bare()), FILE, "{name}");
        assert!(
            !rollout.events().iter().any(|event| event.starts_with("advance")),
            "{name}: {:?}",
            rollout.events()
        );
        std::fs::remove_file(path).unwrap();
    }
    rollout.reaches("canary: 5").await;
    // An abort that may not be pushed is still to be done.
    hook(&rollout.bare().join("hooks/pre-receive"), "grep -q refs/heads/ && exit 1; exit 0");
    rollout.fails(0.5);
    let mut process = Running(
        rollout
            .run(&[])
            .stderr(std::fs::File::create(rollout.folder.path().join("said")).unwrap())
            .spawn()
            .unwrap(),
    );
    let said = || std::fs::read_to_string(rollout.folder.path().join("said")).unwrap();
    until("it is refused twice", || said().matches("pre-receive hook declined").count() >= 2).await;
    // Somebody's edit elsewhere in the file is not in its way.
    std::fs::remove_file(rollout.bare().join("hooks/pre-receive")).unwrap();
    rollout.person("rollout: {weights: {canary: 1}}", "rollout: {weights: {canary: 2}}");
    let mut code = None;
    until("it ends", || {
        code = process.0.try_wait().unwrap();
        code.is_some()
    })
    .await;
    assert!(code.unwrap().code() == Some(1) && rollout.weight() == "canary: 0", "{}", said());
}

#[tokio::test(flavor = "multi_thread")]
async fn others_push_at_the_same_moment() {
    row("a push is rejected, because others pushed something else");
    let rollout = Rollout::new().await;
    in_between(
        &rollout,
        "sed -i 's/{canary: 1}}/{canary: 3}}/' graylane.yaml && git commit -qam Other && git push -q",
    );
    rollout.reaches("canary: 5").await;
    assert!(pushed(&rollout.bare()).contains("rollout: {weights: {canary: 3}}"), "both edits are in it");
    assert_eq!(must(&rollout.bare(), &["log", "--format=%s", "main"]), "api: canary 1 % → 5 %\nOther\nBegin");
    row("a push is rejected, because others changed the very line");
    let rollout = Rollout::new().await;
    in_between(
        &rollout,
        "sed -i 's/{canary: 1} #/{canary: 3} #/' graylane.yaml && git commit -qam Mine && git push -q",
    );
    let (code, said) = rollout.told(&[], "the file was edited").await;
    assert!(code == Some(1) && rollout.weight() == "canary: 3", "{said}");
    assert!(said.contains("by Grace: Mine") && said.contains("--resume"), "{said}");
    let (code, said) = rollout.once(&[]).await;
    assert!(code == Some(1) && said.contains("it stopped at"), "{said}");
    rollout.once(&["--resume"]).await;
    rollout.reaches("canary: 5").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_force_push_stops_it() {
    row("a force-push takes a step away");
    let rollout = Rollout::new().await;
    rollout.reaches("canary: 5").await;
    must(&rollout.work(), &["push", "--quiet", "--force", "origin", "main"]);
    let (code, said) = rollout.once(&[]).await;
    assert!(
        code == Some(1)
            && said.contains("of the last step is not in `main` of `origin` any more (a force-push)"),
        "{said}"
    );
    assert_eq!(rollout.weight(), "canary: 1");
    // Also one that comes between the fetch and the push, and that Git alone would undo.
    let rollout = Rollout::new().await;
    rollout.person("hold: 2s", "hold: 3s");
    in_between(&rollout, "git push -q --force origin HEAD~1:main");
    let (code, said) = rollout.told(&[], "was changed meanwhile").await;
    assert!(code == Some(3) && pushed(&rollout.bare()) == FILE, "{said}");
    // Nothing of this run's was taken away, so it goes on from what the file says.
    rollout.reaches("canary: 5").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_at_a_time() {
    row("two runners");
    let rollout = Rollout::new().await;
    rollout.person("hold: 2s", "hold: 1h");
    must(&rollout.work(), &["pull", "--quiet"]);
    let first = Running(rollout.run(&["--runner", "first", "--lease", "3s"]).spawn().unwrap());
    let run = || {
        by_git::git(&rollout.bare(), &["rev-parse", "--verify", "refs/graylane/run/main/graylane.yaml/api"])
            .stdout
    };
    until("the first one runs", || rollout.events().len() == 2).await;
    let (code, said) = rollout.once(&["--runner", "second", "--lease", "3s"]).await;
    assert!(
        code == Some(3) && said.contains("another run has the rollout: `first` runs it since 2"),
        "{said}"
    );
    assert_eq!(rollout.events(), ["applied 1.0", "step 1.0"]);
    // It is killed: nobody renews, and the second one sees that by its own clock.
    drop(first);
    let left = run();
    let (code, said) = rollout.once(&["--runner", "second", "--lease", "3s"]).await;
    assert!(code == Some(3) && !said.contains("another run") && said.contains(" of 3600 s"), "{said}");
    assert!(!left.is_empty() && run().is_empty(), "it is given back at the end");
    row("a runner that lost its turn");
    let rollout = Rollout::new().await;
    let record = r#"{"holder":"third","id":"x","since":"2026-01-01T00:00:00Z","renewed":"2026-01-01T00:00:00Z","lease":1,"renewals":1}"#;
    let script = format!(
        "git push -q --force origin $(git commit-tree HEAD^{{tree}} -m run -m '{record}'):refs/graylane/run/main/graylane.yaml/api"
    );
    in_between(&rollout, &script);
    let (code, said) = rollout.told(&["--lease", "1s"], "another run has taken over").await;
    assert!(code == Some(3) && pushed(&rollout.bare()) == FILE, "{said}");
    row("clocks that are an hour off");
    // The third one's clock said that it runs since a year ago, or will: only whether it renews counts, and it does not.
    // Its turn is its own until then: the run that lost it has not deleted it.
    must(&rollout.bare(), &["rev-parse", "--verify", "refs/graylane/run/main/graylane.yaml/api"]);
    let (_, said) = rollout.told(&["--lease", "1s"], "on to 5 %").await;
    assert_eq!(rollout.weight(), "canary: 5", "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_does_not_answer_is_waited_for() {
    row("the remote is away");
    let rollout = Rollout::new().await;
    let path = rollout.folder.path().join("said");
    let mut process =
        Running(rollout.run(&[]).stderr(std::fs::File::create(&path).unwrap()).spawn().unwrap());
    let said = || std::fs::read_to_string(&path).unwrap();
    until("the first step", || rollout.events().len() == 2).await;
    let away = rollout.folder.path().join("away");
    std::fs::rename(rollout.bare(), &away).unwrap();
    until("it is said", || said().contains("hold: cannot fetch `main` of `origin`, nothing is changed"))
        .await;
    std::fs::rename(&away, rollout.bare()).unwrap();
    let mut code = None;
    until("it ends", || {
        code = process.0.try_wait().unwrap();
        code.is_some()
    })
    .await;
    assert_eq!(code.unwrap().code(), Some(0), "{}", said());
    row("the remote hangs");
    let rollout = Rollout::new().await;
    hook(
        &rollout.bare().join("hooks/pre-receive"),
        "sed -n '/refs.heads/q1' || { echo $$ > ../hangs; exec sleep 600; }",
    );
    let (code, said) =
        rollout.told(&["--git-timeout", "2s"], "`git push` did not end within 2 s and was killed").await;
    assert!(code == Some(3) && pushed(&rollout.bare()) == FILE, "{said}");
    let pid = std::fs::read_to_string(rollout.folder.path().join("hangs")).unwrap();
    until("what hangs is ended", || !Path::new(&format!("/proc/{}", pid.trim())).exists()).await;
    // At its begin: an address behind which nobody answers.
    must(&rollout.work(), &["remote", "set-url", "origin", "ssh://nobody.invalid/x.git"]);
    must(&rollout.work(), &["config", "core.sshCommand", "sleep 600 #"]);
    let (code, said) = rollout.once(&["--git-timeout", "1s"]).await;
    assert!(
        code == Some(2) && said.contains("cannot clone `origin`") && said.contains("within 1 s"),
        "{said}"
    );
}

/// A person's word while it runs: an edit that is pushed stops it, and is not undone.
#[tokio::test(flavor = "multi_thread")]
async fn people_win_by_git_too() {
    let rollout = Rollout::new().await;
    let path = rollout.folder.path().join("said");
    let mut process =
        Running(rollout.run(&[]).stdout(std::fs::File::create(&path).unwrap()).spawn().unwrap());
    until("the first step", || rollout.weight() == "canary: 5").await;
    rollout.person("{canary: 5} #", "{canary: 0} #");
    let mut code = None;
    until("it ends", || {
        code = process.0.try_wait().unwrap();
        code.is_some()
    })
    .await;
    let said = std::fs::read_to_string(&path).unwrap();
    assert!(code.unwrap().code() == Some(1) && rollout.weight() == "canary: 0", "{said}");
    assert!(said.contains("by Grace: {canary: 5} # to {canary: 0} #"), "{said}");
    rollout.person("baseline: stable\n    rollout:", "baseline: stabel\n    rollout:");
    let (code, said) = rollout.once(&["--resume"]).await;
    assert!(code == Some(2) && said.contains("has no subset `stabel`"), "{said}");
}
