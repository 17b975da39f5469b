//! The lines of one request: those with its id, those with another id of these, and calls without any id that only it can have
//! caused.

use std::collections::{BTreeMap, BTreeSet};

use super::line::Line;

/// How a line is known to be of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By its id.
    Id,
    /// By its time: the pod made the call while it answered this request and no other.
    Time,
}

/// An id as logs have it: of a `traceparent` its trace id.
#[must_use]
pub fn id(text: &str) -> String {
    let parts: Vec<&str> = text.trim().split('-').collect();
    let is_trace = |parts: &[&str]| parts[0].len() == 2 && parts[1].len() == 32;
    let id = if parts.len() == 4 && is_trace(&parts) { parts[1] } else { text.trim() };
    id.to_ascii_lowercase()
}

/// The lines of a request, in the order of the log.
#[must_use]
pub fn join<'l>(lines: &'l [Line], id: &str) -> Vec<(&'l Line, By)> {
    let pods = Pods::of(lines);
    let mut ids = BTreeSet::from([id.to_owned()]);
    let mut by: Vec<Option<By>> = vec![None; lines.len()];
    loop {
        let mut grown = false;
        for (index, line) in lines.iter().enumerate() {
            if by[index].is_none() && !line.ids.is_disjoint(&ids) {
                by[index] = Some(By::Id);
                ids.extend(line.ids.iter().cloned());
                grown = true;
            }
        }
        if grown {
            continue;
        }
        let found = pods.caused(lines, &by);
        if found.is_empty() {
            break;
        }
        for index in found {
            by[index] = Some(By::Time);
            ids.extend(lines[index].ids.iter().cloned());
        }
    }
    lines.iter().zip(by).filter_map(|(line, by)| Some((line, by?))).collect()
}

/// What each pod was asked and what it called, by the places of the lines.
struct Pods<'l>(BTreeMap<&'l str, [Vec<usize>; 2]>);

impl<'l> Pods<'l> {
    fn of(lines: &'l [Line]) -> Self {
        let mut pods: BTreeMap<&str, [Vec<usize>; 2]> = BTreeMap::new();
        for (index, line) in lines.iter().enumerate() {
            if let Some(pod) = &line.pod {
                pods.entry(pod).or_default()[usize::from(!line.is_inbound())].push(index);
            }
        }
        Self(pods)
    }

    /// The calls that only the request can have caused: their pod answered it then, and, by this log, no other.
    fn caused(&self, lines: &[Line], by: &[Option<By>]) -> Vec<usize> {
        let mut found = Vec::new();
        // Few pods have a line of the request, so nothing is compared with the lines of all others.
        let took_part = |asked: &[usize]| asked.iter().any(|index| by[*index].is_some());
        for [asked, called] in self.0.values().filter(|[asked, _]| took_part(asked)) {
            for call in called.iter().filter(|call| by[**call].is_none()) {
                let mut busy = asked.iter().filter(|answer| at_work(&lines[**answer], lines[*call].time));
                if let (Some(only), None) = (busy.next(), busy.next())
                    && by[*only].is_some()
                {
                    found.push(*call);
                }
            }
        }
        found.sort_unstable();
        found
    }
}

/// Was this request being answered at a time? Where nothing says how long that took, it may still have been.
fn at_work(answer: &Line, time: i64) -> bool {
    answer.time <= time && answer.duration.is_none_or(|duration| time <= answer.time + duration)
}
