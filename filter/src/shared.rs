//! The memory in the host's shared data, and the secret that all VMs of the process agree on.

use graylane_decide::memory::cas::{self, IF_ABSENT, Write};
use graylane_decide::memory::{Memory, SECRET_KEY};

use crate::host;

/// The slots, under keys `graylane/0` to `graylane/8191`.
pub struct SharedData {
    /// Whether nothing may be written.
    pub read_only: bool,
}

/// A slot's key, written without allocating.
struct Key {
    text: [u8; 9 + 10],
    length: usize,
}

impl Key {
    fn of(slot: u32) -> Self {
        let mut key = Self { text: *b"graylane/0000000000", length: 9 };
        let digits = slot.checked_ilog10().unwrap_or(0) as usize + 1;
        key.length += digits;
        let mut rest = slot;
        for place in key.text.iter_mut().skip(9).take(digits).rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        key
    }

    fn bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }
}

impl cas::SharedData for SharedData {
    fn load(&mut self, slot: u32) -> Option<(Vec<u8>, u32)> {
        host::shared_data(Key::of(slot).bytes())
    }

    fn save(&mut self, slot: u32, value: &[u8], cas: u32) -> Write {
        if self.read_only {
            return Write::Refused;
        }
        host::set_shared_data(Key::of(slot).bytes(), value, cas)
    }
}

/// The memory, seeded with the secret of this process: the first VM makes it, the others find it.
pub fn memory() -> Memory {
    let key = SECRET_KEY.as_bytes();
    let known = || host::shared_data(key).map(|(value, cas)| (<[u8; 8]>::try_from(value).ok(), cas));
    let cas = match known() {
        Some((Some(secret), _)) => return Memory::new(u64::from_le_bytes(secret)),
        // Somebody else's bytes under our key.
        Some((None, cas)) => cas,
        None => IF_ABSENT,
    };
    // Without randomness a client who knows that could aim at one slot: lost entries, never wrong ones.
    let made = host::random().unwrap_or_default();
    let secret = match host::set_shared_data(key, &made.to_le_bytes(), cas) {
        Write::Done => made,
        Write::Changed | Write::Refused => match known() {
            Some((Some(secret), _)) => u64::from_le_bytes(secret),
            _ => made,
        },
    };
    Memory::new(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_plain_decimals() {
        for (slot, key) in
            [(0, "graylane/0"), (9, "graylane/9"), (10, "graylane/10"), (8191, "graylane/8191")]
        {
            assert_eq!(Key::of(slot).bytes(), key.as_bytes());
        }
        assert_eq!(Key::of(u32::MAX).bytes(), b"graylane/4294967295");
    }
}
