//! What is on the topics: lifelike requests of 1000 samples, some 300 bytes each raw and 60 packed, or of one.

use prost::Message;
use proto::remote_write::{Label, Sample, TimeSeries, WriteRequest};
use testkit::{Kafka, Producer, Record, unique};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Raw,
    Snappy,
}

#[derive(Clone, Copy)]
pub struct Workload {
    pub name: &'static str,
    pub packing: Packing,
    pub samples_per_record: u64,
    pub records: u64,
}

/// Enough for five seconds and more on two cores.
pub const WORKLOADS: [Workload; 3] = [
    Workload { name: "1000 samples, snappy", packing: Packing::Snappy, samples_per_record: 1000, records: 40_000 },
    Workload { name: "1000 samples, raw", packing: Packing::Raw, samples_per_record: 1000, records: 16_000 },
    Workload { name: "1 sample, raw", packing: Packing::Raw, samples_per_record: 1, records: 6_000_000 },
];

/// How many different records there are; then they repeat.
const DIFFERENT: u64 = 200;

impl Workload {
    pub fn share(mut self, share: u64) -> Self {
        self.records /= share;
        self
    }

    pub fn samples(&self) -> u64 {
        self.records * self.samples_per_record
    }

    pub fn is_raw(&self) -> bool {
        self.packing == Packing::Raw
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
        let timeseries = (0..self.samples_per_record).map(|i| series(number, i)).collect();
        let request = WriteRequest { timeseries, metadata: Vec::new() }.encode_to_vec();
        match self.packing {
            Packing::Raw => request,
            Packing::Snappy => snap::raw::Encoder::new().compress_vec(&request).expect("compresses"),
        }
    }
}

/// One sample of a series with the labels that an agent in a cluster gives it.
fn series(record: u64, i: u64) -> TimeSeries {
    let pod = record * 7 + i / 40;
    let labels = [
        ("__name__", format!("http_server_request_duration_seconds_{}", ["bucket", "count", "sum"][(i % 3) as usize])),
        ("cluster", "prod-eu-central-1".to_owned()),
        ("container", "checkout".to_owned()),
        ("endpoint", "http-metrics".to_owned()),
        ("instance", format!("10.42.{}.{}:9090", pod % 250, pod / 250 % 250)),
        ("job", "shop/checkout".to_owned()),
        ("le", format!("{}", 0.005 * f64::from(1 << (i % 14)))),
        ("method", ["GET", "POST", "PUT"][(i / 14 % 3) as usize].to_owned()),
        ("namespace", "shop".to_owned()),
        ("pod", format!("checkout-6d5f7c9b8-{pod:05x}")),
        ("route", format!("/api/v1/orders/{{id}}/items/{}", i % 11)),
    ];
    let labels = labels.map(|(name, value)| Label { name: name.into(), value: value.into_bytes() });
    let value = (record * 1000 + i) as f64 * 1.25;
    let timestamp = 1_790_000_000_000 + record as i64 * 15_000;
    TimeSeries { labels: labels.into(), samples: vec![Sample { value, timestamp }], ..TimeSeries::default() }
}
