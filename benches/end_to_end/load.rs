//! What is on the topics: lifelike requests of 1000 samples, some 300 bytes each raw and 60 packed, or of one.

use testkit::traffic::{Encoding, encode_request, lifelike};
use testkit::{Kafka, Producer, Record, unique};

#[derive(Clone, Copy)]
pub struct Workload {
    pub name: &'static str,
    pub encoding: Encoding,
    pub samples_per_record: usize,
    pub records: u64,
}

/// Enough for three to five seconds on two cores.
pub const WORKLOADS: [Workload; 3] = [
    Workload { name: "1000 samples, snappy", encoding: Encoding::Snappy, samples_per_record: 1000, records: 40_000 },
    Workload { name: "1000 samples, raw", encoding: Encoding::Raw, samples_per_record: 1000, records: 16_000 },
    Workload { name: "1 sample, raw", encoding: Encoding::Raw, samples_per_record: 1, records: 6_000_000 },
];

/// How many different records there are; then they repeat.
const DIFFERENT: u64 = 200;

impl Workload {
    pub fn share(mut self, share: u64) -> Self {
        self.records /= share;
        self
    }

    pub fn samples(&self) -> u64 {
        self.records * self.samples_per_record as u64
    }

    pub fn is_raw(&self) -> bool {
        self.encoding == Encoding::Raw
    }

    /// Puts it on a topic of its own and returns the topic's name.
    pub async fn produce(&self, kafka: &Kafka, partitions: i32) -> String {
        let topic = unique("bench");
        kafka.create_topic(&topic, partitions, &[]).await;
        let records: Vec<Vec<u8>> = (0..DIFFERENT).map(|number| self.record(number)).collect();
        let producer = Producer::new(kafka.bootstrap());
        let records = (0..self.records).map(|i| {
            let partition = i32::try_from(i % partitions as u64).expect("a partition's number");
            Record::new(records[(i % DIFFERENT) as usize].clone()).partition(partition)
        });
        producer.produce(&topic, records).await;
        topic
    }

    pub fn record(&self, number: u64) -> Vec<u8> {
        encode_request(&lifelike(number, self.samples_per_record), self.encoding)
    }
}
