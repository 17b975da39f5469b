use crate::document::{self, variables::VarError};

const PLATFORM: &str = "version: 1
mesh: {name: bank, namespace: bank}
tenants: {green: {default: true}}
edge: none
owners:
  payments: {files: [payments.yaml], namespaces: [pay]}
  shop: {files: [shop*], services: [shop-*]}
  platform: {files: [prod.yaml], platform: true}
";
const PAYMENTS: &str = "version: 1
services:
  ledger: {namespace: pay, subsets: {stable: {version: v1}}}
";
const SHOP: &str = "services:
  shop-api: {subsets: {stable: {version: v1}}}
";

/// Of a folder, and then of files that are laid over it: `file:line: message / help`.
fn errors(folder: &[(&str, &str)], above: &[(&str, &str)]) -> Vec<String> {
    let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    let mut layers = vec![folder.iter().map(own).collect::<Vec<_>>()];
    layers.extend(above.iter().map(|file| vec![own(file)]));
    let loaded = document::of(layers, &|_: &str| Err(VarError::NotPresent));
    let opened = super::super::open(loaded);
    let errors =
        opened.findings.iter().filter(|finding| finding.severity == document::finding::Severity::Error);
    errors
        .map(|error| {
            let span = error.span.unwrap();
            let help = error.help.as_deref().unwrap_or_default();
            format!("{}:{}: {} / {help}", opened.sources.name(span.file), span.line, error.message)
        })
        .collect()
}

const FILES: [(&str, &str); 3] =
    [("teams/a.yaml", PLATFORM), ("teams/payments.yaml", PAYMENTS), ("teams/shop-1.yaml", SHOP)];

fn with(file: &str, text: &str) -> Vec<String> {
    let mut files = FILES;
    files.iter_mut().filter(|(name, _)| name.ends_with(file)).for_each(|one| one.1 = text);
    errors(&files, &[])
}

#[test]
fn each_team_defines_what_is_its_own() {
    assert_eq!(errors(&FILES, &[]), [""; 0]);
    let prod = "mesh: {name: bank-prod}\nservices: {ledger: {port: 80}}\n";
    assert_eq!(errors(&FILES, &[("prod.yaml", prod)]), [""; 0], "the platform says everything");
    assert_eq!(errors(&FILES, &[("env/payments.yaml", "services: {ledger: {port: 80}}\n")]), [""; 0]);
}

#[test]
fn what_is_the_platforms_is_refused_in_a_teams_file() {
    for (text, key) in [
        ("edge: {accept: always}\n", "edge"),
        ("tenants: {gray: {}}\n", "tenants"),
        ("sticky: {salt: x}\n", "sticky"),
        ("policy: {missing: reject}\n", "policy"),
        ("mesh: {namespaces: [pay]}\n", "mesh"),
        ("mode: off\n", "mode"),
    ] {
        let found = with("payments.yaml", &format!("{PAYMENTS}{text}"));
        let own = format!(
            "teams/payments.yaml:4: only the platform's file may set `{key}`, and this is a file of `payments` / leave it out here; it belongs in `teams/a.yaml`"
        );
        assert!(found.contains(&own), "{found:#?}");
    }
}

#[test]
fn another_teams_service_is_refused_wherever_it_stands() {
    let found = with("shop-1.yaml", "services: {ledger2: {namespace: pay, subsets: {stable: {v: v1}}}}\n");
    assert_eq!(
        found,
        [
            "teams/shop-1.yaml:1: `shop` cannot define `services.ledger2` in namespace `pay` / `owners.shop` of `teams/a.yaml` \
          allows `shop-*` in `bank`"
        ]
    );
    let moved = with("payments.yaml", &PAYMENTS.replace("namespace: pay", "namespace: shop"));
    assert!(
        moved[0].contains("`services.ledger` in namespace `shop`")
            && moved[0].contains("all services in `pay`"),
        "{moved:#?}"
    );
    // Laid over, it would win without a word.
    let over = errors(&FILES, &[("shop-2.yaml", "services: {ledger: {port: 1}}\n")]);
    assert!(
        over.iter().any(|error| error
            .contains("shop-2.yaml:1: `shop` cannot define `services.ledger` in namespace `pay`")),
        "{over:#?}"
    );
    assert!(
        over.iter().any(|error| error.contains("is defined by a file of `payments` as well")),
        "{over:#?}"
    );
    let gone = errors(&FILES, &[("shop-2.yaml", "services: null\n")]);
    assert!(
        gone[0].contains("`services` without names, in a file of `shop`") && gone.len() == 1,
        "{gone:#?}"
    );
    let gone = errors(&FILES, &[("shop-2.yaml", "services: {ledger: null}\n")]);
    assert!(gone.iter().any(|error| error.contains("`shop` cannot define `services.ledger`")), "{gone:#?}");
    let worker = with("payments.yaml", &format!("{PAYMENTS}workers: {{w: {{namespace: shop}}}}\n"));
    assert!(
        worker.iter().any(|error| error.contains("`payments` cannot define `workers.w` in namespace `shop`")),
        "{worker:#?}"
    );
}

