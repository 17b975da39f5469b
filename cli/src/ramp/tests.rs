use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::simulate::{percent, settings};

const HEAD: &str = "# people own this file\nversion: 1\nmesh: {name: shop, namespace: shop}\ntenants: {green: {default: true}, gray: {}, acme: {}} # three\n";

fn desk(paths: &[PathBuf]) -> Desk {
    match Desk::open(paths).unwrap() {
        Opened::Desk(desk) => *desk,
        Opened::Broken(loaded) => panic!("{:?}", loaded.findings),
    }
}

/// Writes a change under the lock of its files.
fn write(desk: &Desk, change: &Change) -> anyhow::Result<()> {
    desk.write(&Lock::of(&desk.paths)?, change)
}

fn files(texts: &[(&str, &str)]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = texts.iter().map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    });
    let paths = paths.collect();
    (folder, paths)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The file with this service, after these settings.
fn after(service: &str, set: &[&str]) -> String {
    let (_folder, paths) = files(&[("a.yaml", &format!("{HEAD}{service}"))]);
    let desk = desk(&paths);
    let set: Vec<_> = set.iter().map(|text| settings(text).unwrap()).collect();
    let change = desk.set("api", &set).unwrap();
    write(&desk, &change).unwrap();
    let text = read(&paths[0]);
    text.strip_prefix(HEAD).unwrap().to_owned()
}

/// A service with this as its weights.
fn service(weights: &str) -> String {
    format!(
        "services:\n  api: # ours\n    subsets: {{stable: {{v: a}}, canary: {{v: b}}, other: {{v: c}}}}\n    baseline: stable\n    rollout:\n      steps: [1, 5, 25, 50, 100]\n      weights:{weights}"
    )
}

#[test]
fn a_canary_that_has_no_entry_gets_one_in_the_style_of_the_others() {
    for (before, want) in [
        (" {canary: 5} # flow\n", " {canary: 5, other: 2.5} # flow\n"),
        (
            "\n        canary: 5 # block\n      # end\n",
            "\n        canary: 5 # block\n        other: 2.5\n      # end\n",
        ),
        ("\n        canary: 5", "\n        canary: 5\n        other: 2.5"),
        (
            "\r\n        canary: {percent: 5, from: top} # }\r\n",
            "\r\n        canary: {percent: 5, from: top} # }\r\n        other: 2.5\r\n",
        ),
        (
            "\n        canary:\n          from: top\n          percent: 5\n    port: 80\n",
            "\n        canary:\n          from: top\n          percent: 5\n        other: 2.5\n    port: 80\n",
        ),
    ] {
        assert_eq!(after(&service(before), &["other=2.5"]), service(want));
    }
    let top = after(&service(" {canary: 5}\n"), &["other=1@top"]);
    assert_eq!(top, service(" {canary: 5, other: {percent: 1, from: top}}\n"));
}

#[test]
fn the_place_that_wins_is_edited() {
    let base = format!("{HEAD}{}", service(" {canary: 5}\n"));
    let over = "services: {api: {rollout: {weights: {canary: 25}}}} # prod\n";
    let team = "version: 1\nservices: {orders: {subsets: {stable: {}}}}\n";
    let (folder, _) = files(&[("base/api.yaml", &base), ("base/orders.yaml", team), ("prod.yaml", over)]);
    let paths = [folder.path().join("base"), folder.path().join("prod.yaml")];
    let change = |paths: &[PathBuf]| {
        let desk = desk(paths);
        write(&desk, &desk.set("api", &[settings("50").unwrap()]).unwrap()).unwrap();
    };
    change(&paths);
    assert_eq!(read(&paths[1]), over.replace("25", "50"));
    assert_eq!(read(&paths[0].join("api.yaml")), base);
    change(&paths[..1]);
    assert_eq!(read(&paths[0].join("api.yaml")), base.replace("canary: 5}", "canary: 50}"));
    assert_eq!(read(&paths[0].join("orders.yaml")), team);
}

#[test]
fn what_is_not_written_out_is_not_edited() {
    let refused = |weights: &str, set: &str| {
        let (_folder, paths) = files(&[("a.yaml", &format!("{HEAD}{}", service(weights)))]);
        let before = read(&paths[0]);
        let error = desk(&paths).set("api", &[settings(set).unwrap()]).err().unwrap().to_string();
        assert_eq!(read(&paths[0]), before);
        error
    };
    for weights in
        [" {canary: \"${CANARY:-5}\"}\n", " {canary: &w 5, other: *w}\n", " {other: &w 5, canary: *w}\n"]
    {
        let error = refused(weights, "canary=25");
        assert!(error.contains("edit"), "{error}");
    }
    assert!(refused(" {canary: 5}\n", "canary=5@top").contains("set it to 0 first"));
    assert!(refused(" {canary: 5}\n", "other=96").contains("add up to 101 %"));
    assert!(refused(" {canary: 5}\n", "stable=1").contains("is the baseline"));
    assert!(refused(" {canary: 5, other: 1}\n", "7").contains("say which"));
}

