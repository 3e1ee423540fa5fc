//! What is done with topics and asked of a cluster.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::metadata::MetadataPartition;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::Kafka;
use crate::{PATIENCE, eventually};

/// How long one request to the broker may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

impl Kafka {
    /// Creates a topic and waits until each of its partitions has a leader.
    pub async fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let replicas = i32::try_from(self.nodes.len()).expect("there are few");
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
        topic.config = config.to_vec();
        let mut unanswered = false;
        eventually(&format!("the answer to create topic {name}"), PATIENCE, async || {
            match self.admin().create_topics([&topic], &admin_options()).await.map(|mut results| results.pop()) {
                // A broker that has gone meanwhile took the answer along.
                Err(error) => {
                    unanswered = true;
                    Err(error)
                }
                Ok(Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists)))) if unanswered => Ok(()),
                Ok(result) => {
                    check(&format!("create topic {name}"), Ok(result.into_iter().collect()));
                    Ok(())
                }
            }
        })
        .await;
        self.wait_for_leaders(name, partitions).await;
    }

    /// Adds partitions to a topic, so that it has `partitions` of them.
    pub async fn grow_topic(&self, name: &str, partitions: i32) {
        let count = usize::try_from(partitions).expect("a number of partitions is positive");
        let results = self.admin().create_partitions([&NewPartitions::new(name, count)], &admin_options()).await;
        check(&format!("add partitions to {name}"), results);
        self.wait_for_leaders(name, partitions).await;
    }

    /// Deletes a topic.
    pub async fn delete_topic(&self, name: &str) {
        let results = self.admin().delete_topics(&[name], &admin_options()).await;
        check(&format!("delete topic {name}"), results);
    }

    /// Deletes the records of a partition before an offset, as retention does.
    pub async fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(before)).expect("it is an offset");
        let deleted = self.admin().delete_records(&list, &admin_options()).await;
        let deleted = deleted.unwrap_or_else(|error| panic!("delete records of {topic}: {error}"));
        deleted.elements().iter().for_each(|element| {
            element.error().unwrap_or_else(|error| panic!("delete records of {topic}/{partition}: {error}"));
        });
    }

    /// The end of each partition: the offset that the next record will have.
    pub async fn end_offsets(&self, topic: &str) -> Vec<i64> {
        let client = self.client("testkit-ends");
        eventually(&format!("the ends of topic {topic}"), PATIENCE, async || {
            let topic = topic.to_owned();
            let ends = client.ask(move |client| {
                let end = |partition| Ok(client.fetch_watermarks(&topic, partition, REQUEST_TIMEOUT)?.1);
                (0..partitions(client, &topic)?).map(end).collect()
            });
            ends.await
        })
        .await
    }

    /// What a group has committed for each partition of a topic.
    pub async fn committed(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        let client = self.client(group);
        let committed = eventually(&format!("what {group} has committed"), PATIENCE, async || {
            let topic = topic.to_owned();
            let committed = client.ask(move |client| {
                let mut list = TopicPartitionList::new();
                for partition in 0..partitions(client, &topic)? {
                    list.add_partition(&topic, partition);
                }
                client.committed_offsets(list, REQUEST_TIMEOUT)
            });
            committed.await
        })
        .await;
        let offset = |offset| {
            if let Offset::Offset(offset) = offset { Some(offset) } else { None }
        };
        committed.elements().iter().map(|element| offset(element.offset())).collect()
    }

    /// Commits offsets for a group without members, partition by partition, as its operator does.
    pub async fn commit(&self, group: &str, topic: &str, offsets: &[i64]) {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in (0..).zip(offsets) {
            list.add_partition_offset(topic, partition, Offset::Offset(*offset)).expect("it is an offset");
        }
        let commit = move |client: &BaseConsumer| client.commit(&list, CommitMode::Sync);
        let committed = self.client(group).ask(commit).await;
        committed.unwrap_or_else(|error| panic!("commit for {group}: {error}"));
    }

    /// Deletes a group without members, with all that it has committed.
    pub async fn delete_group(&self, group: &str) {
        let results = self.admin().delete_groups(&[group], &admin_options()).await;
        check(&format!("delete group {group}"), results);
    }

    /// How far a group is behind the ends of a topic's partitions; a partition without a commit counts from offset 0.
    pub async fn lag(&self, group: &str, topic: &str) -> i64 {
        let (ends, committed) = (self.end_offsets(topic).await, self.committed(group, topic).await);
        ends.iter().zip(committed).map(|(end, committed)| end - committed.unwrap_or(0)).sum()
    }

    /// Every record that a topic holds now, by partition and offset.
    pub async fn records(&self, topic: &str) -> Vec<Consumed> {
        let name = topic.to_owned();
        let records = self.client("testkit-records").ask(move |client| {
            let (mut records, deadline) = (Vec::new(), Instant::now() + PATIENCE);
            for partition in 0..partitions(client, &name)? {
                let (start, end) = client.fetch_watermarks(&name, partition, REQUEST_TIMEOUT)?;
                if start == end {
                    continue;
                }
                let mut list = TopicPartitionList::new();
                list.add_partition_offset(&name, partition, Offset::Offset(start))?;
                client.assign(&list)?;
                // Offsets have gaps: what tells the end is the position, not the last record.
                while position(client, &name, partition)? < end {
                    assert!(Instant::now() < deadline, "{name} was not read to its end in {PATIENCE:?}");
                    if let Some(message) = client.poll(Duration::from_millis(100)) {
                        records.push(Consumed::from(&message?));
                    }
                }
            }
            Ok(records)
        });
        records.await.unwrap_or_else(|error| panic!("cannot read topic {topic}: {error}"))
    }

    async fn wait_for_leaders(&self, topic: &str, partitions: i32) {
        let client = self.client("testkit-leaders");
        eventually(&format!("leaders for {topic}"), PATIENCE, async || {
            let topic = topic.to_owned();
            let metadata = client.ask(move |client| client.fetch_metadata(Some(&topic), REQUEST_TIMEOUT)).await?;
            let led = metadata.topics().iter().flat_map(|topic| topic.partitions());
            let led = led.filter(|partition| has_leader(partition)).count();
            if led == partitions as usize { Ok(()) } else { Err(format!("{led} of {partitions} have one")) }
        })
        .await;
    }

    /// The broker that leads each partition of a topic.
    pub async fn leaders(&self, topic: &str) -> Vec<i32> {
        let leadership = self.leadership(topic);
        eventually(&format!("the leaders of topic {topic}"), PATIENCE, async || leadership.ask().await).await
    }

    /// Asks for the leaders of a topic again and again, whatever is done to the cluster meanwhile.
    pub fn leadership(&self, topic: &str) -> Leadership {
        Leadership { client: self.client("testkit-leaders"), topic: topic.to_owned() }
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        let config = self.client_config().create();
        config.expect("the configuration is sound")
    }

    pub(super) fn client(&self, group: &str) -> Client {
        let mut config = self.client_config();
        config.set("group.id", group).set("enable.auto.commit", "false").set("enable.partition.eof", "false");
        config.set("fetch.message.max.bytes", "67108864").set("receive.message.max.bytes", "268435456");
        Client(Arc::new(config.create().expect("the configuration is sound")))
    }
}

