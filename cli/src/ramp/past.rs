//! What the log knows of the rollout that is under way: approvals, hooks that ran, and whether the point of no return was reached.

use super::journal::{By, Event, Record};
use crate::percent::buckets;

/// The step of a hook that follows an abort.
pub const AFTER_ABORT: &str = "afterAbort";

/// The log of one canary.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    records: &'a [Record],
    canary: &'a str,
    salt: &'a str,
}

impl<'a> Past<'a> {
    /// Of a canary and the salt of its rollout.
    #[must_use]
    pub fn of(records: &'a [Record], canary: &'a str, salt: &'a str) -> Self {
        Self { records, canary, salt }
    }

    /// Lines about this canary, the last first.
    fn latest(self) -> impl Iterator<Item = &'a Record> {
        self.records.iter().rev().filter(move |record| record.canary == self.canary)
    }

    /// Those since its weight was last changed: what was allowed before counts for nothing any more.
    fn since_change(self) -> impl Iterator<Item = &'a Record> {
        self.latest().take_while(|record| {
            record.event.is_note() || matches!(record.event, Event::Applied | Event::Step | Event::Resume)
        })
    }

    /// Those since an earlier rollout of it ended.
    fn since_begin(self) -> impl Iterator<Item = &'a Record> {
        self.latest().take_while(|record| !ends(record))
    }

    fn of_step(self, event: Event, step: &str) -> impl Iterator<Item = &'a Record> {
        let is = move |record: &&Record| {
            record.event == event
                && record.step.as_deref() == Some(step)
                && record.salt.as_deref() == Some(self.salt)
        };
        self.since_change().filter(is)
    }

    /// The approval of a step, if one of those who may gave it in this rollout, and the weight was not changed since.
    pub fn approved(self, step: &str, approvers: &[String], outside: bool) -> Option<&'a Record> {
        self.of_step(Event::Approve, step).find(|record| {
            let approval = record.approval.as_ref();
            approval.is_some_and(|one| approvers.contains(&one.name) && (one.outside_window || !outside))
        })
    }

    /// Did this command succeed before this step?
    #[must_use]
    pub fn ran(self, step: &str, command: &str) -> bool {
        self.of_step(Event::Hook, step).any(|record| succeeded(record, command))
    }

    /// How it went with a hook the last time, where it failed.
    pub fn failed(self, step: &str, command: &str) -> Option<&'a Record> {
        let hook = |record: &&Record| record.hook.as_ref().is_some_and(|ran| ran.command == command);
        self.of_step(Event::Hook, step).find(hook).filter(|record| !succeeded(record, command))
    }

    /// The time at which the canary had this weight or more in this rollout, in hundredths of a percent.
    pub fn reached(self, mark: u16) -> Option<&'a str> {
        let had = |record: &&Record| {
            // It is announced before the step that it is, which may not have come about.
            !matches!(record.event, Event::Approve | Event::Hook | Event::NoReturn)
                && (record.buckets() >= mark || record.from.is_some_and(|from| buckets(from) >= mark))
        };
        self.since_begin().filter(had).last().map(|record| record.time.as_str())
    }

    /// The line that says that it holds at this weight, unless a person let it go on since.
    pub fn held(self) -> Option<&'a Record> {
        let since = self.since_change().take_while(|record| record.event != Event::Resume);
        since.filter(|record| record.event == Event::Held).last()
    }

    /// Was it aborted, and did the hook that follows not succeed yet? The weight that was left, in hundredths of a percent.
    #[must_use]
    pub fn owes(self, command: &str) -> Option<u16> {
        let mut aborted = false;
        for record in self.latest() {
            let from = record.from.map(buckets).filter(|from| *from > 0);
            match record.event {
                Event::Hook if record.step.as_deref() == Some(AFTER_ABORT) && succeeded(record, command) => {
                    return aborted.then_some(0);
                }
                Event::Aborted => aborted = true,
                // One at 0 % takes nobody back.
                Event::Abort if record.by.is_some() && from.is_none() => {}
                Event::Abort if aborted || record.by.is_some() => return from.or(Some(0)),
                Event::Stopped => {}
                event if event.is_note() => {}
                _ => return aborted.then(|| record.buckets()),
            }
        }
        aborted.then_some(0)
    }
}

/// Does a rollout end with this?
fn ends(record: &Record) -> bool {
    let by_person = record.by == Some(By::Person);
    match record.event {
        Event::Aborted | Event::Promoted => true,
        Event::Abort | Event::Promote => by_person,
        _ => false,
    }
}

fn succeeded(record: &Record, command: &str) -> bool {
    record.hook.as_ref().is_some_and(|ran| ran.exit == Some(0) && ran.command == command)
}

#[cfg(test)]
mod tests {
    use super::super::journal::{Approval, Ran};
    use super::*;

    fn line(event: Event, from: f64, to: f64) -> Record {
        let mut record = Record::at(0, "api", "canary", to, event, String::new());
        (record.from, record.to) = (Some(from), Some(to));
        record
    }

    fn by_person(record: Record) -> Record {
        Record { by: Some(By::Person), ..record }
    }

    fn approval(step: &str, name: &str) -> Record {
        let mut record = by_person(Record::at(9, "api", "canary", 5.0, Event::Approve, String::new()));
        record.approval = Some(Approval { name: name.into(), ticket: None, outside_window: false });
        (record.step, record.salt) = (Some(step.into()), Some("one".into()));
        record
    }

    fn hook(step: &str, exit: i32) -> Record {
        let mut record = Record::at(0, "api", "canary", 5.0, Event::Hook, String::new());
        record.hook = Some(Ran { command: "x".into(), exit: Some(exit), seconds: 1, lines: Vec::new() });
        (record.step, record.salt) = (Some(step.into()), Some("one".into()));
        record
    }

