//! Sorted lists, each element once. A B-tree would do, at a kilobyte or two of WebAssembly for every type in one; these are
//! made when a configuration is read, and only searched after that.

/// Puts an element where it belongs; one that is there already stays.
pub fn insert<T: Ord>(list: &mut Vec<T>, element: T) {
    if let Err(place) = list.binary_search(&element) {
        list.insert(place, element);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_sorted_and_each_is_there_once() {
        let mut list = Vec::new();
        for element in [3, 1, 2, 3, 1] {
            insert(&mut list, element);
        }
        assert_eq!(list, [1, 2, 3]);
    }
}
