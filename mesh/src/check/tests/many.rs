//! Many mistakes at once.

use super::findings;

/// Four times as many mistakes take four times as long, not sixteen times.
#[test]
#[allow(clippy::disallowed_types, reason = "a test may look at the clock")]
fn many_mistakes_are_found_in_time() {
    let head = "version: 1\nmesh: {name: shop, namespace: shop}\n";
    let many = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let service = |host: &str, version: usize, pins: &str| {
        format!("{{subsets: {{stable: {{version: v{version}}}}}, baseline: stable, host: {host}{pins}}}\n")
    };
    let unknown_keys = |count| format!("version: 1\n{}", many(count, &|n| format!("k{n}: 1\n")));
    let one_host = |count| {
        let services = many(count, &|n| format!("  s{n}: {}", service("a.b.c", n, "")));
        format!("{head}tenants: {{green: {{default: true}}, gray-v1: {{}}}}\nservices:\n{services}")
    };
    let unknown_tenants = |count| {
        let tenants = many(count, &|n| format!("  t{n}: {{}}\n"));
        let pin = |n: usize| service(&format!("h{n}.b.c"), 1, &format!(", pins: {{t{n}x: stable}}"));
        let services = many(count, &|n| format!("  s{n}: {}", pin(n)));
        format!("{head}tenants:\n  green: {{default: true}}\n{tenants}services:\n{services}")
    };
    let texts: [&dyn Fn(usize) -> String; 3] = [&unknown_keys, &one_host, &unknown_tenants];
    for text in texts {
        let took = |count: usize| {
            let text = text(count);
            let begin = std::time::Instant::now();
            assert!(findings(&text).len() >= count - 1);
            begin.elapsed().as_secs_f64()
        };
        // The best of some: others work on this machine as well.
        let grows: Vec<f64> = (0..4).map(|_| took(2000) / took(500)).collect();
        assert!(grows.iter().any(|grows| *grows < 9.0), "{grows:?}");
    }
}
