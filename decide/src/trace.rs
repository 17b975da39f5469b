//! The ids under which requests of one causal chain can be recognised: request id and trace id.

use crate::headers::Seen;

/// Longest request id that counts, in bytes. Longer ones are no ids but somebody's experiment.
const MAX_REQUEST_ID: usize = 256;

/// Length of a UUID in text.
const UUID: usize = 36;

/// Where Envoy writes the sampling decision into a UUID: `TRACE_BYTE_POSITION` in
/// `source/extensions/request_id/uuid/config.h`. Proxies on the way rewrite that digit.
const TRACE_DIGIT: usize = 14;

/// An `x-request-id`, without the digit that proxies rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestId<'a> {
    /// 36 bytes, the rewritten digit masked with `0`.
    Uuid([u8; UUID]),
    /// Anything else, as it came.
    Other(&'a [u8]),
}

impl<'a> RequestId<'a> {
    /// Reads a header's value. Empty ones and those over 256 bytes are none.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        if value.is_empty() || value.len() > MAX_REQUEST_ID {
            return None;
        }
        Some(match <[u8; UUID]>::try_from(value) {
            Ok(mut uuid) => {
                if let Some(digit) = uuid.get_mut(TRACE_DIGIT) {
                    *digit = b'0';
                }
                Self::Uuid(uuid)
            }
            Err(_) => Self::Other(value),
        })
    }

    /// Its bytes, for hashing.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Uuid(uuid) => uuid,
            Self::Other(value) => value,
        }
    }
}

/// A trace id of 128 bits as 32 lowercase hex digits; those of 64 (B3) are padded with zeros, as W3C converters do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId([u8; 32]);

impl TraceId {
    /// Its digits.
    #[must_use]
    pub fn hex(&self) -> &[u8] {
        &self.0
    }

    fn parse(hex: &[u8]) -> Option<Self> {
        let mut digits = [b'0'; 32];
        let place = match hex.len() {
            32 => digits.as_mut_slice(),
            16 => digits.get_mut(16..)?,
            _ => return None,
        };
        place.copy_from_slice(hex);
        place.make_ascii_lowercase();
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        // All zeros is invalid in W3C Trace Context and means "none" in B3.
        (is_hex && digits.iter().any(|digit| *digit != b'0')).then_some(Self(digits))
    }

    /// From `traceparent` (W3C Trace Context, section 3.2.2): `00-<32 hex>-<16 hex>-<2 hex>`. A newer version may
    /// have more after a dash; version `ff` and uppercase digits are invalid.
    #[must_use]
    pub fn from_traceparent(value: &[u8]) -> Option<Self> {
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
        let tail =
            if version == b"00" { rest.is_empty() } else { rest.first().is_none_or(|byte| *byte == b'-') };
        if shape && tail { Self::parse(trace) } else { None }
    }

    /// From `b3` (openzipkin/b3-propagation, single header): `<16 or 32 hex>-<16 hex>[-<sampled>[-<parent>]]`. A
    /// lone sampling decision (`0`) has no id.
    #[must_use]
    pub fn from_b3(value: &[u8]) -> Option<Self> {
        let mut parts = value.split(|byte| *byte == b'-');
        let (trace, span) = (parts.next()?, parts.next()?);
        if span.len() != 16 || !span.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        Self::parse(trace)
    }

    /// From `x-b3-traceid`: 16 or 32 hex digits.
    #[must_use]
    pub fn from_b3_trace(value: &[u8]) -> Option<Self> {
        Self::parse(value)
    }
}

/// The ids of one request. A header that came with several different values gives none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids<'a> {
    /// Of `x-request-id`.
    pub request: Option<RequestId<'a>>,
    /// Of `traceparent`, else `b3`, else `x-b3-traceid`.
    pub trace: Option<TraceId>,
}

impl<'a> Ids<'a> {
    /// Reads them.
    #[must_use]
    pub fn of(seen: &Seen<'a>) -> Self {
        let trace = |field: &crate::headers::Field<'a>, read: fn(&[u8]) -> Option<TraceId>| {
            field.one().and_then(read)
        };
        Self {
            request: seen.request_id.one().and_then(RequestId::parse),
            trace: trace(&seen.traceparent, TraceId::from_traceparent)
                .or_else(|| trace(&seen.b3, TraceId::from_b3))
                .or_else(|| trace(&seen.b3_trace, TraceId::from_b3_trace)),
        }
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.request.is_none() && self.trace.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    #[test]
    fn the_digit_that_proxies_rewrite_makes_no_difference() {
        let [a, b] = ["f5a1e0c3-0d5b-4a1e-9c56-0f3f7a6f2a11", "f5a1e0c3-0d5b-9a1e-9c56-0f3f7a6f2a11"]
            .map(|id| RequestId::parse(id.as_bytes()));
        assert!(a.is_some());
        assert_eq!(a, b);
        assert_eq!(RequestId::parse(b"order-17"), Some(RequestId::Other(b"order-17")));
        assert_eq!(RequestId::parse(b""), None);
        assert_eq!(RequestId::parse(&[b'x'; 257]), None);
    }

    #[test]
    fn traceparent_is_read_as_the_specification_says() {
        let good = [
            format!("00-{TRACE}-b7ad6b7169203331-01"),
            format!("cc-{TRACE}-b7ad6b7169203331-01-what-comes-later"),
            format!("01-{TRACE}-b7ad6b7169203331-00"),
        ];
        for value in good {
            let id = TraceId::from_traceparent(value.as_bytes());
            assert_eq!(id.as_ref().map(TraceId::hex), Some(TRACE.as_bytes()), "{value}");
        }
        let bad = [
            String::new(),
            "00".into(),
            format!("00-{TRACE}-b7ad6b7169203331"),
            format!("00-{TRACE}-b7ad6b7169203331-01-more"),
            format!("ff-{TRACE}-b7ad6b7169203331-01"),
            format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()),
            format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("01-{TRACE}-b7ad6b7169203331-01x"),
            format!("00-{}g-b7ad6b7169203331-01", &TRACE[1..]),
        ];
        for value in bad {
            assert_eq!(TraceId::from_traceparent(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn b3_comes_in_two_lengths_and_two_headers() {
        assert_eq!(
            TraceId::from_b3_trace(TRACE.to_uppercase().as_bytes()),
            TraceId::from_b3_trace(TRACE.as_bytes())
        );
        let long = TraceId::from_b3(format!("{TRACE}-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90").as_bytes());
        assert_eq!(long, TraceId::from_b3_trace(TRACE.as_bytes()));
        let short = TraceId::from_b3(b"e457b5a2e4d86bd1-e457b5a2e4d86bd1-d");
        assert_eq!(short.as_ref().map(TraceId::hex), Some(b"0000000000000000e457b5a2e4d86bd1".as_slice()));
        for bad in ["0", "", "e457b5a2e4d86bd1", "e457b5a2e4d86bd1-x", "0000000000000000-e457b5a2e4d86bd1-1"]
        {
            assert_eq!(TraceId::from_b3(bad.as_bytes()), None, "{bad}");
        }
    }
}
