//! When steps of a rollout may begin: days and hours by the clock on the wall of a time zone.
//!
//! A window is open while that clock shows a time in it. So where the clock is put forward, a time that it skips does not come;
//! where it is put back, what it shows twice comes twice. The zones are those of the IANA database that is built in, so every
//! machine, and a browser, finds the same.

use std::sync::LazyLock;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp};

use crate::document::model::{Day, Window};

/// The time zones that there are.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// How many days are looked ahead: each day of the week comes, and once more if the clock skips the time on the first.
const AHEAD: i64 = 15;

/// Whether a step may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It may.
    Open,
    /// Not before then.
    At {
        /// Seconds since 1970.
        at: i64,
        /// The same by the clock of the window's zone, as in `Mon 2026-11-30 09:00 Europe/Berlin`.
        text: String,
    },
    /// It never may.
    Never,
}

/// A time zone by its name in the IANA database.
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    ZONES.get(name).ok()
}

/// Names of time zones that are nearly this one.
pub fn zones() -> impl Iterator<Item = String> {
    ZONES.available().map(|name| name.to_string())
}

/// Minutes since midnight of `09:00`; 1440 of `24:00`.
#[must_use]
pub fn minutes(text: &str) -> Option<i16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<i16>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let all = hours * 60 + minutes;
    (minutes < 60 && all <= DAY).then_some(all)
}

/// Minutes of a day.
const DAY: i16 = 24 * 60;

/// A window that was read.
struct Hours<'a> {
    days: &'a [Day],
    from: i16,
    to: i16,
    zone: TimeZone,
    name: &'a str,
}

impl<'a> Hours<'a> {
    fn of(window: &'a Window) -> Option<Self> {
        let (from, to) = (minutes(&window.from)?, minutes(&window.to)?);
        let zone = zone(&window.zone)?;
        // At 24:00 a day is over: it would be the next one.
        (from != to && from < DAY).then_some(Self { days: &window.days, from, to, zone, name: &window.zone })
    }

    fn opens_on(&self, date: Date) -> bool {
        let day = match date.weekday() {
            Weekday::Monday => Day::Mon,
            Weekday::Tuesday => Day::Tue,
            Weekday::Wednesday => Day::Wed,
            Weekday::Thursday => Day::Thu,
            Weekday::Friday => Day::Fri,
            Weekday::Saturday => Day::Sat,
            Weekday::Sunday => Day::Sun,
        };
        self.days.contains(&day)
    }

    /// Is it open then?
    fn is_open(&self, at: Timestamp) -> bool {
        let clock = self.zone.to_datetime(at);
        let is = i16::from(clock.hour()) * 60 + i16::from(clock.minute());
        if self.from < self.to {
            return self.opens_on(clock.date()) && (self.from..self.to).contains(&is);
        }
        // Past midnight: of the day before, too.
        let yesterday = || clock.date().yesterday().is_ok_and(|date| self.opens_on(date));
        (is >= self.from && self.opens_on(clock.date())) || (is < self.to && yesterday())
    }

    /// The moments from then on at which it may open.
    fn candidates(&self, now: Timestamp) -> Vec<Timestamp> {
        let today = self.zone.to_datetime(now).date();
        let mut all = vec![now];
        for ahead in 0..AHEAD {
            let Ok(date) = today.checked_add(Span::new().days(ahead)) else { break };
            let Some(time) = time(self.from) else { break };
            all.extend(self.moments(date.to_datetime(time)));
        }
        // Where the clock is changed, it may show a time inside all of a sudden.
        let soon = |at: &Timestamp| at.as_second() - now.as_second() < AHEAD * 86_400;
        all.extend(self.zone.following(now).map(|change| change.timestamp()).take_while(soon));
        all.retain(|at| *at >= now);
        all
    }

    /// When the clock shows this: once, twice, or never.
    fn moments(&self, clock: DateTime) -> Vec<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(clock);
        let both = match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => return Vec::new(),
            AmbiguousOffset::Unambiguous { offset } => [offset, offset],
            AmbiguousOffset::Fold { before, after } => [before, after],
        };
        both.iter().filter_map(|offset| offset.to_timestamp(clock).ok()).collect()
    }
}

fn time(minutes: i16) -> Option<Time> {
    let (hour, minute) = (i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?);
    Time::new(hour, minute, 0, 0).ok()
}

