//! The application of a pod: it answers with the very bytes of the request's head, and says which pod it is. A path that
//! starts with `/then/<authority>/keeping/<header>,…` makes it call another service first, with nothing but those
//! headers: how an application loses headers is up to the one who calls it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::call::{Call, PODS};
use crate::echo;

/// Headers of its answers that must not leave the mesh.
pub const LEAKED: [&str; 4] = ["tenant", "x-graylane-subset", "baggage", "x-graylane-debug"];
/// Their value.
pub const INTERNAL: &str = "internal";
/// How long an answer may take, and a connection lie idle.
const LIMIT: Duration = Duration::from_secs(60);

/// What an application is to know.
#[derive(Debug)]
struct About {
    pod: String,
    /// Where it sends what it has to say to others, if it has a sidecar.
    outbound: Option<Ipv4Addr>,
}

/// A running application. It closes all its connections when it is dropped.
#[derive(Debug)]
pub struct App {
    /// The port of the first address.
    pub port: u16,
    task: AbortHandle,
}

impl App {
    /// Starts it on these addresses.
    ///
    /// # Errors
    /// When one is taken.
    pub async fn start(pod: &str, addresses: &[SocketAddr], outbound: Option<Ipv4Addr>) -> Result<Self> {
        let about = Arc::new(About { pod: pod.to_owned(), outbound });
        let mut listeners = Vec::new();
        for address in addresses {
            let listener = TcpListener::bind(address).await;
            listeners.push(listener.with_context(|| format!("{pod} cannot listen on {address}"))?);
        }
        let port =
            listeners.first().map_or(Ok(0), |first| first.local_addr().map(|address| address.port()))?;
        let task = tokio::spawn(async move {
            let mut all = JoinSet::new();
            for listener in listeners {
                all.spawn(serve(listener, Arc::clone(&about)));
            }
            while all.join_next().await.is_some() {}
        });
        Ok(Self { port, task: task.abort_handle() })
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, about: Arc<About>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let about = Arc::clone(&about);
        connections.spawn(async move { answer(stream, &about).await.ok() });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(mut stream: TcpStream, about: &About) -> Result<()> {
    loop {
        let head = tokio::time::timeout(LIMIT, head(&mut stream)).await??;
        let (status, pods, body) = match next(&head) {
            None => (200, about.pod.clone(), head),
            Some(next) => match forward(&next, about).await {
                Ok(answer) => {
                    (answer.status, format!("{},{}", answer.pods.join(","), about.pod), answer.body)
                }
                Err(error) => (502, about.pod.clone(), format!("{error:#}").into_bytes()),
            },
        };
        let leaks: String = LEAKED.iter().map(|name| format!("{name}: {INTERNAL}\r\n")).collect();
        let head =
            format!("HTTP/1.1 {status} .\r\n{PODS}: {pods}\r\n{leaks}content-length: {}\r\n\r\n", body.len());
        // In one piece: the kernel would hold the second back until the first is acknowledged, for 40 ms.
        stream.write_all(&[head.as_bytes(), &body].concat()).await?;
    }
}

/// Where to call next, what to take along, and the rest of the path.
struct Next {
    authority: String,
    headers: Vec<(String, String)>,
    path: String,
}

fn next(head: &[u8]) -> Option<Next> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let path = std::str::from_utf8(line).ok()?.split(' ').nth(1)?;
    let (authority, rest) = path.strip_prefix("/then/")?.split_once("/keeping/")?;
    let (kept, path) = rest.split_once('/').unwrap_or((rest, ""));
    let kept: Vec<&str> = kept.split(',').collect();
    let headers = echo::headers(head).ok()?.into_iter();
    let headers = headers.filter(|(name, _)| kept.contains(&name.as_str()));
    Some(Next {
        authority: authority.to_owned(),
        headers: headers.map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned())).collect(),
        path: format!("/{path}"),
    })
}

async fn forward(next: &Next, about: &About) -> Result<super::call::Answer> {
    let outbound = about.outbound.with_context(|| format!("{} has no sidecar to call through", about.pod))?;
    let call = Call::through(outbound, &next.authority)?.path(&next.path);
    next.headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send().await
}

/// Reads up to the blank line, and drops the body if it says how long it is.
async fn head(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut buffer).await? {
            0 => bail!("the connection ended"),
            size => bytes.extend_from_slice(buffer.get(..size).unwrap_or_default()),
        }
    };
    let head = bytes.drain(..end).collect::<Vec<u8>>();
    let headers = echo::headers(&head)?;
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse::<usize>().ok());
    let missing = length.unwrap_or(0).saturating_sub(bytes.len());
    stream.read_exact(&mut vec![0; missing]).await?;
    Ok(head)
}
