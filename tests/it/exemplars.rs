//! Promise: for the exemplars in real traffic, the bridge answers exactly what Prometheus answered that got the same
//! requests, however they are encoded in records; and VictoriaMetrics holds the samples as if there were none.

use testkit::traffic::{Encoding, captured_exemplars, captures, reencode};
use testkit::{Kafka, Producer, Record, VictoriaMetrics, count, unique};

use crate::both::{Answer, EVERYTHING, difference, in_storage};
use crate::{all_committed, bridge};

/// The captures through Kafka in these encodings by turns, and over these partitions by turns.
async fn answered_as_prometheus_did(encodings: &[Encoding], partitions: i32) {
    let kafka = Kafka::shared().await;
    let topic = unique("exemplars");
    kafka.create_topic(&topic, partitions, &[]).await;
    let (through, direct) = tokio::join!(VictoriaMetrics::start(), VictoriaMetrics::start());
    let bodies = captures(1);
    let records = bodies.iter().zip(encodings.iter().cycle()).zip((0..partitions).cycle());
    let records =
        records.map(|((body, encoding), partition)| Record::new(reencode(body, *encoding)).partition(partition));
    Producer::new(kafka.bootstrap()).produce(&topic, records).await;
    for body in bodies {
        direct.post_write(body).await;
    }

    let bridge = bridge(kafka, &topic).remote_write(&through.write_url()).start().await;
    all_committed(kafka, &topic, &bridge).await;
    let fields = [("query", EVERYTHING), ("start", "0"), ("end", "4000000000")];
    let (got, want) = (Answer::of(&bridge, &fields).await, captured_exemplars());
    assert_eq!(got.status, 200, "{}", got.body);
    assert!(got.body == want, "{}", difference(&got.body, &want));
    assert_eq!(got.found(), Some((274, 10_959)));
    assert_eq!(in_storage(&bridge.metrics().await), (Some(10_959.0), Some(274.0)));

    let (got, want) = (through.all().await, direct.all().await);
    assert!(count(&want) > 10_000, "the captures are posted");
    assert!(got == want, "what came through Kafka differs from what was posted directly");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_bare_protobuf() {
    answered_as_prometheus_did(&[Encoding::Raw], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_snappy_blocks() {
    answered_as_prometheus_did(&[Encoding::Snappy], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_framed_snappy() {
    answered_as_prometheus_did(&[Encoding::Framed], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_zstd() {
    answered_as_prometheus_did(&[Encoding::Zstd], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_encodings_mixed() {
    answered_as_prometheus_did(&Encoding::ALL, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_partitions_which_keep_no_order_among_them() {
    answered_as_prometheus_did(&Encoding::ALL, 3).await;
}
