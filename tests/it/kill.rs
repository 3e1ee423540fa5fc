//! Promise: `kill -9` at any moment loses no sample.

use serde_json::json;
use testkit::{Kafka, Producer, VictoriaMetrics, eventually, unique};

use crate::{LONG, Numbered, all_committed, bridge};

const ROUNDS: usize = 20;

/// Rounds in which the bridge is killed before its first commit.
const BEFORE_COMMIT: usize = 3;

/// Records that are added in each round, so that there is always something under way.
const RECORDS: i64 = 1500;

#[tokio::test(flavor = "multi_thread")]
async fn killed_twenty_times_and_nothing_is_lost() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);

    let kafka = Kafka::shared().await;
    let topic = unique("kill");
    kafka.create_topic(&topic, 4, &[]).await;
    // What is delivered twice is stored once.
    let store = VictoriaMetrics::deduplicating().await;
    let producer = Producer::new(kafka.bootstrap());
    let mut records = Numbered::over(4);

    let mut bridge = bridge(kafka, &topic)
        .remote_write(&store.write_url())
        .config(json!({
            // A static member takes its partitions back at once, without waiting for the session of the one killed.
            "kafka": { "commit_interval": "1h", "properties": { "group.instance.id": "only" } },
            // Small batches, so that there are many moments to be killed in.
            "remote_write": { "max_batch_samples": 100 },
        }))
        .start()
        .await;
    for round in 0..ROUNDS {
        producer.produce(&topic, records.take(RECORDS)).await;
        if round == BEFORE_COMMIT {
            bridge.restart_with(json!({ "kafka": { "commit_interval": "20ms" } })).await;
        } else if round > 0 {
            bridge.restart().await;
        }
        bridge.wait_healthy().await;
        let moment = random.i64(1..=RECORDS) as f64;
        eventually("the bridge has read as many records as drawn", LONG, async || {
            let read = bridge.metrics().await.sum("exemplar_bridge_kafka_records_total");
            if read >= moment { Ok(()) } else { Err(format!("{read} of {moment}\n{}", bridge.log())) }
        })
        .await;
        bridge.kill();
        if round < BEFORE_COMMIT {
            assert_eq!(kafka.committed(&topic, &topic).await, [None; 4], "it was killed before its first commit");
        }
    }
    bridge.restart().await;
    all_committed(kafka, &topic, &bridge).await;

    let want = records.samples();
    let what = format!("seed {seed}: every sample is there");
    store.shows(&what, r#"{__name__="numbered"}"#, |got| *got == want).await;
}
