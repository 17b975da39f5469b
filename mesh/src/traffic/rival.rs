//! Another owner's resource for a host that is rendered.

/// Another owner's resource for a host that is rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// Its place among those that are there.
    pub resource: usize,
    /// What is so, in words.
    pub text: String,
    /// What to do.
    pub help: String,
}