#[test]
fn every_file_has_one_owner() {
    let stranger = errors(&FILES, &[("new.yaml", "services: {}\n")]);
    assert_eq!(
        stranger,
        [
            "new.yaml:1: `new.yaml` is no owner's file / name it in `owners.<team>.files` of `teams/a.yaml`, or do not pass it"
        ]
    );
    let two = with("a.yaml", &PLATFORM.replace("shop*", "'*'"));
    assert!(two[0].contains("`teams/payments.yaml` is a file of `payments` and of `shop`"), "{two:#?}");
    let owners = "owners: {payments: {files: [payments.yaml], services: ['*']}}\n";
    let usurped = with("payments.yaml", &format!("{PAYMENTS}{owners}"));
    assert!(
        usurped.iter().any(|error| error.contains("`owners` is in `teams/a.yaml` as well")),
        "{usurped:#?}"
    );
}

#[test]
fn owners_that_limit_nothing_are_refused() {
    let with = |owner: &str| with("a.yaml", &format!("{PLATFORM}  new: {owner}\n"));
    assert!(with("{namespaces: [x]}")[0].contains("an owner without files"));
    assert!(with("{files: [new.yaml]}")[0].contains("`new` could define every service"));
    assert!(with("{files: [new.yaml], platform: true, namespaces: [x]}")[0].contains("here is a limit"));
}

#[test]
fn a_service_is_visible_to_namespaces_with_pods_of_ours() {
    let with = |list: &str| {
        let text = super::GOOD
            .replace("    baseline: stable\n", &format!("    baseline: stable\n    visibleTo: {list}\n"));
        super::findings(&text.replace("mesh: {name: shop,", "mesh: {name: shop, namespaces: [pay, web],"))
    };
    assert_eq!(with("[pay, shop]"), [""; 0]);
    assert_eq!(with("[]"), [""; 0], "its own alone");
    assert_eq!(with("[pey]"), ["10: Warning: no pod in `pey` has the filter / did you mean `pay`?"]);
    assert!(with("[elsewhere]")[0].contains("name it in `mesh.namespaces`"));
}

