//! The files that a document was read from, and places in them.

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Which file, as an index into [`SourceFiles`].
    pub file: usize,
    /// First byte.
    pub start: usize,
    /// The byte behind the last one.
    pub end: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

#[derive(Clone, Debug)]
struct File {
    name: String,
    text: String,
}

/// All files that were read, in order.
#[derive(Clone, Debug, Default)]
pub struct SourceFiles {
    files: Vec<File>,
}

impl SourceFiles {
    /// Adds a text under a name.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> usize {
        self.files.push(File { name: name.into(), text: text.into() });
        self.files.len() - 1
    }

    /// A file's name, as it was given.
    #[must_use]
    pub fn name(&self, file: usize) -> &str {
        self.files.get(file).map_or("", |file| &file.name)
    }

    /// A file's text.
    #[must_use]
    pub fn text(&self, file: usize) -> &str {
        self.files.get(file).map_or("", |file| &file.text)
    }

    /// Line and column of the byte behind a place's last one, both from 1.
    #[must_use]
    pub fn end(&self, span: Span) -> (usize, usize) {
        let text = self.text(span.file).get(span.start..span.end).unwrap_or_default();
        let last = text.rsplit('\n').next().unwrap_or_default().chars().count();
        match text.matches('\n').count() {
            0 => (span.line, span.column + last),
            lines => (span.line + lines, last + 1),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_ends_behind_its_last_character() {
        let mut sources = SourceFiles::default();
        let file = sources.add("f", "größe: 1\n  two\n");
        let end = |start, end, line, column| sources.end(Span { file, start, end, line, column });
        assert_eq!(end(0, 7, 1, 1), (1, 6));
        assert_eq!(end(9, 10, 1, 8), (1, 9));
        assert_eq!(end(0, 16, 1, 1), (2, 6));
        assert_eq!(end(4, 4, 1, 4), (1, 4));
    }
}
