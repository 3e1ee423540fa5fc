//! Every metric, declared once, and the text that `/metrics` answers.
//!
//! Names follow Prometheus' own queue manager where it has the same thing. Hot paths add once a batch, not once a
//! record.

mod exemplars;
mod upstream;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{Atomic, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub use self::exemplars::{ExemplarMetrics, NOT_UTF8};
pub use self::upstream::{Asking, InFlight, UpstreamMetrics};
use crate::exemplars::store::{Capacity, Store};
use crate::kafka::TopicPartition;

/// The content type of what [`Metrics::encode`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A label `code`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Code {
    /// An HTTP status, or `error` where there was no answer.
    pub code: String,
}

/// A label `reason`, out of a bounded set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// The reason.
    pub reason: &'static str,
}

/// Labels `topic` and `partition`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PartitionLabels {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

impl From<&TopicPartition> for PartitionLabels {
    fn from(partition: &TopicPartition) -> Self {
        Self { topic: partition.topic.to_string(), partition: partition.partition }
    }
}

/// A counter of seconds.
type Seconds = Counter<f64, std::sync::atomic::AtomicU64>;

/// What the process counts as a whole, and the registry.
pub struct Metrics {
    registry: Mutex<Registry>,
    process: Process,
    exemplars: OnceLock<Arc<ExemplarMetrics>>,
    /// Bytes of records and batches held, librdkafka's queues not included.
    pub buffered_bytes: Gauge,
    /// Dead letters by reason.
    pub dead_letters: Family<ReasonLabel, Counter>,
    /// Requests that are handed to the upstream.
    pub upstream: UpstreamMetrics,
}

#[derive(Default)]
struct Process {
    cpu: Seconds,
    resident: Gauge,
    open_fds: Gauge,
    start_time: Gauge<f64, std::sync::atomic::AtomicU64>,
}

impl Process {
    /// Reads what the kernel says of this process; where there is no `/proc`, the values stay.
    fn update(&self) {
        let Ok(process) = procfs::process::Process::myself() else {
            return;
        };
        if let Ok(stat) = process.stat() {
            let ticks = procfs::ticks_per_second() as f64;
            self.cpu.inner().set_at_least((stat.utime + stat.stime) as f64 / ticks);
            self.resident.set((stat.rss * procfs::page_size()) as i64);
            if let Ok(boot) = procfs::boot_time_secs() {
                self.start_time.set(boot as f64 + stat.starttime as f64 / ticks);
            }
        }
        if let Ok(count) = process.fd_count() {
            self.open_fds.set(count as i64);
        }
    }
}

/// Sets a counter whose value is kept elsewhere (the kernel).
trait SetAtLeast {
    fn set_at_least(&self, value: f64);
}

impl SetAtLeast for std::sync::atomic::AtomicU64 {
    fn set_at_least(&self, value: f64) {
        let now = Atomic::<f64>::get(self);
        if value > now {
            Atomic::<f64>::inc_by(self, value - now);
        }
    }
}

impl Metrics {
    /// A registry with the metrics of the process in it.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let process = Process::default();
        registry.register_with_unit(
            "process_cpu",
            "User and system time of the process",
            Unit::Seconds,
            process.cpu.clone(),
        );
        registry.register_with_unit(
            "process_resident_memory",
            "Resident memory of the process",
            Unit::Bytes,
            process.resident.clone(),
        );
        registry.register("process_open_fds", "Open file descriptors", process.open_fds.clone());
        registry.register_with_unit(
            "process_start_time",
            "When the process was started, since the epoch",
            Unit::Seconds,
            process.start_time.clone(),
        );

