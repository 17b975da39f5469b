//! Any bytes as a configuration: read, compiled, and one request decided by what comes out, or by what is left without.

use graylane_decide::{Role, config};
use graylane_serve::in_memory::{InMemory, Lines, Pod};
use graylane_serve::{LastGood, Level, Setup};

struct Proxy(Role);

impl Setup for Proxy {
    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        match path {
            b"plugin_root_id" => Some(self.0.name().as_bytes().to_vec()),
            b"xds\0node\0id" => Some(b"sidecar~127.0.0.1~pod.shop~shop.svc".to_vec()),
            _ => None,
        }
    }

    fn environment(&mut self, _: &str) -> Option<String> {
        None
    }

    fn log(&mut self, _: Level, _: &str) {}

    fn show_configuration(&mut self, _: Role, _: bool, _: u64) {}
}

/// Loads the bytes for every role, and sends a request.
///
/// # Panics
/// When anything does, when a document is not written as it was read, or a gateway opens.
pub fn configuration(data: &[u8]) {
    if let Ok(read) = config::parse(data) {
        let text = serde_json::to_string(&read).expect("plain types");
        assert_eq!(config::parse(text.as_bytes()).as_ref(), Ok(&read), "{text}");
    }
    for role in Role::ALL {
        let active = LastGood::<()>::new().load(data, &mut Proxy(role));
        let line = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let lines: Lines = vec![
            line(":authority", "api.shop:8080"),
            line(":path", "/a?b=c"),
            line("x-graylane-other", "forged"),
            line("baggage", "tenant=gray-v1,graylane-unit=00000000000000ff"),
            line("cookie", "lane-id=a"),
            line("x-request-id", "r"),
        ];
        let mut pod = Pod::new(7);
        let mut host = InMemory::new(&mut pod, lines.clone());
        host.trailers = lines;
        graylane_serve::trailers(&active, &mut host);
        graylane_serve::handle(&active, &mut host);
        let after = host.into_lines();
        assert!(role != Role::Gateway || after.iter().all(|(name, _)| name != "x-graylane-other"));
    }
}
