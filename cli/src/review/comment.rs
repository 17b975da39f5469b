//! What is printed of a review: a comment under a pull request, or lines for a terminal.

use std::collections::BTreeMap;

use super::{Review, Shift};
use crate::diff::Change;
use crate::markdown::{code, folded, table};

/// Most bytes of changed fields: a comment on GitHub may have 65,536 characters, a table of objects has up to a third of them.
const FIELDS: usize = 30_000;

/// The comment; `findings` is what `check` says of the file, without colours.
#[must_use]
pub fn markdown(review: &Review, findings: &str, errors: usize) -> String {
    let mut text = format!("### graylane: {}\n", title(review, errors));
    if errors > 0 {
        text += &folded("Findings of <code>graylane check</code>", findings).replacen(
            "<details>",
            "<details open>",
            1,
        );
    }
    if !review.added.is_empty() || !review.removed.is_empty() {
        text += "\n";
        text += &named("New", &review.added);
        text += &named("Removed", &review.removed);
    }
    if !review.shifts.is_empty() {
        let rows: Vec<Vec<String>> = review.shifts.iter().map(row).collect();
        let head = ["service", "tenant", "before", "after", "users who move"];
        text += &format!("\n{}", table(&head, &rows));
    }
    if !review.changes.is_empty() {
        let rows: Vec<Vec<String>> =
            objects(review).into_iter().map(|(object, changes)| vec![code(object), kind(&changes)]).collect();
        text += &format!("\n{}", table(&["object", ""], &rows));
        text += &folded("Changed fields", &fields(review));
    }
    if errors == 0 && !findings.is_empty() {
        text += &folded("Findings of <code>graylane check</code>", findings);
    }
    text
}

/// The same for a terminal.
#[must_use]
pub fn text(review: &Review) -> String {
    let mut text = String::new();
    for (sign, names) in [('+', &review.added), ('-', &review.removed)] {
        text.extend(names.iter().map(|name| format!("{sign} {name}\n")));
    }
    for shift in &review.shifts {
        let (service, tenant) = (place(shift), &shift.tenant);
        let (before, after) = (shares(&shift.before, str::to_owned), shares(&shift.after, str::to_owned));
        text += &format!(
            "{service}, {tenant}: {before} → {after}; {} of the users move{}\n",
            percent(shift.moved, shift.users),
            back(shift)
        );
    }
    text.extend(review.changes.iter().map(crate::diff::line));
    text
}

/// In one line: how many users and objects.
#[must_use]
fn title(review: &Review, errors: usize) -> String {
    if errors > 0 {
        return if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") };
    }
    let moving = review.shifts.iter().filter(|shift| shift.moved > 0).collect::<Vec<_>>();
    let users = match &moving[..] {
        [] => "no user moves".to_owned(),
        [one] => format!(
            "{} of the users of {} move at {}",
            percent(one.moved, one.users),
            code(&one.tenant),
            code(&place(one))
        ),
        many => format!("users move at {} places", many.len()),
    };
    let objects = match review.objects() {
        0 => "no object changes".to_owned(),
        1 => "1 object changes".to_owned(),
        many => format!("{many} objects change"),
    };
    format!("{users}, {objects}")
}

fn named(what: &str, names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!("{what}: {}.\n", names.iter().map(|name| code(name)).collect::<Vec<_>>().join(", "))
}

fn row(shift: &Shift) -> Vec<String> {
    vec![
        code(&place(shift)),
        code(&shift.tenant),
        shares(&shift.before, code),
        shares(&shift.after, code),
        format!("{}{}", percent(shift.moved, shift.users), back(shift)),
    ]
}

fn place(shift: &Shift) -> String {
    match &shift.route {
        Some(route) => format!("{}, route {route}", shift.service),
        None => shift.service.clone(),
    }
}

/// Who leaves a canary that nobody should leave.
fn back(shift: &Shift) -> String {
    if shift.moved_back == 0 {
        return String::new();
    }
    format!(", {} leave a canary whose weight does not fall", percent(shift.moved_back, shift.users))
}

fn shares(shares: &[(String, u32)], name: impl Fn(&str) -> String) -> String {
    match shares {
        [(subset, _)] => name(subset),
        many => many
            .iter()
            .map(|(subset, buckets)| format!("{} {} %", name(subset), crate::percent::of(*buckets)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn percent(part: u64, whole: u64) -> String {
    let share = part as f64 * 100.0 / whole.max(1) as f64;
    match share {
        _ if part == 0 || part == whole => format!("{share} %"),
        // Somebody, or not everybody, must not be rounded away.
        _ => format!("{:.2} %", share.clamp(0.01, 99.99)),
    }
}

/// Changes by object, in byte order.
fn objects(review: &Review) -> BTreeMap<&str, Vec<&Change>> {
    let mut objects: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
    for change in &review.changes {
        objects.entry(&change.resource).or_default().push(change);
    }
    objects
}

/// All changes, a line each, as far as a comment holds them.
fn fields(review: &Review) -> String {
    let (mut text, mut left) = (String::new(), 0);
    for line in review.changes.iter().map(crate::diff::line) {
        if left == 0 && text.len() + line.len() <= FIELDS {
            text += &line;
        } else {
            left += 1;
        }
    }
    if left > 0 {
        text += &format!("… and {left} more\n");
    }
    text
}

fn kind(changes: &[&Change]) -> String {
    match changes {
        [one] if one.field.is_none() && one.before.is_none() => "new".to_owned(),
        [one] if one.field.is_none() => "removed".to_owned(),
        [_] => "1 field".to_owned(),
        many => format!("{} fields", many.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_never_rounded_to_nobody_or_everybody() {
        assert_eq!(percent(0, 100_000), "0 %");
        assert_eq!(percent(1, 100_000), "0.01 %");
        assert_eq!(percent(24_091, 100_000), "24.09 %");
        assert_eq!(percent(99_999, 100_000), "99.99 %");
        assert_eq!(percent(100_000, 100_000), "100 %");
    }
}
