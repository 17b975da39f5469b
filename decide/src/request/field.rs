//! What header lines of one name say.

/// All that one header name carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field<'a> {
    value: Option<&'a [u8]>,
    lines: u32,
    mixed: bool,
    ragged: bool,
}

/// What a [`Field`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// No line, or blank ones only.
    Absent,
    /// One value, without the white space around it; equal repeated values count as one.
    One(&'a [u8]),
    /// Several different values.
    Mixed,
}

impl<'a> Field<'a> {
    /// Takes one more line of this name.
    pub fn add(&mut self, line: &'a [u8]) {
        self.lines = self.lines.saturating_add(1);
        let value = line.trim_ascii();
        self.ragged |= value.len() != line.len() || value.is_empty();
        if value.is_empty() {
            return;
        }
        match self.value {
            None => self.value = Some(value),
            Some(first) => self.mixed |= first != value,
        }
    }

    /// Takes one more line of a header that is one value, whose repetitions a proxy or framework may have joined by
    /// commas: `gray, gray` is what two lines `gray` are (RFC 9110, section 5.3).
    pub fn add_joined(&mut self, line: &'a [u8]) {
        if !line.contains(&b',') {
            return self.add(line);
        }
        line.split(|byte| *byte == b',').for_each(|part| self.add(part));
        // Even where all parts are equal: what is written behind us is one value.
        self.ragged = true;
    }

    /// What it says.
    #[must_use]
    pub fn value(&self) -> Value<'a> {
        match self.value {
            None => Value::Absent,
            Some(_) if self.mixed => Value::Mixed,
            Some(value) => Value::One(value),
        }
    }

    /// The one value, if there is exactly one.
    #[must_use]
    pub fn one(&self) -> Option<&'a [u8]> {
        if self.mixed { None } else { self.value }
    }

    /// Was there any line of this name, if a blank one?
    #[must_use]
    pub fn present(&self) -> bool {
        self.lines > 0
    }

    /// Exactly one line, with nothing around its value: no reader downstream can read it differently.
    #[must_use]
    pub fn tidy(&self) -> bool {
        self.lines == 1 && !self.ragged
    }
}

/// The lines of a header that is a list by nature; the first one costs no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines<'a> {
    first: Option<&'a [u8]>,
    more: Vec<&'a [u8]>,
}

impl<'a> Lines<'a> {
    /// Takes one more line.
    pub fn add(&mut self, line: &'a [u8]) {
        if self.first.is_none() {
            self.first = Some(line);
        } else {
            self.more.push(line);
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.first.into_iter().chain(self.more.iter().copied())
    }

    /// All of them, collected.
    #[must_use]
    pub fn all(&self) -> Vec<&'a [u8]> {
        self.iter().collect()
    }

    /// Was there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<'a>(lines: &[&'a str]) -> Field<'a> {
        let mut field = Field::default();
        for line in lines {
            field.add(line.as_bytes());
        }
        field
    }

    #[test]
    fn blank_is_absent_equal_is_one_different_is_mixed() {
        assert_eq!(field(&[]).value(), Value::Absent);
        assert_eq!(field(&["", " \t"]).value(), Value::Absent);
        assert_eq!(field(&["gray", "gray "]).value(), Value::One(b"gray"));
        assert_eq!(field(&["gray", "green"]).value(), Value::Mixed);
        assert_eq!(field(&["gray,green"]).value(), Value::One(b"gray,green"));
    }

    #[test]
    fn a_list_of_equal_values_is_one_value_where_lines_may_be_joined() {
        for (line, value) in [
            ("gray,gray", Value::One(b"gray".as_slice())),
            (" gray , gray,", Value::One(b"gray")),
            (",", Value::Absent),
            ("gray,green", Value::Mixed),
            ("gray", Value::One(b"gray")),
        ] {
            let mut field = Field::default();
            field.add_joined(line.as_bytes());
            assert_eq!(field.value(), value, "{line}");
            assert_eq!(field.tidy(), line == "gray", "{line}");
        }
    }

    #[test]
    fn only_one_line_without_white_space_is_tidy() {
        assert!(field(&["gray"]).tidy());
        for ragged in [&[""][..], &[" gray"], &["gray", "gray"], &["", "gray"]] {
            assert!(!field(ragged).tidy(), "{ragged:?}");
        }
    }
}
