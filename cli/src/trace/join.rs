//! The lines of one request: those with its id, those with another id of these, and calls without any id that only it can have
//! caused.

use std::collections::BTreeSet;

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
        let found = (0..lines.len()).filter(|index| by[*index].is_none() && is_caused(lines, &by, *index));
        let found: Vec<usize> = found.collect();
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

/// Was a call made by a pod that answered the request then, and no other?
fn is_caused(lines: &[Line], by: &[Option<By>], index: usize) -> bool {
    let call = &lines[index];
    if call.is_inbound() || call.pod.is_none() {
        return false;
    }
    let at_work = |line: &Line| {
        let ends = line.duration.map(|duration| line.time + duration);
        line.is_inbound()
            && line.pod == call.pod
            && ends.is_some_and(|ends| (line.time..=ends).contains(&call.time))
    };
    let mut busy = lines.iter().zip(by).filter(|(line, _)| at_work(line));
    matches!((busy.next(), busy.next()), (Some((_, Some(_))), None))
}
