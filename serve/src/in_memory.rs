//! A host without a proxy: headers, memory and clock in plain values.

use std::collections::BTreeMap;
use std::rc::Rc;

use graylane_decide::Plan;
use graylane_decide::memory::slot::{Bytes, EMPTY};
use graylane_decide::memory::{Memory, Saved, Store};
use graylane_decide::why::Rejection;

use crate::host::{Count, Headers, Host};

/// Header lines: names in lower case, values.
pub type Lines = Vec<(String, Vec<u8>)>;

/// The lines of a request, borrowed.
pub struct Borrowed(Rc<Lines>);

impl Headers for Borrowed {
    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.0.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()))
    }
}

/// The memory's slots, in a map.
#[derive(Clone, Debug, Default)]
pub struct Slots(BTreeMap<u32, Bytes>);

impl Store for Slots {
    fn look<T>(&mut self, slot: u32, look: impl FnOnce(&Bytes) -> T) -> Option<T> {
        self.0.get(&slot).map(look)
    }

    fn change(&mut self, slot: u32, mut change: impl FnMut(&mut Bytes) -> bool) -> Saved {
        change(self.0.entry(slot).or_insert(EMPTY));
        Saved::Yes
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Requests.
    pub requests: u32,
    /// Rejections, carried out or not.
    pub rejected: u32,
    /// Conflicts.
    pub conflicts: u32,
    /// Requests that kept what enforcing would have taken off.
    pub would_remove: u32,
    /// Live entries of the memory that made room.
    pub evicted: u32,
    /// Ids that could not be remembered.
    pub lost: u32,
}

/// What a pod's proxy keeps from one request to the next.
#[derive(Debug)]
pub struct Pod {
    memory: Memory,
    slots: Slots,
}

impl Pod {
    /// With the secret of its process.
    #[must_use]
    pub fn new(secret: u64) -> Self {
        Self { memory: Memory::new(secret), slots: Slots::default() }
    }
}

/// One request in a pod's proxy.
pub struct InMemory<'p> {
    pod: &'p mut Pod,
    lines: Rc<Lines>,
    /// Its trailers.
    pub trailers: Lines,
    /// The time, in milliseconds since 1970.
    pub now: u64,
    /// The cluster that the route leads to.
    pub cluster: Option<String>,
    /// The name of the route.
    pub route: Option<String>,
    /// The port that it was sent to.
    pub port: Option<u16>,
    /// Properties by their paths, whose steps are joined by NUL.
    pub properties: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What its random bits are.
    pub random: Option<u64>,
    /// Filter state that was written.
    pub state: BTreeMap<&'static str, String>,
    /// What was counted.
    pub counted: Counted,
    /// The answer that was given here.
    pub reply: Option<Rejection>,
}

impl<'p> InMemory<'p> {
    /// A request with these header lines.
    #[must_use]
    pub fn new(pod: &'p mut Pod, lines: Lines) -> Self {
        Self {
            pod,
            lines: Rc::new(lines),
            trailers: Lines::new(),
            now: 0,
            cluster: None,
            route: None,
            port: None,
            properties: BTreeMap::new(),
            random: None,
            state: BTreeMap::new(),
            counted: Counted::default(),
            reply: None,
        }
    }

    /// Its header lines, as they are by now.
    #[must_use]
    pub fn into_lines(self) -> Lines {
        Rc::unwrap_or_clone(self.lines)
    }
}

impl Host for InMemory<'_> {
    type Headers = Borrowed;
    type Store = Slots;
    type Counters = ();

    fn headers(&mut self) -> Option<Borrowed> {
        Some(Borrowed(Rc::clone(&self.lines)))
    }

    fn trailers(&mut self) -> Option<Borrowed> {
        Some(Borrowed(Rc::new(self.trailers.clone())))
    }

    fn set_header(&mut self, name: &[u8], value: &[u8]) {
        self.remove_header(name);
        let name = String::from_utf8_lossy(name).into_owned();
        Rc::make_mut(&mut self.lines).push((name, value.to_vec()));
    }

    fn remove_header(&mut self, name: &[u8]) {
        Rc::make_mut(&mut self.lines).retain(|(is, _)| is.as_bytes() != name);
    }

    fn remove_trailer(&mut self, name: &[u8]) {
        self.trailers.retain(|(is, _)| is.as_bytes() != name);
    }

    fn reply(&mut self, rejection: Rejection) -> bool {
        self.reply = Some(rejection);
        true
    }

    fn set_state(&mut self, name: &'static str, value: &str) {
        self.state.insert(name, value.to_owned());
    }

    fn count(&mut self, _: &Plan, (): &(), count: Count<'_>) {
        match count {
            Count::Request(_) => self.counted.requests += 1,
            Count::Rejected(_) => self.counted.rejected += 1,
            Count::Conflict(_) => self.counted.conflicts += 1,
            Count::WouldRemove => self.counted.would_remove += 1,
            Count::Evicted(by) => self.counted.evicted += by,
            Count::Lost(by) => self.counted.lost += by,
        }
    }

    fn now(&mut self) -> Option<u64> {
        Some(self.now)
    }

    fn with_memory<T>(&mut self, use_it: impl FnOnce(&mut Memory, &mut Slots) -> T) -> T {
        use_it(&mut self.pod.memory, &mut self.pod.slots)
    }

    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        self.properties.get(path).cloned()
    }

    fn random(&mut self) -> Option<u64> {
        self.random
    }

    fn cluster_name(&mut self) -> Option<Vec<u8>> {
        self.cluster.clone().map(String::into_bytes)
    }

    fn route_name(&mut self) -> Option<Vec<u8>> {
        self.route.clone().map(String::into_bytes)
    }

    fn port(&mut self) -> Option<u16> {
        self.port
    }
}
