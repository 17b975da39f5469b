//! One file for two clusters: `ramp run` and `status` look at both, and hold where one does not answer.

mod two_clusters;

use std::process::Command;
use std::sync::atomic::Ordering;

use serde_json::Value as Json;
use two_clusters::{FILE, LAYER, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_taken_in_every_cluster_or_in_none() {
    let world = World::new().await;
    world.until("on to 25 %").await;
    let (east, west) = (world.applied("east"), world.applied("west"));
    assert!(east.contains("kind: VirtualService") && west.contains("kind: VirtualService"), "{east}{west}");
    assert!(!east.contains("seconds: 60") && west.contains("seconds: 60"), "each has its own layer");
    // The Lease is in the first one, for all.
    assert!(world.path("east/lease").exists() && !world.path("west/lease").exists());

    world.away("west", true);
    let (code, said) = world.until("the cluster does not answer").await;
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("in `west`: the cluster does not answer (`kubectl --context west get --raw /readyz`)"),
        "{said}"
    );
    assert!(said.contains("i/o timeout") && world.applied("east").is_empty(), "{said}");
    world.away("west", false);
    world.until("on to 100 %").await;
    let (east, west) = (world.applied("east"), world.applied("west"));
    assert!([&east, &west].iter().all(|all| all.contains("buckets: 10000")), "{east}{west}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_cluster_does_not_say_holds() {
    let world = World::new().await;
    world.there("west").away.store(true, Ordering::SeqCst);
    let (code, said) = world.until("unknown which pods run it").await;
    assert!(
        code == Some(3) && said.contains("in `west`: unknown which pods run it: Prometheus at"),
        "{said}"
    );
    world.there("west").away.store(false, Ordering::SeqCst);
    world.until("on to 25 %").await;

    world.there("west").finer.store(true, Ordering::SeqCst);
    let (code, said) = world.until("different buckets").await;
    assert!(code == Some(3) && said.contains("histograms of the clusters have different buckets"), "{said}");
    world.there("west").finer.store(false, Ordering::SeqCst);
    // Too few in each of them, and enough together.
    for cluster in ["east", "west"] {
        *world.there(cluster).figures.lock().unwrap() = (60, 0.0);
    }
    world.until("on to 100 %").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worse_canary_is_taken_back_wherever_a_cluster_answers() {
    let world = World::new().await;
    world.until("every pod runs 5 %").await;
    let _ = (world.applied("east"), world.applied("west"));
    // Bad in one of them only.
    *world.there("west").figures.lock().unwrap() = (600, 0.5);
    world.away("west", true);
    world.until("in `west`").await;
    for _ in 0..3 {
        world.run(&[]).await;
    }
    assert_eq!(world.weight(), "weights: {canary: 0} # ours");
    let (code, said) = world.until("not yet in every cluster").await;
    assert!(code == Some(3) && said.contains("in `west`") && !said.contains("in `east`"), "{said}");
    assert!(world.applied("east").contains("kind: VirtualService") && world.applied("west").is_empty());
    world.away("west", false);
    let (code, _) = world.until("is aborted").await;
    assert!(code == Some(1) && world.applied("west").contains("kind: VirtualService"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_one_cluster_keeps_no_other_from_taking_a_canary_back() {
    let world = World::new().await;
    world.until("every pod runs 5 %").await;
    *world.there("west").figures.lock().unwrap() = (600, 0.5);
    let _ = (world.applied("east"), world.applied("west"));
    // It answers, and refuses what it is given.
    world.is("refuses", "west", true);
    let (code, said) = world.until("not yet in every cluster").await;
    assert!(
        code == Some(3) && said.contains("in `west`: `kubectl --context west apply -f -` failed"),
        "{said}"
    );
    assert!(world.applied("east").contains("kind: VirtualService"));
    std::fs::write(world.path("west.yaml"), "policy: [\n").unwrap();
    let (code, said) = world.until("not yet in every cluster").await;
    assert!(code == Some(3) && said.contains("west.yaml:1:9: invalid YAML"), "{said}");
    assert!(world.applied("east").contains("kind: VirtualService") && world.applied("west").is_empty());
    std::fs::write(world.path("west.yaml"), LAYER).unwrap();
    world.is("refuses", "west", false);
    let (code, _) = world.until("is aborted").await;
    assert!(code == Some(1) && world.applied("west").contains("kind: VirtualService"));
}

/// Of a cluster whose API server does not answer, nothing is asked once the canary is to be taken back.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_hangs_delays_no_abort() {
    let world = World::new().await;
    world.until("every pod runs 5 %").await;
    *world.there("west").figures.lock().unwrap() = (600, 0.5);
    let _ = (world.applied("east"), world.applied("west"));
    world.is("hangs", "west", true);
    let begin = std::time::Instant::now();
    let (_, said) = world.run(&["--apply-timeout", "1s", "--lease", "12s"]).await;
    assert!(begin.elapsed() < std::time::Duration::from_secs(30), "{:?}: {said}", begin.elapsed());
    assert!(said.contains("not yet in every cluster") && said.contains("in `west`"), "{said}");
    assert!(world.applied("east").contains("kind: VirtualService"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_layer_says_counts_as_well() {
    let world = World::new().await;
    for (layer, why) in [
        (
            "services: {api: {rollout: {perCluster: true, weights: {canary: 1}}}}\n",
            "`api` has `perCluster: true`",
        ),
        (
            "services: {api: {rollout: {weights: {canary: 5}}}}\n",
            "west.yaml:1:28: the layer has `rollout.weights` of `api`",
        ),
        ("mesh: {clusters: {north: }}\n", "a layer cannot change which clusters there are"),
        ("policy: [\n", "west.yaml:"),
    ] {
        std::fs::write(world.path("west.yaml"), layer).unwrap();
        let (code, said) = world.run(&[]).await;
        assert!(code == Some(2) && said.contains(why), "{why}: {said}");
    }
    std::fs::remove_file(world.path("west.yaml")).unwrap();
    let (code, said) = world.run(&[]).await;
    assert!(code == Some(2) && said.contains("cannot read"), "{said}");
    // Another layer for all would be one of every cluster.
    std::fs::write(world.path("west.yaml"), LAYER).unwrap();
    let west = world.path("west.yaml").display().to_string();
    let (code, said) = world.graylane(&["check", "-f", &west]).await;
    assert_eq!(code, Some(1), "{said}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_graylane"));
    command.arg("check").arg("-f").arg(world.path("graylane.yaml")).arg("-f").arg(&west);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("is among the files of all clusters"), "{said}");
    assert!(world.applied("east").is_empty() && world.applied("west").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_reaches_one_cluster_is_refused() {
    let world = World::new().await;
    for (more, why) in [
        (
            &["--apply", "kubectl apply -f -"][..],
            "--apply has no `{cluster}`, so it reaches one of the clusters east, west",
        ),
        (&["--kubectl", "kubectl --context east"], "--kubectl has no `{cluster}`"),
        (
            &["--apply", "KUBECONFIG=x kubectl --context {cluster} apply -f -"],
            "--apply is no plain kubectl command",
        ),
        (&["--prometheus", "http://127.0.0.1:1"], "of which cluster is `http://127.0.0.1:1`?"),
    ] {
        let (code, said) = world.run(more).await;
        assert!(code == Some(2) && said.contains(why), "{said}");
    }
    let file = FILE.replace("steps:", "perCluster: true\n      steps:");
    std::fs::write(world.path("graylane.yaml"), file).unwrap();
    let (code, said) = world.run(&[]).await;
    assert!(code == Some(2) && said.contains("`api` has `perCluster: true`"), "{said}");
    let alone = FILE.replace("clusters: {east: , west: {layer: west.yaml}}", "clusters: {}");
    std::fs::write(world.path("graylane.yaml"), alone).unwrap();
    let apply = ["--apply", "kubectl --context {cluster} apply -f -", "--prometheus", "http://127.0.0.1:1"];
    let (code, said) = world.graylane(&[&["ramp", "run", "api", "--once"][..], &apply].concat()).await;
    assert!(code == Some(2) && said.contains("the file names no clusters"), "{said}");
    // Without it, clusters that differ are an error for whoever needs them.
    std::fs::write(world.path("graylane.yaml"), FILE).unwrap();
    std::fs::write(world.path("west.yaml"), "services: {api: {rollout: {weights: {canary: 1}}}}\n").unwrap();
    let (code, said) = world.run(&[]).await;
    assert!(
        code == Some(2) && said.contains("5 % on `canary` in `east`, and 1 % on `canary` in `west`"),
        "{said}"
    );
    assert!(world.applied("east").is_empty() && world.applied("west").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_each_cluster() {
    let world = World::new().await;
    let words = [&["status"], &world.urls()[..]].concat();
    let (code, said) = world.graylane(&words).await;
    assert_eq!(code, Some(0), "{said}");
    for line in [
        "cluster east",
        "cluster west",
        "in `east`: 1 of 1 plugins run revision",
        "in `west`: 1 of 1 plugins run revision",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    world.there("west").away.store(true, Ordering::SeqCst);
    let (code, said) = world.graylane(&words).await;
    assert!(code == Some(1) && said.contains("in `west`: unknown what pods run: Prometheus at"), "{said}");
    assert!(said.contains("in `east`: 1 of 1 plugins run revision"), "{said}");
    let (_, said) = world.graylane(&[&words[..], &["--output", "json"]].concat()).await;
    let json: Json = serde_json::Deserializer::from_str(&said).into_iter().next().unwrap().unwrap();
    assert_eq!(json["clusters"]["east"]["current"], 1);
    assert!(json["clusters"]["west"]["error"].as_str().unwrap().contains("Prometheus at"), "{json}");
}

/// The clone of a run by Git has the rollout's files alone, and the layers that they name.
#[tokio::test(flavor = "multi_thread")]
async fn by_git_each_cluster_has_its_layer_and_its_tool() {
    let world = World::new().await;
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]);
        let output = command.args(words).current_dir(world.folder.path()).output().unwrap();
        assert!(output.status.success(), "git {words:?}: {output:?}");
    };
    let bare = tempfile::tempdir().unwrap();
    git(&["init", "-q", "--bare", &bare.path().display().to_string()]);
    git(&["init", "-q"]);
    git(&["remote", "add", "origin", &bare.path().display().to_string()]);
    git(&["add", "graylane.yaml", "west.yaml"]);
    git(&["commit", "-q", "-m", "all"]);
    git(&["push", "-q", "origin", "main"]);
    let tool = ["--synced-by", "flux:flux-system/shop", "--kubectl", "kubectl --context {cluster}"];
    let words = [&["ramp", "run", "api", "--once", "--git"], &world.urls()[..], &tool].concat();
    let mut said = String::new();
    for _ in 0..20 {
        said = world.graylane(&words).await.1;
        if said.contains("Flux has not synced") {
            break;
        }
    }
    // Its pods run it: the revision with the layer. Its Flux knows nothing.
    assert!(said.contains("in `east`: Flux has not synced"), "{said}");
    let one = [&["ramp", "run", "api", "--once", "--git"], &world.urls()[..], &tool[..2]].concat();
    let (code, said) = world.graylane(&one).await;
    assert!(code == Some(2) && said.contains("--synced-by or --kubectl has no `{cluster}`"), "{said}");
}