#[test]
fn a_file_that_was_changed_meanwhile_is_left_alone() {
    let (_folder, paths) = files(&[("a.yaml", &format!("{HEAD}{}", service(" {canary: 5}\n")))]);
    let desk = desk(&paths);
    let change = desk.set("api", &[settings("25").unwrap()]).unwrap();
    let theirs = read(&paths[0]) + "# theirs\n";
    std::fs::write(&paths[0], &theirs).unwrap();
    assert!(write(&desk, &change).unwrap_err().to_string().contains("changed meanwhile"));
    assert_eq!(read(&paths[0]), theirs);
}

#[test]
fn steps_are_taken_one_by_one() {
    assert_eq!(skipped(&[100, 500, 2500], 100, 2500), [500]);
    assert_eq!(skipped(&[100, 500, 2500], 100, 500), [0; 0]);
    assert_eq!(skipped(&[100, 500, 2500], 100, 300), [0; 0]);
    assert_eq!(skipped(&[100, 500, 2500], 2500, 0), [0; 0]);
    let (_folder, paths) = files(&[("a.yaml", &format!("{HEAD}{}", service(" {canary: 0}\n")))]);
    let desk = desk(&paths);
    let all: Vec<Option<u16>> = [0, 100, 300, 5000, 10_000].map(|at| desk.next("api", at).ok()).into();
    assert_eq!(all, [Some(100), Some(500), Some(500), Some(10_000), None]);
}

#[test]
fn a_promotion_moves_no_user_and_changes_only_what_it_must() {
    let before = service(" {canary: 100} # now\n    pins: {gray: canary} # first\n");
    let (_folder, paths) = files(&[("a.yaml", &format!("{HEAD}{before}"))]);
    let desk = desk(&paths);
    let promotion = desk.promote("api", None, None).unwrap();
    assert_eq!((promotion.pinned.join(","), &*promotion.salt), ("acme".to_owned(), "api-2"));
    write(&desk, &promotion.change).unwrap();
    let want = before
        .replace("baseline: stable", "baseline: canary")
        .replace("{canary: 100}", "{stable: 0}")
        .replace("{gray: canary}", "{gray: canary, acme: stable}");
    assert_eq!(read(&paths[0]), format!("{HEAD}{want}"));
}

#[test]
fn a_promotion_over_layers_changes_every_file_that_has_the_canary() {
    let base = format!("{HEAD}{}", service(" {canary: 1} # below\n"));
    let over = "services:\n  api:\n    rollout:\n      weights: {canary: 100} # prod\n";
    let (_folder, paths) = files(&[("base/a.yaml", &base), ("prod/over.yaml", over)]);
    let before = desk(&paths);
    write(&before, &before.promote("api", None, None).unwrap().change).unwrap();
    let want = base.replace("baseline: stable", "baseline: canary").replace("{canary: 1}", "{stable: 0}");
    let pins = "\n    pins: {acme: stable, gray: stable}";
    assert_eq!(read(&paths[0]).replace(pins, ""), want);
    assert!(read(&paths[0]).contains(pins), "{}", read(&paths[0]));
    assert_eq!(read(&paths[1]), over.replace("{canary: 100}", "{stable: 0}"));
}

#[test]
fn a_file_keeps_its_mode_and_its_link_and_hard_links_are_refused() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    let (folder, paths) = files(&[("real/a.yaml", &format!("{HEAD}{}", service(" {canary: 5}\n")))]);
    std::fs::set_permissions(&paths[0], std::fs::Permissions::from_mode(0o640)).unwrap();
    let link = folder.path().join("a.yaml");
    symlink(&paths[0], &link).unwrap();
    let raise = |to: &str| {
        let desk = desk(std::slice::from_ref(&link));
        write(&desk, &desk.set("api", &[settings(to).unwrap()]).unwrap())
    };
    raise("25").unwrap();
    assert!(link.is_symlink() && read(&paths[0]).contains("{canary: 25}"));
    assert_eq!(std::fs::metadata(&paths[0]).unwrap().mode() & 0o777, 0o640);
    std::fs::hard_link(&paths[0], folder.path().join("other")).unwrap();
    let error = format!("{:#}", raise("50").unwrap_err());
    assert!(error.contains("hard links") && read(&paths[0]).contains("{canary: 25}"), "{error}");
}

