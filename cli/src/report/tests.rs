use super::*;
use crate::check::open;
use crate::document;
use crate::mesh::Mesh;

fn mesh() -> Mesh {
    let text = "version: 1\nmesh: {name: bank, namespace: bank}\ntenants: {green: {default: true}, gray: {}}\nservices:\n\
                \x20 api: {subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable}\n\
                \x20 orders: {subsets: {stable: {version: v1}}}\n  ledger: {subsets: {stable: {version: v1}}}\n\
                \x20 ledger-archive: {subsets: {stable: {version: v1}}}\n\
                \x20 partner: {host: api.partner.example, subsets: {stable: {version: v1}}}\n";
    Mesh::of(&open(document::load_text("graylane.yaml", text).unwrap()).checked().unwrap())
}

/// Lines of: workload, direction, tenant, subset, source, service, count.
fn decisions(lines: &str) -> Decisions {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let text = |index: usize| words[index].trim_matches('-').to_owned();
        let decision = Decision {
            namespace: "bank".to_owned(),
            workload: words[0].to_owned(),
            direction: text(1),
            tenant: text(2),
            subset: text(3),
            source: text(4),
            service: text(5),
        };
        (decision, words[6].parse().unwrap())
    };
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(line).collect()
}

fn map(lines: &str) -> LaneMap {
    LaneMap::of(&mesh(), &decisions(lines), 2.0)
}

fn says(map: &LaneMap) -> Vec<&str> {
    map.breaks.iter().map(|found| found.says.as_str()).collect()
}

const WHOLE: &str = "
    gateway-7f9 gateway  gray  canary header  api    240
    gateway-7f9 gateway  green stable default api    2000
    api-v2      inbound  gray  canary header  -      240
    api-v1      inbound  green stable header  -      2000
    api-v2      outbound gray  stable header  orders 240
    api-v1      outbound green stable header  orders 2000
    orders-v1   inbound  gray  stable header  -      240
    orders-v1   inbound  green stable header  -      2000
";

#[test]
fn a_lane_that_holds_breaks_nowhere() {
    let map = map(WHOLE);
    assert_eq!(says(&map), [""; 0]);
    let names: Vec<(&str, usize)> = map.nodes.iter().map(|node| (node.name.as_str(), node.depth)).collect();
    assert_eq!(names, [("gateway-7f9", 0), ("api", 1), ("orders", 2)]);
    assert_eq!(map.calls.len(), 4);
    assert!(text(&map).contains("No lane breaks."));
    assert!(page(&map).contains("Nowhere: every call carries its tenant."));
}

#[test]
fn a_service_that_drops_the_header_is_named() {
    let lost = "
        orders-v1 outbound gray  stable memory ledger 180
        orders-v1 outbound gray  stable baggage ledger 10
        orders-v1 outbound green stable header ledger 2000
        ledger    inbound  gray  stable header -      190
        ledger    inbound  green stable header -      2000
    ";
    let map = map(&format!("{WHOLE}{lost}"));
    assert_eq!(
        says(&map),
        [
            "orders receives 120 gray requests a minute; none of its 95 gray calls to ledger carry the tenant: 90 were \
         restored from the request id or trace id, 5 were restored from baggage."
        ]
    );
    assert!(map.breaks[0].restored && map.breaks[0].at == "orders");
    let some = lost.replace("memory ledger 180", "memory ledger 60").replace("baggage", "header ");
    let map = self::map(&format!("{WHOLE}{some}"));
    assert_eq!(
        says(&map),
        [
            "orders receives 120 gray requests a minute; 30 of its 35 gray calls to ledger carry no tenant: 30 were \
         restored from the request id or trace id."
        ]
    );
}

#[test]
fn what_nothing_restores_comes_first() {
    let left = "
        orders-v1 outbound green stable default ledger 230
        orders-v1 outbound gray  stable memory  ledger 10
        ledger    inbound  green stable header  -      230
        ledger    inbound  gray  stable header  -      10
    ";
    let map = map(&format!("{WHOLE}{left}"));
    assert_eq!(map.breaks.len(), 2);
    assert!(!map.breaks[0].restored && map.breaks[1].restored);
    assert_eq!(
        map.breaks[0].says,
        "orders receives 120 gray requests a minute, and 115 calls to ledger carry no tenant and nothing to restore \
         it from: they are treated as green."
    );
    let live_only = map_of_live(
        "orders-v1 outbound green stable default ledger 230\nledger inbound green stable header - 230",
    );
    assert_eq!(says(&live_only), [""; 0], "a live request without a header is a live request");
}

