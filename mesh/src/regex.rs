//! Regular expressions, from text to the table that the filter runs.
//!
//! The filter has no engine: one of the well-kept ones would double its size, and each pattern would be compiled
//! again in every worker of every gateway. A pattern becomes a deterministic automaton here (regex-automata), is
//! made as small as can be, and is written down as [`Dfa`] reads it. So a match costs one step a byte, whatever the
//! pattern, and a pattern that is too large is found before anything is applied.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use graylane_decide::config;
use graylane_decide::edge::dfa::Dfa;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::{primitives::StateID, start, syntax};
use regex_automata::{Anchored, MatchKind};

/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 1024;
/// Most states. Keeps a table under some tens of kilobytes; ordinary patterns have fewer than fifty.
const MAX_STATES: usize = 500;
/// What compiling may need at most, in bytes, before the automaton is made small.
const MAX_MEMORY: usize = 4 << 20;

/// One state: may the text end here, and where each byte leads.
type State = (bool, Vec<Option<usize>>);

/// Compiles a pattern, which has to match a whole text. `fold`: without regard to case.
///
/// # Errors
/// What is wrong with it, in words.
pub fn compile(pattern: &str, fold: bool) -> Result<config::Regex, String> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("it has {} bytes, and {MAX_PATTERN} are allowed", pattern.len()));
    }
    let whole = format!("(?:{pattern})");
    // By itself first, so that `a)(b` is refused, and messages show what was written.
    for text in [pattern, &whole] {
        regex_syntax::ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(text)
            .map_err(|error| short(&error))?;
    }
    let dfa = dense::Builder::new()
        .syntax(syntax::Config::new().unicode(false).utf8(false).case_insensitive(fold))
        .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(MAX_MEMORY)))
        .configure(
            dense::Config::new()
                .start_kind(StartKind::Anchored)
                // All ways at once: a shorter match does not end the search for a whole one.
                .match_kind(MatchKind::All)
                .dfa_size_limit(Some(MAX_MEMORY))
                .determinize_size_limit(Some(MAX_MEMORY)),
        )
        .build(&whole)
        .map_err(|_| too_large())?;
    let states = minimal(&trimmed(states(&dfa)?));
    if states.len() > MAX_STATES {
        return Err(too_large());
    }
    let table = written(&states);
    // What the filter would refuse is refused here.
    Dfa::parse(&table).ok_or_else(too_large)?;
    Ok(config::Regex { pattern: pattern.to_owned(), table })
}

fn too_large() -> String {
    format!("it needs too large a table; {MAX_STATES} states are allowed")
}

/// The last line of a syntax error says what is wrong.
fn short(error: &regex_syntax::Error) -> String {
    let text = error.to_string();
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}

/// All states that can be reached, the first one first.
fn states(dfa: &dense::DFA<Vec<u32>>) -> Result<Vec<State>, String> {
    let begin = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).map_err(|_| too_large())?;
    let mut numbers: BTreeMap<StateID, usize> = BTreeMap::from([(begin, 0)]);
    let mut queue = vec![begin];
    let mut states = Vec::new();
    let mut at = 0;
    while let Some(&state) = queue.get(at) {
        at += 1;
        let mut next = Vec::with_capacity(256);
        for byte in 0..=u8::MAX {
            let to = dfa.next_state(state, byte);
            if dfa.is_dead_state(to) || dfa.is_quit_state(to) {
                next.push(None);
                continue;
            }
            let fresh = numbers.len();
            let number = *numbers.entry(to).or_insert(fresh);
            if number == fresh {
                queue.push(to);
            }
            next.push(Some(number));
        }
        let accepts = dfa.is_match_state(dfa.next_eoi_state(state));
        states.push((accepts, next));
    }
    Ok(states)
}

/// Without ways that lead nowhere: to states from which no end is reached.
fn trimmed(mut states: Vec<State>) -> Vec<State> {
    let mut alive: Vec<bool> = states.iter().map(|(accepts, _)| *accepts).collect();
    loop {
        let reaches = |next: &[Option<usize>], alive: &[bool]| next.iter().flatten().any(|to| alive[*to]);
        let more: Vec<usize> =
            (0..states.len()).filter(|state| !alive[*state] && reaches(&states[*state].1, &alive)).collect();
        if more.is_empty() {
            break;
        }
        more.into_iter().for_each(|state| alive[state] = true);
    }
    for (_, next) in &mut states {
        next.iter_mut().filter(|to| to.is_some_and(|to| !alive[to])).for_each(|to| *to = None);
    }
    states
}

