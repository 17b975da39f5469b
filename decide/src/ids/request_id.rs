//! `x-request-id`, as it stays the same on its way.

use super::MAX_VALUE;

/// Length of a UUID in text.
const UUID: usize = 36;

/// Where Envoy writes the sampling decision into a UUID: `TRACE_BYTE_POSITION` in
/// `source/extensions/request_id/uuid/config.h`. Proxies on the way rewrite that digit.
const TRACE_DIGIT: usize = 14;

/// An `x-request-id`, without the digit that proxies rewrite and without the case of its hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestId<'a> {
    /// 36 bytes, lower case, the rewritten digit masked with `0`.
    Uuid([u8; UUID]),
    /// Anything else, as it came.
    Other(&'a [u8]),
}

impl<'a> RequestId<'a> {
    /// Reads a header's value. Empty ones, those over 256 bytes and lists are none.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        if value.is_empty() || value.len() > MAX_VALUE || value.contains(&b',') {
            return None;
        }
        Some(match <[u8; UUID]>::try_from(value) {
            Ok(mut uuid) => {
                if is_hex(&uuid) {
                    uuid.make_ascii_lowercase();
                }
                if let Some(digit) = uuid.get_mut(TRACE_DIGIT) {
                    *digit = b'0';
                }
                Self::Uuid(uuid)
            }
            Err(_) => Self::Other(value),
        })
    }

    /// Calls with its bytes, for hashing: hex digits in lower case, whatever case they came in.
    pub fn with_bytes<T>(&self, then: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Self::Uuid(uuid) => then(uuid),
            Self::Other(value) if is_hex(value) && value.iter().any(u8::is_ascii_uppercase) => {
                let mut space = [0; MAX_VALUE];
                let folded = space.get_mut(..value.len()).unwrap_or_default();
                folded.iter_mut().zip(*value).for_each(|(to, from)| *to = from.to_ascii_lowercase());
                then(folded)
            }
            Self::Other(value) => then(value),
        }
    }
}

fn is_hex(id: &[u8]) -> bool {
    id.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(id: &str) -> Option<Vec<u8>> {
        RequestId::parse(id.as_bytes()).map(|id| id.with_bytes(<[u8]>::to_vec))
    }

    #[test]
    fn the_digit_that_proxies_rewrite_makes_no_difference_nor_does_case_of_hex() {
        let same = [
            "f5a1e0c3-0d5b-4a1e-9c56-0f3f7a6f2a11",
            "f5a1e0c3-0d5b-9a1e-9c56-0f3f7a6f2a11",
            "F5A1E0C3-0D5B-4A1E-9C56-0F3F7A6F2A11",
        ];
        assert!(bytes(same[0]).is_some());
        assert!(same.iter().all(|id| bytes(id) == bytes(same[0])));
        assert_eq!(bytes("60E82827A270070CFBDA38C6F30F478A"), bytes("60e82827a270070cfbda38c6f30f478a"));
        assert_eq!(bytes("order-17").as_deref(), Some(b"order-17".as_slice()));
        assert_ne!(bytes("Order-17"), bytes("order-17"), "no hex: case may matter");
    }

    #[test]
    fn blank_lists_and_over_long_ones_are_none() {
        for none in ["", "a,b", &"x".repeat(257)] {
            assert_eq!(RequestId::parse(none.as_bytes()), None, "{none}");
        }
    }
}