fn map_of_live(more: &str) -> LaneMap {
    map(&format!("orders-v1 inbound green stable header - 2000\n{more}"))
}

#[test]
fn a_worker_has_nothing_to_lose() {
    let map = map("
        mailer outbound gray stable workload ledger 60
        ledger inbound  gray stable header   -      60
    ");
    assert_eq!(says(&map), [""; 0]);
}

#[test]
fn topics_lead_to_the_workers_that_were_seen() {
    let text_of = |workers: &str| {
        format!(
            "version: 1\nmesh: {{name: bank, namespace: bank}}\ntenants: {{green: {{default: true}}, gray: {{}}}}\n\
             services: {{ledger: {{subsets: {{stable: {{version: v1}}}}}}, orders: {{subsets: {{stable: {{version: v1}}}}}}}}\n{workers}"
        )
    };
    let file = text_of(
        "workers: {mailer: {deployment: invoice-mailer, tenants: [gray], topics: [orders]}, idle: {topics: [x]}}\n",
    );
    let mesh = Mesh::of(&open(document::load_text("graylane.yaml", &file).unwrap()).checked().unwrap());
    let lines = "
        invoice-mailer-gray outbound gray  stable workload ledger 60
        invoice-mailer      outbound green stable workload ledger 60
        ledger              inbound  gray  stable header   -      60
        ledger              inbound  green stable header   -      60
    ";
    let map = LaneMap::of(&mesh, &decisions(lines), 2.0);
    assert_eq!(says(&map), [""; 0]);
    // A topic may be called as a service is.
    let names: Vec<&str> = map.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["topic orders", "mailer", "ledger"]);
    let deliveries: Vec<_> =
        map.deliveries.iter().map(|delivery| (delivery.tenant.as_str(), delivery.topic.as_str())).collect();
    assert_eq!(deliveries, [("gray", "orders.gray"), ("green", "orders")]);
    let text = text(&map);
    assert!(text.contains("topic orders\n  to mailer ") && text.contains("gray: orders.gray\n"), "{text}");
    let page = page(&map);
    assert_eq!(page.matches("class=\"call hop").count(), 2);
    assert!(page.contains(">orders.gray</text>") && page.contains("do not pass through the mesh"));
    assert_eq!(drawing(&map).matches("class=\"node queue\"").count(), 1);
    assert!(!self::page(&self::map(WHOLE)).contains("do not pass"));
    // Some workers are services as well.
    let file = text_of("workers: {archive: {deployment: ledger, tenants: [gray], topics: [orders]}}\n");
    let mesh = Mesh::of(&open(document::load_text("graylane.yaml", &file).unwrap()).checked().unwrap());
    let map = LaneMap::of(&mesh, &decisions(lines), 2.0);
    assert_eq!(says(&map), [""; 0]);
    assert!(
        map.deliveries.iter().all(|delivery| delivery.to == "ledger") && map.deliveries.len() == 2,
        "{:?}",
        map.deliveries
    );
}

