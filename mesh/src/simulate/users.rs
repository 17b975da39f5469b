//! Users by bucket: made ones, or those of a text.

use std::io::{BufRead, Read as _, Write as _};

use anyhow::{Result, ensure};
use graylane_decide::choice::keyed::Units;
use graylane_decide::choice::sticky::{BUCKETS, Seed};

/// Longest key, in bytes: Envoy takes no more than 60 KiB of headers (`max_request_headers_kb`).
const MAX_KEY: u64 = 60 * 1024;
/// Users between two reports of progress.
const STEP: u64 = 1 << 16;

/// Users by bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    /// How many have each bucket.
    pub by_bucket: Vec<u64>,
    /// Lines of a file that were empty.
    pub empty_lines: u64,
    units: Units,
    rollout: Seed,
    /// The sum of weights that another controller sets: Envoy takes the point modulo it.
    sum: Option<u64>,
}

impl Users {
    /// None yet; by what makes units, and the salt of the rollout.
    #[must_use]
    pub fn none(units: Units, rollout: &str) -> Self {
        let by_bucket = vec![0; usize::from(BUCKETS)];
        Self { by_bucket, empty_lines: 0, units, rollout: Seed::of(rollout), sum: None }
    }

    /// Laid out as Envoy lays out weights of this sum.
    #[must_use]
    pub fn modulo(self, sum: u64) -> Self {
        Self { sum: Some(sum.max(1)), ..self }
    }

    /// One more.
    pub fn add(&mut self, key: &[u8]) {
        let unit = self.units.of(key);
        let bucket = match self.sum {
            // The first bucket of each part of the sum stands for all of it.
            Some(sum) => {
                let place = u128::from(unit.point(self.rollout) % sum) * u128::from(BUCKETS);
                place.div_ceil(u128::from(sum)) as u16
            }
            None => unit.bucket(self.rollout),
        };
        self.by_bucket[usize::from(bucket)] += 1;
    }
}

/// Writes the key of a made user: `user-0`, `user-1` and so on. Into a buffer, since there are millions of them.
pub fn write_key(key: &mut Vec<u8>, number: u64) {
    key.clear();
    // Writing to a Vec cannot fail.
    let _ = write!(key, "user-{number}");
}

/// So many users with such keys.
#[must_use]
pub fn made(mut users: Users, count: u64) -> Users {
    let mut key = Vec::with_capacity(32);
    for number in 0..count {
        write_key(&mut key, number);
        users.add(&key);
    }
    users
}

/// The users of a text, a line each, as raw bytes. `progress` is told how many bytes were read, and how many there
/// are, if that is known.
///
/// # Errors
/// When it cannot be read, or a line cannot be a key.
pub fn read(
    mut users: Users,
    reader: &mut impl BufRead,
    length: Option<u64>,
    mut progress: impl FnMut(u64, Option<u64>),
) -> Result<Users> {
    let (mut line, mut bytes, mut number) = (Vec::new(), 0, 0u64);
    loop {
        line.clear();
        let read = reader.by_ref().take(MAX_KEY).read_until(b'\n', &mut line)? as u64;
        if read == 0 {
            return Ok(users);
        }
        number += 1;
        bytes += read;
        ensure!(
            read < MAX_KEY || line.ends_with(b"\n"),
            "line {number} is longer than {} KiB: write one key a line",
            MAX_KEY / 1024
        );
        let end = line.strip_suffix(b"\n").unwrap_or(&line);
        let end = end.strip_suffix(b"\r").unwrap_or(end);
        // What spreadsheets write before the first line (a byte order mark) is not a key.
        let key = if number == 1 { end.strip_prefix(b"\xef\xbb\xbf").unwrap_or(end) } else { end };
        if key.trim_ascii().is_empty() {
            users.empty_lines += 1;
        } else {
            users.add(key);
        }
        if number % STEP == 0 {
            progress(bytes, length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &[u8]) -> (u64, u64) {
        let users =
            read(Users::none(Units::Open(Seed::of("a")), "b"), &mut &text[..], None, |_, _| {}).unwrap();
        (users.by_bucket.iter().sum(), users.empty_lines)
    }

    #[test]
    fn lines_end_in_any_way_and_empty_ones_are_counted() {
        assert_eq!(count(b""), (0, 0));
        assert_eq!(count(b"alice"), (1, 0));
        assert_eq!(count(b"alice\r\n\r\nbob\n\n \ncarol\n"), (3, 3));
        assert_eq!(count(b"\xef\xbb\xbf\nalice"), (1, 1));
        let same = |text: &[u8]| {
            read(Users::none(Units::Open(Seed::of("a")), "b"), &mut &text[..], None, |_, _| {})
                .unwrap()
                .by_bucket
        };
        assert_eq!(same(b"alice\nbob"), same(b"\xef\xbb\xbfalice\r\nbob\r\n"));
        assert_eq!(same(b"\xff\xfe\n").iter().sum::<u64>(), 1, "a key is bytes, not text");
    }

    #[test]
    fn a_line_without_end_is_an_error_and_not_all_memory() {
        let mut endless = std::io::BufReader::new(std::io::repeat(b'x'));
        let error =
            read(Users::none(Units::Open(Seed::of("a")), "b"), &mut endless, None, |_, _| {}).unwrap_err();
        assert_eq!(error.to_string(), "line 1 is longer than 60 KiB: write one key a line");
    }
}
