//! Arguments of `playground`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `playground`.
#[derive(Debug, Args)]
pub struct Playground {
    /// A graylane file, a folder of them, or `-`, as in `check`; it may have errors. Default: `graylane.yaml`, or a small bank if there
    /// is none.
    #[arg(short, long = "file", value_name = "PATH")]
    pub file: Vec<PathBuf>,
    /// The port on 127.0.0.1; 0: a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// Do not open a browser. Without a terminal none is opened.
    #[arg(long)]
    pub no_open: bool,
    /// Write the page to a file, and serve nothing. It works without a network, and contains the graylane files and the values of
    /// the environment variables that they name.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["port", "no_open"])]
    pub output: Option<PathBuf>,
}