#[test]
fn where_no_filter_is_is_said() {
    let map = map("
        api-v1    inbound  green stable default -         20
        api-v1    outbound green stable header  orders    20
        api-v1    outbound green stable header  partner   20
    ");
    assert_eq!(
        says(&map),
        [
            "api gets 10 requests a minute without a tenant: their callers have no filter, or only observe.",
            "orders is called 10 times a minute, and its own sidecars count nothing: they have no filter, or do not answer.",
        ]
    );
}

#[test]
fn a_workload_belongs_to_the_service_with_the_longest_name_that_fits() {
    let map = map("
        ledger-archive-v1 inbound green stable header - 2
        ledger-v1         inbound green stable header - 2
        ledgerish         inbound green none   header - 2
    ");
    let names: Vec<&str> = map.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["ledger", "ledger-archive", "ledgerish"]);
}

#[test]
fn a_circle_is_drawn_too() {
    let map = map("
        api-v1    outbound green stable header orders 2
        orders-v1 outbound green stable header api    2
        orders-v1 outbound green stable header orders 2
        api-v1    inbound  green stable header -      2
        orders-v1 inbound  green stable header -      4
    ");
    assert_eq!(map.nodes.len(), 2);
    assert_eq!(page(&map).matches("marker-end").count(), 3);
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_escapes_what_it_is_given() {
    let map = map("
        <b>&\"x outbound gray stable header other 20
    ");
    let page = page(&map);
    for outside in ["http://", "https://", "url(//", "@import", "src="] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("&lt;b&gt;&amp;&quot;x") && !page.contains("<b>"));
    for drawing in [drawing(&map), content(&map)] {
        assert!(drawing.contains("&lt;b&gt;&amp;&quot;x") && !drawing.contains("<b>"), "{drawing}");
    }
    assert!(!page.contains("<script") && live_page(&map).contains("<script"));
}

#[test]
fn whatever_a_label_says_is_text_in_the_page() {
    for column in 0..6 {
        let mut words = ["orders", "outbound", "gray", "stable", "header", "ledger"];
        words[column] = "<img/src=x>";
        let map = map(&format!("\n{} 20\n", words.join(" ")));
        for page in [page(&map), content(&map), drawing(&map)] {
            assert!(!page.contains("<img"), "{column}: {page}");
        }
    }
}

#[test]
fn an_envoy_says_what_it_counted() {
    let stats = "# TYPE graylane_requests_total counter\n\
        graylane_requests_total{direction=\"outbound\",tenant=\"gray\",subset=\"none\",source=\"memory\",service=\"other\",unit=\"none\"} 3\n\
        envoy_istiocustom_graylane_requests_total{direction=\"outbound\",tenant=\"gray\",subset=\"none\",source=\"memory\",service=\"other\",unit=\"none\"} 5\n\
        graylane_requests_total{direction=\"outbound\",tenant=\"gray\",subset=\"none\",source=\"memory\",service=\"other\",unit=\"key\"} 2\n\
        graylane_rejected_total{direction=\"inbound\",reason=\"missing\"} 3\n";
    let decisions = of_envoy("bank", "api", stats);
    let (decision, count) = decisions.iter().next().unwrap();
    assert_eq!((decisions.len(), *count), (1, 10.0));
    assert_eq!((decision.source.as_str(), decision.service.as_str()), ("memory", "other"));
}

#[test]
fn numbers_are_as_people_write_them() {
    let all: Vec<String> = [0.0, 0.034, 0.25, 1.0, 2.5, 9.96, 95.4, 1234.0].map(number).into();
    assert_eq!(all, ["0", "0.03", "0.2", "1", "2.5", "10", "95", "1234"]);
}

#[test]
fn who_would_newly_reach_which_version_is_listed_before_pods_enforce() {
    let text = "version: 1\nmode: observe\nmesh: {name: bank, namespace: bank}\ntenants: {green: {default: true}, gray: {}}\n\
                edge: {gateway: {selector: {istio: ingressgateway}}, rules: [{tenant: gray, host: {exact: gray.example}}]}\nservices:\n\
                \x20 api: {subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable, pins: {gray: canary}}\n\
                \x20 orders: {mode: MODE, subsets: {stable: {version: v1}}}\n  audit: {}\n\
                \x20 ledger: {subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable, pins: {gray: canary}}\n";
    let lines = decisions(
        "
        gw        gateway  gray  canary rule    api    60
        gw        gateway  green stable default api    600
        orders-v1 inbound  gray  stable header  -      240
        orders-v1 outbound gray  canary memory  ledger 180
        orders-v1 outbound gray  canary header  ledger 40
        orders-v1 outbound gray  none   baggage audit  2
        orders-v1 outbound gray  none   memory  other  80
        ledger-v1 outbound gray  stable memory  orders 10
        ",
    );
    let map = |mode: &str| {
        let file = text.replace("MODE", mode).replace(
            "{selector: {istio: ingressgateway}}",
            "{selector: {istio: ingressgateway}}, mode: observe",
        );
        let file = open(document::load_text("graylane.yaml", &file).unwrap());
        LaneMap::of(&Mesh::of(&file.checked().unwrap()), &lines, 2.0)
    };
    let observing = map("observe");
    let page = super::text(&observing);
    let (_, would) =
        page.split_once("What `mode: enforce` would change where the mode is observe:\n").unwrap();
    assert_eq!(
        would,
        "  orders to ledger         90 gray requests a minute (from memory) newly reach canary\n\
         \x20 gw to api                30 gray requests a minute (from rule) newly reach canary\n\
         \x20 ledger to orders         5 gray requests a minute (from memory) get the header and still reach stable\n\
         \x20 orders to audit          1 gray request a minute (from baggage) get the header; your routes say where they go\n"
    );
    let found = observing.breaks.iter().find(|found| found.says.contains("would be restored")).unwrap();
    assert!(!found.restored && found.says.contains("90 would be restored from the request id"), "{found:?}");
    let enforcing = map("enforce");
    assert_eq!(enforcing.would.len(), 2, "orders enforces: {:?}", enforcing.would);
    assert!(enforcing.breaks.iter().any(|found| found.restored && found.at == "orders"));
    assert!(!super::text(&self::map(WHOLE)).contains("would change"), "nobody observes");
}
