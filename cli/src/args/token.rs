//! `token`: lane tokens.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Files, Format, OfHash};

/// What to do with a lane token.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make one, for a callback that is to get a tenant and a user's unit.
    Make(TokenMake),
    /// Say what one means, and whether a gateway accepts it; exit 1 if not.
    Read(TokenRead),
}

/// The key of `edge.tokens`.
#[derive(Debug, Args)]
pub struct OfToken {
    /// A key of `edge.tokens`, in a file. Default: in the environment variables that the graylane file names.
    #[arg(long, value_name = "FILE")]
    pub token_key_file: Option<PathBuf>,
}

/// Arguments of `token make`.
#[derive(Debug, Args)]
pub struct TokenMake {
    /// The tenant.
    #[arg(short, long)]
    pub tenant: String,
    /// The user's unit, 16 lowercase hex digits, as the baggage member `graylane-unit` has it.
    #[arg(short, long, value_name = "UNIT", conflicts_with = "key")]
    pub unit: Option<String>,
    /// Instead: what identifies the user, as the sticky key of the file has it.
    #[arg(short, long, value_name = "KEY")]
    pub key: Option<String>,
    /// How long it counts, as in `1h` or `30d`.
    #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = super::span::span)]
    pub life: Duration,
    /// Put it into this URL.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// The key.
    #[command(flatten)]
    pub token_key: OfToken,
    /// The key of a keyed hash.
    #[command(flatten)]
    pub hash_key: OfHash,
}

/// Arguments of `token read`.
#[derive(Debug, Args)]
pub struct TokenRead {
    /// The token, or a URL with one.
    #[arg(value_name = "TOKEN")]
    pub token: String,
    /// As of this time, RFC 3339; default: now.
    #[arg(long, value_name = "TIME", value_parser = crate::time::parse)]
    pub at: Option<i64>,
    /// The files.
    #[command(flatten)]
    pub files: Files,
    /// The key.
    #[command(flatten)]
    pub token_key: OfToken,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}
