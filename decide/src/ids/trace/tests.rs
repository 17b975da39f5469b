use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn hex(id: Option<TraceId>) -> Option<String> {
    id.map(|id| String::from_utf8(id.hex().to_vec()).unwrap())
}

#[test]
fn traceparent_is_read_as_the_specification_says() {
    let good = [
        format!("00-{TRACE}-b7ad6b7169203331-01"),
        format!("cc-{TRACE}-b7ad6b7169203331-01-what-comes-later"),
        format!("01-{TRACE}-b7ad6b7169203331-00"),
    ];
    for value in good {
        assert_eq!(hex(from_traceparent(value.as_bytes())).as_deref(), Some(TRACE), "{value}");
    }
    let bad = [
        String::new(),
        "00".into(),
        format!("00-{TRACE}-b7ad6b7169203331"),
        format!("00-{TRACE}-b7ad6b7169203331-01-more"),
        format!("ff-{TRACE}-b7ad6b7169203331-01"),
        format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()),
        format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
        format!("00-{}{}-b7ad6b7169203331-01", &TRACE[..16], "0".repeat(16)),
        format!("00-{TRACE}-0000000000000000-01"),
        format!("01-{TRACE}-b7ad6b7169203331-01x"),
        format!("00-{}g-b7ad6b7169203331-01", &TRACE[1..]),
    ];
    for value in bad {
        assert_eq!(from_traceparent(value.as_bytes()), None, "{value}");
    }
}

#[test]
fn b3_comes_in_two_lengths_and_two_headers() {
    assert_eq!(from_b3_trace(TRACE.to_uppercase().as_bytes()), from_b3_trace(TRACE.as_bytes()));
    let long = from_b3(format!("{TRACE}-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90").as_bytes());
    assert_eq!(long, from_b3_trace(TRACE.as_bytes()));
    let short = from_b3(b"e457b5a2e4d86bd1-e457b5a2e4d86bd1-d");
    assert_eq!(hex(short).as_deref(), Some("0000000000000000e457b5a2e4d86bd1"));
    for bad in ["0", "", "e457b5a2e4d86bd1", "e457b5a2e4d86bd1-x", "0000000000000000-e457b5a2e4d86bd1-1"] {
        assert_eq!(from_b3(bad.as_bytes()), None, "{bad}");
    }
    assert_eq!(from_b3_trace(b"e457b5a2e4d86bd"), None, "15 digits");
}

#[test]
fn every_notation_of_a_trace_has_the_same_low_half() {
    let low = "8448eb211c80319c";
    let decimal = u64::from_str_radix(low, 16).unwrap().to_string();
    let (time, unique) = TRACE.split_at(8);
    // Version, field 0 with the trace id, field 1 with a span id, field 2 with the options.
    let bytes = "AAAK92UZFs1D3YRI6yEcgDGcAQAAAAAAAAABAgE=";
    let ids = [
        from_datadog(decimal.as_bytes()),
        from_xray(
            format!("Self=1-67891234-12456789abcdef0123456789;Root=1-{time}-{unique};Sampled=1").as_bytes(),
        ),
        from_jaeger(b"8448eb211c80319c:e457b5a2e4d86bd1:0:1"),
        from_jaeger(format!("{TRACE}%3Ae457b5a2e4d86bd1%3A0%3A1").as_bytes()),
        from_cloud_trace(format!("{TRACE}/2484300497362979552;o=1").as_bytes()),
        from_cloud_trace(TRACE.as_bytes()),
        from_grpc_trace_bin(bytes.as_bytes()),
        from_grpc_trace_bin(bytes.trim_end_matches('=').as_bytes()),
    ];
    for (index, id) in ids.iter().enumerate() {
        assert_eq!(id.as_ref().map(TraceId::low), Some(low.as_bytes()), "{index}");
    }
}

#[test]
fn an_invalid_trace_id_is_ignored() {
    for bad in ["", "0", "-1", "+7", "1.5", "7,7", "18446744073709551616", "x"] {
        assert_eq!(from_datadog(bad.as_bytes()), None, "{bad}");
    }
    for bad in [
        "",
        "Root=",
        "Root=1-5f97d990",
        "Root=2-5f97d990-6daf0ed27c296cad5e916f6c",
        "Root=1-5f97d99-6daf0ed27c296cad5e916f6c0",
    ] {
        assert_eq!(from_xray(bad.as_bytes()), None, "{bad}");
    }
    for bad in ["", ":1:0:1", "0:1:0:1", "5e3ac9a4f6e3b90", "xyz:1:0:1", &"f".repeat(33)] {
        assert_eq!(from_jaeger(bad.as_bytes()), None, "{bad}");
    }
    for bad in ["", "/1", "364625488d08b4a2/1"] {
        assert_eq!(from_cloud_trace(bad.as_bytes()), None, "{bad}");
    }
    for bad in ["", "AAAA", "AQAK92UZFs1D3YRI6yEcgDGcAQAAAAAAAAABAgE=", "not base64!", &"A".repeat(400)] {
        assert_eq!(from_grpc_trace_bin(bad.as_bytes()), None, "{bad}");
    }
}
