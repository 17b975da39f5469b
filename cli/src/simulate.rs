//! Who gets which version before and after a change of weights, and the files that users are read from.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result};

pub use graylane_mesh::simulate::*;

/// The users of a file, a line each, as raw bytes; `-` is standard input. `progress` is told how many bytes were
/// read, and how many there are, if that is known.
///
/// # Errors
/// When it cannot be read, or a line cannot be a key.
pub fn from_file(users: Users, path: &Path, progress: impl FnMut(u64, Option<u64>)) -> Result<Users> {
    let name = path.display();
    if path == Path::new("-") {
        return read(users, &mut std::io::stdin().lock(), None, progress)
            .context("cannot read standard input");
    }
    let file = File::open(path).with_context(|| format!("cannot read `{name}`"))?;
    let length = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|data| data.len());
    let mut reader = BufReader::with_capacity(1 << 18, file);
    read(users, &mut reader, length, progress).with_context(|| format!("cannot read `{name}`"))
}
