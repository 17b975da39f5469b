//! Times as people and logs write them: RFC 3339.

use std::time::SystemTime;

use anyhow::{Result, bail};
use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat};

/// Now, in seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs()
}

/// Seconds since 1970 as RFC 3339 in UTC.
#[must_use]
pub fn rfc3339(at: i64) -> String {
    let time = DateTime::from_timestamp(at, 0).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Reads RFC 3339, or a date, which is its first moment in UTC; seconds since 1970.
///
/// # Errors
/// When it is neither.
pub fn parse(text: &str) -> Result<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp());
    }
    let Ok(date) = text.parse::<NaiveDate>() else {
        bail!(
            "invalid time `{text}`: expected RFC 3339, as in `2026-03-01T09:30:00Z`, or a date, as in `2026-03-01`"
        )
    };
    Ok(date.and_time(NaiveTime::MIN).and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ];
        for (at, text) in cases {
            assert_eq!(rfc3339(at), text);
        }
    }

    #[test]
    fn times_are_read_and_written() {
        for (text, at, written) in [
            ("1970-01-01", 0, "1970-01-01T00:00:00Z"),
            ("2026-03-01T09:30:00Z", 1_772_357_400, "2026-03-01T09:30:00Z"),
            ("2026-03-01T09:30:00+02:00", 1_772_350_200, "2026-03-01T07:30:00Z"),
            ("2026-03-01 09:30:00.5Z", 1_772_357_400, "2026-03-01T09:30:00Z"),
        ] {
            assert_eq!((parse(text).unwrap(), rfc3339(at).as_str()), (at, written), "{text}");
        }
        for text in ["", "now", "2026-02-30", "2026-03-01T09:30:00", "09:30", "1772357400"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
