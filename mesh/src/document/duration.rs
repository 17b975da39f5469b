//! Durations as people write them: `30s`, `10m`, `2h`, `30d`, `1h30m`.

use std::time::Duration;

/// Reads a duration; none for anything else, for zero parts, and for more than a hundred years.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
        let number: u32 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, length) = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)]
            .into_iter()
            .find_map(|(name, unit)| rest.starts_with(name).then_some((unit, name.len())))?;
        rest = &rest[length..];
        total = total.checked_add(Duration::from_millis(unit).checked_mul(number)?)?;
    }
    (total > Duration::ZERO && total < Duration::from_secs(100 * 366 * 86_400)).then_some(total)
}

/// Is it one of no length, which [`parse`] does not take?
#[must_use]
pub fn is_zero(text: &str) -> bool {
    !text.is_empty() && text.trim_end_matches(char::is_alphabetic).chars().all(|digit| digit == '0')
}

/// What to write, for messages.
pub const EXAMPLES: &str = "write a duration, as in `30s`, `10m`, `2h` or `30d`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_nonsense_is_not() {
        let cases =
            [("30s", 30), ("10m", 600), ("2h", 7200), ("30d", 2_592_000), ("1h30m", 5400), ("1000ms", 1)];
        for (text, seconds) in cases {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0s", "10", "s", "-1s", "1.5h", "1y", "10 m", "99999999999d", "40000d"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
