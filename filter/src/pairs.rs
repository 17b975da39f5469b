//! Header pairs as the host hands them over, walked in place.
//!
//! Encoding (proxy-wasm ABI 0.2.1, `proxy_get_header_map_pairs`): a count, then per pair the sizes of name and value,
//! all u32 little-endian; then per pair the name, a NUL, the value, a NUL.

/// A walk over the pairs. What does not fit the encoding ends it.
#[derive(Clone)]
pub struct Pairs<'a> {
    sizes: std::slice::Iter<'a, [u8; 8]>,
    text: &'a [u8],
}

impl<'a> Pairs<'a> {
    /// Over bytes from the host.
    pub fn new(bytes: &'a [u8]) -> Self {
        let split = bytes.split_at_checked(4).and_then(|(count, rest)| {
            let count = u32::from_le_bytes(count.try_into().ok()?);
            rest.split_at_checked(usize::try_from(count).ok()?.checked_mul(8)?)
        });
        let (sizes, text) = split.unwrap_or_default();
        Self { sizes: sizes.as_chunks::<8>().0.iter(), text }
    }

    // Called for each header; at the levels that keep the module small it would stay a call.
    #[inline(always)]
    fn take(&mut self, size: [u8; 4]) -> Option<&'a [u8]> {
        let size = usize::try_from(u32::from_le_bytes(size)).ok()?;
        let (text, rest) = self.text.split_at_checked(size)?;
        self.text = rest.get(1..)?;
        Some(text)
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    // Called for each header; at the levels that keep the module small it would stay a call.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let [a, b, c, d, e, f, g, h] = *self.sizes.next()?;
        let name = self.take([a, b, c, d])?;
        let value = self.take([e, f, g, h])?;
        Some((name, value))
    }
}

/// The encoding, of few and short pairs.
pub fn encode(pairs: &[(&str, &str)]) -> Vec<u8> {
    let le = |size: usize| u32::try_from(size).unwrap_or_default().to_le_bytes();
    let mut bytes = le(pairs.len()).to_vec();
    for size in pairs.iter().flat_map(|(name, value)| [name.len(), value.len()]) {
        bytes.extend(le(size));
    }
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_a_round_trip_and_broken_ones_end_the_walk() {
        let pairs = [("a", "1"), ("empty", ""), ("nul", "x\0y"), ("a", "2")];
        let bytes = encode(&pairs);
        let walked: Vec<_> = Pairs::new(&bytes).collect();
        assert_eq!(walked, pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        for length in 0..bytes.len() {
            assert!(Pairs::new(&bytes[..length]).count() < pairs.len(), "cut at {length}");
        }
        assert_eq!(Pairs::new(&[0xff; 64]).count(), 0);
    }
}