/// Whether a step may begin at a time, in seconds since 1970. Without windows it always may.
#[must_use]
pub fn opening(windows: &[Window], now: i64) -> Opening {
    let Ok(now) = Timestamp::from_second(now) else { return Opening::Never };
    let hours: Vec<Hours<'_>> = windows.iter().filter_map(Hours::of).collect();
    if windows.is_empty() || hours.iter().any(|one| one.is_open(now)) {
        return Opening::Open;
    }
    let next = |one: &Hours<'_>| one.candidates(now).into_iter().filter(|at| one.is_open(*at)).min();
    let first = hours.iter().filter_map(|one| Some((next(one)?, one))).min_by_key(|(at, _)| *at);
    first.map_or(Opening::Never, |(at, one)| Opening::At {
        at: at.as_second(),
        text: format!("{} {}", one.zone.to_datetime(at).strftime("%a %Y-%m-%d %H:%M"), one.name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &str, from: &str, to: &str, zone: &str) -> Window {
        let days = days.split(',').filter(|day| !day.is_empty());
        let days = days.map(|day| serde_json::from_value(day.into()).unwrap()).collect();
        Window { days, from: from.into(), to: to.into(), zone: zone.into() }
    }

    /// Open, or when it opens, in UTC.
    fn at(windows: &[Window], now: &str) -> String {
        match opening(windows, now.parse::<Timestamp>().unwrap().as_second()) {
            Opening::Open => "open".to_owned(),
            Opening::At { at, text } => format!("{} = {text}", Timestamp::from_second(at).unwrap()),
            Opening::Never => "never".to_owned(),
        }
    }

    /// Looked ahead further than a week, so from any time.
    fn opens(window: &Window) -> bool {
        !matches!(opening(std::slice::from_ref(window), 0), Opening::Never)
    }

    #[test]
    fn hours_are_those_of_the_zone() {
        let work = [window("mon,tue", "09:00", "16:00", "Europe/Berlin")];
        for (now, want) in [
            ("2026-11-30T07:59:59Z", "2026-11-30T08:00:00Z = Mon 2026-11-30 09:00 Europe/Berlin"),
            ("2026-11-30T08:00:00Z", "open"),
            ("2026-11-30T14:59:59Z", "open"),
            ("2026-11-30T15:00:00Z", "2026-12-01T08:00:00Z = Tue 2026-12-01 09:00 Europe/Berlin"),
            ("2026-12-01T15:00:00Z", "2026-12-07T08:00:00Z = Mon 2026-12-07 09:00 Europe/Berlin"),
            // In summer an hour earlier.
            ("2026-07-06T06:59:00Z", "2026-07-06T07:00:00Z = Mon 2026-07-06 09:00 Europe/Berlin"),
            ("2026-07-06T07:00:00Z", "open"),
        ] {
            assert_eq!(at(&work, now), want, "{now}");
        }
        assert_eq!(at(&[], "2026-11-30T03:00:00Z"), "open");
        let two = [work[0].clone(), window("sun", "03:00", "04:00", "UTC")];
        assert_eq!(at(&two, "2026-11-29T01:00:00Z"), "2026-11-29T03:00:00Z = Sun 2026-11-29 03:00 UTC");
    }

    #[test]
    fn a_window_past_midnight_is_of_the_day_on_which_it_opens() {
        let night = [window("fri", "22:00", "02:00", "UTC")];
        // 2026-11-27 is a Friday.
        for (now, want) in [
            ("2026-11-27T01:00:00Z", "2026-11-27T22:00:00Z = Fri 2026-11-27 22:00 UTC"),
            ("2026-11-27T22:00:00Z", "open"),
            ("2026-11-28T01:59:59Z", "open"),
            ("2026-11-28T02:00:00Z", "2026-12-04T22:00:00Z = Fri 2026-12-04 22:00 UTC"),
        ] {
            assert_eq!(at(&night, now), want, "{now}");
        }
        let whole = [window("sat", "00:00", "24:00", "UTC")];
        assert_eq!(at(&whole, "2026-11-28T23:59:59Z"), "open");
        assert_eq!(at(&whole, "2026-11-29T00:00:00Z"), "2026-12-05T00:00:00Z = Sat 2026-12-05 00:00 UTC");
    }

    /// In Berlin the clock goes from 02:00 to 03:00 on Sunday 2026-03-29, at 01:00 UTC.
    #[test]
    fn what_the_clock_skips_does_not_come() {
        let across = [window("sun", "02:30", "05:00", "Europe/Berlin")];
        assert_eq!(
            at(&across, "2026-03-29T00:00:00Z"),
            "2026-03-29T01:00:00Z = Sun 2026-03-29 03:00 Europe/Berlin"
        );
        assert_eq!(at(&across, "2026-03-29T02:59:59Z"), "open");
        assert!(at(&across, "2026-03-29T03:00:00Z").starts_with("2026-04-05T00:30:00Z"));
        let inside = [window("sun", "02:15", "02:45", "Europe/Berlin")];
        assert_eq!(
            at(&inside, "2026-03-29T00:00:00Z"),
            "2026-04-05T00:15:00Z = Sun 2026-04-05 02:15 Europe/Berlin"
        );
    }

    /// In Berlin the clock goes from 03:00 to 02:00 on Sunday 2026-10-25, at 01:00 UTC.
    #[test]
    fn what_the_clock_shows_twice_comes_twice() {
        let inside = [window("sun", "02:15", "02:45", "Europe/Berlin")];
        assert!(at(&inside, "2026-10-25T00:00:00Z").starts_with("2026-10-25T00:15:00Z"));
        assert_eq!(at(&inside, "2026-10-25T00:44:59Z"), "open");
        assert!(at(&inside, "2026-10-25T00:45:00Z").starts_with("2026-10-25T01:15:00Z"));
        assert_eq!(at(&inside, "2026-10-25T01:44:59Z"), "open");
        assert!(at(&inside, "2026-10-25T01:45:00Z").starts_with("2026-11-01T01:15:00Z"));
        // It ends at 03:00, and is put back into the window from behind it.
        let before = [window("sun", "02:00", "02:59", "Europe/Berlin")];
        assert!(at(&before, "2026-10-25T00:59:00Z").starts_with("2026-10-25T01:00:00Z"));
    }

    #[test]
    fn what_never_opens_is_known() {
        for (days, from, to, zone) in [
            ("", "09:00", "16:00", "UTC"),
            ("mon", "09:00", "16:00", "Europe/Berln"),
            ("mon", "9:00", "16:00", "UTC"),
            ("mon", "09:00", "24:01", "UTC"),
            ("mon", "09:60", "16:00", "UTC"),
            ("mon", "09:00", "", "UTC"),
            ("mon", "09:00", "09:00", "UTC"),
            ("mon", "24:00", "09:00", "UTC"),
        ] {
            assert!(!opens(&window(days, from, to, zone)), "{days} {from} {to} {zone}");
        }
        assert!(opens(&window("sun", "02:15", "02:45", "Europe/Berlin")));
        assert!(opens(&window("mon", "23:59", "00:00", "Pacific/Apia")));
    }
}
