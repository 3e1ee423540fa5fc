//! Putting records on topics.

use std::fmt::{self, Display, Formatter};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
use tokio::sync::oneshot;

/// How record batches are compressed on their way: nothing that a consumer gets to see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Compression {
    #[default]
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    /// Each of them.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];
}

impl Display for Compression {
    /// As `compression.type` has it.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

/// A record to be produced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Without one, Kafka's partitioner chooses.
    pub partition: Option<i32>,
    /// Milliseconds since the epoch; without one, now.
    pub timestamp: Option<i64>,
    /// The key, if it is to have one.
    pub key: Option<Bytes>,
    /// Headers in their order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// The value; a tombstone has none.
    pub value: Option<Bytes>,
}

impl Record {
    /// A record with nothing but a value.
    pub fn new(value: impl Into<Bytes>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    /// A record without a value.
    pub fn tombstone() -> Self {
        Self::default()
    }

    /// The same for one partition.
    pub fn partition(self, partition: i32) -> Self {
        Self { partition: Some(partition), ..self }
    }

    /// The same with a timestamp, in milliseconds since the epoch.
    pub fn timestamp(self, timestamp: i64) -> Self {
        Self { timestamp: Some(timestamp), ..self }
    }

    /// The same with a key.
    pub fn key(self, key: impl Into<Bytes>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// The same with one more header.
    pub fn header(mut self, name: &str, value: impl Into<Bytes>) -> Self {
        self.headers.push((name.to_owned(), Some(value.into())));
        self
    }
}

impl<T: Into<Bytes>> From<T> for Record {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

/// A producer that keeps the order of a partition and takes records of up to 100 MB. If the broker stops meanwhile, a
/// record may be there twice, unless `enable.idempotence` is set.
pub struct Producer {
    producer: ThreadedProducer<Deliveries>,
}

impl Producer {
    /// A producer without compression.
    pub fn new(bootstrap: &str) -> Self {
        Self::with(bootstrap, Compression::None, &[])
    }

    /// A producer with compression and further properties of librdkafka.
    pub fn with(bootstrap: &str, compression: Compression, properties: &[(&str, &str)]) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap)
            .set("compression.type", compression.to_string())
            // One request at a time keeps the order. `enable.idempotence` would too, and would be half a second to a
            // second slower to start.
            .set("max.in.flight.requests.per.connection", "1")
            .set("linger.ms", "2")
            .set("message.max.bytes", "100000000")
            .set("queue.buffering.max.messages", "1000000")
            .set("queue.buffering.max.kbytes", "262144")
            .set("reconnect.backoff.max.ms", "200");
        for (name, value) in properties {
            config.set(*name, *value);
        }
        let producer = config.create_with_context(Deliveries).expect("the configuration is sound");
        Self { producer }
    }

    /// Hands a record over to be sent. It blocks only while 256 MiB wait to be sent.
    pub fn send(&self, topic: &str, record: &Record) -> Delivery {
        let (sender, receiver) = oneshot::channel();
        let mut base: BaseRecord<'_, [u8], [u8], _> = BaseRecord::with_opaque_to(topic, Box::new(sender));
        if let Some(partition) = record.partition {
            base = base.partition(partition);
        }
        if let Some(timestamp) = record.timestamp {
            base = base.timestamp(timestamp);
        }
        if let Some(key) = &record.key {
            base = base.key(key);
        }
        if let Some(value) = &record.value {
            base = base.payload(value);
        }
        if !record.headers.is_empty() {
            let insert = |headers: OwnedHeaders, (key, value): &(String, Option<Bytes>)| {
                headers.insert(Header { key, value: value.as_deref() })
            };
            base = base.headers(record.headers.iter().fold(OwnedHeaders::new(), insert));
        }
        while let Err((error, back)) = self.producer.send(base) {
            let full = error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            assert!(full, "cannot produce to {topic}: {error}");
            base = back;
            self.producer.poll(Duration::from_millis(20));
        }
        Delivery { topic: topic.to_owned(), receiver }
    }

    /// Produces records and waits until Kafka has acknowledged all of them: partition and offset of each, in order.
    pub async fn produce<R: Into<Record>>(&self, topic: &str, records: impl IntoIterator<Item = R>) -> Vec<(i32, i64)> {
        let deliveries: Vec<_> = records.into_iter().map(|record| self.send(topic, &record.into())).collect();
        let mut places = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            places.push(delivery.await.unwrap_or_else(|error| panic!("cannot produce to {topic}: {error}")));
        }
        places
    }
}

/// Comes true when Kafka has acknowledged a record: its partition and offset. It may be dropped; the record is sent all
/// the same.
#[must_use = "a record is on the topic only when its delivery has been awaited"]
pub struct Delivery {
    topic: String,
    receiver: oneshot::Receiver<Result<(i32, i64), KafkaError>>,
}

impl Future for Delivery {
    type Output = Result<(i32, i64), KafkaError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.receiver).poll(context);
        answer.map(|answer| answer.unwrap_or_else(|_| panic!("the producer to {} was dropped", self.topic)))
    }
}

/// Hands each acknowledgement to its [`Delivery`].
struct Deliveries;

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<oneshot::Sender<Result<(i32, i64), KafkaError>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, sender: Self::DeliveryOpaque) {
        let result = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.clone()),
        };
        // Who sent it may not want to know.
        drop(sender.send(result));
    }
}
