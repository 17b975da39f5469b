//! A list that is nearly always short: the first ones stand in place, only more than that allocates.

/// Up to `N` elements in place, the rest on the heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<T, const N: usize> {
    first: [Option<T>; N],
    rest: Vec<T>,
}

impl<T: Copy, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Self { first: [None; N], rest: Vec::new() }
    }
}

impl<T: Copy, const N: usize> Few<T, N> {
    /// Puts one at the end.
    pub fn push(&mut self, element: T) {
        match self.first.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(element),
            None => self.rest.push(element),
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.first.iter().copied().flatten().chain(self.rest.iter().copied())
    }

    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.iter().all(Option::is_none)
    }
}

impl<T: Copy, const N: usize> FromIterator<T> for Few<T, N> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut few = Self::default();
        elements.into_iter().for_each(|element| few.push(element));
        few
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_beyond_the_places() {
        let few: Few<u32, 2> = (0..5).collect();
        assert_eq!(few.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert!(!few.is_empty());
        assert!(Few::<u32, 2>::default().is_empty());
    }
}
