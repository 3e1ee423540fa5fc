//! Apache Kafka: a broker that is its own controller (KRaft), in one JVM, or three of them.

mod secured;
mod topics;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::Consumer;
use tokio::sync::OnceCell;

pub use self::secured::{Operation, Resource};
use self::topics::has_leader;
pub use self::topics::{Consumed, Leadership};
use crate::free_port;
use crate::process::Process;

/// Changes to Kafka's defaults; [`Kafka::with`] overrides them.
const PROPERTIES: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
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
    ("group.consumer.min.session.timeout.ms", "1000"),
    // A member of the newer protocol learns of a rebalance by its next heartbeat.
    ("group.consumer.min.heartbeat.interval.ms", "100"),
    ("group.consumer.heartbeat.interval.ms", "200"),
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

/// A broker of its own, the one that all tests of a process share, or a cluster.
pub struct Kafka {
    /// Broker number `index + 1`, each also a controller.
    nodes: Vec<Process>,
    bootstrap: String,
    secure: Option<u16>,
    /// For each way to the cluster the listeners of its brokers.
    ways: Vec<Vec<Listener>>,
    libs: PathBuf,
}

/// A listener of a broker that sends its clients to another port: that of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// Whose it is.
    pub broker: i32,
    /// Where the broker listens.
    pub port: u16,
    /// Where it says that it does.
    pub advertised: u16,
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
        Self::launch(1, properties, None, 0, &[]).await
    }

    /// Three brokers. Every topic has a replica on each, and takes records as long as two are there.
    pub async fn cluster() -> Self {
        Self::cluster_behind_proxies(0, &[]).await
    }

    /// The same, with so many further ways to it that lead through [proxies](Self::listeners), and with properties over the
    /// testkit's.
    pub async fn cluster_behind_proxies(ways: usize, properties: &[(&str, &str)]) -> Self {
        let mut protocols = "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
        (0..ways).for_each(|way| write!(protocols, ",WAY{way}:PLAINTEXT").expect("a string takes everything"));
        let replicated = [
            ("offsets.topic.replication.factor", "3"),
            ("transaction.state.log.replication.factor", "3"),
            ("min.insync.replicas", "2"),
            ("listener.security.protocol.map", &protocols),
        ];
        Self::launch(3, &[&replicated, properties].concat(), None, ways, &[]).await
    }

    /// So many brokers with properties over the testkit's, `secure` the port of a listener named SECURE, so many `ways` to
    /// them beside, and further arguments to the tool that formats their directories.
    async fn launch(
        count: usize,
        properties: &[(&str, &str)],
        secure: Option<u16>,
        ways: usize,
        format: &[String],
    ) -> Self {
        let libs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/kafka/libs");
        assert!(libs.join("pom.xml").exists(), "no Kafka in {}: `make deps` installs it", libs.display());

        let ports: Vec<_> = (1..=count).map(|id| (id, free_port(), free_port())).collect();
        let voters = ports.iter().map(|(id, _, controller)| format!("{id}@127.0.0.1:{controller}"));
        let voters = voters.collect::<Vec<_>>().join(",");
        let bootstrap = ports.iter().map(|(_, port, _)| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(",");
        let secure_listener = secure.map_or_else(String::new, |port| format!(",SECURE://localhost:{port}"));
        let cluster_id = cluster_id();
        let (mut nodes, mut further) = (Vec::new(), vec![Vec::new(); ways]);
        for (id, port, controller) in ports {
            let mut listeners = format!("BROKER://127.0.0.1:{port}{secure_listener}");
            let mut all_listeners = format!("{listeners},CONTROLLER://127.0.0.1:{controller}");
            for (way, to) in further.iter_mut().enumerate() {
                let broker = i32::try_from(id).expect("there are few");
                let listener = Listener { broker, port: free_port(), advertised: free_port() };
                let add = |list: &mut String, port| write!(list, ",WAY{way}://127.0.0.1:{port}");
                add(&mut all_listeners, listener.port).expect("a string takes everything");
                add(&mut listeners, listener.advertised).expect("a string takes everything");
                to.push(listener);
            }
            let id = id.to_string();
            let mut all: BTreeMap<_, _> = PROPERTIES.iter().copied().collect();
            all.extend([
                ("node.id", id.as_str()),
                ("listeners", all_listeners.as_str()),
                ("advertised.listeners", listeners.as_str()),
                ("controller.quorum.voters", voters.as_str()),
            ]);
            all.extend(properties.iter().copied());
            let text = all.iter().fold(String::new(), |mut text, (name, value)| {
                writeln!(text, "{name}={value}").expect("a string takes everything");
                text
            });
            let mut node = Process::new("Kafka");
            std::fs::write(node.path().join("server.properties"), text).expect("the directory is ours");
            std::fs::create_dir(node.path().join("tmp")).expect("the directory is ours");
            let mut command = java(&libs, &["kafka.tools.StorageTool", "format", "-c", "server.properties"]);
            node.run(command.args(["-t", &cluster_id]).args(format)).await;
            nodes.push(node);
        }
        let mut kafka = Self { nodes, bootstrap, secure, ways: further, libs };
        kafka.start_again().await;
        kafka
    }

    /// Starts what does not run, after [`stop`](Self::stop) or [`kill`](Self::kill), with the data and on the ports that it
    /// had. Each partition of each topic has a leader then.
    pub async fn start_again(&mut self) {
        for node in &mut self.nodes {
            if !node.is_running() {
                node.spawn(&mut java(&self.libs, &["kafka.Kafka", "server.properties"]));
            }
        }
        let (client, count) = (self.client("testkit-start"), self.nodes.len());
        // Whichever does not come up is heard.
        let ups = self.nodes.iter_mut().map(|node| async {
            node.up(async || {
                let metadata = client.ask(|client| client.fetch_metadata(None, Duration::from_secs(1))).await?;
                let led = metadata.topics().iter().flat_map(|topic| topic.partitions()).all(has_leader);
                match metadata.brokers().len() {
                    there if there < count => Err(format!("{there} of {count} brokers")),
                    _ if !led => Err("partitions without a leader".to_owned()),
                    _ => Ok(()),
                }
            })
            .await;
        });
        join_all(ups).await;
    }

    /// Ends it in order (a controlled shutdown); of a cluster, every broker.
    pub async fn stop(&mut self) {
        for node in &mut self.nodes {
            node.terminate().await;
        }
    }

    /// SIGKILL; of a cluster, to every broker.
    pub fn kill(&mut self) {
        self.nodes.iter_mut().for_each(Process::kill);
    }

    /// Ends broker number `id` in order: its partitions get other leaders first.
    pub async fn stop_broker(&mut self, id: i32) {
        self.node(id).terminate().await;
    }

    /// SIGKILL to broker number `id`.
    pub fn kill_broker(&mut self, id: i32) {
        self.node(id).kill();
    }

    /// Starts broker number `id` again, which has ended; it is not waited for.
    pub fn start_broker(&mut self, id: i32) {
        let mut command = java(&self.libs, &["kafka.Kafka", "server.properties"]);
        self.node(id).spawn(&mut command);
    }

    /// SIGSTOP to broker number `id`.
    pub fn pause_broker(&mut self, id: i32) {
        self.node(id).signal("STOP");
    }

    /// SIGCONT to broker number `id`.
    pub fn resume_broker(&mut self, id: i32) {
        self.node(id).signal("CONT");
    }

    fn node(&mut self, id: i32) -> &mut Process {
        usize::try_from(id - 1).ok().and_then(|index| self.nodes.get_mut(index)).expect("brokers count from 1")
    }

    /// SIGSTOP: connections stay open, and nothing is answered.
    pub fn pause(&self) {
        self.nodes.iter().for_each(|node| node.signal("STOP"));
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.nodes.iter().for_each(|node| node.signal("CONT"));
    }

    /// The address for `bootstrap.servers`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The listeners of one of the ways to a [cluster](Self::cluster_behind_proxies), one of each broker.
    pub fn listeners(&self, way: usize) -> &[Listener] {
        &self.ways[way]
    }

    /// What it has logged: warnings and errors.
    pub fn log(&self) -> String {
        self.nodes.iter().map(Process::log).collect()
    }

    fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config.set("reconnect.backoff.ms", "20").set("reconnect.backoff.max.ms", "200");
        config
    }
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
