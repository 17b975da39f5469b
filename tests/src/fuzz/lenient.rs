//! The most lenient reader of headers that there could be: what it does not find, no application finds.

/// A name as a forgetful server has it: everything but letters and digits is `_`.
#[must_use]
pub fn fold(name: &[u8]) -> Vec<u8> {
    let one = |byte: &u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'_' };
    name.iter().map(one).collect()
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let digits = if text[at] == b'%' { text.get(at + 1..at + 3) } else { None };
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                all.push(byte);
                at += 3;
            }
            None => {
                all.push(if text[at] == b'+' { b' ' } else { text[at] });
                at += 1;
            }
        }
    }
    all
}

/// What an SDK strips around a key: white space as Python has it, which knows more of it than anybody.
fn strip(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let blank = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c) || c == '\u{b}';
    text.trim_matches(blank).to_lowercase()
}

/// The values of a member of W3C Baggage, to readers that decode keys, and that write values out decoded for others to
/// read again.
#[must_use]
pub fn members(line: &[u8], wanted: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut text = line.to_vec();
    loop {
        for member in text.split(|byte| *byte == b',') {
            let Some(equals) = member.iter().position(|byte| *byte == b'=') else { continue };
            let (key, value) = (&member[..equals], &member[equals + 1..]);
            let key = key.split(|byte| *byte == b';').next_back().unwrap_or_default();
            if strip(&unescape(key)) == wanted || strip(key) == wanted {
                let value = value.split(|byte| *byte == b';').next().unwrap_or_default();
                found.push(value.trim_ascii().to_vec());
            }
        }
        let next = unescape(&text);
        if next == text {
            return found;
        }
        text = next;
    }
}

/// The same of SkyWalking's list.
#[must_use]
pub fn sw8_members(line: &[u8], wanted: &str) -> usize {
    let key = |member: &[u8]| {
        let key = member.split(|byte| *byte == b':').next().unwrap_or_default();
        decode(key).map(|key| strip(&key))
    };
    line.split(|byte| *byte == b',').filter(|member| key(member).is_some_and(|key| key == wanted)).count()
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = text.trim_ascii();
    let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'=').collect();
    let (mut bits, mut buffer, mut all) = (0u32, 0u32, Vec::new());
    for digit in text {
        let digit = match digit {
            b'-' => b'+',
            b'_' => b'/',
            digit => digit,
        };
        let value = DIGITS.iter().position(|known| *known == digit)? as u32;
        (buffer, bits) = ((buffer << 6 | value) & 0xff_ffff, bits + 6);
        if bits >= 8 {
            bits -= 8;
            all.push((buffer >> bits) as u8);
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_what_any_reader_finds() {
        for line in [
            "tenant=x",
            "a=1, %74ENANT =x",
            "+tenant=x",
            "tenant%1f=x",
            "%c2%a0tenant=x",
            "a=1%2Ctenant%3Dx",
            "a=1%252Ctenant%253Dx",
            "a;tenant=x",
        ] {
            assert_eq!(
                members(line.as_bytes(), "tenant").first().map(Vec::as_slice),
                Some(b"x".as_slice()),
                "{line}"
            );
        }
        assert!(members(b"tenants=x,a=tenant", "tenant").is_empty());
        assert_eq!(sw8_members(b"Zm9v:YmFy, VEVOQU5U:eA", "tenant"), 1);
        assert_eq!(fold(b"X.Graylane~Subset"), b"x_graylane_subset");
    }
}