#[test]
fn an_abort_needs_only_the_lines_of_its_rollout() {
    let own = format!("{HEAD}{}", service(" {canary: {percent: 25, from: top}} # ours\n"));
    for theirs in
        ["services: {orders: {subsets: {a: {}}, baseline: nobody}}\n", "services: [\n", "\u{0}\n", "x"]
    {
        let (folder, paths) = files(&[("all/a.yaml", &own), ("all/b.yaml", theirs)]);
        let all = [folder.path().join("all")];
        assert!(matches!(Desk::open(&all), Ok(Opened::Broken(_)) | Err(_)), "{theirs}");
        let aborted = abort(&all, "api", None).unwrap();
        assert_eq!((&*aborted.canary, aborted.from), ("canary", 25.0));
        aborted.write(&Lock::of(&all).unwrap()).unwrap();
        assert_eq!(read(&paths[0]), own.replace("percent: 25", "percent: 0"));
        assert_eq!(read(&paths[1]), theirs);
    }
    let (_folder, paths) = files(&[("a.yaml", &format!("{own}  orders: {{port: [}}\n"))]);
    let aborted = abort(&paths, "api", None).unwrap();
    aborted.write(&Lock::of(&paths).unwrap()).unwrap();
    assert!(read(&paths[0]).contains("percent: 0") && read(&paths[0]).ends_with("[}\n"));
}

#[test]
fn a_promotion_that_would_move_users_is_refused() {
    let promote = |text: &str| {
        let (_folder, paths) = files(&[("a.yaml", &format!("{HEAD}{text}"))]);
        let result = desk(&paths).promote("api", None, Some("next-1"));
        result
            .map(|promotion| promotion.change.texts.into_values().next().unwrap())
            .map_err(|error| error.to_string())
    };
    assert!(promote(&service(" {canary: 99}\n")).unwrap_err().contains("has 99 %"));
    let route =
        "    routes: [{name: pay, match: [{uri: {prefix: /pay}}], rollout: {weights: {canary: 1}}}]\n";
    let own = service(&format!(" {{canary: 100}}\n{route}"));
    let error = promote(&own).unwrap_err();
    assert!(error.contains("route `pay`"), "{error}");
    let both = promote(&own.replace("{canary: 1}", "{canary: 100}")).unwrap();
    assert_eq!(both.matches("{stable: 0}").count(), 2, "{both}");
    assert!(
        both.contains("\n    pins: {acme: stable, gray: stable}") && both.contains("salt: next-1"),
        "{both}"
    );
}

#[test]
fn salts_count_up() {
    let (_folder, paths) = files(&[("a.yaml", &format!("{HEAD}{}", service(" {canary: 5}\n")))]);
    let next = |salt: &str| next_salt(&desk(&paths).mesh, "api", salt);
    assert_eq!(next("release-42"), "release-43");
    assert_eq!(next("r-099"), "r-100");
    assert_eq!(next("summer"), "summer-2");
    assert_eq!(next("api.shop.svc.cluster.local"), "api-2");
}

/// Ways to write a weight: the text before and behind the number.
const FORMS: [(&str, &str); 4] =
    [("", ""), ("{percent: ", ", from: top}"), ("{from: bottom, percent: ", " }"), ("{\"percent\": ", "}")];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Only the numbers of the weights change, byte for byte, however the file is written.
    #[test]
    fn only_the_weights_change(
        before in (0u16..=5000, 0u16..=5000), after in (0u16..=5000, 0u16..=5000),
        form in 0..FORMS.len(), other in 0..FORMS.len(), flow: bool, crlf: bool, quoted: bool,
        comment in "( # [a-z{}:,é ]{0,12})?", blank in "\n{0,2}", tail in "(    port: 80\n|    http: \\{timeout: 3s\\}\n|# end\n|)",
    ) {
        let key = |name: &str| if quoted { format!("\"{name}\"") } else { name.to_owned() };
        let text = |weights: (u16, u16)| {
            let [a, b] = [(form, weights.0), (other, weights.1)]
                .map(|(form, buckets)| format!("{}{}{}", FORMS[form].0, percent(buckets), FORMS[form].1));
            let weights = if flow {
                format!(" {{{}: {a}, {}: {b} }}{comment}\n", key("canary"), key("other"))
            } else {
                format!("{comment}\n{blank}        {}: {a}{comment}\n        {}:   {b}\n", key("canary"), key("other"))
            };
            let text = format!("{HEAD}{}{tail}", service(&weights));
            if crlf { text.replace('\n', "\r\n") } else { text }
        };
        let (_folder, paths) = files(&[("a.yaml", &text(before))]);
        let desk = desk(&paths);
        let set = [format!("canary={}", percent(after.0)), format!("other={}", percent(after.1))];
        let set: Vec<_> = set.iter().map(|text| settings(text).unwrap()).collect();
        let change = desk.set("api", &set).unwrap();
        write(&desk, &change).unwrap();
        prop_assert_eq!(read(&paths[0]), if before == after { text(before) } else {
            // A weight that stays is not touched, and neither is the way it was written.
            text(after)
        });
        let weights = &change.mesh.service("api").unwrap().rest().rollout.as_ref().unwrap().weights;
        prop_assert_eq!((weights[0].buckets, weights[1].buckets), after);
    }
}
