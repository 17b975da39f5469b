//! Parts of the file that are known, but that nothing acts on yet: a note, so that nobody waits for them.

use super::Checker;

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    let mut unused = Vec::new();
    if !document.edge.rules.is_empty() {
        unused.push(vec!["edge", "rules"]);
    }
    if document.edge.jwt.is_some() {
        unused.push(vec!["edge", "jwt"]);
    }
    for path in unused {
        checker.note(&path, format!("`{}` is read, but this version does not act on it yet", path.join(".")));
    }
}