        let bridge = registry.sub_registry_with_prefix("exemplar_bridge");
        bridge.register(
            "build",
            "What this binary was built from",
            Info::new([
                ("version", env!("CARGO_PKG_VERSION").to_owned()),
                ("librdkafka", crate::kafka::client::version()),
            ]),
        );
        let buffered_bytes = Gauge::default();
        bridge.register_with_unit(
            "buffered",
            "Memory held by records and batches, without librdkafka's queues",
            Unit::Bytes,
            buffered_bytes.clone(),
        );
        // All of them from the start: an increase from nothing is none, and the first is worth an alert.
        let dead_letters = Family::<ReasonLabel, Counter>::default();
        for reason in crate::dead_letter::REASONS {
            drop(dead_letters.get_or_create(&ReasonLabel { reason }));
        }
        bridge.register(
            "dead_letters",
            "Records that could not be delivered and are kept in the spool",
            dead_letters.clone(),
        );
        let upstream = UpstreamMetrics::default();
        upstream.register(bridge);
        let (registry, exemplars) = (Mutex::new(registry), OnceLock::new());
        Self { registry, process, exemplars, buffered_bytes, dead_letters, upstream }
    }

    /// The metrics of one receiver's pipeline, labelled with its name.
    pub fn pipeline(&self, receiver: &str) -> PipelineMetrics {
        let metrics = PipelineMetrics::default();
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.register(
            registry
                .sub_registry_with_prefix("exemplar_bridge")
                .sub_registry_with_label(("receiver".into(), receiver.to_owned().into())),
        );
        metrics
    }

    /// The metrics of the exemplars that `store` holds, of so many that it may; there is one in a process.
    pub fn exemplars(&self, store: Store, capacity: Capacity) -> Arc<ExemplarMetrics> {
        let make = || {
            let metrics = ExemplarMetrics::new(store, capacity);
            let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
            metrics.register(registry.sub_registry_with_prefix("exemplar_bridge"));
            Arc::new(metrics)
        };
        Arc::clone(self.exemplars.get_or_init(make))
    }

    /// The text of `/metrics`, in OpenMetrics' format.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        self.process.update();
        self.exemplars.get().into_iter().for_each(|exemplars| exemplars.update());
        let mut text = String::new();
        encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// What one receiver's pipeline counts.
#[derive(Default)]
pub struct PipelineMetrics {
    /// Records read from Kafka.
    pub records: Counter,
    /// Bytes of their values.
    pub record_bytes: Counter,
    /// Records without a value, which are acknowledged as they are.
    pub tombstones: Counter,
    /// Samples that the receiver has acknowledged.
    pub samples: Counter,
    /// Native histograms that the receiver has acknowledged.
    pub histograms: Counter,
    /// Metadata entries that the receiver has acknowledged.
    pub metadata: Counter,
    /// Exemplars in what the receiver has acknowledged.
    pub exemplars: Counter,
    /// Bytes of acknowledged bodies, compressed.
    pub sent_bytes: Counter,
    /// Attempts by status.
    pub requests: Family<Code, Counter>,
    /// Attempts that are repeated, by reason.
    pub retries: Family<ReasonLabel, Counter>,
    /// How long an attempt took.
    pub send_duration: SendDuration,
    /// Attempts that have not been answered.
    pub in_flight: Gauge,
    /// How many there may be for now.
    pub in_flight_limit: Gauge,
    /// Partitions that are assigned to this instance.
    pub partitions: Gauge,
    /// Partitions that are not read for want of room.
    pub paused: Gauge,
    /// Records between the watermark and the end of the partition.
    pub lag: Family<PartitionLabels, Gauge>,
    /// Commits that the group's coordinator has accepted.
    pub commits: Counter,
    /// Commits that failed and are repeated.
    pub failed_commits: Counter,
    /// For how long something settled has not been committed.
    pub commit_age: CommitAge,
    /// Rebalances by kind: assigned, revoked, lost.
    pub rebalances: Family<ReasonLabel, Counter>,
    /// Trouble that librdkafka has reported, by kind.
    pub errors: Family<ReasonLabel, Counter>,
    /// Offsets that were out of range, by why.
    pub offset_resets: Family<ReasonLabel, Counter>,
}

/// Seconds from 1 ms to half a minute.
#[derive(Clone)]
pub struct SendDuration(Histogram);

