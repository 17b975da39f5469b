//! The load: plain HTTP/1.1 over a few connections that stay open, one request on each at a time.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Connections at once.
pub const CONNECTIONS: usize = 32;
/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Open connections to one listener.
pub struct Client {
    streams: Vec<TcpStream>,
    text: Vec<u8>,
    answer: Vec<u8>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nothing listens there.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let connect = |_| -> Result<TcpStream> {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        };
        let streams = (0..CONNECTIONS).map(connect).collect::<Result<_>>()?;
        Ok(Self { streams, text: Vec::new(), answer: vec![0; 256 * 1024] })
    }

    /// Sends so many requests, the next on each connection as soon as its last is answered: a worker always finds
    /// some waiting, so it never sleeps, and what falling asleep costs does not depend on how fast it is.
    ///
    /// # Errors
    /// When an answer is missing or no 200.
    pub fn flow(&mut self, count: usize, mut write: impl FnMut(&mut Vec<u8>)) -> Result<()> {
        let connections = self.streams.len().min(count);
        for number in 0..count + connections {
            let Some(stream) = self.streams.get_mut(number % connections) else { continue };
            if number >= connections {
                read_answer(stream, &mut self.answer)?;
            }
            if number < count {
                self.text.clear();
                write(&mut self.text);
                write_all(stream, &self.text)?;
            }
        }
        Ok(())
    }

    /// Sends requests at a fixed rate, one after the other. Times from when each was due to its answer, so a late
    /// one counts as late for those behind it.
    ///
    /// # Errors
    /// As [`Client::flow`].
    pub fn pace(
        &mut self,
        per_second: u32,
        count: u32,
        mut write: impl FnMut(&mut Vec<u8>),
    ) -> Result<Vec<Duration>> {
        let (begin, step) = (Instant::now(), Duration::from_secs(1) / per_second);
        let mut times = Vec::with_capacity(count as usize);
        for number in 0..count {
            let due = begin + step * number;
            let turn = number as usize % self.streams.len();
            let stream = self.streams.get_mut(turn).context("a connection")?;
            self.text.clear();
            write(&mut self.text);
            while Instant::now() < due {
                std::hint::spin_loop();
            }
            write_all(stream, &self.text)?;
            read_answer(stream, &mut self.answer)?;
            times.push(due.elapsed());
        }
        Ok(times)
    }
}

/// Tries until it can be done, and never sleeps: who wakes a sleeper pays for that, and only a worker that is slower
/// than its client would have to.
fn awake(mut act: impl FnMut() -> std::io::Result<usize>) -> Result<usize> {
    let begin = Instant::now();
    loop {
        match act() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ensure!(begin.elapsed() < LIMIT, "nothing for {} s", LIMIT.as_secs());
                std::thread::yield_now();
            }
            done => return Ok(done?),
        }
    }
}

fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let size = awake(|| stream.write(bytes))?;
        bytes = bytes.get(size..).unwrap_or_default();
    }
    Ok(())
}

/// Reads an answer whole. None is sent in chunks.
fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<()> {
    let mut filled = 0;
    let end = loop {
        let size = awake(|| stream.read(&mut buffer[filled..])).context("no answer")?;
        ensure!(size > 0, "the connection ended");
        filled += size;
        if let Some(end) = buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
    };
    ensure!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..end]));
    let mut missing = content_length(&buffer[..end]).saturating_sub(filled - end - 4);
    while missing > 0 {
        let size = awake(|| stream.read(buffer))?;
        ensure!(size > 0, "the connection ended");
        missing = missing.saturating_sub(size);
    }
    Ok(())
}

fn content_length(head: &[u8]) -> usize {
    let text = String::from_utf8_lossy(head);
    let value = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

/// Starts a server that answers a GET with a body of this size, anything else with none; it ends with the process.
///
/// # Errors
/// When there is no port.
pub fn serve(size: usize) -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || drop(answer(stream, size)));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, size: usize) -> Result<()> {
    let mut large = format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n").into_bytes();
    large.resize(large.len() + size, b'x');
    let (mut buffer, mut filled) = (vec![0; 256 * 1024], 0);
    loop {
        let size = stream.read(&mut buffer[filled..])?;
        if size == 0 {
            return Ok(());
        }
        filled += size;
        let Some(end) = buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") else {
            if filled == buffer.len() {
                bail!("a head without end");
            }
            continue;
        };
        let is_get = buffer.starts_with(b"GET");
        let mut missing = content_length(&buffer[..end]).saturating_sub(filled - end - 4);
        while missing > 0 {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                size => missing = missing.saturating_sub(size),
            }
        }
        filled = 0;
        stream.write_all(if is_get { &large } else { b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" })?;
    }
}
