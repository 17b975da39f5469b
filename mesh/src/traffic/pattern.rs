//! Regular expressions, as RE2 reads them: a text matches as a whole.

use std::sync::Arc;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::{Class, Hir, HirKind};

/// What compiling may need at most, in bytes.
const MAX_MEMORY: usize = 8 << 20;
/// How many texts are made of one pattern.
const MAX_SAMPLES: usize = 8;

/// A pattern, and texts that match it.
#[derive(Clone, Debug)]
pub struct Pattern(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    text: String,
    automaton: Option<dense::DFA<Vec<u32>>>,
    samples: Vec<String>,
}

impl Pattern {
    /// Compiles it. What cannot be compiled matches its literal text only.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let automaton = automaton(text);
        let mut made = Vec::new();
        let parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(text);
        if let (Ok(hir), Some(_)) = (&parser, &automaton) {
            made = samples(hir);
        }
        let inner = Inner { text: text.to_owned(), automaton, samples: Vec::new() };
        made.retain(|sample| inner.matches(sample));
        made.dedup();
        Self(Arc::new(Inner { samples: made, ..inner }))
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Does all of a text match?
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.matches(text)
    }

    /// Texts that match; empty if none is found.
    #[must_use]
    pub fn samples(&self) -> Vec<String> {
        self.0.samples.clone()
    }
}

impl Inner {
    fn matches(&self, text: &str) -> bool {
        let Some(automaton) = &self.automaton else { return false };
        let Ok(mut state) = automaton.start_state(&start::Config::new().anchored(Anchored::Yes)) else {
            return false;
        };
        for byte in text.bytes() {
            state = automaton.next_state(state, byte);
            if automaton.is_dead_state(state) {
                return false;
            }
        }
        automaton.is_match_state(automaton.next_eoi_state(state))
    }
}

fn automaton(text: &str) -> Option<dense::DFA<Vec<u32>>> {
    dense::Builder::new()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(MAX_MEMORY)))
        .configure(
            dense::Config::new()
                .start_kind(StartKind::Anchored)
                .match_kind(MatchKind::All)
                .dfa_size_limit(Some(MAX_MEMORY))
                .determinize_size_limit(Some(MAX_MEMORY)),
        )
        .build(&format!("(?:{text})"))
        .ok()
}

/// Texts of a pattern: every branch of a choice, repetitions as often as they must be and once more.
fn samples(hir: &Hir) -> Vec<String> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![String::new()],
        HirKind::Literal(literal) => vec![String::from_utf8_lossy(&literal.0).into_owned()],
        HirKind::Class(class) => characters(class),
        HirKind::Capture(capture) => samples(&capture.sub),
        HirKind::Alternation(branches) => {
            let mut all: Vec<String> = Vec::new();
            // The first of each before the second of any.
            let mut by_branch: Vec<Vec<String>> = branches.iter().map(samples).collect();
            while all.len() < MAX_SAMPLES * 2 && by_branch.iter().any(|branch| !branch.is_empty()) {
                for branch in by_branch.iter_mut().filter(|branch| !branch.is_empty()) {
                    all.push(branch.remove(0));
                }
            }
            all
        }
        HirKind::Repetition(repetition) => {
            let one = samples(&repetition.sub);
            let min = repetition.min as usize;
            let more = repetition.max.is_none_or(|max| max as usize > min);
            let mut all = Vec::new();
            for count in [min, min + 1].into_iter().take(1 + usize::from(more)) {
                let taken = if count == 0 { 1 } else { one.len() };
                all.extend(one.iter().take(taken).map(|text| text.repeat(count.min(64))));
            }
            all.truncate(MAX_SAMPLES);
            all
        }
        HirKind::Concat(parts) => {
            let mut all = vec![String::new()];
            for part in parts {
                let next = samples(part);
                let mut longer = Vec::new();
                // Every text of the part behind the first one so far, and its first behind all others.
                for (place, head) in all.iter().enumerate() {
                    let tails = if place == 0 { next.len() } else { 1 };
                    longer.extend(next.iter().take(tails).map(|tail| format!("{head}{tail}")));
                }
                longer.truncate(MAX_SAMPLES);
                all = longer;
            }
            all
        }
    }
}

/// A letter or digit of a class if it has one, else the first character that can be written.
fn characters(class: &Class) -> Vec<String> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Bytes(class) => {
            class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect()
        }
        Class::Unicode(class) => {
            class.iter().map(|range| (range.start() as u32, range.end() as u32)).collect()
        }
    };
    let has = |character: char| {
        ranges.iter().any(|(from, to)| (*from..=*to).contains(&(character as u32))).then_some(character)
    };
    let mut found: Vec<char> = ['a', '1', 'A', '-', '_', '/'].into_iter().filter_map(has).take(2).collect();
    if found.is_empty() {
        found.extend((' '..='~').find_map(has));
    }
    found.into_iter().map(String::from).collect()
}