/// A record as it was read from a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumed {
    /// Where it lies.
    pub partition: i32,
    /// Its number in the partition.
    pub offset: i64,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// The key, if it has one.
    pub key: Option<Vec<u8>>,
    /// Headers in their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The value; a tombstone has none.
    pub value: Option<Vec<u8>>,
}

impl Consumed {
    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|header| header.0 == name)?.1.as_deref()
    }
}

impl From<&BorrowedMessage<'_>> for Consumed {
    fn from(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(Vec::from),
            headers: headers.map(|header| (header.key.to_owned(), header.value.map(Vec::from))).collect(),
            value: message.payload().map(Vec::from),
        }
    }
}

/// Who leads the partitions of a topic.
pub struct Leadership {
    client: Client,
    topic: String,
}

impl Leadership {
    /// The broker that leads each partition, -1 if there is none; or why nobody says so.
    pub async fn ask(&self) -> Result<Vec<i32>, String> {
        let topic = self.topic.clone();
        let metadata = self.client.ask(move |client| client.fetch_metadata(Some(&topic), REQUEST_TIMEOUT)).await?;
        Ok(metadata.topics().iter().flat_map(|topic| topic.partitions()).map(MetadataPartition::leader).collect())
    }
}

/// A client of librdkafka, whose requests block: they are made on blocking threads. It never joins its group.
pub(super) struct Client(Arc<BaseConsumer>);

impl Client {
    pub(super) fn ask<T, F>(&self, request: F) -> impl Future<Output = Result<T, String>> + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&BaseConsumer) -> KafkaResult<T> + Send + 'static,
    {
        let client = self.0.clone();
        let answer = tokio::task::spawn_blocking(move || request(&client));
        async {
            let answer = answer.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            answer.map_err(|error| error.to_string())
        }
    }
}

fn partitions(client: &BaseConsumer, topic: &str) -> KafkaResult<i32> {
    let metadata = client.fetch_metadata(Some(topic), REQUEST_TIMEOUT)?;
    let topic = metadata.topics().first().ok_or(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopic))?;
    match topic.error() {
        Some(error) => Err(KafkaError::MetadataFetch(error.into())),
        None => Ok(i32::try_from(topic.partitions().len()).expect("Kafka counts partitions in an i32")),
    }
}

pub(super) fn has_leader(partition: &MetadataPartition) -> bool {
    partition.error().is_none() && partition.leader() >= 0
}

fn position(client: &BaseConsumer, topic: &str, partition: i32) -> KafkaResult<i64> {
    let positions = client.position()?;
    let position = positions.find_partition(topic, partition).map(|element| element.offset());
    Ok(if let Some(Offset::Offset(offset)) = position { offset } else { -1 })
}

fn admin_options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT)).operation_timeout(Some(REQUEST_TIMEOUT))
}

fn check(what: &str, results: KafkaResult<Vec<Result<String, (String, RDKafkaErrorCode)>>>) {
    let results = results.unwrap_or_else(|error| panic!("{what}: {error}"));
    results.into_iter().for_each(|result| {
        result.unwrap_or_else(|(_, error)| panic!("{what}: {error}"));
    });
}
