//! `make e2e-registry`: what `graylane push` sends to a real registry, pulled back by skopeo, with every kind of login.
//!
//! `cli/tests/images.rs` has the registries that misbehave; `make e2e-istio` pulls with Istio's own code.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use graylane::image::{Image, digest, read};

/// `pusher`, `secret` (bcrypt, the only hash that the registry takes).
const HTPASSWD: &str = "pusher:$2y$05$X3Ef/Jm0CK1JYixlhR.wf.ruZ8uHJdY8G71V4NiUkDiLXCA3AMRky\n";
/// `pusher:secret` in base64, as Docker and Podman write it.
const AUTH: &str = "cHVzaGVyOnNlY3JldA==";
const HELPER: &str = "#!/bin/sh\nread -r registry\n\
    echo \"{\\\"ServerURL\\\": \\\"$registry\\\", \\\"Username\\\": \\\"pusher\\\", \\\"Secret\\\": \\\"secret\\\"}\"\n";
const HELPER_WITHOUT: &str =
    "#!/bin/sh\nread -r registry\necho 'credentials not found in native keychain'\nexit 1\n";

/// Docker's registry as Debian packs it; ends with this.
struct Registry {
    process: Child,
    address: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may be gone already, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Registry {
    fn start(folder: &Path, with_login: bool) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let users = folder.join("htpasswd");
        std::fs::write(&users, HTPASSWD)?;
        let login = serde_json::json!({"htpasswd": {"realm": "graylane", "path": users}});
        let mut config = serde_json::json!({
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": folder.join("data")}},
            "http": {"addr": "127.0.0.1:0"},
        });
        if with_login {
            config["auth"] = login;
        }
        let path = folder.join("config.yml");
        std::fs::write(&path, config.to_string())?;
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&path).stdout(Stdio::null()).stderr(Stdio::piped());
        // SAFETY: prctl is async-signal-safe and touches nothing of this process.
        unsafe {
            command.pre_exec(|| {
                rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
                Ok(())
            });
        }
        let mut process = command.spawn().context("cannot start docker-registry")?;
        let mut log = BufReader::new(process.stderr.take().context("no stderr")?);
        let mut line = String::new();
        let address = loop {
            line.clear();
            ensure!(log.read_line(&mut line)? > 0, "docker-registry ended before it listened");
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
            }
        };
        // It must never wait for somebody to read what it says.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(Self { process, address })
    }
}

struct Bench {
    graylane: PathBuf,
    folder: tempfile::TempDir,
}

impl Bench {
    fn graylane(&self, args: &[&str], env: &[(&str, &Path)]) -> Result<Output> {
        let nobody = self.folder.path().join("nobody");
        let mut command = Command::new(&self.graylane);
        command.args(args).stdin(Stdio::null()).env("HOME", &nobody).env_remove("DOCKER_CONFIG");
        for name in ["XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE"] {
            command.env_remove(name);
        }
        Ok(command.envs(env.iter().copied()).output()?)
    }

    fn push(&self, target: &str, env: &[(&str, &Path)]) -> Result<String> {
        let output = self.graylane(&["push", target, "--insecure"], env)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "push {target}: {said}");
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    fn refused(&self, target: &str, env: &[(&str, &Path)], want: &str) -> Result<()> {
        let output = self.graylane(&["push", target, "--insecure"], env)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(2) && output.stdout.is_empty(), "push {target} was not refused");
        ensure!(said.contains(want), "push {target} said `{said}`, not `{want}`");
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().context("a name without folder")?)?;
        std::fs::write(&path, text)?;
        Ok(path)
    }

    fn program(&self, name: &str, text: &str) -> Result<()> {
        let path = self.write(name, text)?;
        Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?)
    }
}

/// What skopeo pulls, as the blobs of an OCI layout.
fn skopeo(folder: &Path, reference: &str, options: &[&str]) -> Result<BTreeMap<String, Vec<u8>>> {
    let target = format!("oci:{}:pulled", folder.display());
    let output = Command::new("skopeo")
        .args(["copy", "--quiet", "--insecure-policy", "--preserve-digests", "--src-tls-verify=false"])
        .args(options)
        .args([&format!("docker://{reference}"), &target])
        .output()
        .context("cannot run skopeo")?;
    ensure!(output.status.success(), "skopeo: {}", String::from_utf8_lossy(&output.stderr));
    let blobs = std::fs::read_dir(folder.join("blobs/sha256"))?;
    blobs
        .map(|entry| {
            let bytes = std::fs::read(entry?.path())?;
            Ok((digest(&bytes), bytes))
        })
        .collect()
}

fn same(pulled: &BTreeMap<String, Vec<u8>>, image: &Image) -> bool {
    let parts = [&image.manifest, &image.config, &image.layer];
    pulled.len() == parts.len() && parts.iter().all(|bytes| pulled.get(&digest(bytes)) == Some(bytes))
}

