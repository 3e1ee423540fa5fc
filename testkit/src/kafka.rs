//! Apache Kafka: one broker that is its own controller (KRaft), in one JVM.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::metadata::MetadataPartition;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::OnceCell;

use crate::process::Process;
use crate::{PATIENCE, eventually, free_port};

/// How long one request to the broker may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Changes to Kafka's defaults; [`Kafka::with`] overrides them.
const PROPERTIES: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("listener.security.protocol.map", "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT"),
    ("inter.broker.listener.name", "BROKER"),
    ("controller.listener.names", "CONTROLLER"),
    ("log.dirs", "data"),
    ("offsets.topic.replication.factor", "1"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("transaction.state.log.num.partitions", "4"),
    ("group.initial.rebalance.delay.ms", "0"),
    // Sessions of members that die are to end within a test's patience.
    ("group.min.session.timeout.ms", "1000"),
    // After a SIGKILL, the broker that is started again is refused until the session of its predecessor has ended.
    ("broker.session.timeout.ms", "4000"),
    ("broker.heartbeat.interval.ms", "500"),
    // A typing error in a topic's name is to be an error.
    ("auto.create.topics.enable", "false"),
    ("message.max.bytes", "67108864"),
    // Records may bear any timestamp, and none is removed for its age.
    ("log.retention.ms", "-1"),
    ("log.message.timestamp.after.max.ms", "9223372036854775807"),
];

/// A broker of its own, or the one that all tests of a process share.
pub struct Kafka {
    process: Process,
    bootstrap: String,
    libs: PathBuf,
}

impl Kafka {
    /// A broker of its own: for tests that stop it.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The broker of this test process. It is started once; topics and groups need names of their own
    /// ([`unique`](crate::unique)).
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Kafka> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A broker of its own with properties (as in `server.properties`) over the testkit's.
    pub async fn with(properties: &[(&str, &str)]) -> Self {
        let libs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/kafka/libs");
        assert!(libs.join("pom.xml").exists(), "no Kafka in {}: `make deps` installs it", libs.display());

        let mut process = Process::new("Kafka");
        let (port, controller) = (free_port(), free_port());
        let listener = format!("BROKER://127.0.0.1:{port}");
        let listeners = format!("{listener},CONTROLLER://127.0.0.1:{controller}");
        let voters = format!("1@127.0.0.1:{controller}");
        let mut all: BTreeMap<_, _> = PROPERTIES.iter().copied().collect();
        all.extend([
            ("listeners", listeners.as_str()),
            ("advertised.listeners", listener.as_str()),
            ("controller.quorum.voters", voters.as_str()),
        ]);
        all.extend(properties.iter().copied());
        let text = all.iter().fold(String::new(), |mut text, (name, value)| {
            writeln!(text, "{name}={value}").expect("a string takes everything");
            text
        });
        std::fs::write(process.path().join("server.properties"), text).expect("the directory is ours");
        std::fs::create_dir(process.path().join("tmp")).expect("the directory is ours");

        let cluster_id = cluster_id();
        let format = ["kafka.tools.StorageTool", "format", "-c", "server.properties", "-t", &cluster_id];
        process.run(&mut java(&libs, &format)).await;
        let mut kafka = Self { process, bootstrap: format!("127.0.0.1:{port}"), libs };
        kafka.start_again().await;
        kafka
    }

    /// Starts it after [`stop`](Self::stop) or [`kill`](Self::kill), with the data and on the port that it had. Each
    /// partition of each topic has a leader then.
    pub async fn start_again(&mut self) {
        self.process.spawn(&mut java(&self.libs, &["kafka.Kafka", "server.properties"]));
        let client = self.client("testkit-start");
        self.process
            .up(async || {
                let metadata = client.ask(|client| client.fetch_metadata(None, Duration::from_secs(1))).await?;
                let led = metadata.topics().iter().flat_map(|topic| topic.partitions()).all(has_leader);
                match metadata.brokers() {
                    [] => Err("no broker yet".to_owned()),
                    _ if !led => Err("partitions without a leader".to_owned()),
                    _ => Ok(()),
                }
            })
            .await;
    }

    /// Ends it in order (a controlled shutdown).
    pub async fn stop(&mut self) {
        self.process.terminate().await;
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGSTOP: connections stay open, and nothing is answered.
    pub fn pause(&self) {
        self.process.signal("STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.process.signal("CONT");
    }

    /// The address for `bootstrap.servers`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// What it has logged: warnings and errors.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Creates a topic and waits until each of its partitions has a leader.
    pub async fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        topic.config = config.to_vec();
        let results = self.admin().create_topics([&topic], &admin_options()).await;
        check(&format!("create topic {name}"), results);
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

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        let config = self.client_config().create();
        config.expect("the configuration is sound")
    }

    fn client(&self, group: &str) -> Client {
        let mut config = self.client_config();
        config.set("group.id", group).set("enable.auto.commit", "false").set("enable.partition.eof", "false");
        config.set("fetch.message.max.bytes", "67108864").set("receive.message.max.bytes", "268435456");
        Client(Arc::new(config.create().expect("the configuration is sound")))
    }

    fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config.set("reconnect.backoff.ms", "20").set("reconnect.backoff.max.ms", "200");
        config
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

/// A client of librdkafka, whose requests block: they are made on blocking threads. It never joins its group.
struct Client(Arc<BaseConsumer>);

impl Client {
    fn ask<T, F>(&self, request: F) -> impl Future<Output = Result<T, String>> + use<T, F>
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

fn has_leader(partition: &MetadataPartition) -> bool {
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

/// A JVM with what Kafka needs. What it unpacks (native libraries) goes where it is cleaned up.
fn java(libs: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xmx512m", "-XX:+UseSerialGC", "-Djava.io.tmpdir=tmp"]);
    command.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
    command.arg("-cp").arg(libs.join("*")).args(arguments);
    command
}

/// Sixteen bytes in URL-safe base64. It must not begin with a hyphen, or the tool takes it for an option.
fn cluster_id() -> String {
    let id: String = (0..21).map(|_| fastrand::alphanumeric()).collect();
    format!("{id}A")
}
