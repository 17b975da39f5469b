//! Arguments of what makes and sends the image.

use std::path::PathBuf;

use clap::Args;

use super::{Format, RegistryTimes};

/// Arguments of `package`.
#[derive(Debug, Args)]
pub struct Package {
    /// A module to pack instead of the one in this program.
    #[arg(long, value_name = "FILE")]
    pub wasm: Option<PathBuf>,
    /// The native module instead (`make native`), once for each architecture: docs/native.md.
    #[arg(long, value_name = "FILE", conflicts_with = "wasm")]
    pub native: Vec<PathBuf>,
    /// Instead of the filter's image, write a Dockerfile for an image of Istio's proxy (BASE) that contains the filter. A gateway
    /// that runs this image scales out without a registry. See `render --gateway-url`.
    #[arg(long, value_name = "BASE", conflicts_with = "native")]
    pub gateway_image: Option<String>,
    /// The folder to write.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Arguments of `push`.
#[derive(Debug, Args)]
pub struct Push {
    /// Where to: registry, repository and tag. Default tag: the version of this program.
    #[arg(value_name = "REF")]
    pub reference: String,
    /// An image that `graylane package` wrote, of the filter or of the native module, instead of the filter in this
    /// program.
    #[arg(long, value_name = "DIR")]
    pub layout: Option<PathBuf>,
    /// Over plain HTTP.
    #[arg(long)]
    pub insecure: bool,
    /// How long the registry may take.
    #[command(flatten)]
    pub times: RegistryTimes,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// A module, an image layout, or a reference.
    #[arg(value_name = "FILE|DIR|REF")]
    pub what: String,
    /// Over plain HTTP.
    #[arg(long)]
    pub insecure: bool,
    /// How long the registry may take.
    #[command(flatten)]
    pub times: RegistryTimes,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}
