//! One binary, one module for each promise: librdkafka is linked once.

mod api;
mod batch;
mod captures;
mod cli;
mod docs;
mod walk;

use std::time::Duration;

use testkit::{Bridge, BridgeBuilder, Kafka, eventually};

/// How long to wait for what many records, or a restart of a server, come before.
const LONG: Duration = Duration::from_secs(180);

/// A bridge that reads a topic as a group of the topic's name.
fn bridge(kafka: &Kafka, topic: &str) -> BridgeBuilder {
    Bridge::builder(env!("CARGO_BIN_EXE_exemplar-bridge")).kafka(kafka.bootstrap(), &[topic], topic)
}

/// Waits until everything on a topic is committed by the group of its name.
async fn all_committed(kafka: &Kafka, topic: &str, bridge: &Bridge) {
    eventually("everything on the topic is committed", LONG, async || match kafka.lag(topic, topic).await {
        0 => Ok(()),
        lag => Err(format!("the lag is {lag}; the bridge says:\n{}", bridge.log())),
    })
    .await;
}
