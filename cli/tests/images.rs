//! `push`, `inspect` and `render` against a registry that misbehaves: a clear error or another try, and never a tag
//! that leads to half an image. A real one is in `make e2e-registry`.

mod registry;

use std::process::Stdio;

use axum::http::Method;
use registry::{Fault, Registry, Rule};

const REPOSITORY: &str = "team/graylane";

struct Said {
    code: i32,
    out: String,
    err: String,
}

async fn graylane(args: &[&str]) -> Said {
    let home = tempfile::tempdir().unwrap();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_graylane"))
        .args(args)
        // No credentials.
        .env("HOME", home.path())
        .env("DOCKER_CONFIG", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("REGISTRY_AUTH_FILE")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn rule(method: Method, path: &'static str, times: usize, fault: Fault) -> Rule {
    Rule { method, path, times, fault }
}

async fn push(registry: &Registry) -> Said {
    graylane(&["push", &format!("{}/{REPOSITORY}:1", registry.address), "--insecure"]).await
}

#[tokio::test]
async fn what_is_pushed_is_there_by_tag_and_by_digest_and_the_same_each_time() {
    let registry = Registry::start(&[]).await;
    let said = push(&registry).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let (name, digest) = said.out.trim_end().split_once('@').unwrap();
    assert_eq!(name, format!("{}/{REPOSITORY}:1", registry.address));
    assert_eq!(registry.manifest("1").unwrap(), registry.manifest(digest).unwrap());
    let again = push(&registry).await;
    assert_eq!(again.out, said.out);
    assert_eq!(
        registry.answered("PUT /v2/team/graylane/blobs/"),
        2,
        "blobs that are there are not sent again"
    );

    // What a layout says is the same image.
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().to_str().unwrap();
    let packed = graylane(&["package", "--out", layout]).await;
    assert_eq!(packed.out.trim_end(), digest);
    let target = format!("{}/{REPOSITORY}:2", registry.address);
    let said = graylane(&["push", &target, "--layout", layout, "--insecure"]).await;
    assert_eq!(said.out, format!("{target}@{digest}\n"));

    let module = graylane(&["inspect", layout, "-o", "json"]).await;
    let pulled = graylane(&["inspect", &target, "--insecure", "-o", "json"]).await;
    assert_eq!((module.code, pulled.code), (0, 0));
    assert_eq!(module.out, pulled.out);
}

/// An index of the native module for both architectures: members before the index, by the digests that it names.
#[tokio::test]
async fn an_index_is_pushed_with_all_that_it_names() {
    let registry = Registry::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (name, machine) in [("amd64.so", 62u16), ("arm64.so", 183)] {
        let mut module = b"\x7fELF\x02\x01".to_vec();
        module.resize(18, 0);
        module.extend(machine.to_le_bytes());
        module.extend(b"envoy_dynamic_module_on_program_init\0");
        std::fs::write(path(name), module).unwrap();
    }
    let (amd64, arm64, layout) = (path("amd64.so"), path("arm64.so"), path("native"));
    let packed = graylane(&["package", "--native", &amd64, "--native", &arm64, "--out", &layout]).await;
    let digest = packed.out.trim_end();
    let target = format!("{}/{REPOSITORY}:n", registry.address);
    let push = async || graylane(&["push", &target, "--layout", &layout, "--insecure"]).await;
    let said = push().await;
    assert_eq!((said.code, said.out, said.err), (0, format!("{target}@{digest}\n"), String::new()));
    let index: serde_json::Value = serde_json::from_slice(&registry.manifest("n").unwrap()).unwrap();
    let members = index["manifests"].as_array().unwrap();
    assert_eq!(members.len(), 2);
    for member in members {
        let manifest = registry.manifest(member["digest"].as_str().unwrap()).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        for blob in [&manifest["config"], &manifest["layers"][0]] {
            let put = format!("PUT /v2/{REPOSITORY}/blobs/uploads/1 201");
            assert_eq!(registry.answered(&put), 4, "{blob}");
        }
    }

    // Of a registry that does not say where things are, too.
    registry.rules(&[rule(Method::PUT, "/manifests/", usize::MAX, Fault::Nowhere)]);
    assert_eq!(push().await.code, 0);

    // Without a member there is no index either.
    registry.rules(&[rule(Method::PUT, "/manifests/sha256:", usize::MAX, Fault::Status(403))]);
    let other = format!("{}/{REPOSITORY}:other", registry.address);
    let said = graylane(&["push", &other, "--layout", &layout, "--insecure"]).await;
    assert_eq!((said.code, registry.manifest("other")), (2, None));

    // What is one image's is not asked of an index, and a blob that is not what it says stops everything.
    let said = graylane(&["inspect", &layout]).await;
    assert_eq!(said.code, 2);
    assert!(said.err.contains("has an index of images"), "{}", said.err);
    registry.rules(&[]);
    let member = members[1]["digest"].as_str().unwrap().replace(':', "/");
    std::fs::write(folder.path().join("native/blobs").join(member), "{}").unwrap();
    let said = push().await;
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("the image for arm64"), "{}", said.err);
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let uploads = "/blobs/uploads/";
    for (method, path, fault) in [
        (Method::POST, uploads, Fault::Status(500)),
        (Method::POST, uploads, Fault::Status(503)),
        (Method::PUT, uploads, Fault::Status(429)),
        (Method::PUT, uploads, Fault::Cut),
        (Method::PUT, "/manifests/", Fault::Status(502)),
        (Method::GET, "/v2/", Fault::Status(500)),
    ] {
        let registry = Registry::start(&[rule(method.clone(), path, 2, fault.clone())]).await;
        let said = push(&registry).await;
        assert_eq!(said.code, 0, "{method} {path} {fault:?}: {}", said.err);
        assert!(registry.manifest("1").is_some());
    }
}

#[tokio::test]
async fn a_registry_that_does_not_say_where_things_are_has_them_nevertheless() {
    let registry = Registry::start(&[rule(Method::PUT, "/team/", usize::MAX, Fault::Nowhere)]).await;
    let said = push(&registry).await;
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(registry.manifest("1").is_some());
    assert_eq!(registry.answered("PUT /v2/team/graylane/blobs/"), 2, "each blob is sent once");
}

#[tokio::test]
async fn what_does_not_pass_is_said_and_leaves_no_tag() {
    let uploads = "/blobs/uploads/";
    for (method, path, fault, want) in [
        (Method::POST, uploads, Fault::Status(401), "wants credentials: log in with `docker login"),
        (Method::POST, uploads, Fault::Status(403), "the account has no right to team/graylane"),
        (Method::POST, uploads, Fault::Status(404), "has no"),
        (Method::POST, uploads, Fault::Status(429), "answers with too many requests (429)"),
        (Method::POST, uploads, Fault::Status(500), "failed (500)"),
        (Method::PUT, uploads, Fault::Cut, "(tried 4 times)"),
        (Method::PUT, "/manifests/", Fault::Status(403), "the account has no right to team/graylane"),
    ] {
        let registry = Registry::start(&[rule(method.clone(), path, usize::MAX, fault.clone())]).await;
        let said = push(&registry).await;
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{method} {path} {fault:?}");
        assert!(said.err.contains(want), "{method} {path} {fault:?}: {}", said.err);
        let tries = if matches!(fault, Fault::Status(401 | 403 | 404)) { 1 } else { 4 };
        let what = format!("{method} /v2/{REPOSITORY}{path}");
        assert_eq!(registry.answered(&what), tries, "{what} {fault:?}");
        if path == uploads {
            assert_eq!(registry.manifest("1"), None, "a tag without its blobs");
        }
    }
}

#[tokio::test]
async fn a_registry_that_stores_something_else_is_caught() {
    for (fault, want) in
        [(Fault::Lie, "stored another manifest"), (Fault::Mismatch, "expected content with the digest")]
    {
        let registry = Registry::start(&[rule(Method::GET, "/manifests/", usize::MAX, fault)]).await;
        let said = push(&registry).await;
        assert_eq!((said.code, said.out.as_str()), (2, ""));
        assert!(said.err.contains(want), "{}", said.err);
    }
}

#[tokio::test]
async fn what_is_pulled_is_checked() {
    let registry = Registry::start(&[]).await;
    let pinned = push(&registry).await.out.trim_end().to_owned();
    let tag = pinned.split_once('@').unwrap().0.to_owned();
    let inspect = async |what: &str, rules: &[Rule]| {
        registry.rules(rules);
        graylane(&["inspect", what, "--insecure"]).await
    };
    let cut = Fault::Cut;
    assert_eq!(inspect(&pinned, &[rule(Method::GET, "/blobs/", 2, cut.clone())]).await.code, 0);
    for (what, path, fault, want) in [
        (&pinned, "/manifests/", Fault::Lie, "expected content with the digest"),
        (&pinned, "/manifests/", Fault::Mismatch, "expected content with the digest"),
        (&tag, "/manifests/", Fault::Lie, "not an image's"),
        (&pinned, "/blobs/", Fault::Lie, "as its descriptor says"),
        (&tag, "/blobs/", cut, "cannot fetch the layer (tried 4 times)"),
        (&tag, "/manifests/", Fault::Status(401), "wants credentials"),
        (&tag, "/manifests/", Fault::Status(404), "has no"),
    ] {
        let said = inspect(what, &[rule(Method::GET, path, usize::MAX, fault.clone())]).await;
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{path} {fault:?}");
        assert!(said.err.contains(want), "{path} {fault:?}: {}", said.err);
    }
}

#[tokio::test]
async fn render_pins_what_it_is_given() {
    let registry = Registry::start(&[]).await;
    let pinned = push(&registry).await.out.trim_end().to_owned();
    let tag = pinned.split_once('@').unwrap().0.to_owned();
    let bank = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/bank");
    let render = async |more: &[&str]| {
        let mut args = vec!["render", "-f", bank, "--only", "WasmPlugin", "--insecure"];
        args.extend(more);
        graylane(&args).await
    };
    let said = render(&["--image", &tag]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains(&pinned), "{}", said.out);

    let asked = registry.answered("");
    let loose = render(&["--image", &tag, "--no-pin"]).await;
    assert_eq!(loose.code, 0);
    assert!(loose.out.contains(&tag) && !loose.out.contains("@sha256"), "{}", loose.out);
    assert!(loose.err.contains("has no digest"), "{}", loose.err);
    assert_eq!(render(&["--image", &pinned]).await.code, 0);
    assert_eq!(registry.answered(""), asked, "neither asks the registry");

    let away = render(&["--image", "127.0.0.1:9/team/graylane:1"]).await;
    assert_eq!((away.code, away.out.as_str()), (2, ""));
    assert!(away.err.contains("--no-pin"), "{}", away.err);
}

#[tokio::test]
async fn render_refuses_a_filter_that_reads_another_configuration() {
    let registry = Registry::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().to_str().unwrap();
    assert_eq!(graylane(&["package", "--out", layout]).await.code, 0);
    // The same image, of a filter from another time: by its annotation.
    let image = graylane::image::read(folder.path()).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
    manifest["annotations"][graylane::image::CONFIGURATION] = "99".into();
    let manifest = serde_json::to_vec(&manifest).unwrap();
    graylane::image::write(&graylane::image::Image { manifest, ..image }, folder.path(), "1").unwrap();
    let tag = format!("{}/{REPOSITORY}:1", registry.address);
    assert_eq!(graylane(&["push", &tag, "--layout", layout, "--insecure"]).await.code, 0);
    let bank = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/bank");
    let said = graylane(&["render", "-f", bank, "--image", &tag, "--insecure"]).await;
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("reads configuration version 99"), "{}", said.err);
}