impl Default for SendDuration {
    fn default() -> Self {
        Self(Histogram::new(exponential_buckets(0.001, 2.0, 16)))
    }
}

impl SendDuration {
    /// Counts an attempt.
    pub fn observe(&self, duration: Duration) {
        self.0.observe(duration.as_secs_f64());
    }
}

/// A gauge of seconds that is told when something began to wait.
#[derive(Clone, Default)]
pub struct CommitAge(Gauge<f64, std::sync::atomic::AtomicU64>);

impl CommitAge {
    /// Sets the age of what has been waiting since then, or zero.
    pub fn set(&self, since: Option<Instant>) {
        self.0.set(since.map_or(0.0, |since| since.elapsed().as_secs_f64()));
    }
}

impl PipelineMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("kafka_records", "Records read from Kafka", self.records.clone());
        registry.register_with_unit(
            "kafka_record",
            "Bytes of the values of records read from Kafka",
            Unit::Bytes,
            self.record_bytes.clone(),
        );
        registry.register("kafka_tombstones", "Records without a value", self.tombstones.clone());
        registry.register("remote_storage_samples", "Samples that the receiver has acknowledged", self.samples.clone());
        registry.register(
            "remote_storage_histograms",
            "Native histograms that the receiver has acknowledged",
            self.histograms.clone(),
        );
        registry.register(
            "remote_storage_metadata",
            "Metadata entries that the receiver has acknowledged",
            self.metadata.clone(),
        );
        registry.register(
            "remote_storage_exemplars",
            "Exemplars in requests that the receiver has acknowledged, whether or not it keeps them",
            self.exemplars.clone(),
        );
        registry.register_with_unit(
            "remote_storage",
            "Bytes of acknowledged request bodies, compressed",
            Unit::Bytes,
            self.sent_bytes.clone(),
        );
        registry.register(
            "remote_storage_requests",
            "Requests by the status of their answer; error: there was none",
            self.requests.clone(),
        );
        registry.register(
            "remote_storage_retried_batches",
            "Requests that are repeated, by reason",
            self.retries.clone(),
        );
        registry.register_with_unit(
            "remote_storage_sent_batch_duration",
            "How long requests took",
            Unit::Seconds,
            self.send_duration.0.clone(),
        );
        registry.register("remote_storage_in_flight", "Requests that are not answered yet", self.in_flight.clone());
        registry.register(
            "remote_storage_in_flight_limit",
            "How many requests may be in flight, which follows what the receiver answers",
            self.in_flight_limit.clone(),
        );
        registry.register("kafka_partitions", "Partitions assigned to this instance", self.partitions.clone());
        registry.register(
            "kafka_partitions_paused",
            "Partitions that are not read because their lane, or all lanes, hold what they may",
            self.paused.clone(),
        );
        registry.register(
            "kafka_consumer_lag",
            "Records from the first that is not settled to the partition's end",
            self.lag.clone(),
        );
        registry.register("kafka_commits", "Commits accepted", self.commits.clone());
        registry.register("kafka_failed_commits", "Commits that failed and are repeated", self.failed_commits.clone());
        registry.register_with_unit(
            "kafka_commit_age",
            "For how long something settled has been waiting to be committed",
            Unit::Seconds,
            self.commit_age.0.clone(),
        );
        registry.register("kafka_rebalances", "Rebalances by kind", self.rebalances.clone());
        for kind in crate::kafka::trouble::Kind::ALL {
            drop(self.errors.get_or_create(&ReasonLabel { reason: kind.name() }));
        }
        registry.register("kafka_errors", "Errors of Kafka and librdkafka by kind", self.errors.clone());
        // Both from the start: the first is worth an alert.
        for reason in crate::pipeline::RESET_REASONS {
            drop(self.offset_resets.get_or_create(&ReasonLabel { reason }));
        }
        registry.register(
            "kafka_consumer_offset_resets",
            "Offsets that were out of range, so that reading went on elsewhere, by reason",
            self.offset_resets.clone(),
        );
    }
}
