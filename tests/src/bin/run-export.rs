//! `run-export FILE NAME`: calls an export of a module in the small host; it has to return 1.

use anyhow::{Context, Result, ensure};
use graylane_tests::host;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (file, name) = (arguments.next().context("a file")?, arguments.next().context("an export")?);
    let result = host::call_export(&std::fs::read(&file)?, &name)?;
    ensure!(result == 1, "{name} of {file} returned {result}");
    println!("{name}: ok");
    Ok(())
}
