//! Toxiproxy: wires that are slow, narrow, silent or broken.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::process::Process;
use crate::{free_port, http};

/// A Toxiproxy of its own, on the loopback address, without any wires yet.
pub struct Toxiproxy {
    _process: Process,
    api: String,
    next: AtomicU32,
}

/// What may be wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toxic {
    /// Everything comes later by `latency` milliseconds, give or take `jitter`.
    Latency {
        #[allow(missing_docs, reason = "said above")]
        latency: u32,
        #[allow(missing_docs, reason = "said above")]
        jitter: u32,
    },
    /// No more than so many kilobytes a second get through.
    Bandwidth(u32),
    /// Connections stand, and nothing gets through.
    BlackHole,
    /// A connection is reset so many milliseconds after something is first sent through it.
    Reset(u32),
    /// A connection ends when so many bytes have got through it.
    Limit(u32),
    /// There are no connections, and new ones are refused.
    Down,
}

/// Which way of a link a [`Toxic`] concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// What the client sends: requests.
    Upstream,
    /// What the server sends: answers.
    Downstream,
}

/// A TCP proxy: a port that leads to another one.
pub struct Link {
    url: String,
    proxies: String,
    config: Value,
}

impl Toxiproxy {
    /// Starts it.
    pub async fn start() -> Self {
        let binary = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/toxiproxy/server");
        let (mut process, port) = (Process::new("Toxiproxy"), free_port());
        let mut command = Command::new(binary);
        process.spawn(command.args(["-host", "127.0.0.1", "-port", &port.to_string()]));
        let api = format!("http://127.0.0.1:{port}");
        process.up(async || http::ok(http::CLIENT.get(format!("{api}/version"))).await).await;
        Self { _process: process, api, next: AtomicU32::new(0) }
    }

    /// Lays a link between two ports.
    pub async fn link(&self, from: u16, to: u16) -> Link {
        let name = format!("link-{}", self.next.fetch_add(1, Ordering::Relaxed));
        let (listen, upstream) = (format!("127.0.0.1:{from}"), format!("127.0.0.1:{to}"));
        let link = Link {
            url: format!("{}/proxies/{name}", self.api),
            proxies: format!("{}/proxies", self.api),
            config: json!({ "name": name, "listen": listen, "upstream": upstream, "enabled": true }),
        };
        link.lay().await;
        link
    }
}

impl Link {
    /// Makes it bad, for connections that stand too. It must be good, and nobody at its ends stopped: Toxiproxy waits until
    /// what is under way has been read.
    pub async fn poison(&self, toxic: Toxic, direction: Direction) {
        let (kind, attributes) = match toxic {
            Toxic::Latency { latency, jitter } => ("latency", json!({ "latency": latency, "jitter": jitter })),
            Toxic::Bandwidth(rate) => ("bandwidth", json!({ "rate": rate })),
            Toxic::BlackHole => ("timeout", json!({ "timeout": 0 })),
            Toxic::Reset(after) => ("reset_peer", json!({ "timeout": after })),
            Toxic::Limit(bytes) => ("limit_data", json!({ "bytes": bytes })),
            Toxic::Down => return self.post(&self.url, &json!({ "enabled": false })).await,
        };
        let stream = match direction {
            Direction::Upstream => "upstream",
            Direction::Downstream => "downstream",
        };
        let toxic = json!({ "type": kind, "stream": stream, "attributes": attributes });
        self.post(&format!("{}/toxics", self.url), &toxic).await;
    }

    /// Lays it anew; its connections break. (To take a toxic off connections that stand, Toxiproxy 2.5 throws bytes in the middle
    /// of a stream away when they are not read soon, which no network does, or waits for ever.)
    pub async fn mend(&self) {
        let removed = http::ok(http::CLIENT.delete(&self.url)).await;
        removed.unwrap_or_else(|error| panic!("Toxiproxy does not remove {}: {error}", self.config));
        self.lay().await;
    }

    async fn lay(&self) {
        self.post(&self.proxies, &self.config).await;
    }

    async fn post(&self, url: &str, body: &Value) {
        let request = http::CLIENT.post(url).header("content-type", "application/json").body(body.to_string());
        http::ok(request).await.unwrap_or_else(|error| panic!("Toxiproxy, {url}, {body}: {error}"));
    }
}
