//! `init` and `import` on clusters of a size: four times as much takes four times as long, not sixteen.

use std::fmt::Write as _;
use std::path::PathBuf;

use graylane::document::finding::Findings;
use graylane::document::source::SourceFiles;
use graylane::import::{self, Choices, Found};

/// Time that this thread was on a processor, in nanoseconds; what others do on the machine is not in it.
fn on_processor() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Of three runs the fastest.
fn best(mut run: impl FnMut()) -> u64 {
    let mut time = || {
        let before = on_processor();
        run();
        on_processor() - before
    };
    (0..3).map(|_| time()).min().unwrap()
}

/// Linear, with room for caches that get too small: what is quadratic is sixteen times as much.
fn grows_with(small: u64, large: u64) {
    let times = large as f64 / small as f64;
    assert!(times < 8.0, "four times as much takes {times:.1} times as long ({small} and {large} ns)");
}

/// Services and Deployments of several namespaces, two versions each, as a list that kubectl wrote: three resources each.
fn cluster(services: usize) -> String {
    let mut text = String::from("apiVersion: v1\nkind: List\nitems:\n");
    for number in 0..services {
        let place = format!("{{name: app-{number}, namespace: team-{}}}", number % 40);
        let service = format!("{{selector: {{app: app-{number}}}, ports: [{{name: http, port: 8080}}]}}");
        writeln!(text, "- {{apiVersion: v1, kind: Service, metadata: {place}, spec: {service}}}").unwrap();
        for version in ["v1", "v2"] {
            let place = place.replace(',', &format!("-{version},"));
            let labels = format!("{{app: app-{number}, tier: web, version: {version}}}");
            let spec = format!("{{replicas: 2, template: {{metadata: {{labels: {labels}}}}}}}");
            writeln!(text, "- {{apiVersion: apps/v1, kind: Deployment, metadata: {place}, spec: {spec}}}")
                .unwrap();
        }
    }
    text
}

/// A VirtualService and a DestinationRule each.
fn routes(services: usize) -> String {
    let mut text = String::from("apiVersion: v1\nkind: List\nitems:\n");
    for number in 0..services {
        let place = format!("{{name: app-{number}, namespace: team}}");
        let to = |subset: &str| format!("{{destination: {{host: app-{number}, subset: {subset}}}}}");
        let gray = format!("{{match: [{{headers: {{tenant: {{exact: gray-v1}}}}}}], route: [{}]}}", to("v2"));
        let http = format!("[{gray}, {{route: [{}]}}]", to("v1"));
        writeln!(text, "- {{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {place}, spec: {{hosts: [app-{number}], http: {http}}}}}").unwrap();
        let subsets = "[{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]";
        writeln!(text, "- {{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {place}, spec: {{host: app-{number}, subsets: {subsets}}}}}").unwrap();
    }
    text
}

fn read(folder: &tempfile::TempDir, text: &str) -> (SourceFiles, Vec<import::Resource>) {
    let file: PathBuf = folder.path().join("all.yaml");
    std::fs::write(&file, text).unwrap();
    let (mut sources, mut findings) = (SourceFiles::default(), Findings::default());
    let found = import::read(&[file], &mut sources, &mut findings).unwrap();
    assert!(!findings.has_errors());
    (sources, found)
}

#[test]
fn init_is_linear() {
    let folder = tempfile::tempdir().unwrap();
    let time = |services: usize| {
        let text = cluster(services);
        best(|| {
            let (_, found) = read(&folder, &text);
            assert_eq!(found.len(), 3 * services);
            let (file, _) =
                import::init(&found, &Choices { default_tenant: "green".to_owned(), ..Choices::default() });
            assert_eq!(file.yaml().matches("baseline: stable").count(), services);
        })
    };
    grows_with(time(300), time(1200));
}

#[test]
fn import_is_linear() {
    let folder = tempfile::tempdir().unwrap();
    let time = |services: usize| {
        let text = routes(services);
        best(|| {
            let (sources, found) = read(&folder, &text);
            let imported = import::import(&Found::of(found), &Choices::default(), &sources).unwrap();
            assert!(imported.tried >= services && imported.text.is_some());
        })
    };
    grows_with(time(30), time(120));
}
