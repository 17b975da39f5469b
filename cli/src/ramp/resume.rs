//! Whether a run may continue. A person has the last word: what somebody set, aborted or edited while a run was under way is never undone.

use super::change::Desk;
use super::journal::{Event, Journal, Record};
use super::next::Next;
use crate::percent::buckets;
use crate::simulate::percent;

/// What a run finds when it looks at the file and the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// The file is as the run left it, or there was none.
    Free,
    /// It is not, and only a person lets the run go on.
    Stopped(String),
}

/// Compares the file with the log. `anew`: a person wants to start over.
pub fn standing(journal: &Journal, desk: &Desk, next: Next<'_>, anew: bool) -> Standing {
    let service = next.service();
    let persons: Vec<&Record> = journal.persons().collect();
    let person = persons.first().copied();
    let go_on = next.go_on();
    let stopped = |why: String| Standing::Stopped(format!("{why}: {go_on}"));
    let by_person = |record: &Record| {
        let what = match record.event {
            Event::Abort => "aborted it".to_owned(),
            Event::Promote => "promoted it".to_owned(),
            _ => format!("set `{}` to {} %", record.canary, percent(record.buckets())),
        };
        format!("a person {what} at {}", record.time)
    };
    let Some(last) = journal.last() else {
        return match person {
            Some(record) if record.event == Event::Abort && !anew && is_at(desk, service, record, 0) => {
                stopped(by_person(record))
            }
            _ => Standing::Free,
        };
    };
    match last.event {
        Event::Aborted | Event::Promoted => match person {
            Some(record) if record.event == Event::Abort && !anew => stopped(by_person(record)),
            _ => Standing::Free,
        },
        Event::Stopped => match person {
            Some(record) => stopped(by_person(record)),
            None => stopped(format!("it stopped at {}", last.time)),
        },
        _ => {
            if let Some(record) = person {
                return stopped(by_person(record));
            }
            let unchanged = last.hash.as_ref().is_some_and(|hash| *hash == desk.hash());
            let done = if last.event == Event::Promote {
                desk.mesh.service(service).is_some_and(|service| service.baseline == last.canary)
            } else {
                is_at(desk, service, last, last.buckets())
            };
            // An abort that was decided, and cut off: whatever else was edited, it is due while the canary has its weight.
            let had = last.from.map(buckets);
            let due = last.event == Event::Abort && share(desk, service, &last.canary) == had;
            if done || unchanged || due {
                return Standing::Free;
            }
            let is = share(desk, service, &last.canary)
                .map_or_else(|| "no entry".to_owned(), |buckets| format!("{} %", percent(buckets)));
            stopped(format!(
                "`{}` has {is} in the file, and {} % in the log: the file was edited",
                last.canary,
                percent(last.buckets())
            ))
        }
    }
}

fn share(desk: &Desk, service: &str, canary: &str) -> Option<u16> {
    let (_, rollout) = desk.rollout(service).ok()?;
    let weight = rollout.weights.iter().find(|weight| weight.subset == canary)?;
    Some(weight.buckets)
}

fn is_at(desk: &Desk, service: &str, record: &Record, buckets: u16) -> bool {
    share(desk, service, &record.canary) == Some(buckets)
}
