//! `graylane-app`: what a service of the bank is in a cluster, and a way in for people.
//!
//! | module | |
//! |-|-|
//! | `serve` | a service that answers with what it got, and calls the next one |
//! | `visit` | what a request tells it to do, and what it did |
//! | `stream` | calls that stay open: server-sent events, WebSocket, gRPC |
//! | `forward` | ports of a network namespace, on loopback of this one |

mod forward;
mod serve;
mod stream;
mod visit;

use anyhow::{Result, bail};

/// One thread is enough for an application, and a namespace is entered by one thread only.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve"] => serve::run().await,
        ["forward", process, ports @ ..] => forward::run(process.parse()?, ports).await,
        _ => bail!("usage: graylane-app serve | forward PROCESS PORT..."),
    }
}
