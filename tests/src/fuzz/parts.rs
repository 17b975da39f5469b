//! The readers of parts, on any bytes.

use graylane_decide::carriers::list::List;
use graylane_decide::carriers::{Member, Write};
use graylane_decide::edge::{dfa::Dfa, facts, network, token};
use graylane_decide::ids::{RequestId, trace};
use graylane_decide::request::{authority, cluster::Cluster, cookie, field::Lines, query};
use graylane_decide::tenants::{Claim, Tenants};

/// Reads the bytes as everything that a request can carry.
///
/// # Panics
/// When anything does, or a list that was written does not say what was written.
pub fn parts(data: &[u8]) {
    let tenants = Tenants::new(&["gray-v1".to_owned(), "green".to_owned()], "green").expect("two tenants");
    let mut lines = Lines::default();
    data.split(|byte| *byte == b'\n').for_each(|line| lines.add(line));
    for list in [List::BAGGAGE, List::CORRELATION_CONTEXT, List::SW8_CORRELATION] {
        let _ = list.read(&tenants, b"tenant", &lines);
        let set = Write { tenant: Member::Set(b"gray-v1"), unit: Member::Set(b"00000000000000ff") };
        for write in [Write::default(), set] {
            let Some(value) = list.rewrite(b"tenant", &lines.all(), write) else { continue };
            let mut written = Lines::default();
            written.add(&value);
            let said = list.read(&tenants, b"tenant", &written);
            let wanted = tenants.find(b"gray-v1").map_or(Claim::Unknown, Claim::Known);
            // A list without room for ours only loses what it had.
            let right =
                said.tenant == Claim::Absent || (write.tenant != Member::Remove && said.tenant == wanted);
            assert!(right, "{said:?}");
        }
    }
    let _ = (cookie::first(&lines, b"lane-id", |_| true), cookie::field(&lines, b"a").value());
    let (host, _) = authority::split(data);
    for namespace in [None, Some(&b"shop"[..])] {
        if let Some(names) = authority::Names::of(host, b"cluster.local", namespace) {
            let _ = (names.service(), names.host());
        }
    }
    let _ = RequestId::parse(data).map(|id| id.with_bytes(<[u8]>::to_vec));
    let readers = [
        trace::from_traceparent,
        trace::from_b3,
        trace::from_b3_trace,
        trace::from_datadog,
        trace::from_xray,
        trace::from_jaeger,
        trace::from_cloud_trace,
        trace::from_grpc_trace_bin,
    ];
    for id in readers.iter().filter_map(|read| read(data)) {
        assert!(id.low().iter().any(|digit| *digit != b'0'));
    }
    query::with(data, b"try", |value| drop(format!("{value:?}")));
    if let Some(left) = query::without(data, b"try") {
        assert!(
            left.len() < data.len() && query::find(&left, b"try") == (None, false),
            "{}",
            left.escape_ascii()
        );
    }
    if let Some(said) = token::Said::read(data) {
        assert!(said.tenant.len() < data.len() && data.len() <= token::LONGEST, "{}", data.escape_ascii());
    }
    let _ = (Cluster::parse(data), network::address(data), network::without_port(data));
    let _ = (facts::any_of(Some(data), |_| false), facts::one(data));
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = network::Network::parse(text);
        if let Some((table, text)) = text.split_once('\n')
            && let Some(dfa) = Dfa::parse(table)
        {
            let _ = dfa.matches(text.as_bytes());
        }
    }
}