/// The same automaton with as few states as can be: indistinguishable states are merged (Moore's algorithm).
/// States that can no longer be reached are left out.
fn minimal(states: &[State]) -> Vec<State> {
    let mut class: Vec<usize> = states.iter().map(|(accepts, _)| usize::from(*accepts)).collect();
    let mut count = 0;
    loop {
        let mut known: BTreeMap<(usize, Vec<Option<usize>>), usize> = BTreeMap::new();
        let mut finer = Vec::with_capacity(states.len());
        for (state, (_, next)) in states.iter().enumerate() {
            let key = (class[state], next.iter().map(|to| to.map(|to| class[to])).collect());
            let fresh = known.len();
            finer.push(*known.entry(key).or_insert(fresh));
        }
        class = finer;
        if known.len() == count {
            break;
        }
        count = known.len();
    }
    // Numbered in the order in which they are reached, the first one first.
    let mut order = vec![0];
    let mut number = BTreeMap::from([(class[0], 0)]);
    let mut at = 0;
    while let Some(&state) = order.get(at) {
        at += 1;
        for to in states[state].1.iter().flatten() {
            let fresh = number.len();
            if *number.entry(class[*to]).or_insert(fresh) == fresh {
                order.push(*to);
            }
        }
    }
    order
        .into_iter()
        .map(|state| {
            let (accepts, next) = &states[state];
            (*accepts, next.iter().map(|to| to.map(|to| number[&class[to]])).collect())
        })
        .collect()
}

fn written(states: &[State]) -> String {
    let mut table = String::new();
    for (place, (accepts, next)) in states.iter().enumerate() {
        table.push_str(if place > 0 { ";" } else { "" });
        table.push(if *accepts { '+' } else { '-' });
        let mut from = 0;
        while from < next.len() {
            let to = from + next[from..].iter().take_while(|to| **to == next[from]).count();
            if let Some(state) = next[from] {
                // Writing to a String cannot fail.
                let _ = write!(table, "{from:02x}{:02x}{state:03x}", to - 1);
            }
            from = to;
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Dfa::parse(&compile(pattern, false).unwrap().table).unwrap().matches(text.as_bytes())
    }

    #[test]
    fn a_pattern_matches_the_whole_text() {
        for (pattern, yes, no) in [
            ("a+b", &["ab", "aaab"][..], &["", "b", "aba", "xab"][..]),
            ("/a|/ab", &["/a", "/ab"], &["/", "/abc"]),
            ("a|ab|abc", &["a", "ab", "abc"], &["abcd"]),
            ("^x$", &["x"], &["xx", ""]),
            ("", &[""], &["x"]),
            (".*", &["", "anything"], &["two\nlines"]),
            (r"\d{2,3}", &["12", "123"], &["1", "1234", "1a"]),
            (r"(?i)gray-v\d", &["GRAY-v1"], &["gray-v"]),
            (r".*\bqa\b.*", &["qa", "the qa team"], &["qatar"]),
            ("a*?", &["", "aaa"], &["b"]),
            ("(alice|bob)@bank\\.example", &["bob@bank.example"], &["bob@bankXexample", "eve@bank.example"]),
            ("[^/]+", &["é"], &["a/b"]),
        ] {
            for text in yes {
                assert!(matches(pattern, text), "{pattern} {text}");
            }
            for text in no {
                assert!(!matches(pattern, text), "{pattern} {text}");
            }
        }
        let folded = compile("WWW[.]example", true).unwrap();
        assert!(Dfa::parse(&folded.table).unwrap().matches(b"www.Example"));
    }

    #[test]
    fn tables_are_as_small_as_can_be() {
        assert_eq!(compile("a+b", false).unwrap().table, "-6161001;-61610016262002;+");
        assert_eq!(compile("ax|bx|cx", false).unwrap().table, "-6163001;-7878002;+");
        assert_eq!(compile("(?s).*", false).unwrap().table, "+00ff000");
    }

    #[test]
    fn an_invalid_or_too_large_pattern_is_reported() {
        let problem = |pattern: &str| compile(pattern, false).unwrap_err();
        assert_eq!(problem("a(b"), "unclosed group");
        assert_eq!(problem("a)(b"), "unopened group");
        assert_eq!(problem("*"), "repetition operator missing expression");
        assert!(problem(r"(a)\1").contains("backreferences are not supported"), "{}", problem(r"(a)\1"));
        assert!(problem(r"\pL").contains("Unicode"), "{}", problem(r"\pL"));
        assert!(problem(&"a".repeat(1025)).contains("1025 bytes"));
        assert!(problem("(a|b)*a(a|b){15}").contains("too large"));
        assert!(problem("[a-z]{200}[0-9]{301}").contains("too large"));
        assert!(problem("(((a{99}){99}){99}){99}").contains("too large"));
    }
}
