//! `ramp run --apply` in a cluster: one run a service, by a Lease, and nothing that Argo CD or Flux owns; and what `--synced-by`
//! reads. The cluster is a `kubectl` of the test, which keeps a Lease as the API server does: by its version.

mod by_git;

use std::path::{Path, PathBuf};
use std::process::Command;

use by_git::{Rollout, Running, hook, must, until};
use serde_json::{Value as Json, json};

/// A cluster in a folder.
struct Cluster<'a> {
    rollout: &'a Rollout,
    folder: PathBuf,
}

const KUBECTL: &str = r#"cd "$(dirname "$0")/state"
version() { sed -n 's/.*"resourceVersion":"\([0-9]*\)".*/\1/p' "$1"; }
until mkdir busy 2>/dev/null; do [ -d "$OLDPWD" ] || exit 1; sleep 0.01; done
trap 'rmdir busy' EXIT
echo "$*" >> calls
if [ -f away ]; then echo 'Error from server (Forbidden): no' >&2; exit 1; fi
case "$*" in
get\ leases* | create* | replace*)
  if [ -f no-leases ]; then echo 'Error from server (Forbidden): leases' >&2; exit 1; fi
  if [ -f hangs ]; then exec sleep 600; fi ;;
esac
case "$*" in
get\ leases*) cat lease 2>/dev/null || true ;;
get\ app*) cat applications 2>/dev/null || { echo 'error: the server does not have a resource type "applications"' >&2; exit 1; } ;;
get\ kustom*) cat kustomization ;;
get\ *) cat > /dev/null; cat objects 2>/dev/null || true ;;
create\ *)
  cat > new
  if [ -f lease ]; then echo 'Error from server (AlreadyExists)' >&2; exit 1; fi
  sed 's/"metadata":{/"metadata":{"resourceVersion":"1",/' new > made; mv made lease; cat lease ;;
replace\ *)
  cat > new; was=$(version lease)
  if [ "$(version new)" != "$was" ]; then echo 'Error from server (Conflict)' >&2; exit 1; fi
  sed "s/\"resourceVersion\":\"$was\"/\"resourceVersion\":\"$((was + 1))\"/" new > made; mv made lease; cat lease ;;
*apply*) cat >> applied ;;
esac"#;

impl<'a> Cluster<'a> {
    fn new(rollout: &'a Rollout) -> Self {
        let folder = rollout.folder.path().join("cluster");
        std::fs::create_dir_all(folder.join("state")).unwrap();
        hook(&folder.join("kubectl"), KUBECTL);
        Self { rollout, folder }
    }

    fn put(&self, name: &str, value: &Json) {
        std::fs::write(self.folder.join("state").join(name), value.to_string()).unwrap();
    }

