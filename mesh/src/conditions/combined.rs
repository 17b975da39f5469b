//! `all`, `any` and `not`: conditions made of others.

use graylane_decide::config;

use super::{Condition, Report, at};

/// Says what is wrong with a list of them.
pub fn check(key: &str, list: &[Condition], report: &mut dyn Report, path: &[String], depth: usize) {
    if list.is_empty() {
        report.error(&at(path, &[]), format!("`{key}` of nothing")).help(format!(
            "write a list of conditions, as in `{key}: [{{host: {{exact: www.example.com}}}}]`"
        ));
    }
    for (index, inner) in list.iter().enumerate() {
        let path: Vec<String> = path.iter().cloned().chain([index.to_string()]).collect();
        inner.check(report, &path, depth + 1);
    }
}

fn each(list: &[Condition]) -> Option<Vec<config::Condition>> {
    list.iter().map(Condition::lower).collect()
}

/// What the filter reads for `all`.
pub fn all(list: &[Condition]) -> Option<config::Condition> {
    each(list).map(config::Condition::All)
}

/// What the filter reads for `any`.
pub fn any(list: &[Condition]) -> Option<config::Condition> {
    each(list).map(config::Condition::Any)
}

/// What the filter reads for `not`.
pub fn not(inner: &Condition) -> Option<config::Condition> {
    inner.lower().map(|inner| config::Condition::Not(Box::new(inner)))
}

/// The only one of a list, or all of them as one.
pub fn one_or(
    mut list: Vec<config::Condition>,
    several: fn(Vec<config::Condition>) -> config::Condition,
) -> config::Condition {
    match (list.pop(), list.is_empty()) {
        (Some(only), true) => only,
        (last, _) => several(list.into_iter().chain(last).collect()),
    }
}
