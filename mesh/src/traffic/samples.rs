//! Requests worth trying: made of the literals of the rules, one condition at a time, two rules at a time, and at random.

use std::collections::{BTreeMap, BTreeSet};

use super::matches::Match;
use super::request::{MESH, Request};
use super::text::Text;
use super::world::Rules;

/// How many random ones there are for each host.
const RANDOM: usize = 100;
/// How many pairs of rules are tried for each host.
const PAIRS: usize = 1500;

/// What the rules of a host talk about.
#[derive(Default)]
struct Words {
    paths: BTreeSet<String>,
    headers: BTreeMap<String, BTreeSet<String>>,
    query: BTreeMap<String, BTreeSet<String>>,
    methods: BTreeSet<String>,
    ports: BTreeSet<u16>,
    labels: BTreeSet<BTreeMap<String, String>>,
    namespaces: BTreeSet<String>,
}

impl Words {
    fn of(matches: &[&Match]) -> Self {
        let mut words = Self::default();
        words.paths.extend(["/", "/zzz"].map(ToOwned::to_owned));
        words.methods.extend(["GET", "POST"].map(ToOwned::to_owned));
        words.ports.insert(80);
        words.namespaces.extend(["default", "elsewhere"].map(ToOwned::to_owned));
        for one in matches {
            words.add(one);
        }
        words
    }

    fn add(&mut self, one: &Match) {
        if let Some(uri) = one.uri() {
            for text in uri.samples() {
                if let Text::Exact(text) | Text::Prefix(text) = uri {
                    let bare = text.trim_end_matches('/');
                    let near = [format!("{text}x"), format!("{bare}/more"), bare.to_owned()];
                    self.paths.extend(near.into_iter().filter(|path| path.starts_with('/')));
                }
                if one.folds() {
                    self.paths.insert(text.to_uppercase());
                }
                self.paths.insert(text);
            }
        }
        for (name, text) in one.all_headers() {
            let values =
                self.headers.entry(name.clone()).or_insert_with(|| BTreeSet::from(["other".to_owned()]));
            values.extend(text.samples());
        }
        for (name, text) in one.query() {
            let values =
                self.query.entry(name.clone()).or_insert_with(|| BTreeSet::from(["other".to_owned()]));
            values.extend(text.samples());
        }
        self.methods.extend(one.method().map(Text::samples).into_iter().flatten());
        self.ports.extend(one.port().into_iter().flat_map(|port| [port, port.wrapping_add(1)]));
        if !one.labels().is_empty() {
            self.labels.insert(one.labels().clone());
        }
        self.namespaces.extend(one.namespace().map(ToOwned::to_owned));
    }
}

