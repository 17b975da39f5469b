//! How a rollout gets from its first users to all: steps, pauses, hooks, windows, and the point of no return.

use std::collections::BTreeSet;

use super::{Checker, listed};
use crate::document::duration;
use crate::document::model::{PROMOTE, Rollout, Share, Step, Window};
use crate::document::shape::nearest;
use crate::windows;

/// What only the rollout of a whole service can have: `graylane ramp` takes no other through its steps.
const WHOLE: [&str; 4] = ["noReturn", "hooks", "approvers", "windows"];

pub fn check(checker: &mut Checker<'_>, path: &[&str], rollout: &Rollout) {
    steps(checker, path, rollout);
    time(checker, &[path, &["hold"]].concat(), rollout.hold.as_deref());
    time(checker, &[path, &["hooks", "timeout"]].concat(), rollout.hooks.timeout.as_deref());
    if path.len() > 3 {
        of_one_route(checker, path, rollout);
        return;
    }
    no_return(checker, path, rollout);
    hooks(checker, path, rollout);
    approvers(checker, path, rollout);
    for (index, window) in rollout.windows.iter().enumerate() {
        of_window(checker, &[path, &["windows", &index.to_string()]].concat(), window);
    }
}

fn time(checker: &mut Checker<'_>, at: &[&str], text: Option<&str>) {
    if let Some(text) = text.filter(|text| duration::parse(text).is_none()) {
        checker.error(at, format!("invalid duration `{text}`")).help(duration::EXAMPLES);
    }
}

fn steps(checker: &mut Checker<'_>, path: &[&str], rollout: &Rollout) {
    let mut last = 0.0;
    let mut paused = false;
    for (index, step) in rollout.steps.iter().enumerate() {
        let number = index.to_string();
        let at = [path, &["steps", &number]].concat();
        let step = match step {
            Step::Percent(step) => step,
            Step::Pause(_) => {
                if paused {
                    checker
                        .error(&at, "two pauses in a row")
                        .help("keep one: it waits for one approval, of the step behind it");
                }
                if index + 1 == rollout.steps.len() && last < 100.0 {
                    checker.error(&at, "nothing follows this pause").help(
                        "put it before the step that has to be approved; behind 100 it is before the promotion",
                    );
                }
                paused = true;
                continue;
            }
        };
        paused = false;
        if Share::Percent(*step).buckets().is_none_or(|buckets| buckets == 0) {
            checker
                .error(&at, format!("invalid step {step}"))
                .help("write a percentage above 0 and up to 100, with up to two decimals");
        } else if *step <= last {
            checker
                .error(&at, format!("step {step} comes after {last}"))
                .help("make every step larger than the one before");
        }
        last = *step;
    }
}

fn of_one_route(checker: &mut Checker<'_>, path: &[&str], rollout: &Rollout) {
    let pause = rollout.steps.iter().position(|step| matches!(step, Step::Pause(_)));
    let pause = pause.map(|index| vec!["steps".to_owned(), index.to_string()]);
    let keys = WHOLE.map(|key| vec![key.to_owned()]);
    for place in keys.into_iter().chain(pause) {
        let place: Vec<&str> = place.iter().map(String::as_str).collect();
        let at = [path, &place].concat();
        if checker.project.tree.at(&at).is_some() {
            let what = if place.len() > 1 { "pause" } else { place[0] };
            checker.error_at_key(&at, format!("`{what}` has no effect at a single route")).help(
                "write it at the `rollout` of the service: `graylane ramp` takes that one through its steps",
            );
        }
    }
}

fn no_return(checker: &mut Checker<'_>, path: &[&str], rollout: &Rollout) {
    let Some(percent) = rollout.no_return else { return };
    if rollout.no_return().is_none_or(|buckets| buckets == 0) {
        checker
            .error(&[path, &["noReturn"]].concat(), format!("invalid point of no return {percent}"))
            .help("write a percentage above 0 and up to 100, with up to two decimals, as in `noReturn: 25`");
    }
}

