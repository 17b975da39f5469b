//! A server that answers every request with the very bytes of its head, and a client that sends any bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

const LIMIT: Duration = Duration::from_secs(20);

/// Starts the server on a free port; it ends with the process.
///
/// # Errors
/// When there is no port.
pub fn serve() -> Result<SocketAddr> {
    serve_with(<[u8]>::to_vec)
}

/// Starts one that answers with what this makes of a request's head.
///
/// # Errors
/// When there is no port.
pub fn serve_with(body: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let body = Arc::new(body);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let body = Arc::clone(&body);
            std::thread::spawn(move || drop(answer(stream, &*body)));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, body: &dyn Fn(&[u8]) -> Vec<u8>) -> Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    loop {
        let head = head(&mut stream)?;
        let trailers = if is_chunked(&head) { trailers(&mut stream)? } else { Vec::new() };
        let body = [body(&head), trailers].concat();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        // In one piece: the second of two would wait for the other side's acknowledgement of the first.
        stream.write_all(&[head.as_bytes(), &body].concat())?;
    }
}

/// Reads up to the blank line, so that nothing behind it is taken.
fn head(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while !head.ends_with(b"\r\n\r\n") {
        let size = stream.peek(&mut buffer)?;
        if size == 0 {
            bail!("the connection ended");
        }
        // Up to the blank line, or all that has come so far.
        let before = head.len();
        head.extend_from_slice(&buffer[..size]);
        let from = before.saturating_sub(3);
        if let Some(end) = head[from..].windows(4).position(|window| window == b"\r\n\r\n") {
            head.truncate(from + end + 4);
        }
        let taken = head.len() - before;
        stream.read_exact(&mut buffer[..taken])?;
    }
    Ok(head)
}

fn is_chunked(head: &[u8]) -> bool {
    head.to_ascii_lowercase().windows(26).any(|window| window == b"transfer-encoding: chunked")
}

/// What the name of a trailer begins with in an answer: no header's name has a slash.
pub const TRAILER: &str = "trailer/";

/// The trailers of a request without a body, as lines for the answer. They come behind its head, or have come with it.
fn trailers(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut rest = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while !(rest == b"0\r\n\r\n" || rest.ends_with(b"\r\n\r\n")) {
        match stream.read(&mut buffer)? {
            0 => bail!("the connection ended"),
            size => rest.extend_from_slice(&buffer[..size]),
        }
    }
    let lines = rest.split(|byte| *byte == b'\n').skip(1).filter(|line| line.len() > 1);
    Ok(lines.flat_map(|line| [TRAILER.as_bytes(), line, b"\n"].concat()).collect())
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Status.
    pub status: u32,
    /// Headers, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of that name, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let value = self.headers.iter().find(|(is, _)| is == name).map(|(_, value)| value);
        value.map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

/// Sends a request, head byte for byte, and reads the answer.
///
/// # Errors
/// When there is none.
pub fn send(address: SocketAddr, head: &[u8]) -> Result<Answer> {
    exchange(connect(address)?, head)
}

/// A connection, as [`send`] makes it.
///
/// # Errors
/// When nothing listens there.
pub fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Sends a request over a connection, head byte for byte, and reads the answer.
///
/// # Errors
/// When there is none.
pub fn exchange(mut stream: impl Read + Write, head: &[u8]) -> Result<Answer> {
    stream.write_all(head)?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 64 * 1024];
    loop {
        if let Some((answer, length)) = parse(&bytes)?
            && answer.body.len() >= length
        {
            return Ok(answer);
        }
        match stream.read(&mut buffer).context("no answer")? {
            0 => bail!("the connection ended after {} bytes", bytes.len()),
            size => bytes.extend_from_slice(&buffer[..size]),
        }
    }
}

/// Headers of a head, names in lower case; its first line is left out.
///
/// # Errors
/// When a line is none.
pub fn headers(head: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines
        .skip(1)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').context("a line without colon")?;
            let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
            Ok((name, line[colon + 1..].trim_ascii().to_vec()))
        })
        .collect()
}

fn parse(bytes: &[u8]) -> Result<Option<(Answer, usize)>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = &bytes[..end];
    let status = head.split(|byte| *byte == b' ').nth(1).and_then(|status| std::str::from_utf8(status).ok());
    let status = status.and_then(|status| status.parse().ok()).context("no status")?;
    let answer = Answer { status, headers: headers(head)?, body: bytes[end + 4..].to_vec() };
    let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    Ok(Some((answer, length)))
}
