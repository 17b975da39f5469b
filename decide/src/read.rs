//! Reads the document out of JSON: all mistakes at once, each with the path of its field.
//!
//! Not derived: the derived readers are a third of the module's bytes, and stop at the first mistake without saying
//! in which field it is.

use std::fmt;

use serde_json::Value;

/// A mistake in a configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Path of the field, as in `services[3].pins[0].subset`; empty for the document itself.
    pub field: String,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.problem)
    }
}

/// Collects mistakes on the way through a document.
#[derive(Default)]
pub struct Reader {
    path: String,
    pub mistakes: Vec<Mistake>,
}

/// Something that a value of the document can be read as. `None`: a mistake was noted.
pub trait Read: Sized {
    fn read(value: &Value, reader: &mut Reader) -> Option<Self>;
}

impl Reader {
    fn mistake<T>(&mut self, problem: String) -> Option<T> {
        self.note(problem);
        None
    }

    #[inline(never)]
    fn note(&mut self, problem: String) {
        self.mistakes.push(Mistake { field: self.path.clone(), problem });
    }

    fn expected<T>(&mut self, what: &str, value: &Value) -> Option<T> {
        self.note_expected(what, value);
        None
    }

    #[inline(never)]
    fn note_expected(&mut self, what: &str, value: &Value) {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.note(["expected ", what, ", found ", found].concat());
    }

    /// Goes one step down; returns where to return to. Kept out of line, as is everything here that need not be
    /// compiled for each type: a third of the reader's bytes.
    #[inline(never)]
    fn enter(&mut self, key: &str) -> usize {
        let length = self.path.len();
        if length > 0 && !key.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(key);
        length
    }

    #[inline(never)]
    fn enter_element(&mut self, index: usize) -> usize {
        self.enter(&["[", &index.to_string(), "]"].concat())
    }

    #[inline(never)]
    fn leave(&mut self, length: usize) {
        self.path.truncate(length);
    }

    /// Notes every key of an object that is not among these.
    #[inline(never)]
    pub fn refuse_others(&mut self, value: &Value, keys: &[&str]) -> Option<()> {
        let Value::Object(object) = value else { return self.expected("an object", value) };
        for key in object.keys().filter(|key| !keys.contains(&key.as_str())) {
            let back = self.enter(key);
            let _: Option<()> = self.mistake(["unknown field, expected one of ", &keys.join(", ")].concat());
            self.leave(back);
        }
        Some(())
    }

    /// Reads a field; without a default it is required.
    pub fn field<T: Read>(&mut self, value: &Value, key: &str, default: Option<fn() -> T>) -> Option<T> {
        match (self.enter_field(value, key, default.is_some()), default) {
            (Some((value, back)), _) => {
                let result = T::read(value, self);
                self.leave(back);
                result
            }
            (None, default) => Some(default?()),
        }
    }

    /// A field's value, and where to return to. None: it is not there, which is noted unless it has a default. What of a field
    /// need not be compiled for each type.
    #[inline(never)]
    fn enter_field<'v>(
        &mut self,
        value: &'v Value,
        key: &str,
        has_default: bool,
    ) -> Option<(&'v Value, usize)> {
        let value = value.get(key);
        if value.is_none() && has_default {
            return None;
        }
        let back = self.enter(key);
        if value.is_none() {
            self.note("missing".to_owned());
            self.leave(back);
        }
        Some((value?, back))
    }

    /// The one key of an object that has exactly one of these.
    #[inline(never)]
    pub fn variant<'k>(&mut self, value: &Value, keys: &[&'k str]) -> Option<&'k str> {
        self.refuse_others(value, keys)?;
        let mut given = keys.iter().filter(|key| value.get(key).is_some());
        match (given.next(), given.next()) {
            (Some(key), None) => Some(key),
            _ => self.mistake(["expected one of ", &keys.join(", ")].concat()),
        }
    }

    /// Reads one of several words: its place among them.
    #[inline(never)]
    pub fn word(&mut self, value: &Value, words: &[&str]) -> Option<usize> {
        let Value::String(is) = value else { return self.expected("a string", value) };
        let place = words.iter().position(|word| word == is);
        place.or_else(|| self.mistake(["unknown `", is, "`, expected one of ", &words.join(", ")].concat()))
    }
}

impl Read for bool {
    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        value.as_bool().or_else(|| reader.expected("true or false", value))
    }
}

impl Read for u32 {
    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let number = value.as_u64().and_then(|number| Self::try_from(number).ok());
        number.or_else(|| reader.expected("a whole number", value))
    }
}

impl Read for f64 {
    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        value.as_f64().or_else(|| reader.expected("a number", value))
    }
}

impl<T: Read> Read for Box<T> {
    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        T::read(value, reader).map(Self::new)
    }
}

impl Read for u16 {
    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let number = value.as_u64().and_then(|number| Self::try_from(number).ok());
        number.or_else(|| reader.expected("a whole number up to 65535", value))
    }
}

impl Read for String {
    #[inline(never)]
    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        value.as_str().map(ToOwned::to_owned).or_else(|| reader.expected("a string", value))
    }
}

impl<T: Read> Read for Option<T> {
    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        T::read(value, reader).map(Some)
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        let Value::Array(list) = value else { return reader.expected("a list", value) };
        let mut all = Self::new();
        for (index, value) in list.iter().enumerate() {
            let back = reader.enter_element(index);
            if let Some(element) = T::read(value, reader) {
                all.push(element);
            }
            reader.leave(back);
        }
        // One that was no element is a mistake, which was noted.
        (all.len() == list.len()).then_some(all)
    }
}

/// `fields!(Type { field: "key", other: "key" = || default })`: reads an object of exactly these keys.
macro_rules! fields {
    (@default) => { None };
    (@default $default:expr) => { Some($default) };
    ($type:ident { $($field:ident: $key:literal $(= $default:expr)?),* $(,)? }) => {
        impl Read for $type {
            #[inline(never)]
            fn read(value: &serde_json::Value, reader: &mut Reader) -> Option<Self> {
                reader.refuse_others(value, &[$($key),*])?;
                // All of them before any is taken, so that every mistake is noted; in one pattern, since each `?` would drop all
                // others in code of its own.
                match ($(reader.field(value, $key, fields!(@default $($default)?)),)*) {
                    ($(Some($field),)*) => Some(Self { $($field),* }),
                    _ => None,
                }
            }
        }
    };
}

/// `words!(Type { Variant: "word" })`: one of these words, both ways.
macro_rules! words {
    ($type:ident { $($variant:ident: $word:literal),* $(,)? }) => {
        impl $type {
            /// Its word in the document.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl Read for $type {
            fn read(value: &serde_json::Value, reader: &mut Reader) -> Option<Self> {
                let place = reader.word(value, &[$($word),*])?;
                [$(Self::$variant),*].get(place).copied()
            }
        }

        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }
    };
}

/// `variants!(Type { Variant: "key" })`: an object of exactly one of these keys. A variant that is left out does not
/// compile, so nothing is ever read as something else.
macro_rules! variants {
    ($type:ident { $($variant:ident: $key:literal),* $(,)? }) => {
        impl $type {
            /// Its key in the document.
            #[must_use]
            pub fn key(&self) -> &'static str {
                match self { $(Self::$variant(..) => $key),* }
            }
        }

        impl Read for $type {
            fn read(value: &serde_json::Value, reader: &mut Reader) -> Option<Self> {
                let key = reader.variant(value, &[$($key),*])?;
                $(if key == $key { return reader.field(value, key, None).map(Self::$variant); })*
                None
            }
        }
    };
}

pub(crate) use {fields, variants, words};