fn hooks(checker: &mut Checker<'_>, path: &[&str], rollout: &Rollout) {
    let steps: BTreeSet<u16> = rollout.percentages().collect();
    let mut seen = BTreeSet::new();
    for (key, command) in &rollout.hooks.before {
        let at = [path, &["hooks", "before", key]].concat();
        let step = key.parse().ok().and_then(|percent| Share::Percent(percent).buckets());
        if key != PROMOTE && step.is_none_or(|step| !steps.contains(&step)) {
            let all: Vec<String> = rollout
                .steps
                .iter()
                .filter_map(|step| match step {
                    Step::Percent(percent) => Some(percent.to_string()),
                    Step::Pause(_) => None,
                })
                .chain([PROMOTE.to_owned()])
                .collect();
            checker
                .error_at_key(&at, format!("a hook before `{key}`, which is not a step of this rollout"))
                .help(format!("write one of {}", listed(all.iter().map(String::as_str))));
        } else if !seen.insert(step) {
            checker
                .error_at_key(&at, format!("a second hook before `{key}`"))
                .help("make them one command, as in `./first.sh && ./second.sh`");
        }
        blank(checker, &at, command);
    }
    if let Some(command) = &rollout.hooks.after_abort {
        blank(checker, &[path, &["hooks", "afterAbort"]].concat(), command);
    }
}

fn blank(checker: &mut Checker<'_>, at: &[&str], command: &str) {
    if command.trim().is_empty() {
        checker.error(at, "a hook without a command").help("write a command of the shell, or remove the key");
    }
}

fn approvers(checker: &mut Checker<'_>, path: &[&str], rollout: &Rollout) {
    let mut names = BTreeSet::new();
    for (index, name) in rollout.approvers.iter().enumerate() {
        let number = index.to_string();
        let at = [path, &["approvers", &number]].concat();
        if name.trim() != name || name.is_empty() || name.chars().any(char::is_control) {
            checker
                .error(&at, format!("invalid name of an approver `{}`", crate::plain::line(name)))
                .help("write a name without spaces around it, as in `ada@example.com`");
        } else if !names.insert(name) {
            checker.error(&at, format!("`{name}` is listed twice")).help("remove one of the two");
        }
    }
    let pause = rollout.steps.iter().position(|step| matches!(step, Step::Pause(_)));
    if let Some(index) = pause.filter(|_| rollout.approvers.is_empty()) {
        checker
            .error(&[path, &["steps", &index.to_string()]].concat(), "`pause: approve` without `approvers`")
            .help("add who may approve, as in `approvers: [ada@example.com]`, beside `steps`");
    }
}

fn of_window(checker: &mut Checker<'_>, path: &[&str], window: &Window) {
    if window.days.is_empty() {
        checker
            .error(&[path, &["days"]].concat(), "a window without days never opens")
            .help("write the days on which it opens, as in `days: [mon, tue]`");
    }
    for (key, text) in [("from", &window.from), ("to", &window.to)] {
        let invalid = windows::minutes(text).is_none() || (key == "from" && text == "24:00");
        if invalid {
            checker
                .error(&[path, &[key]].concat(), format!("invalid time of day `{text}`"))
                .help("write hours and minutes in quotes, as in `\"09:00\"`");
        }
    }
    if window.from == window.to && windows::minutes(&window.from).is_some() {
        checker
            .error(&[path, &["to"]].concat(), format!("a window from {0} to {0} never opens", window.from))
            .help("for a whole day write `from: \"00:00\"` and `to: \"24:00\"`");
    }
    if windows::zone(&window.zone).is_none() {
        let zones: Vec<String> = windows::zones().collect();
        let zones: Vec<&str> = zones.iter().map(String::as_str).collect();
        let help = match nearest(&window.zone, &zones) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write a name of the IANA database, as in `Europe/Berlin` or `UTC`".to_owned(),
        };
        checker.error(&[path, &["zone"]].concat(), format!("unknown time zone `{}`", window.zone)).help(help);
    }
}