/// The native module for both architectures, as one image: each node gets its own.
fn native(bench: &Bench, registry: &str) -> Result<()> {
    // `e_machine` of elf(5).
    const ARCHITECTURES: [(&str, [u8; 2]); 2] = [("amd64", [62, 0]), ("arm64", [183, 0])];
    let folder = bench.folder.path();
    let layout = folder.join("native").display().to_string();
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let [own, arm64] =
        ["libgraylane.so", "arm64/libgraylane.so"].map(|name| dist.join(name).display().to_string());
    let packed = bench.graylane(&["package", "--native", &own, "--native", &arm64, "--out", &layout], &[])?;
    ensure!(packed.status.success(), "package: {}", String::from_utf8_lossy(&packed.stderr));
    let digest = String::from_utf8(packed.stdout)?.trim().to_owned();
    let target = format!("{registry}/mesh/graylane-native");
    let pushed =
        bench.graylane(&["push", &format!("{target}:1.0"), "--insecure", "--layout", &layout], &[])?;
    ensure!(pushed.status.success(), "push: {}", String::from_utf8_lossy(&pushed.stderr));
    let pinned = String::from_utf8(pushed.stdout)?;
    ensure!(pinned.trim() == format!("{target}:1.0@{digest}"), "{pinned} is not what was packed: {digest}");
    for (architecture, machine) in ARCHITECTURES {
        let pulled = folder.join(format!("native-{architecture}"));
        // By the digest of the index, as a pod names it.
        let blobs = skopeo(&pulled, &format!("{target}@{digest}"), &["--override-arch", architecture])?;
        let module = blobs.values().find_map(|blob| {
            let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(blob.as_slice()));
            let mut file = archive.entries().ok()?.next()?.ok()?;
            let mut module = Vec::new();
            (file.path().ok()?.to_str()? == "libgraylane.so")
                .then(|| file.read_to_end(&mut module).ok())??;
            Some(module)
        });
        let module = module.with_context(|| format!("no module for {architecture}"))?;
        ensure!(module.get(18..20) == Some(&machine), "{architecture} got a module for another machine");
    }
    println!("the native module: pulled by the digest of its index, for each architecture its own");
    Ok(())
}

/// The pull's reference: skopeo takes a tag or a digest, not both.
fn by_digest(pinned: &str) -> Result<String> {
    let (name, digest) = pinned.split_once('@').context("no digest")?;
    let (repository, _) = name.rsplit_once(':').context("no tag")?;
    Ok(format!("{repository}@{digest}"))
}

fn main() -> Result<()> {
    let graylane = std::env::args_os().nth(1).context("usage: e2e-registry GRAYLANE")?;
    let bench = Bench { graylane: std::fs::canonicalize(graylane)?, folder: tempfile::tempdir()? };
    let folder = bench.folder.path();
    let layout = folder.join("layout");
    let packed = bench.graylane(&["package", "--out", &layout.display().to_string()], &[])?;
    ensure!(packed.status.success(), "package: {}", String::from_utf8_lossy(&packed.stderr));
    let image = read(&layout)?;

    let open = Registry::start(&folder.join("open"), false)?;
    let target = format!("{}/mesh/graylane:1.0", open.address);
    let pinned = bench.push(&target, &[])?;
    ensure!(pinned == format!("{target}@{}", image.digest()), "{pinned} is not what `package` wrote");
    ensure!(bench.push(&target, &[])? == pinned, "pushed again it is something else");
    ensure!(same(&skopeo(&folder.join("by-tag"), &target, &[])?, &image), "by tag: other bytes");
    ensure!(
        same(&skopeo(&folder.join("by-digest"), &by_digest(&pinned)?, &[])?, &image),
        "by digest: other bytes"
    );
    native(&bench, &open.address)?;
    println!("without login: pushed, pulled by tag and by digest, the same bytes");

    let closed = Registry::start(&folder.join("closed"), true)?;
    let address = &closed.address;
    let target = format!("{address}/mesh/graylane:1.0");
    bench.refused(&target, &[], "log in with `docker login")?;
    let auths = |auth: &str| serde_json::json!({"auths": {address: {"auth": auth}}}).to_string();
    bench.write("wrong/config.json", &auths("cHVzaGVyOndyb25n"))?;
    bench.refused(&target, &[("DOCKER_CONFIG", &folder.join("wrong"))], "log in with `docker login")?;
    println!("with login: refused without, and with a wrong password");

    bench.write("docker/config.json", &auths(AUTH))?;
    let podman = bench.write("podman/auth.json", &auths(AUTH))?;
    bench.program("bin/docker-credential-test", HELPER)?;
    bench.program("bin/docker-credential-empty", HELPER_WITHOUT)?;
    bench.write("helper/config.json", &serde_json::json!({"credHelpers": {address: "test"}}).to_string())?;
    bench.write("store/config.json", &serde_json::json!({"credsStore": "test"}).to_string())?;
    bench.write("empty/config.json", &serde_json::json!({"credsStore": "empty"}).to_string())?;
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let path = Path::new(&path);
    let docker = |name: &str| folder.join(name);
    let logins: [(&str, Vec<(&str, PathBuf)>); 5] = [
        ("docker's file", vec![("DOCKER_CONFIG", docker("docker"))]),
        ("podman's file", vec![("REGISTRY_AUTH_FILE", podman.clone())]),
        ("a helper of the registry's", vec![("DOCKER_CONFIG", docker("helper"))]),
        ("a helper of all registries", vec![("DOCKER_CONFIG", docker("store"))]),
        (
            "podman's file, docker's helper knows nothing",
            vec![("DOCKER_CONFIG", docker("empty")), ("REGISTRY_AUTH_FILE", podman)],
        ),
    ];
    for (number, (name, env)) in logins.iter().enumerate() {
        let mut env: Vec<_> = env.iter().map(|(name, path)| (*name, path.as_path())).collect();
        env.push(("PATH", path));
        // A repository each: what is there already would not be sent again.
        let target = format!("{address}/mesh/graylane-{number}:1.0");
        let pinned = bench.push(&target, &env).with_context(|| format!("login from {name}"))?;
        let login = ["--src-creds=pusher:secret"];
        let pulled = skopeo(&folder.join(format!("pulled-{number}")), &by_digest(&pinned)?, &login)?;
        ensure!(same(&pulled, &image), "login from {name}: other bytes");
        let inspected = bench.graylane(&["inspect", &pinned, "--insecure"], &env)?;
        ensure!(inspected.status.success(), "inspect: {}", String::from_utf8_lossy(&inspected.stderr));
        println!("login from {name}: pushed, pulled, inspected");
    }
    Ok(())
}
