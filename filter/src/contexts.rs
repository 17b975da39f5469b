//! Which plan a stream runs with: the plugins of this VM, and the streams that have just begun.
//!
//! Envoy tells of a stream and hands over its headers at once (`Context::decodeHeaders` in
//! source/extensions/common/wasm/context.cc), so a few places are enough, each overwritten by a later stream. Nothing
//! has to be told when a stream ends; a plugin that is gone is noticed when the next one is configured.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::envoy::Active;

/// How many streams may begin before the first of them hands over its headers.
const STREAMS: usize = 64;

struct Contexts {
    /// Plugins by the ids of their root contexts; a handful.
    roots: RefCell<Vec<(u32, Arc<Active>)>>,
    /// Streams and their roots, each in the place of its id.
    streams: [Cell<(u32, u32)>; STREAMS],
}

thread_local! {
    static CONTEXTS: Contexts = const {
        Contexts { roots: RefCell::new(Vec::new()), streams: [const { Cell::new((0, 0)) }; STREAMS] }
    };
}

/// A stream of a plugin begins.
pub fn opened(stream: u32, root: u32) {
    CONTEXTS.with(|contexts| {
        if let Some(place) = contexts.streams.get(stream as usize % STREAMS) {
            place.set((stream, root));
        }
    });
}

/// A plugin runs with this from now on. It never keeps the direction: newer Envoys share one root context between both.
pub fn configured(root: u32, active: Arc<Active>) {
    CONTEXTS.with(|contexts| {
        let mut roots = contexts.roots.borrow_mut();
        match roots.iter_mut().find(|(id, _)| *id == root) {
            Some((_, known)) => *known = active,
            None => roots.push((root, active)),
        }
    });
}

/// Forgets the plugins that are gone.
pub fn keep_living(is_alive: impl Fn(u32) -> bool) {
    CONTEXTS.with(|contexts| contexts.roots.borrow_mut().retain(|(id, _)| is_alive(*id)));
}

/// What a stream runs with. Envoy configures before it sends requests, and tells of a stream before it sends headers;
/// of a host that does not, a request passes untouched, unless a gateway is among the plugins: that never opens.
pub fn of_stream(stream: u32) -> Option<Arc<Active>> {
    CONTEXTS.with(|contexts| {
        let roots = contexts.roots.borrow();
        let begun = contexts.streams.get(stream as usize % STREAMS).map(Cell::get);
        let root = begun.filter(|(id, _)| *id == stream).map(|(_, root)| root);
        match root.and_then(|root| roots.iter().find(|(id, _)| *id == root)) {
            Some((_, active)) => Some(Arc::clone(active)),
            None => roots.iter().find_map(|(_, active)| active.closed()),
        }
    })
}

// The layer over all hosts shares plans among threads; this VM has one.
#[cfg(test)]
#[expect(clippy::arc_with_non_send_sync)]
mod tests {
    use graylane_decide::Sanitiser;

    use super::*;

    fn is_open(active: Option<Arc<Active>>) -> Option<bool> {
        active.map(|active| matches!(*active, Active::Open))
    }

    #[test]
    fn streams_find_their_plugin_and_dead_plugins_go() {
        configured(1, Arc::new(Active::Open));
        opened(7, 1);
        assert_eq!(is_open(of_stream(7)), Some(true));
        for stranger in [0, 1, 8, 7 + 64, u32::MAX] {
            assert_eq!(is_open(of_stream(stranger)), None, "{stranger}");
        }
        // A gateway takes what nobody told of.
        configured(2, Arc::new(Active::Closed(Sanitiser::new("tenant", &[]))));
        opened(8, 2);
        for stream in [8, 0, 9, u32::MAX] {
            assert_eq!(is_open(of_stream(stream)), Some(false), "{stream}");
        }
        assert_eq!(is_open(of_stream(7)), Some(true));
        // Later streams take the places of earlier ones.
        opened(7 + 64, 1);
        assert_eq!(is_open(of_stream(7)), Some(false));
        assert_eq!(is_open(of_stream(7 + 64)), Some(true));
        keep_living(|root| root == 2);
        assert_eq!(is_open(of_stream(7 + 64)), Some(false));
    }
}