/// Requests to a host at a place, for the rules that it has in two worlds.
#[must_use]
pub fn requests(place: &str, host: &str, rules: [Option<&Rules<'_>>; 2]) -> BTreeSet<Request> {
    let matches: Vec<&Match> = rules.into_iter().flatten().flatten().filter_map(|(_, one)| *one).collect();
    let words = Words::of(&matches);
    let plain = Request::new(place, host);
    let mut all = BTreeSet::new();
    single(&plain, &words, &mut all);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    together(&plain, &matches, &mut random, &mut all);
    for rules in rules.into_iter().flatten() {
        past(&plain, rules, &mut all);
    }
    mixed(&plain, &words, &mut random, &mut all);
    all
}

/// Every path, alone and with one more thing each.
fn single(plain: &Request, words: &Words, all: &mut BTreeSet<Request>) {
    let with = |change: &dyn Fn(&mut Request)| {
        let mut request = plain.clone();
        change(&mut request);
        request
    };
    for path in &words.paths {
        let at = |change: &dyn Fn(&mut Request)| {
            with(&|request| {
                request.path.clone_from(path);
                change(request);
            })
        };
        all.insert(at(&|_| {}));
        for (name, values) in &words.headers {
            all.extend(values.iter().map(|value| {
                at(&|request| {
                    request.headers.insert(name.clone(), value.clone());
                })
            }));
        }
        all.extend(words.ports.iter().map(|port| at(&|request| request.port = *port)));
    }
    for (name, values) in &words.query {
        all.extend(values.iter().map(|value| {
            with(&|request| {
                request.query.insert(name.clone(), value.clone());
            })
        }));
    }
    all.extend(words.methods.iter().map(|method| with(&|request| request.method.clone_from(method))));
    all.insert(with(&|request| request.scheme = "https".to_owned()));
    if plain.place == MESH {
        all.extend(words.labels.iter().map(|labels| with(&|request| request.labels.clone_from(labels))));
        all.extend(words.namespaces.iter().map(|name| with(&|request| request.namespace.clone_from(name))));
    }
}

/// What each match wants, and what each two of them want.
fn together(plain: &Request, matches: &[&Match], random: &mut Random, all: &mut BTreeSet<Request>) {
    for one in matches {
        for choice in 0..3 {
            let mut request = plain.clone();
            one.apply(&mut request, &mut |count| choice.min(count - 1));
            for without in request.headers.keys().cloned().collect::<Vec<_>>() {
                let mut less = request.clone();
                less.headers.remove(&without);
                all.insert(less.clone());
                less.headers.insert(without, "other".to_owned());
                all.insert(less);
            }
            let near = [format!("{}x", request.path), format!("{}/more", request.path.trim_end_matches('/'))];
            all.extend(near.into_iter().map(|path| Request { path, ..request.clone() }));
            all.insert(Request { port: request.port.wrapping_add(1), ..request.clone() });
            all.insert(request);
        }
    }
    let pairs = matches.len() * matches.len();
    let mut pair = |first: &Match, second: &Match| {
        let mut request = plain.clone();
        first.apply(&mut request, &mut |count| random.below(count));
        second.apply(&mut request, &mut |count| random.below(count));
        all.insert(request);
    };
    if pairs <= PAIRS {
        for first in matches {
            matches.iter().for_each(|second| pair(first, second));
        }
        return;
    }
    let mut place = Random(pairs as u64);
    for _ in 0..PAIRS {
        pair(matches[place.below(matches.len())], matches[place.below(matches.len())]);
    }
}

/// For each rule, requests that get past all rules before it.
fn past(plain: &Request, rules: &Rules<'_>, all: &mut BTreeSet<Request>) {
    for (index, (_, one)) in rules.iter().enumerate() {
        for choice in 0..3 {
            let mut request = plain.clone();
            if let Some(one) = one {
                one.apply(&mut request, &mut |count| choice.min(count - 1));
            }
            let fits = |request: &Request| one.is_none_or(|one| one.holds(request));
            let before = |request: &Request| {
                rules[..index]
                    .iter()
                    .position(|(_, earlier)| earlier.is_none_or(|earlier| earlier.holds(request)))
            };
            // Each turn gets past the first rule that is in the way.
            for _ in 0..=index {
                let Some(place) = before(&request) else { break };
                let Some(earlier) = rules[place].1 else { break };
                let further = earlier.broken(&request).into_iter().filter(|other| fits(other));
                let further = further.max_by_key(|other| before(other).unwrap_or(usize::MAX));
                let Some(further) = further.filter(|other| before(other).is_none_or(|next| next > place))
                else {
                    break;
                };
                request = further;
            }
            all.insert(request);
        }
    }
}

/// Anything with anything.
fn mixed(plain: &Request, words: &Words, random: &mut Random, all: &mut BTreeSet<Request>) {
    for _ in 0..RANDOM {
        let mut request = plain.clone();
        request.path = random.one(&words.paths).unwrap_or_default();
        request.method = random.one(&words.methods).unwrap_or_default();
        request.port = random.one(&words.ports).unwrap_or(80);
        for (from, to) in [(&words.headers, &mut request.headers), (&words.query, &mut request.query)] {
            for (name, values) in from {
                if random.below(3) > 0
                    && let Some(value) = random.one(values)
                {
                    to.insert(name.clone(), value);
                }
            }
        }
        if plain.place == MESH {
            request.namespace = random.one(&words.namespaces).unwrap_or_default();
            if random.below(2) > 0 {
                request.labels = random.one(&words.labels).unwrap_or_default();
            }
        }
        all.insert(request);
    }
}

/// SplitMix64: the same for the same rules.
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % count.max(1) as u64) as usize
    }

    fn one<T: Clone>(&mut self, of: &BTreeSet<T>) -> Option<T> {
        let place = self.below(of.len());
        of.iter().nth(place).cloned()
    }
}
