//! Trace ids, in each notation that they travel in.

use crate::base64;

/// A trace id of 128 bits as 32 lowercase hex digits; those of 64 are padded with zeros, as W3C converters do. Its low half
/// is never 0: by that it is recognised, since libraries cut, pad or print in decimal what is above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId([u8; 32]);

impl TraceId {
    /// Its digits.
    #[must_use]
    pub fn hex(&self) -> &[u8] {
        &self.0
    }

    /// The digits of its low 64 bits.
    #[must_use]
    pub fn low(&self) -> &[u8] {
        self.0.get(16..).unwrap_or_default()
    }

    /// From up to 32 hex digits, in either case; fewer are padded.
    fn parse(hex: &[u8]) -> Option<Self> {
        let mut digits = [b'0'; 32];
        digits.get_mut(32usize.checked_sub(hex.len())?..)?.copy_from_slice(hex);
        digits.make_ascii_lowercase();
        let id = Self(digits);
        // All zeros is invalid in W3C Trace Context and means "none" in B3.
        (digits.iter().all(u8::is_ascii_hexdigit) && id.low().iter().any(|digit| *digit != b'0'))
            .then_some(id)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut digits = [b'0'; 32];
        for (digits, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
            *digits = [hex_digit(byte >> 4), hex_digit(byte & 0xf)];
        }
        Self::parse(&digits)
    }
}

fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

/// From `traceparent` (W3C Trace Context, section 3.2.2): `00-<32 hex>-<16 hex>-<2 hex>`. A newer version may
/// have more after a dash; version `ff` and uppercase digits are invalid.
#[must_use]
pub fn from_traceparent(value: &[u8]) -> Option<TraceId> {
    let (known, rest) = value.split_at_checked(55)?;
    let mut parts = known.split(|byte| *byte == b'-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lower_hex = |part: &[u8], length: usize| {
        part.len() == length && part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let shape = parts.next().is_none()
        && lower_hex(version, 2)
        && version != b"ff"
        && lower_hex(trace, 32)
        && lower_hex(parent, 16)
        && lower_hex(flags, 2)
        && parent.iter().any(|byte| *byte != b'0');
    let tail = if version == b"00" { rest.is_empty() } else { rest.first().is_none_or(|byte| *byte == b'-') };
    if shape && tail { TraceId::parse(trace) } else { None }
}

/// From `b3` (openzipkin/b3-propagation, single header): `<16 or 32 hex>-<16 hex>[-<sampled>[-<parent>]]`. A
/// lone sampling decision (`0`) has no id.
#[must_use]
pub fn from_b3(value: &[u8]) -> Option<TraceId> {
    let mut parts = value.split(|byte| *byte == b'-');
    let (trace, span) = (parts.next()?, parts.next()?);
    if span.len() != 16 || !span.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    from_b3_trace(trace)
}

/// From `x-b3-traceid`: 16 or 32 hex digits.
#[must_use]
pub fn from_b3_trace(value: &[u8]) -> Option<TraceId> {
    matches!(value.len(), 16 | 32).then(|| TraceId::parse(value))?
}

/// From `x-datadog-trace-id`: the low 64 bits, in decimal (Datadog's trace context propagation).
#[must_use]
pub fn from_datadog(value: &[u8]) -> Option<TraceId> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    let mut bytes = [0; 16];
    bytes.get_mut(8..)?.copy_from_slice(&number.to_be_bytes());
    TraceId::from_bytes(&bytes)
}

/// From `x-amzn-trace-id` (AWS X-Ray's tracing header): `Root=1-<8 hex>-<24 hex>` among other fields.
#[must_use]
pub fn from_xray(value: &[u8]) -> Option<TraceId> {
    let root = value.split(|byte| *byte == b';').find_map(|field| {
        let (key, root) = field.trim_ascii().split_at_checked(5)?;
        key.eq_ignore_ascii_case(b"root=").then_some(root)
    })?;
    let mut parts = root.split(|byte| *byte == b'-');
    let (version, time, unique) = (parts.next()?, parts.next()?, parts.next()?);
    let shape = version == b"1" && time.len() == 8 && unique.len() == 24 && parts.next().is_none();
    let mut digits = [0; 32];
    let (high, low) = digits.split_at_mut(8);
    if !shape {
        return None;
    }
    high.copy_from_slice(time);
    low.copy_from_slice(unique);
    TraceId::parse(&digits)
}

/// From `uber-trace-id` (Jaeger's propagation format): `<trace>:<span>:<parent>:<flags>`, up to 32 hex digits without
/// leading zeros; clients may write `%3A` for the colon.
#[must_use]
pub fn from_jaeger(value: &[u8]) -> Option<TraceId> {
    let end = value.iter().position(|byte| matches!(byte, b':' | b'%'))?;
    let (trace, rest) = value.split_at_checked(end)?;
    let colon =
        rest.starts_with(b":") || rest.get(..3).is_some_and(|escape| escape.eq_ignore_ascii_case(b"%3a"));
    (colon && !trace.is_empty()).then(|| TraceId::parse(trace))?
}

/// From `x-cloud-trace-context` (Google Cloud Trace): `<32 hex>[/<span>[;o=<options>]]`.
#[must_use]
pub fn from_cloud_trace(value: &[u8]) -> Option<TraceId> {
    let trace = value.split(|byte| *byte == b'/').next()?;
    (trace.len() == 32).then(|| TraceId::parse(trace))?
}

/// From `grpc-trace-bin` (OpenCensus' binary encoding, in Base64 as gRPC sends it): version 0, then field 0 with the 16
/// bytes of the trace id.
#[must_use]
pub fn from_grpc_trace_bin(value: &[u8]) -> Option<TraceId> {
    let mut space = [0; 96];
    let bytes = base64::decode(value, &mut space)?;
    let trace = bytes.strip_prefix(&[0, 0])?.get(..16)?;
    TraceId::from_bytes(trace)
}

#[cfg(test)]
mod tests;
