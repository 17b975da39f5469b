//! What holds for any bytes: the bodies of the fuzz targets (`make fuzz`), which `tests/fuzz.rs` runs for a while on stable.
//!
//! Built on `graylane-decide` and `graylane-serve` alone, so that the targets are quickly built. All of them look at the
//! headers as they are in the end, never at the decision alone, and read them with a second reader, the most lenient one
//! that there could be.

pub mod configuration;
pub mod edge;
pub mod gateway;
pub mod lenient;
pub mod memory;
pub mod parts;
pub mod sidecar;

use graylane_decide::{Plan, config, plan::Node};
use graylane_serve::in_memory::Lines;

/// A plan.
///
/// # Panics
/// When its configuration is not in order.
#[must_use]
pub fn plan(configuration: &[u8]) -> Plan {
    let config = config::parse(configuration).expect("the configuration is read");
    Plan::compile(&config, &Node { namespace: Some("shop".to_owned()), ..Node::default() })
        .expect("it compiles")
}

/// Lines `name: value` as headers; `*` before a value repeats it 70 times with commas.
#[must_use]
pub fn headers(data: &[u8]) -> Lines {
    let mut headers = Lines::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().skip(1).position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..=colon], &line[colon + 2..]);
        let value = match value.strip_prefix(b"*") {
            Some(value) => [&[value, b","].concat().repeat(70)[..], value].concat(),
            None => value.to_vec(),
        };
        headers.push((String::from_utf8_lossy(name).to_ascii_lowercase(), value));
    }
    headers
}