#[test]
fn a_team_has_no_host_and_no_command_that_is_not_its_own() {
    let shop = |more: &str| {
        with("shop-1.yaml", &format!("services: {{shop-api: {{subsets: {{stable: {{v: v1}}}}, {more}}}}}\n"))
    };
    assert_eq!(shop("host: shop-web"), [""; 0]);
    assert_eq!(shop("host: shop-web.bank.svc.cluster.local"), [""; 0]);
    let host = "teams/shop-1.yaml:1: `ledger.pay.svc.cluster.local` is not a host of `shop` / `owners.shop` of `teams/a.yaml` \
                allows `shop-*` in `bank`";
    assert!(shop("host: LEDGER.pay.svc.cluster.local").iter().any(|error| error == host));
    assert!(
        shop("host: ledger")[0].contains("`ledger.bank.svc.cluster.local` is not a host of `shop`"),
        "same namespace"
    );
    assert!(shop("host: api.partner.example")[0].contains("`api.partner.example` is not a host of `shop`"));
    let elsewhere = with("shop-1.yaml", "services: {shop-x: {namespace: pay, subsets: {stable: {v: v1}}}}\n");
    assert!(
        elsewhere[0].contains("`shop` cannot define `services.shop-x` in namespace `pay`"),
        "{elsewhere:#?}"
    );
    let platform = PLATFORM
        .replace("edge: none", "edge: {gateway: {selector: {a: b}, name: a/b}, traceContext: restart}");
    let own = platform.replace(
        "services: [shop-*]",
        "services: [shop-*], hosts: ['*.shop.example', shop.example], hooks: true",
    );
    let of = |platform: &str, more: &str| {
        let shop = format!("services: {{shop-api: {{subsets: {{stable: {{v: v1}}}}, {more}}}}}\n");
        errors(&[("teams/a.yaml", platform), FILES[1], ("teams/shop-1.yaml", &shop)], &[])
    };
    for hosts in [
        "expose: {hosts: [login.example]}",
        "expose: {hosts: [shop.example], routes: [{hosts: [login.example]}]}",
    ] {
        let found = of(&own, hosts);
        assert!(
            found.len() == 1 && found[0].to_lowercase().contains("cannot expose `login.example`"),
            "{found:#?}"
        );
    }
    assert_eq!(of(&own, "expose: {hosts: [shop.example, www.shop.example]}"), [""; 0]);
    let hooks = "rollout: {steps: [1, 100], weights: {stable: 0}, hooks: {afterAbort: id}}";
    assert!(of(&platform, hooks).iter().any(|error| error.contains("`shop` cannot have hooks")));
    assert!(!of(&own, hooks).iter().any(|error| error.contains("cannot have hooks")));
}

#[test]
fn what_the_platform_defined_is_no_teams_to_change_or_take_away() {
    let platform = format!(
        "{PLATFORM}services:\n  login: {{namespace: pay, subsets: {{stable: {{v: v1}}, canary: {{v: v2}}}}, baseline: stable}}\n"
    );
    let of = |text: &str| errors(&[("teams/a.yaml", &platform), FILES[2]], &[("payments.yaml", text)]);
    for text in [
        "services: {login: {namespace: pay, baseline: canary}}\n",
        "services: {login: null}\n",
        "x: &x {login: null}\nservices: {<<: *x}\n",
    ] {
        let found = of(text);
        let says = "`services.login` is defined by the platform";
        assert!(found.iter().any(|error| error.contains(says)), "{text}: {found:#?}");
    }
    // The other way round it is what environments are for.
    let prod = "services: {ledger: {port: 81}}\n";
    assert_eq!(errors(&FILES, &[("prod.yaml", prod)]), [""; 0]);
}

#[test]
fn owners_are_not_taken_away_by_a_file_above() {
    for gone in ["owners: null", "owners: {payments: null, shop: null, platform: null}"] {
        let found =
            errors(&FILES, &[("payments.yaml", &format!("{gone}\nservices: {{shop-api: {{port: 1}}}}\n"))]);
        assert!(
            found.iter().any(|error| error.contains("`owners` is in `teams/a.yaml` as well")),
            "{gone}: {found:#?}"
        );
        let found = errors(&FILES, &[("new.yaml", &format!("{gone}\n"))]);
        assert!(!found.is_empty(), "{gone}");
    }
}

#[test]
fn a_version_is_at_no_host_of_others_either() {
    let version = "versions: {stable: {host: ledger.pay.svc.cluster.local}}";
    let text = format!("services: {{shop-api: {{subsets: {{stable: {{v: v1}}}}, {version}}}}}\n");
    let found = with("shop-1.yaml", &text);
    assert!(
        found.iter().any(|error| error.contains("`ledger.pay.svc.cluster.local` is not a host of `shop`")),
        "{found:#?}"
    );
    let own = text.replace("ledger.pay.svc.cluster.local", "shop-canary");
    assert!(!with("shop-1.yaml", &own).iter().any(|error| error.contains("is not a host of")));
}

#[test]
fn a_pattern_with_a_folder_is_compared_with_the_end_of_the_path() {
    let platform = PLATFORM.replace("files: [payments.yaml]", "files: [teams/pay/*]");
    let of = |path: &str| errors(&[("all/a.yaml", &platform), (path, PAYMENTS)], &[]);
    assert_eq!(of("all/teams/pay/ledger.yaml"), [""; 0]);
    assert!(of("all/teams/shop/payments.yaml")[0].contains("is no owner's file"));
    assert!(of("all/payments.yaml")[0].contains("is no owner's file"));
}
