//! Slots in a host's shared data: copied out, changed, and written back if they have not changed in between.

use super::slot::{self, Bytes};
use super::{Saved, Store};

/// A compare-and-set number that no stored value ever has: Envoy counts up from 1, so writing with it stores only
/// where there is nothing yet (`SharedData::set` in proxy-wasm-cpp-host/src/shared_data.cc).
pub const IF_ABSENT: u32 = u32::MAX;

/// How often a write is tried again that another worker came in between.
const TRIES: u32 = 3;

/// Shared data with compare-and-set numbers.
pub trait SharedData {
    /// The value of a slot and its compare-and-set number.
    fn load(&mut self, slot: u32) -> Option<(Vec<u8>, u32)>;
    /// Writes a slot if its number is still `cas`; [`IF_ABSENT`]: if there is none.
    fn save(&mut self, slot: u32, value: &[u8], cas: u32) -> Write;
}

/// How one write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// It is stored.
    Done,
    /// Somebody else wrote in between.
    Changed,
    /// The host would not.
    Refused,
}

/// A [`Store`] over shared data.
#[derive(Debug, Default)]
pub struct ByCas<S>(pub S);

impl<S: SharedData> Store for ByCas<S> {
    fn look<T>(&mut self, slot: u32, look: impl FnOnce(&Bytes) -> T) -> Option<T> {
        let (value, _) = self.0.load(slot)?;
        match <&Bytes>::try_from(value.as_slice()) {
            Ok(bytes) => Some(look(bytes)),
            Err(_) => Some(look(&slot::EMPTY)),
        }
    }

    fn change(&mut self, slot: u32, mut change: impl FnMut(&mut Bytes) -> bool) -> Saved {
        for _ in 0..TRIES {
            let (mut bytes, cas) = match self.0.load(slot) {
                Some((value, cas)) => (slot::of(&value), cas),
                None => (slot::EMPTY, IF_ABSENT),
            };
            if !change(&mut bytes) {
                return Saved::Yes;
            }
            match self.0.save(slot, &bytes, cas) {
                Write::Done => return Saved::Yes,
                Write::Changed => {}
                Write::Refused => return Saved::Failed,
            }
        }
        Saved::Failed
    }
}
