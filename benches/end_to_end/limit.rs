//! The limit: fetches with the same client, decompresses, joins to the same batch size, compresses raw records, posts
//! with the same client. No checks, no counts, no commits, no bound on memory. Nothing that does this job on these
//! libraries can cost less.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const BATCH: usize = 8 << 20;
const CHUNK: usize = 64 << 10;

pub struct Job<'a> {
    pub brokers: &'a str,
    pub topic: &'a str,
    pub partitions: i32,
    pub records: u64,
    pub url: &'a str,
    pub raw: bool,
}

/// Reads so many records, posts them, and prints what it has cost: CPU-seconds, seconds, peak resident bytes.
pub fn run(job: &Job<'_>) {
    rustls::crypto::ring::default_provider().install_default().expect("nothing else installs one");
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", job.brokers)
        .set("group.id", "limit")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.max.messages.kbytes", "16384")
        .set("fetch.max.bytes", "16777216")
        .create()
        .expect("a consumer");
    let consumer = Arc::new(consumer);
    let mut assignment = TopicPartitionList::new();
    for partition in 0..job.partitions {
        assignment.add_partition_offset(job.topic, partition, Offset::Beginning).expect("an offset");
    }
    let queues: Vec<_> = (0..job.partitions)
        .map(|partition| consumer.split_partition_queue(job.topic, partition).expect("a partition"))
        .collect();
    consumer.assign(&assignment).expect("assigned");

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().expect("a client");
    let left = AtomicU64::new(job.records);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for queue in queues {
            scope.spawn(|| {
                let mut join = Join::new(job.raw);
                let mut in_flight = None;
                let queue = queue;
                loop {
                    match queue.poll(Duration::from_millis(10)) {
                        Some(message) => {
                            let message = message.expect("a record");
                            join.push(message.payload().expect("a value"));
                            left.fetch_sub(1, Ordering::Relaxed);
                        }
                        None if left.load(Ordering::Relaxed) == 0 => break,
                        None => {}
                    }
                    if join.uncompressed >= BATCH {
                        post(&runtime, &http, job.url, &mut join, &mut in_flight);
                    }
                }
                post(&runtime, &http, job.url, &mut join, &mut in_flight);
                wait(&runtime, &mut in_flight);
            });
        }
        while left.load(Ordering::Relaxed) > 0 {
            consumer.poll(Duration::from_millis(20));
        }
    });
    let seconds = began.elapsed().as_secs_f64();
    let process = procfs::process::Process::myself().expect("procfs");
    let stat = process.stat().expect("procfs");
    let cpu = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
    let peak = process.status().expect("procfs").vmhwm.unwrap_or_default() * 1024;
    println!("{cpu} {seconds} {peak}");
}

type InFlight = Option<tokio::task::JoinHandle<()>>;

/// One request in flight for each partition, as ours.
fn post(
    runtime: &tokio::runtime::Runtime,
    http: &reqwest::Client,
    url: &str,
    join: &mut Join,
    in_flight: &mut InFlight,
) {
    wait(runtime, in_flight);
    let request = http.post(url).header("content-encoding", "snappy").body(join.take());
    *in_flight = Some(runtime.spawn(async { drop(request.send().await.expect("an answer")) }));
}

fn wait(runtime: &tokio::runtime::Runtime, in_flight: &mut InFlight) {
    if let Some(in_flight) = in_flight.take() {
        runtime.block_on(in_flight).expect("posting does not panic");
    }
}

struct Join {
    raw: bool,
    body: Vec<u8>,
    uncompressed: usize,
    pending: Vec<u8>,
    scratch: Vec<u8>,
    decoder: snap::raw::Decoder,
    encoder: snap::raw::Encoder,
}

impl Join {
    fn new(raw: bool) -> Self {
        Self {
            raw,
            body: Vec::new(),
            uncompressed: 0,
            pending: Vec::new(),
            scratch: vec![0; 1 << 20],
            decoder: snap::raw::Decoder::new(),
            encoder: snap::raw::Encoder::new(),
        }
    }

    fn push(&mut self, payload: &[u8]) {
        if self.raw {
            self.pending.extend_from_slice(payload);
            self.uncompressed += payload.len();
            if self.pending.len() >= CHUNK {
                self.compress();
            }
        } else {
            self.uncompressed += self.decoder.decompress(payload, &mut self.scratch).expect("snappy");
            self.body.extend_from_slice(elements(payload));
        }
    }

    fn compress(&mut self) {
        let written = self.encoder.compress(&self.pending, &mut self.scratch).expect("room");
        self.body.extend_from_slice(elements(&self.scratch[..written]));
        self.pending.clear();
    }

    fn take(&mut self) -> Vec<u8> {
        if !self.pending.is_empty() {
            self.compress();
        }
        let mut body = Vec::with_capacity(self.body.len() + 5);
        prost::encoding::encode_varint(self.uncompressed as u64, &mut body);
        body.append(&mut self.body);
        self.uncompressed = 0;
        body
    }
}

/// A block without its preamble.
fn elements(block: &[u8]) -> &[u8] {
    let preamble = block.iter().position(|byte| *byte < 0x80).expect("a preamble");
    &block[preamble + 1..]
}
