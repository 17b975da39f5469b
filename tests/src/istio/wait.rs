//! Waiting for what is to come true, with a limit.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// What a look at a condition shows.
#[derive(Clone, Debug)]
pub enum Look<T> {
    /// It has come true.
    Yes(T),
    /// It has not; what was there instead is said when time is up.
    NotYet(String),
}

impl<T> Look<T> {
    /// Yes, if there is something.
    pub fn at(found: Option<T>, instead: impl FnOnce() -> String) -> Self {
        found.map_or_else(|| Self::NotYet(instead()), Self::Yes)
    }
}

impl Look<()> {
    /// Yes, if it is so.
    pub fn whether(so: bool, instead: impl FnOnce() -> String) -> Self {
        Self::at(so.then_some(()), instead)
    }
}

/// Looks until the condition comes true.
///
/// # Errors
/// When it does not within the limit, with what was there last; when it cannot be looked at.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<Look<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match look().await? {
            Look::Yes(found) => return Ok(found),
            Look::NotYet(instead) if Instant::now() > deadline => {
                bail!("after {} s it is still not so that {what}: {instead}", limit.as_secs());
            }
            Look::NotYet(_) => sleep(INTERVAL).await,
        }
    }
}
