//! What the pipeline of one consumer group counts.

use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::{Code, FloatGauge, KafkaStatistics, PartitionLabels, ReasonLabel};

/// A label `stage`: part of a batch's way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: &'static str,
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
    /// Records that cannot be decoded.
    pub undecodable: Counter,
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
    pub send_duration: DurationHistogram,
    /// Where else the time of a batch goes.
    pub stages: Stages,
    /// Attempts that have not been answered.
    pub in_flight: Gauge,
    /// How many there may be for now.
    pub in_flight_limit: Gauge,
    /// Lanes that wait before they try again.
    pub backing_off: Gauge,
    /// Partitions that are assigned to this instance.
    pub partitions: Gauge,
    /// Partitions that are not read for want of room.
    pub paused: Gauge,
    /// Records between the watermark and the end of the partition.
    pub lag: Family<PartitionLabels, Gauge>,
    /// The age of the first of them.
    pub lag_seconds: Family<PartitionLabels, FloatGauge>,
    /// Commits that the group's coordinator has accepted.
    pub commits: Counter,
    /// Commits that failed and are repeated.
    pub failed_commits: Counter,
    /// How long the coordinator took to answer a commit.
    pub commit_duration: DurationHistogram,
    /// For how long something settled has not been committed.
    pub commit_age: CommitAge,
    /// Rebalances by kind: assigned, revoked, lost.
    pub rebalances: Family<ReasonLabel, Counter>,
    /// Trouble that librdkafka has reported, by kind.
    pub errors: Family<ReasonLabel, Counter>,
    /// Offsets that were out of range, by why.
    pub offset_resets: Family<ReasonLabel, Counter>,
    /// What librdkafka says of its queues and of the brokers.
    pub statistics: KafkaStatistics,
}

/// How long something took: seconds from 0.1 ms to some fifty.
#[derive(Clone, Debug)]
pub struct DurationHistogram(pub(super) Histogram);

impl Default for DurationHistogram {
    fn default() -> Self {
        Self(Histogram::new(exponential_buckets(0.0001, 2.0, 20)))
    }
}

impl DurationHistogram {
    /// Counts one.
    pub fn observe(&self, duration: Duration) {
        self.0.observe(duration.as_secs_f64());
    }
}

/// Where the time of a batch goes, but for its attempts. Each is looked at a few times a batch, never once a record.
pub struct Stages {
    family: Family<StageLabel, Histogram, fn() -> Histogram>,
    /// Reading, decoding and joining its records.
    pub decode: DurationHistogram,
    /// Complete, while the partition's request before it is in flight.
    pub queue: DurationHistogram,
    /// Waiting for a permit, once for each attempt: others are in flight, as many as there may be.
    pub permit: DurationHistogram,
    /// Waiting before an attempt is repeated.
    pub backoff: DurationHistogram,
}

impl Default for Stages {
    fn default() -> Self {
        let family: Family<_, _, fn() -> Histogram> = Family::new_with_constructor(|| DurationHistogram::default().0);
        let stage = |stage| DurationHistogram(family.get_or_create(&StageLabel { stage }).clone());
        let [decode, queue, permit, backoff] = ["decode", "queue", "permit", "backoff"].map(stage);
        Self { family, decode, queue, permit, backoff }
    }
}

/// A gauge of seconds that is told when something began to wait.
#[derive(Clone, Default)]
pub struct CommitAge(FloatGauge);

impl CommitAge {
    /// Sets the age of what has been waiting since then, or zero.
    pub fn set(&self, since: Option<Instant>) {
        self.0.set(since.map_or(0.0, |since| since.elapsed().as_secs_f64()));
    }
}

impl PipelineMetrics {
    pub(super) fn register_delivery(&self, registry: &mut Registry) {
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
        registry.register_with_unit(
            "batch_stage_duration",
            "Where the time of batches goes, beside remote_storage_sent_batch_duration_seconds, by stage",
            Unit::Seconds,
            self.stages.family.clone(),
        );
        registry.register("remote_storage_in_flight", "Requests that are not answered yet", self.in_flight.clone());
        registry.register(
            "remote_storage_in_flight_limit",
            "How many requests may be in flight, which follows what the receiver answers",
            self.in_flight_limit.clone(),
        );
        registry.register(
            "remote_storage_backing_off",
            "Partitions whose batch waits before it is sent again",
            self.backing_off.clone(),
        );
    }

    pub(super) fn register_kafka(&self, registry: &mut Registry) {
        registry.register("kafka_records", "Records read from Kafka", self.records.clone());
        registry.register_with_unit(
            "kafka_record",
            "Bytes of the values of records read from Kafka",
            Unit::Bytes,
            self.record_bytes.clone(),
        );
        registry.register("kafka_tombstones", "Records without a value", self.tombstones.clone());
        registry.register("kafka_undecodable_records", "Records that cannot be decoded", self.undecodable.clone());
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
        registry.register_with_unit(
            "kafka_consumer_lag",
            "The age of the oldest record that is not settled, by its timestamp; 0 if there is none",
            Unit::Seconds,
            self.lag_seconds.clone(),
        );
        registry.register("kafka_commits", "Commits accepted", self.commits.clone());
        registry.register("kafka_failed_commits", "Commits that failed and are repeated", self.failed_commits.clone());
        registry.register_with_unit(
            "kafka_commit_duration",
            "How long the coordinator took to answer commits",
            Unit::Seconds,
            self.commit_duration.0.clone(),
        );
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
        registry.register_collector(Box::new(self.statistics.clone()));
    }
}
