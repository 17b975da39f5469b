//! Regular expressions, as tables: no engine in the filter, one step a byte, whatever the pattern was.
//!
//! The command line compiles a pattern to a deterministic automaton (`graylane::regex`) and writes it down as text. The
//! states stand one after the other with `;` between them, the first one is where a match starts; each is `+` (the
//! text may end here) or `-`, then its ranges: from byte, to byte (two hex digits each), next state (three). A byte
//! in no range ends the match: the text does not match. `a+b`: `-6161001;-61610016262002;+`.

/// Most states of a table: what three hex digits can name.
pub const MAX_STATES: usize = 0x1000;

/// An automaton whose table was found in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dfa {
    states: Vec<State>,
    ranges: Vec<Range>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    accepts: bool,
    /// Its ranges are those up to here, from where the state before it ends.
    end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    from: u8,
    to: u8,
    next: u16,
}

impl Dfa {
    /// Reads a table; none if it is not in order: ranges that overlap or are not sorted, states that are not there.
    #[must_use]
    pub fn parse(table: &str) -> Option<Self> {
        let mut dfa = Self::default();
        for text in table.as_bytes().split(|byte| *byte == b';') {
            let (sign, ranges) = text.split_first()?;
            let accepts = match sign {
                b'+' => true,
                b'-' => false,
                _ => return None,
            };
            let mut before = None;
            let (ranges, rest) = ranges.as_chunks::<7>();
            for [a, b, c, d, e, f, g] in ranges {
                let (from, to, next) = (hex(&[*a, *b])?, hex(&[*c, *d])?, hex(&[*e, *f, *g])?);
                if from > to || before.is_some_and(|before| from <= before) {
                    return None;
                }
                before = Some(to);
                dfa.ranges.push(Range { from: u8::try_from(from).ok()?, to: u8::try_from(to).ok()?, next });
            }
            if !rest.is_empty() {
                return None;
            }
            dfa.states.push(State { accepts, end: u32::try_from(dfa.ranges.len()).ok()? });
        }
        let there = |range: &Range| usize::from(range.next) < dfa.states.len();
        (dfa.states.len() <= MAX_STATES && dfa.ranges.iter().all(there)).then_some(dfa)
    }

    /// Does it match the whole text? Linear in its length.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        let mut state = 0;
        for byte in text {
            let Some(next) = self.next(state, *byte) else { return false };
            state = next;
        }
        self.states.get(state).is_some_and(|state| state.accepts)
    }

    fn next(&self, state: usize, byte: u8) -> Option<usize> {
        let begin =
            state.checked_sub(1).map_or(Some(0), |before| self.states.get(before).map(|it| it.end))?;
        let end = self.states.get(state)?.end;
        let ranges = self.ranges.get(usize::try_from(begin).ok()?..usize::try_from(end).ok()?)?;
        let range = ranges.get(ranges.partition_point(|range| range.to < byte))?;
        (range.from <= byte).then_some(usize::from(range.next))
    }
}

fn hex(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0u16, |sum, digit| {
        let value = char::from(*digit).to_digit(16)?;
        Some((sum << 4) | value as u16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_matches_whole_texts() {
        let dfa = Dfa::parse("-6161001;-61610016262002;+").unwrap();
        for (text, matches) in
            [("ab", true), ("aaab", true), ("b", false), ("aba", false), ("", false), ("a", false)]
        {
            assert_eq!(dfa.matches(text.as_bytes()), matches, "{text}");
        }
        assert!(Dfa::parse("+").unwrap().matches(b""));
        assert!(!Dfa::parse("+").unwrap().matches(b"x"));
        let any = Dfa::parse("+00ff000").unwrap();
        assert!(any.matches(b"") && any.matches(&[0, 255, 10]));
    }

    #[test]
    fn a_table_that_is_not_in_order_is_refused() {
        for wrong in [
            "",
            ";",
            "x",
            "+;",
            "-6161001",         // no such state
            "-6160000",         // backwards
            "-61620006263000",  // overlapping
            "-626200061610000", // not sorted
            "-616100",          // cut short
            "-61610zz",
            "-+161000",
            "+é",
        ] {
            assert_eq!(Dfa::parse(wrong), None, "{wrong}");
        }
    }
}
