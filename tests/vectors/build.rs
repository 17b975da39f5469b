//! Puts the cases of `../cases`, and the files of the examples that they name, into the tests: in node there are no files.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

fn main() -> io::Result<()> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cases = files(&tests.join("cases"))?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|is| is == "yaml"));
    let examples = files(&tests.join("../examples"))?.into_iter().map(|folder| folder.join("graylane.yaml"));
    let mut text = String::new();
    table(&mut text, "CASES", cases, Path::file_stem);
    table(&mut text, "EXAMPLES", examples.filter(|path| path.is_file()), |path| path.parent()?.file_name());
    fs::write(Path::new(&env::var("OUT_DIR").map_err(io::Error::other)?).join("cases.rs"), text)
}

/// What is in a folder, in order; a file added or removed there triggers a build.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Writes a constant of names and texts.
fn table(
    text: &mut String,
    constant: &str,
    paths: impl Iterator<Item = PathBuf>,
    name: impl Fn(&Path) -> Option<&std::ffi::OsStr>,
) {
    let _ = writeln!(text, "const {constant}: &[(&str, &str)] = &[");
    for path in paths {
        let name = name(&path).unwrap_or_default().to_string_lossy().into_owned();
        let _ = writeln!(text, "    ({name:?}, include_str!({:?})),", path.display().to_string());
    }
    let _ = writeln!(text, "];");
}
