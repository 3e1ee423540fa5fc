//! A receiver that goes wrong below HTTP: it resets, trickles, never ends, or speaks something else.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::Receiver;
use crate::eventually::pause;

/// Between two bytes that trickle.
const TRICKLE: Duration = Duration::from_millis(50);

/// What is done with a connection, one step after the other; then it is closed.
#[derive(Debug, Clone)]
pub enum Step {
    /// Reads so many bytes of the request, or what comes first if that is fewer.
    ReadSome(usize),
    /// Reads the head of the request.
    ReadHead,
    /// Reads the whole request.
    Read,
    /// Writes this.
    Write(Bytes),
    /// Writes this again and again, as fast as it is taken.
    Repeat(Bytes),
    /// Writes this again and again, a byte now and then.
    Trickle(Bytes),
    /// Says that nothing more is written, and reads until the client closes.
    Linger,
    /// Does nothing, for ever.
    Hang,
    /// Closes by a reset.
    Reset,
}

/// A TCP server in the test's process, on the loopback address.
pub struct Wire {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    receiver: u16,
    /// A request whose body is no larger goes to the receiver.
    spared: u64,
    steps: Vec<Step>,
    well: AtomicBool,
    requests: AtomicU64,
    written: AtomicU64,
}

impl Wire {
    /// One in front of a receiver that does this with each connection until it is [well](Self::heal).
    pub async fn start(receiver: &Receiver, steps: impl Into<Vec<Step>>) -> Self {
        Self::sparing(receiver, 0, steps).await
    }

    /// One that does this with each connection whose first request has a larger body.
    pub async fn sparing(receiver: &Receiver, bytes: u64, steps: impl Into<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::new(State {
            receiver: receiver.port(),
            spared: bytes,
            steps: steps.into(),
            well: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            written: AtomicU64::new(0),
        });
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            // Dropped with this task, and every connection with it.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                connections.spawn(async move { drop(state.serve(stream).await) });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { port, state, accepting }
    }

    /// Where remote write goes.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/api/v1/write", self.port)
    }

    /// Connections from now on are the receiver's.
    pub fn heal(&self) {
        self.state.well.store(true, Ordering::Relaxed);
    }

    /// How many connections it has been through with, or is not well with now.
    pub fn connections(&self) -> u64 {
        self.state.requests.load(Ordering::Relaxed)
    }

    /// How many bytes it has written.
    pub fn written(&self) -> u64 {
        self.state.written.load(Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        if self.well.load(Ordering::Relaxed) {
            return self.pass_on(stream, Vec::new()).await;
        }
        let mut request = Incoming::default();
        if self.spared > 0 {
            request.read_head(&mut stream).await?;
            if request.body_length() <= self.spared {
                return self.pass_on(stream, request.bytes).await;
            }
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        for step in &self.steps {
            match step {
                Step::ReadSome(bytes) => drop(stream.read(&mut vec![0; *bytes]).await?),
                Step::ReadHead => request.read_head(&mut stream).await?,
                Step::Read => request.read_all(&mut stream).await?,
                Step::Write(bytes) => self.write(&mut stream, bytes).await?,
                Step::Repeat(bytes) => loop {
                    self.write(&mut stream, bytes).await?;
                },
                Step::Trickle(bytes) => loop {
                    for byte in bytes {
                        self.write(&mut stream, &[*byte]).await?;
                        pause(TRICKLE).await;
                    }
                },
                Step::Linger => {
                    stream.shutdown().await?;
                    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
                }
                Step::Hang => std::future::pending().await,
                Step::Reset => stream.set_zero_linger()?,
            }
        }
        Ok(())
    }

    async fn write(&self, stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        stream.write_all(bytes).await?;
        self.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    async fn pass_on(&self, mut outer: TcpStream, read: Vec<u8>) -> io::Result<()> {
        let mut inner = TcpStream::connect(("127.0.0.1", self.receiver)).await?;
        inner.write_all(&read).await?;
        tokio::io::copy_bidirectional(&mut outer, &mut inner).await?;
        Ok(())
    }
}

/// What has been read of a request.
#[derive(Default)]
struct Incoming {
    bytes: Vec<u8>,
}

impl Incoming {
    fn head(&self) -> Option<usize> {
        self.bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
    }

    async fn read_head(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        while self.head().is_none() {
            self.read_more(stream).await?;
        }
        Ok(())
    }

    async fn read_all(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        self.read_head(stream).await?;
        let head = self.head().expect("it has been read") as u64;
        while (self.bytes.len() as u64) < head + self.body_length() {
            self.read_more(stream).await?;
        }
        Ok(())
    }

    async fn read_more(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        match stream.read_buf(&mut self.bytes).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// What the head says of the body's length.
    fn body_length(&self) -> u64 {
        let head = String::from_utf8_lossy(&self.bytes[..self.head().unwrap_or_default()]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        length.unwrap_or_default()
    }
}