    fn lease(&self) -> Json {
        let text = std::fs::read_to_string(self.folder.join("state/lease")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn applied(&self) -> bool {
        self.folder.join("state/applied").exists()
    }

    fn run(&self, words: &[&str]) -> Command {
        let path = format!("{}:{}", self.folder.display(), std::env::var("PATH").unwrap());
        let mut command = self.rollout.graylane(&["ramp", "run", "api", "--prometheus", &self.rollout.url]);
        command.args(["--interval", "100ms", "--settle", "0s", "--image", "r.example/x:1", "--no-pin"]);
        command.args(words).env("PATH", path);
        command
    }

    async fn once(&self, words: &[&str]) -> (Option<i32>, String) {
        let mut command = self.run(&[&["--once", "--apply", "kubectl apply -f -"], words].concat());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.code(), by_git::said(&output))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_tool_owns_is_not_applied() {
    let rollout = Rollout::new().await;
    let cluster = Cluster::new(&rollout);
    let object = |labels: Json, annotations: Json| {
        let metadata =
            json!({"name": "shop-api", "namespace": "shop", "labels": labels, "annotations": annotations});
        json!({"kind": "List", "items": [{"kind": "VirtualService", "metadata": metadata}]})
    };
    let instance = || object(json!({"app.kubernetes.io/instance": "shop"}), json!({}));
    let tracked =
        json!({"argocd.argoproj.io/tracking-id": "shop:networking.istio.io/VirtualService:shop/shop-api"});
    let flux = json!({"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"});
    let application = json!({"items": [{"metadata": {"name": "shop", "namespace": "argocd"}}]});
    for (objects, applications, synced_by) in [
        (object(json!({}), tracked), None, "argocd:argocd/shop"),
        (object(flux, json!({})), None, "flux:flux-system/shop"),
        (instance(), Some(application), "argocd:argocd/shop"),
    ] {
        cluster.put("objects", &objects);
        if let Some(applications) = applications {
            cluster.put("applications", &applications);
        }
        let (code, said) = cluster.once(&[]).await;
        assert!(code == Some(2) && said.contains("owns VirtualService shop/shop-api"), "{said}");
        let instead = format!("`graylane ramp run api --git --synced-by {synced_by} --prometheus …`");
        assert!(said.contains(&instead) && said.contains("selfHeal") && !cluster.applied(), "{said}");
    }
    // Of Helm, where there is no such Application.
    std::fs::remove_file(cluster.folder.join("state/applications")).unwrap();
    let (code, said) = cluster.once(&[]).await;
    assert!(code == Some(3) && cluster.applied(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_holds() {
    let rollout = Rollout::new().await;
    let cluster = Cluster::new(&rollout);
    cluster.put("away", &json!(true));
    let (code, said) = cluster.once(&[]).await;
    assert!(
        code == Some(3)
            && said.contains("cannot use the Lease shop/graylane-ramp-api")
            && said.contains("Forbidden"),
        "{said}"
    );
    assert!(said.contains("needs get, create and update of leases") && !cluster.applied(), "{said}");
    // Whoever applies in another way is told what is not looked for.
    let mut command = cluster.run(&["--once", "--apply", "cat > /dev/null"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = by_git::said(&output);
    assert!(said.contains("name the cluster with --kubectl") && said.contains("exit Some(3)"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_a_service_in_a_cluster() {
    let rollout = Rollout::new().await;
    let cluster = Cluster::new(&rollout);
    let work = rollout.work();
    let text = std::fs::read_to_string(work.join("graylane.yaml")).unwrap().replace("hold: 2s", "hold: 1h");
    std::fs::write(work.join("graylane.yaml"), &text).unwrap();
    let words = ["--apply", "kubectl apply -f -", "--lease", "2s", "--runner", "first"];
    let first = Running(cluster.run(&words).spawn().unwrap());
    let version = || cluster.lease()["metadata"]["resourceVersion"].as_str().map(ToOwned::to_owned);
    until("it applies", || cluster.applied()).await;
    let before = version();
    until("it renews", || version() != before).await;
    let holder = cluster.lease()["spec"]["holderIdentity"].as_str().unwrap().to_owned();
    assert!(holder.starts_with("first#"), "{holder}");
    // In another folder, since in one folder the lock of the log is there first.
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("graylane.yaml"), &text).unwrap();
    let second = |lease: &str| {
        let mut command =
            cluster.run(&["--once", "--apply", "kubectl apply -f -", "--lease", lease, "--runner", "second"]);
        command.current_dir(other.path());
        async move {
            let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
            (output.status.code(), by_git::said(&output))
        }
    };
    let (code, said) = second("2s").await;
    assert!(
        code == Some(3) && said.contains("another run has the rollout: `first` runs it since 2"),
        "{said}"
    );
    // Killed: nobody renews. An hour in its time is nothing to go by.
    drop(first);
    let mut lease = cluster.lease();
    lease["spec"]["renewTime"] = json!("2999-01-01T00:00:00.000000Z");
    cluster.put("lease", &lease);
    let (code, said) = second("2s").await;
    assert!(code == Some(3) && !said.contains("another run"), "{said}");
    let spec = cluster.lease()["spec"].clone();
    assert_eq!(
        (&spec["holderIdentity"], &spec["leaseTransitions"]),
        (&json!(""), &json!(2)),
        "given back: {spec}"
    );
}

/// A role from before Leases were used: a canary that is worse is still taken back, and none is raised.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_lease_a_canary_is_judged_and_taken_back() {
    let rollout = Rollout::new().await;
    let cluster = Cluster::new(&rollout);
    let file = rollout.work().join("graylane.yaml");
    let has =
        |weight: &str| std::fs::read_to_string(&file).unwrap().contains(&format!("{{canary: {weight}}} #"));
    let (code, said) = cluster.once(&[]).await;
    assert!(code == Some(3) && said.contains("every pod runs 1 %"), "{said}");
    cluster.put("no-leases", &json!(true));
    std::fs::remove_file(cluster.folder.join("state/applied")).unwrap();
    let told = |wanted: &'static str| {
        let cluster = &cluster;
        async move {
            let mut all = String::new();
            for _ in 0..60 {
                let (code, said) = cluster.once(&[]).await;
                if said.contains(wanted) {
                    return (code, said);
                }
                all += &said;
            }
            panic!("never said: {wanted}\n{all}");
        }
    };
    let (code, said) = told("a canary is only judged and taken back").await;
    assert!(
        code == Some(3) && said.contains("cannot use the Lease") && has("1") && !cluster.applied(),
        "{said}"
    );
    rollout.fails(0.5);
    let (code, said) = told("is aborted").await;
    assert!(code == Some(1) && has("0") && cluster.applied(), "{said}");
}

/// Others see a Lease from when it was written: what applies is ended before they may take it, whatever hangs.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_cannot_be_renewed_is_given_up_in_time() {
    let rollout = Rollout::new().await;
    let cluster = Cluster::new(&rollout);
    let pid = cluster.folder.join("pid");
    let apply = format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 600", pid.display());
    let mut command = cluster.run(&["--apply", &apply, "--kubectl", "kubectl", "--lease", "9s"]);
    let path = rollout.folder.path().join("said");
    command.stderr(std::fs::File::create(&path).unwrap());
    let _running = Running(command.spawn().unwrap());
    until("it applies", || pid.exists()).await;
    cluster.put("hangs", &json!(true));
    let begin = std::time::Instant::now();
    let pid = std::fs::read_to_string(&pid).unwrap();
    until("the command is ended", || !Path::new(&format!("/proc/{}", pid.trim())).exists()).await;
    assert!(begin.elapsed().as_secs() < 9, "{:?}", begin.elapsed());
    until("it is said", || std::fs::read_to_string(&path).unwrap().contains("lost its turn")).await;
}

/// Whoever ends it need not wait for the end of the Lease, also while it looks.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_ended_gives_its_lease_back() {
    let mut rollout = Rollout::new().await;
    // Nobody answers there.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    rollout.url = format!("http://{}", silent.local_addr().unwrap());
    let cluster = Cluster::new(&rollout);
    let mut running = Running(cluster.run(&["--apply", "kubectl apply -f -"]).spawn().unwrap());
    until("it asks for figures", || {
        silent.set_nonblocking(true).unwrap();
        silent.accept().is_ok()
    })
    .await;
    let id = running.0.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    until("it ends", || running.0.try_wait().unwrap().is_some()).await;
    assert_eq!(cluster.lease()["spec"]["holderIdentity"], "", "given back");
}

/// Somebody else has the Lease while it applies: the command is ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_lost_its_turn_stops_applying() {
    let rollout = Rollout::new().await;
    let cluster = Cluster::new(&rollout);
    let pid = cluster.folder.join("pid");
    let apply =
        format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 600; kubectl apply -f -", pid.display());
    let path = rollout.folder.path().join("said");
    let mut command = cluster.run(&["--apply", &apply, "--kubectl", "kubectl", "--lease", "2s"]);
    command.stderr(std::fs::File::create(&path).unwrap());
    let _running = Running(command.spawn().unwrap());
    until("it applies", || pid.exists()).await;
    let mut lease = cluster.lease();
    lease["spec"]["holderIdentity"] = json!("thief#1");
    lease["metadata"]["resourceVersion"] = json!("1000");
    cluster.put("lease", &lease);
    until("it is said", || {
        std::fs::read_to_string(&path)
            .unwrap()
            .contains("this run lost its turn, and applies nothing more: `thief`")
    })
    .await;
    let pid = std::fs::read_to_string(&pid).unwrap();
    until("the command is ended", || !Path::new(&format!("/proc/{}", pid.trim())).exists()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_waits_until_it_is_synced() {
    let rollout = Rollout::new().await;
    let cluster = Cluster::new(&rollout);
    let id = || must(&rollout.bare(), &["rev-parse", "main"]);
    let applied = |id: &str, ready: &str| {
        let conditions = json!([{"type": "Ready", "status": ready, "message": "kustomize build failed"}]);
        cluster.put(
            "kustomization",
            &json!({"status": {"lastAppliedRevision": format!("main@sha1:{id}"), "conditions": conditions}}),
        );
    };
    let once = || async {
        let mut command = cluster.run(&["--once", "--git", "--synced-by", "flux:flux-system/shop"]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.code(), by_git::said(&output))
    };
    applied(&id(), "True");
    for _ in 0..40 {
        if rollout.weight() == "canary: 5" {
            break;
        }
        once().await;
    }
    assert_eq!(rollout.weight(), "canary: 5");
    // What was synced is the commit before, or nothing that works.
    for ready in ["True", "False"] {
        applied(
            &must(&rollout.bare(), &["rev-parse", if ready == "True" { "main~1" } else { "main" }]),
            ready,
        );
        let (code, said) = once().await;
        let wanted = format!(
            "hold: 5 % is pushed: Flux has not synced {} yet (flux-system/shop: applied main@sha1:",
            &id()[..12]
        );
        assert!(code == Some(3) && said.contains(&wanted), "{said}");
    }
    assert_eq!(rollout.events().last().unwrap(), "applied 5.0");
    // A later commit has it, too.
    rollout.person("rollout: {weights: {canary: 1}}", "rollout: {weights: {canary: 2}}");
    let later = id();
    applied(&later, "True");
    once().await;
    assert_eq!(rollout.events().last().unwrap(), "step 5.0");
}
