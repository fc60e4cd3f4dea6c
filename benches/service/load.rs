//! A closed loop of HTTP/1.1 requests over connections that are kept: one thread waits on each, so a
//! latency is what that caller saw.

use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A connection, and the answer read last.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    body: usize,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024), body: 0 })
    }

    /// Waits so long for each part of an answer.
    pub(crate) fn wait(&self, most: Duration) -> Result<()> {
        self.stream.set_read_timeout(Some(most))
    }

    /// Sends a request and reads its answer; gives the status.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let (status, end) = loop {
            self.more()?;
            if let Some(head) = self.head()? {
                break head;
            }
        };
        while self.buffer.len() < end {
            self.more()?;
        }
        Ok(status)
    }

    /// The body of the last answer.
    pub(crate) fn body(&self) -> &[u8] {
        &self.buffer[self.body..]
    }

    fn more(&mut self) -> Result<()> {
        let from = self.buffer.len();
        self.buffer.resize(from + 8 * 1024, 0);
        let read = self.stream.read(&mut self.buffer[from..])?;
        self.buffer.truncate(from + read);
        if read == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// The status, and where the answer ends, once the head is complete.
    fn head(&mut self) -> Result<Option<(u16, usize)>> {
        let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
        let wrong = || Error::new(ErrorKind::InvalidData, "an answer without a length");
        let head = std::str::from_utf8(&self.buffer[..at]).map_err(|_| wrong())?;
        let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(wrong)?;
        let lengths = head.lines().filter_map(|line| line.split_once(": "));
        let mut lengths = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = lengths.next().and_then(|(_, length)| length.parse().ok()).ok_or_else(wrong)?;
        self.body = at + 4;
        Ok(Some((status, self.body + length)))
    }
}

/// Whether the requests start over once all were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Supply {
    Once,
    Again,
}

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Answers with a status of 2xx, and others.
    pub(crate) answered: usize,
    pub(crate) refused: usize,
    /// Bytes of bodies.
    pub(crate) bytes: usize,
    pub(crate) took: Duration,
    latencies: Vec<Duration>,
}

impl Load {
    pub(crate) fn per_second(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }

    /// The latency that so many of a thousand answers came within.
    pub(crate) fn quantile(&mut self, per_mille: usize) -> Duration {
        super::numbers::quantile(&mut self.latencies, per_mille)
    }

    /// Adds one exchange.
    pub(crate) fn note(&mut self, status: u16, bytes: usize, latency: Duration) {
        if (200..300).contains(&status) {
            self.answered += 1;
        } else {
            self.refused += 1;
        }
        self.bytes += bytes;
        self.latencies.push(latency);
    }
}

/// Sends requests from `clients` connections at once for `length`, or until none is left.
pub(crate) fn run(
    address: SocketAddr,
    clients: usize,
    length: Duration,
    requests: &[Vec<u8>],
    supply: Supply,
) -> Result<Load> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let connections: Vec<_> = (0..clients).map(|_| Connection::open(address)).collect::<Result<_>>()?;
    let start = Instant::now();
    let each = |mut connection: Connection| -> Result<Load> {
        let mut load = Load::default();
        while !stop.load(Ordering::Relaxed) {
            let mut n = next.fetch_add(1, Ordering::Relaxed);
            if supply == Supply::Again {
                n %= requests.len();
            }
            let Some(request) = requests.get(n) else { break };
            let sent = Instant::now();
            let status = connection.exchange(request)?;
            load.note(status, connection.body().len(), sent.elapsed());
            if start.elapsed() >= length {
                stop.store(true, Ordering::Relaxed);
            }
        }
        Ok(load)
    };
    let parts: Vec<Result<Load>> = std::thread::scope(|scope| {
        let each = &each;
        let threads: Vec<_> = connections.into_iter().map(|c| scope.spawn(move || each(c))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(ErrorKind::Other.into()))).collect()
    });
    let mut all = Load { took: start.elapsed(), ..Load::default() };
    for part in parts {
        let part = part?;
        all.answered += part.answered;
        all.refused += part.refused;
        all.bytes += part.bytes;
        all.latencies.extend(part.latencies);
    }
    Ok(all)
}

/// The requests that a server answers with a status of 2xx.
pub(crate) fn accepted(address: SocketAddr, requests: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    let mut connection = Connection::open(address)?;
    let mut taken = Vec::with_capacity(requests.len());
    for request in requests {
        if (200..300).contains(&connection.exchange(&request)?) {
            taken.push(request);
        }
    }
    Ok(taken)
}

/// A request without a body.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: guli\r\n\r\n").into_bytes()
}

/// A request with JSON; `headers` are whole lines.
pub(crate) fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    send("POST", path, headers, body)
}

/// The same by any method.
pub(crate) fn send(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: guli\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}
