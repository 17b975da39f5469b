//! One run of a service at a time, by a record that it renews: a ref of Git, or a Lease of Kubernetes.
//!
//! As in client-go, nobody compares clocks of two machines: a record is free once whoever looks at it has, by their own
//! clock, seen it unchanged for as long as it says.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::time::{now, rfc3339};

/// Who runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The user and the machine.
    pub holder: String,
    /// Which of its runs.
    pub id: String,
    /// Since when, by its own clock: for people.
    pub since: String,
    /// When it was renewed, by its own clock: for people.
    pub renewed: String,
    /// After how many seconds without a renewal another run takes over.
    pub lease: u64,
    /// How often it was renewed.
    pub renewals: u64,
}

/// Whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// This run's.
    Ours,
    /// Nobody's, or of one that does not go any more.
    Free,
    /// Another one's; who, and since when.
    Theirs(String),
}

/// What one run knows of the record.
#[derive(Debug)]
pub struct Watch {
    me: Holder,
    lease: Duration,
    /// The version of the record that was seen last, and when it was seen first.
    seen: Option<(String, Instant)>,
    /// Which version is ours, and when its writing began: others may have seen it since then.
    ours: Option<(String, Instant)>,
    /// When the writing began of what is not confirmed yet: the first and the last time.
    tried: Option<(Instant, Instant)>,
}

impl Watch {
    /// A run that has not looked yet.
    #[must_use]
    pub fn new(name: String, id: String, lease: Duration) -> Self {
        let now = rfc3339(now().cast_signed());
        let me = Holder {
            holder: name,
            id,
            since: now.clone(),
            renewed: now,
            lease: lease.as_secs().max(1),
            renewals: 0,
        };
        Self { me, lease, seen: None, ours: None, tried: None }
    }

    /// The name of this run.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.me.holder
    }

    /// Looks at the record: a version that changes with each renewal, and what it says; none: there is none.
    pub fn look(&mut self, record: Option<(&str, &Holder)>) -> Turn {
        self.look_at(record, Instant::now())
    }

    fn look_at(&mut self, record: Option<(&str, &Holder)>, now: Instant) -> Turn {
        let Some((version, holder)) = record else {
            (self.seen, self.ours) = (None, None);
            return Turn::Free;
        };
        if (&holder.holder, &holder.id) == (&self.me.holder, &self.me.id) {
            // Also one whose writing was not confirmed.
            if self.ours.as_ref().is_none_or(|(ours, _)| ours != version) {
                self.ours = Some((version.to_owned(), self.tried.take().map_or(now, |(first, _)| first)));
            }
            return Turn::Ours;
        }
        self.ours = None;
        let since = match &self.seen {
            Some((seen, since)) if seen == version => *since,
            _ => {
                self.seen = Some((version.to_owned(), now));
                now
            }
        };
        let lease = self.lease.max(Duration::from_secs(holder.lease));
        let unchanged = now.saturating_duration_since(since);
        if unchanged >= lease {
            return Turn::Free;
        }
        Turn::Theirs(format!(
            "`{}` runs it since {} (renewed {}, by its clock); it is taken over if it is not renewed for another {} s",
            holder.holder,
            holder.since,
            holder.renewed,
            (lease - unchanged).as_secs().max(1)
        ))
    }

    /// Is it time to renew it?
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.ours.as_ref().is_none_or(|(_, written)| written.elapsed() >= self.lease / 3)
    }

    /// Until when it is ours without a renewal. Others take it after the whole lease, since they saw it; what is left of it is
    /// for what is on its way.
    #[must_use]
    pub fn until(&self) -> Instant {
        self.ours.as_ref().map_or_else(Instant::now, |(_, written)| *written + self.lease * 2 / 3)
    }

    /// Has it not been renewed for so long that another run may take it soon?
    #[must_use]
    pub fn is_over(&self) -> bool {
        // Without a turn there is nothing to compare the time with.
        self.ours.is_none() || Instant::now() >= self.until()
    }

    /// How long one call may take that renews it.
    #[must_use]
    pub fn limit(&self) -> Duration {
        (self.lease / 6).max(Duration::from_secs(1))
    }

    /// Which version of another one's was seen last.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        self.seen.as_ref().map(|(version, _)| version.clone())
    }

    /// How long between two looks at another one's.
    #[must_use]
    pub fn pause(&self) -> Duration {
        (self.lease / 8).clamp(Duration::from_millis(100), Duration::from_secs(5))
    }

    /// Is it this run's, as far as is known?
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.ours.is_some()
    }

    /// What is to be written, now.
    #[must_use]
    pub fn record(&mut self) -> Holder {
        self.record_at(Instant::now())
    }

    fn record_at(&mut self, now: Instant) -> Holder {
        self.tried = Some((self.tried.map_or(now, |(first, _)| first), now));
        self.holder()
    }

    fn holder(&self) -> Holder {
        Holder { renewed: rfc3339(now().cast_signed()), renewals: self.me.renewals + 1, ..self.me.clone() }
    }

    /// It was written.
    pub fn renewed(&mut self, version: &str) {
        self.me.renewals += 1;
        let began = self.tried.take().map_or_else(Instant::now, |(_, last)| last);
        self.ours = Some((version.to_owned(), began));
    }
}

