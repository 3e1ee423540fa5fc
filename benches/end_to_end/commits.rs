//! What a commit costs: the fsync of the log, the request to the coordinator, and what leads to them. Too little to be seen
//! beside the work at full speed, so it is measured beside next to none: a record for each partition now and then, once
//! with commits as often as can be, once with none. The share is for the default, a commit in a second, at 1 M samples/s.

use std::time::Duration;

use serde_json::json;
use testkit::{Bridge, Kafka, Producer, Record, unique};

use super::load::{self, Workload};
use super::report::{median_and_spread, table};
use super::{BINARY, PATIENCE, run_bridge, start_receiver};

const PARTITIONS: i32 = 4;

/// How often each partition gets a record.
const PACE: Duration = Duration::from_millis(10);

/// How many each gets: always as many, so that they cost the same.
const RECORDS: u64 = 1000;

pub async fn run(kafka: &Kafka, rounds: usize, share: u64) {
    let mut rows = Vec::new();
    for load in [load::WORKLOADS[0], load::WITH_EXEMPLARS] {
        let whole = load.share(share);
        let topic = whole.produce(kafka, PARTITIONS).await;
        let (_receiver, url) = start_receiver(0).await;
        let (mut of_commit, mut of_samples, mut of_both) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (often, commits) = trickle(kafka, &load, &url, "10ms", RECORDS / share).await;
            let (never, _) = trickle(kafka, &load, &url, "1h", RECORDS / share).await;
            let commit = (often - never) / commits;
            let samples = 1e6 / run_bridge(kafka, &topic, &whole, &url, PATIENCE).await.per_cpu_second();
            of_commit.push(commit * 1e3);
            of_samples.push(samples * 1e3);
            of_both.push(commit / (commit + samples) * 100.0);
        }
        kafka.delete_topic(&topic).await;
        rows.push(vec![
            load.name.to_owned(),
            median_and_spread(of_commit),
            median_and_spread(of_samples),
            median_and_spread(of_both),
        ]);
    }
    table(
        "Commits: one in a second at 1 M samples/s",
        &["records", "CPU of a commit, ms", "CPU of 1 M samples, ms", "share of commits, %"],
        &rows,
    );
}

/// The CPU-seconds that it takes to deliver so many records to a partition, now and then one, and how many commits were in
/// them.
async fn trickle(kafka: &Kafka, load: &Workload, url: &str, commit_interval: &str, records: u64) -> (f64, f64) {
    let topic = unique("bench");
    kafka.create_topic(&topic, PARTITIONS, &[]).await;
    let mut bridge = Bridge::builder(BINARY)
        .kafka(kafka.bootstrap(), &[&topic], &unique("bench"))
        .remote_write(url)
        .config(json!({ "log": { "level": "warn" }, "kafka": { "commit_interval": commit_interval } }))
        .start()
        .await;
    bridge.wait_ready().await;
    let commits = async || bridge.metrics().await.sum("exemplar_bridge_kafka_commits_total");
    let (cpu_before, commits_before) = (bridge.cpu_seconds(), commits().await);
    let producer = Producer::new(kafka.bootstrap());
    let record = load.record(0);
    let mut pace = tokio::time::interval(PACE);
    let mut number = 0;
    for _ in 0..records {
        pace.tick().await;
        let records: Vec<Record> = (0..PARTITIONS)
            .map(|partition| {
                number += 1;
                let record =
                    if load.exemplars_per_record == 0 { record.clone() } else { load.with_exemplars(&record, number) };
                Record::new(record).partition(partition)
            })
            .collect();
        producer.produce(&topic, records).await;
    }
    let samples = number * load.samples_per_record as u64;
    while bridge.metrics().await.sum("exemplar_bridge_remote_storage_samples_total") < samples as f64 {
        tokio::time::sleep(PACE).await;
    }
    let spent = (bridge.cpu_seconds() - cpu_before, commits().await - commits_before);
    kafka.delete_topic(&topic).await;
    spent
}
