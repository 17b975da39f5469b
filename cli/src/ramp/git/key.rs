//! What tells one rollout of a repository from another: the branch, the files and the service; as a part of refs' names, and of
//! commits' trailers.

use std::path::PathBuf;

use crate::ramp::pending::hash;

/// Longest part of a name. Git keeps refs as files, whose names have at most 255 bytes on most systems.
const LONGEST: usize = 180;

/// The key of a rollout, as `main/graylane.yaml/api`: another rollout of the repository never has the same one.
pub fn key(branch: &str, files: &[PathBuf], service: &str) -> String {
    let files: Vec<String> = files
        .iter()
        .map(|path| if path.as_os_str().is_empty() { ".".into() } else { path.to_string_lossy() })
        .map(|path| escaped(&path))
        .collect();
    [escaped(branch), files.join("+"), escaped(service)].map(bounded).join("/")
}

/// A text as one part of a ref's name, of which `git check-ref-format` allows fewer characters and dots in fewer places.
fn escaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let dot = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let is_inside = before.is_some_and(|byte| *byte != b'.') && at + 1 < bytes.len();
        is_inside && bytes.get(at..) != Some(b".lock")
    };
    let part = |(at, byte): (usize, &u8)| {
        if byte.is_ascii_alphanumeric() || b"-_".contains(byte) || *byte == b'.' && dot(at) {
            char::from(*byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    bytes.iter().enumerate().map(part).collect()
}

/// The same, or its beginning and a hash of all of it; no escaped text has `%x`.
fn bounded(part: String) -> String {
    match part.get(..LONGEST) {
        Some(head) if part.len() > LONGEST => {
            let hash = hash(&part);
            format!("{head}%x{}", hash.get(..12).unwrap_or(&hash))
        }
        _ => part,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn of(branch: &str, files: &[&str], service: &str) -> String {
        key(branch, &files.iter().map(PathBuf::from).collect::<Vec<_>>(), service)
    }

    #[test]
    fn names_are_readable_and_those_that_git_allows() {
        assert_eq!(of("main", &["graylane.yaml"], "api"), "main/graylane.yaml/api");
        assert_eq!(
            of("release/1.2", &["mesh/base", "mesh/prod.yaml"], "api.v1"),
            "release%2F1.2/mesh%2Fbase+mesh%2Fprod.yaml/api.v1"
        );
        assert_eq!(of("main", &[""], "api"), "main/%2E/api");
        let long = "a".repeat(300);
        for (branch, file, service) in [
            ("main", ".", "api"),
            ("a.lock", ".hidden/x.lock", "a.."),
            ("ä", "a b~^:?*[\\\n.yaml", "@{"),
            ("@", "-", "@"),
            (&*long, &*long, &*long),
            ("a.lock/b", "b..c", "x.lock.lock"),
        ] {
            let name = format!("refs/graylane/log/{}", of(branch, &[file], service));
            let status = Command::new("git").args(["check-ref-format", &name]).status().unwrap();
            assert!(status.success() && name.split('/').all(|part| part.len() <= 200), "{name}");
        }
    }

    #[test]
    fn each_rollout_has_a_name_of_its_own() {
        let long = |end: &str| format!("{}{end}", "a".repeat(300));
        let (one, two) = (long("1"), long("2"));
        let all = [
            of("main", &["a.yaml"], "api"),
            of("main", &["b.yaml"], "api"),
            of("prod", &["a.yaml"], "api"),
            of("main", &["a.yaml"], "api.v1"),
            of("main", &["a.yaml"], "api%2Ev1"),
            of("main", &["a.yaml", "b.yaml"], "api"),
            of("main", &["a.yaml+b.yaml"], "api"),
            of("main", &["a/a.yaml"], "api"),
            of("main/a", &["a.yaml"], "api"),
            of("main", &[&one], "api"),
            of("main", &[&two], "api"),
        ];
        for name in &all {
            assert_eq!(all.iter().filter(|other| *other == name).count(), 1, "{name}");
        }
    }
}