/// The machine.
#[must_use]
pub fn host() -> String {
    let of_kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = of_kernel.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    let name: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c)).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// The user and the machine.
#[must_use]
pub fn me() -> String {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    let user: String = user.chars().filter(|c| !c.is_control() && !"<>@\n".contains(*c)).collect();
    if user.is_empty() { host() } else { format!("{user}@{}", host()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(60);

    fn watch(name: &str) -> Watch {
        Watch::new(name.into(), "1".into(), LEASE)
    }

    #[test]
    fn a_record_is_free_once_it_was_seen_unchanged_for_long_enough_whatever_its_clock_says() {
        for time in ["1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
            let (mut ours, theirs) = (watch("b"), watch("a").record());
            let theirs = Holder { since: time.into(), renewed: time.into(), ..theirs };
            let begin = Instant::now();
            let at = |seconds: u64| begin + Duration::from_secs(seconds);
            let is_theirs = |turn: Turn| matches!(turn, Turn::Theirs(said) if said.contains(time));
            assert!(is_theirs(ours.look_at(Some(("v1", &theirs)), at(0))), "whatever it says, it may go");
            assert!(is_theirs(ours.look_at(Some(("v1", &theirs)), at(59))));
            assert!(is_theirs(ours.look_at(Some(("v2", &theirs)), at(61))), "renewed in time");
            assert!(is_theirs(ours.look_at(Some(("v2", &theirs)), at(120))));
            assert_eq!(ours.look_at(Some(("v2", &theirs)), at(121)), Turn::Free);
        }
    }

    #[test]
    fn it_is_given_up_before_others_take_it() {
        let (mut ours, mut other) = (watch("a"), watch("b"));
        let began = Instant::now();
        let mine = ours.record_at(began);
        // Others see it at once; the answer takes its time.
        other.look_at(Some(("v1", &mine)), began);
        ours.renewed("v1");
        assert_eq!(ours.until(), began + LEASE * 2 / 3, "since the writing began");
        assert!(matches!(other.look_at(Some(("v1", &mine)), ours.until() + LEASE / 4), Turn::Theirs(_)));
        // One whose answer never came, and the second one that failed since the first was written.
        let first = began + LEASE;
        let mine = ours.record_at(first);
        let _ = ours.record_at(first + LEASE / 3);
        assert_eq!(ours.look(Some(("v2", &mine))), Turn::Ours);
        assert_eq!(ours.until(), first + LEASE * 2 / 3);
    }

    #[test]
    fn the_longer_lease_counts() {
        let (mut ours, theirs) = (watch("b"), Holder { lease: 600, ..watch("a").record() });
        let begin = Instant::now();
        ours.look_at(Some(("v1", &theirs)), begin);
        assert!(matches!(ours.look_at(Some(("v1", &theirs)), begin + LEASE), Turn::Theirs(_)));
        assert_eq!(ours.look_at(Some(("v1", &theirs)), begin + LEASE * 10), Turn::Free);
    }

    #[test]
    fn what_another_run_took_is_lost() {
        let mut ours = watch("a");
        assert_eq!(ours.look(None), Turn::Free);
        ours.renewed("v1");
        let mine = ours.record();
        assert!(ours.look(Some(("v1", &mine))) == Turn::Ours && ours.is_ours() && !ours.is_due());
        let other = watch("b").record();
        assert!(matches!(ours.look(Some(("v2", &other))), Turn::Theirs(_)) && !ours.is_ours());
        // Two runs of one user on one machine are two.
        let twin = Watch::new("a".into(), "2".into(), LEASE).record();
        assert!(matches!(ours.look(Some(("v3", &twin))), Turn::Theirs(_)));
    }
}
