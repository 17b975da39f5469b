//! Durations of options.

use std::time::Duration;

use anyhow::Context as _;

use crate::document::duration;

/// Reads one: as in files, and `0s`.
pub fn span(text: &str) -> Result<Duration, String> {
    if text == "0s" {
        return Ok(Duration::ZERO);
    }
    duration::parse(text).context(duration::EXAMPLES).map_err(|error| error.to_string())
}