    #[test]
    fn an_approval_is_of_one_step_of_one_rollout_by_one_who_may() {
        let who = ["ada".to_owned()];
        let approved = |records: &[Record], step: &str, salt: &str| {
            Past::of(records, "canary", salt).approved(step, &who, false).is_some()
        };
        let at_five = || line(Event::Advance, 1.0, 5.0);
        let mut records = vec![at_five(), approval("25", "ada"), line(Event::Step, 5.0, 5.0)];
        assert!(approved(&records, "25", "one"));
        // A clock that is an hour off is nothing to an approval: its place in the log counts.
        records[1].at = u64::MAX;
        assert!(approved(&records, "25", "one"));
        assert!(!approved(&records, "50", "one"), "another step");
        assert!(!approved(&records, "25", "two"), "another salt");
        assert!(Past::of(&records, "other", "one").approved("25", &who, false).is_none(), "another canary");
        assert!(Past::of(&records, "canary", "one").approved("25", &who, true).is_none(), "in a window only");
        assert!(!approved(&[at_five(), approval("25", "eve")], "25", "one"), "by a stranger");
        for after in [
            line(Event::Advance, 5.0, 25.0),
            by_person(line(Event::Set, 5.0, 4.0)),
            line(Event::Aborted, 0.0, 0.0),
            by_person(line(Event::Abort, 5.0, 0.0)),
            line(Event::Promoted, 100.0, 100.0),
            line(Event::Stopped, 5.0, 4.0),
        ] {
            let records = [at_five(), approval("25", "ada"), after];
            assert!(!approved(&records, "25", "one"), "{:?}", records[2].event);
        }
    }

    #[test]
    fn a_hook_that_succeeded_is_not_run_again_for_its_step() {
        let records = [line(Event::Advance, 1.0, 5.0), hook("25", 3), hook("25", 0)];
        let past = Past::of(&records, "canary", "one");
        assert!(past.ran("25", "x") && !past.ran("25", "y") && !past.ran("50", "x"));
        assert!(Past::of(&records[..2], "canary", "one").failed("25", "x").is_some());
        assert!(past.failed("25", "x").is_none());
        let moved = [hook("25", 0), line(Event::Advance, 5.0, 25.0)];
        assert!(!Past::of(&moved, "canary", "one").ran("25", "x"));
    }

    #[test]
    fn the_point_of_no_return_stays_reached_until_the_rollout_ends() {
        let reached = |records: &[Record], mark| Past::of(records, "canary", "one").reached(mark).is_some();
        let up = line(Event::Advance, 5.0, 25.0);
        let down = by_person(line(Event::Set, 25.0, 5.0));
        assert!(reached(std::slice::from_ref(&up), 2500), "the weight itself is the first");
        assert!(!reached(std::slice::from_ref(&up), 2501));
        assert!(reached(&[up.clone(), down.clone()], 2500), "lowered by hand");
        assert!(reached(std::slice::from_ref(&down), 2500), "the log began above it");
        assert!(!reached(&[up.clone(), by_person(line(Event::Abort, 25.0, 0.0))], 2500));
        assert!(!reached(&[up, line(Event::Promoted, 100.0, 100.0), line(Event::Advance, 0.0, 1.0)], 2500));
    }

    #[test]
    fn it_holds_until_a_person_lets_it_go_on() {
        let held = |records: &[Record]| Past::of(records, "canary", "one").held().is_some();
        let at = |event| line(event, 25.0, 25.0);
        let mut records = vec![at(Event::Step), at(Event::Held), at(Event::Look), at(Event::Applied)];
        assert!(held(&records), "whatever is applied or seen later");
        records.push(at(Event::Resume));
        assert!(!held(&records));
        records.extend([at(Event::Step), at(Event::Held)]);
        assert!(held(&records), "worse again");
    }

    #[test]
    fn what_follows_an_abort_is_owed_until_it_succeeded() {
        let from = |records: &[Record]| Past::of(records, "canary", "one").owes("x");
        let owes = |records: &[Record]| from(records).is_some();
        let aborted = line(Event::Aborted, 0.0, 0.0);
        let by_hand = by_person(line(Event::Abort, 5.0, 0.0));
        assert!(owes(std::slice::from_ref(&aborted)) && owes(std::slice::from_ref(&by_hand)));
        assert!(owes(&[by_hand.clone(), line(Event::Stopped, 5.0, 0.0), hook(AFTER_ABORT, 1)]));
        assert!(!owes(&[aborted.clone(), hook(AFTER_ABORT, 0)]));
        let again = by_person(line(Event::Abort, 0.0, 0.0));
        assert!(!owes(std::slice::from_ref(&again)), "nobody was taken back");
        assert!(!owes(&[by_hand.clone(), hook(AFTER_ABORT, 0), again.clone()]));
        let repeated = [by_hand.clone(), hook(AFTER_ABORT, 1), again];
        assert_eq!(from(&repeated), Some(500), "repeated: the weight that was left");
        let mut other = line(Event::Abort, 7.0, 0.0);
        other.canary = "other".into();
        let by_run =
            [line(Event::Abort, 25.0, 0.0), other, line(Event::Aborted, 0.0, 0.0), hook(AFTER_ABORT, 1)];
        assert_eq!(from(&by_run), Some(2500), "of this canary");
        assert!(!owes(&[aborted, line(Event::Advance, 0.0, 1.0)]));
        assert!(!owes(&[line(Event::Abort, 5.0, 0.0)]), "decided, but not done");
        assert!(!owes(&[]));
    }
}
