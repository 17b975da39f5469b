//! Base64, as tolerant as the most tolerant reader behind us: either alphabet (RFC 4648, sections 4 and 5), with or
//! without padding. Written here, since a general engine is 6 KB of WebAssembly.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn value(digit: u8) -> Option<u32> {
    Some(match digit {
        b'A'..=b'Z' => u32::from(digit - b'A'),
        b'a'..=b'z' => u32::from(digit - b'a') + 26,
        b'0'..=b'9' => u32::from(digit - b'0') + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// Decodes into `space`. None if it is not Base64, or does not fit.
#[must_use]
pub fn decode<'s>(text: &[u8], space: &'s mut [u8]) -> Option<&'s [u8]> {
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let text = text.strip_suffix(b"=").unwrap_or(text);
    if text.len() % 4 == 1 {
        return None;
    }
    let (mut length, mut bits, mut buffer) = (0, 0, 0u32);
    for digit in text {
        buffer = (buffer << 6) | value(*digit)?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            *space.get_mut(length)? = (buffer >> bits) as u8;
            length += 1;
        }
    }
    space.get(..length)
}

/// Encodes, in the standard alphabet and padded, behind what is there.
pub fn encode(bytes: &[u8], onto: &mut Vec<u8>) {
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0u32, |sum, byte| (sum << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = ALPHABET.get((group >> (18 - 6 * place)) as usize & 63).copied().unwrap_or(b'=');
            onto.push(if place > chunk.len() { b'=' } else { digit });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written_and_in_either_alphabet() {
        // RFC 4648, section 10.
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ] {
            let mut written = Vec::new();
            encode(plain.as_bytes(), &mut written);
            assert_eq!(written, coded.as_bytes());
            for text in [coded, coded.trim_end_matches('=')] {
                assert_eq!(decode(text.as_bytes(), &mut [0; 8]), Some(plain.as_bytes()), "{text}");
            }
        }
        assert_eq!(decode(b"_-8", &mut [0; 8]), decode(b"/+8", &mut [0; 8]));
        for bad in ["Z", "Zm9v!", "====", "Z===", "Zm9vYmFyZm9v"] {
            assert_eq!(decode(bad.as_bytes(), &mut [0; 8]), None, "{bad}");
        }
    }
}
