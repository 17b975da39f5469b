//! Memory for what the host returns.
//!
//! The host asks for a place from within our calls to it, and writes there. Nearly always that is the header pairs of
//! a request, which are done with when the request is: they have one place of their own, so that a request that is
//! right already allocates nothing. Whatever comes while that is taken, or does not fit, is on the heap.

use std::alloc::{self, Layout};
use std::cell::{Cell, UnsafeCell};
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr;

/// Room for the pairs of most requests; 60 headers of an ordinary length are 5 KiB.
const ROOM: usize = 16 * 1024;

struct Place {
    taken: Cell<bool>,
    room: UnsafeCell<[u8; ROOM]>,
}

thread_local! {
    static PLACE: Place = const { Place { taken: Cell::new(false), room: UnsafeCell::new([0; ROOM]) } };
}

/// A place for `size` bytes, given away until [`Bytes::new`] takes it back. Null where there is none.
pub fn allocate(size: usize) -> *mut u8 {
    PLACE.with(|place| {
        if size <= ROOM && !place.taken.replace(true) {
            return place.room.get().cast();
        }
        match Layout::array::<u8>(size) {
            // SAFETY: the layout is not empty.
            Ok(layout) if size > 0 => unsafe { alloc::alloc(layout) },
            _ => ptr::null_mut(),
        }
    })
}

/// Bytes from the host.
pub struct Bytes {
    data: *mut u8,
    size: usize,
}

impl Bytes {
    /// None at all.
    pub const EMPTY: Self = Self { data: ptr::null_mut(), size: 0 };

    /// Takes them over.
    ///
    /// # Safety
    /// `data` came from [`allocate`] for `size` bytes, all of them written since, and is nobody else's.
    pub unsafe fn new(data: *mut u8, size: usize) -> Self {
        Self { data, size }
    }

    /// As a vector of their own; those on the heap stay where they are.
    pub fn into_vec(self) -> Vec<u8> {
        let is_place = PLACE.with(|place| self.data == place.room.get().cast());
        if is_place || self.data.is_null() {
            return self.to_vec();
        }
        let whole = ManuallyDrop::new(self);
        // SAFETY: by `new`: allocated with the layout that a vector of this capacity has, and all of it written.
        unsafe { Vec::from_raw_parts(whole.data, whole.size, whole.size) }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.data.is_null() {
            return &[];
        }
        // SAFETY: by `new`: valid, written, and borrowed for no longer than this lives.
        unsafe { std::slice::from_raw_parts(self.data, self.size) }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        PLACE.with(|place| {
            if self.data == place.room.get().cast() {
                place.taken.set(false);
            } else if let (false, Ok(layout)) = (self.data.is_null(), Layout::array::<u8>(self.size)) {
                // SAFETY: by `new`: allocated with this very layout.
                unsafe { alloc::dealloc(self.data, layout) };
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_returns(text: &[u8]) -> Bytes {
        let data = allocate(text.len());
        // SAFETY: as the host does it: so many bytes were asked for.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), data, text.len());
            Bytes::new(data, text.len())
        }
    }

    #[test]
    fn one_has_the_place_and_others_the_heap() {
        let first = host_returns(b"first");
        let second = host_returns(b"second");
        let large = host_returns(&[7; ROOM + 1]);
        assert_eq!((&*first, &*second), (&b"first"[..], &b"second"[..]));
        assert_eq!(large.len(), ROOM + 1);
        assert_ne!(first.data, second.data);
        let place = first.data;
        drop(first);
        assert_eq!(host_returns(&[1; ROOM]).data, place, "free again");
        let (at, second) = (second.data, second.into_vec());
        assert_eq!((second.as_ptr(), second.as_slice()), (at.cast_const(), &b"second"[..]), "not copied");
        assert_eq!(host_returns(b"third").into_vec(), b"third", "copied, and the place is free again");
        assert_eq!(host_returns(&[1; ROOM]).data, place);
        assert!(Bytes::EMPTY.is_empty());
    }
}
