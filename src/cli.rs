//! The command line: what can be asked of the program, and how it answers by its exit code.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Config, Sources};
use crate::demo;

const ABOUT: &str = "Metrics from Kafka to VictoriaMetrics, or any receiver of Prometheus remote write";

const LONG_ABOUT: &str = "\
Reads Prometheus remote write from Kafka as a consumer group and posts it to VictoriaMetrics,
or to anything else that takes remote write: at least once, in order within each partition.
Keeps the exemplars in them, and answers queries for them as Prometheus does.
Records that the receiver refuses are kept as dead letters.

Without a command it runs until SIGTERM or SIGINT, and then delivers what is in flight.";

const AFTER_HELP: &str = "\
Configuration:
  The defaults, then the file, then the environment, then --set; later ones win.
  EXEMPLAR_BRIDGE_KAFKA__BROKERS=kafka:9092 is --set kafka.brokers=kafka:9092: section, two
  underscores, key. Lists are comma-separated or JSON, sizes \"8MiB\", durations \"30s\".
  Whatever is wrong is reported at once, before anything starts.

Examples:
  exemplar-bridge demo
  exemplar-bridge --set kafka.brokers=kafka:9092 --set kafka.topics=metrics
  exemplar-bridge --config /etc/exemplar-bridge.json check
  exemplar-bridge config > config.json
  exemplar-bridge dead-letter list --json | jq .reason
  exemplar-bridge wal verify

Exit codes:
  0  fine
  1  failed while running; wal verify: something is damaged or cannot be read
  2  the configuration or the command line is wrong
  check exits with the first that applies of 2 and:
  3  Kafka cannot be reached or refuses, or a topic is missing
  4  a receiver cannot be reached or refuses
  5  a directory cannot be written";

const DEMO_HELP: &str = "\
Needs no server and leaves nothing behind. Prints the curl lines to try; SIGINT or SIGTERM end it.
kafka, remote_write and all directories are the demo's own. The rest of the configuration counts,
http.listen for example; of what is logged only warnings are, unless --set log.level says otherwise.";

/// What the program ends with. Scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Fine = 0,
    /// Something failed while running; `wal verify`: something is damaged or cannot be read.
    Failed = 1,
    /// The configuration or the command line is wrong.
    Configuration = 2,
    /// `check`: Kafka cannot be reached or refuses, or a topic is missing.
    Kafka = 3,
    /// `check`: a receiver cannot be reached or refuses.
    Receiver = 4,
    /// `check`: a directory cannot be written.
    Directory = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// The parsed command line.
#[derive(Debug, Parser)]
#[command(name = "exemplar-bridge", about = ABOUT, long_about = LONG_ABOUT, after_long_help = AFTER_HELP)]
#[command(after_help = "See --help for examples, configuration and exit codes.")]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Accepted before and after the command's name. Not clap's `global`, which would drop what stands before the command
/// when there is some after it.
#[derive(Args, Clone, Debug, Default)]
struct Settings {
    /// The configuration file, JSON [default: config.json if it exists]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key, as in --set kafka.brokers=kafka:9092; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the bridge; the same as no command
    Run {
        #[command(flatten)]
        settings: Settings,
    },
    /// Say what is wrong with the configuration, brokers, topics, receivers, directories
    #[command(after_help = "Changes nothing and reads no record. Exit codes: 0 fine, 2 configuration, \
                            3 Kafka, 4 receiver, 5 directory; the first that applies.")]
    Check {
        #[command(flatten)]
        settings: Settings,
    },
    /// Try it: mock Kafka, lifelike traffic, a receiver, and the bridge between them
    #[command(after_help = DEMO_HELP)]
    Demo {
        #[command(flatten)]
        settings: Settings,
    },
    /// Print the effective configuration as JSON, secrets masked
    Config {
        #[command(flatten)]
        settings: Settings,
        /// Print the JSON Schema instead, for editors and validators
        #[arg(long)]
        schema: bool,
    },
    /// Look at the records that could not be delivered
    #[command(disable_help_subcommand = true)]
    DeadLetter {
        #[command(subcommand)]
        command: DeadLetterCommand,
    },
    /// Look into a log, such as the spool of dead letters; nothing is changed
    #[command(disable_help_subcommand = true)]
    Wal {
        #[command(subcommand)]
        command: WalCommand,
    },
}

#[derive(Debug, Subcommand)]
enum WalCommand {
    /// Show its segments: what is in each, and what is damaged
    Inspect {
        #[command(flatten)]
        settings: Settings,
        /// The log's directory [default: wal.directory]
        directory: Option<PathBuf>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Write every exemplar in it, a JSON object a line
    Export {
        #[command(flatten)]
        settings: Settings,
        /// The log's directory [default: wal.directory]
        directory: Option<PathBuf>,
    },
    /// Read all of it, and tell by the exit code whether it is sound
    Verify {
        #[command(flatten)]
        settings: Settings,
        /// The log's directory [default: wal.directory]
        directory: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum DeadLetterCommand {
    /// List them: position, where each came from, when, and why
    List {
        #[command(flatten)]
        settings: Settings,
        /// The spool's directory [default: dead_letter.directory]
        directory: Option<PathBuf>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show one in full
    #[command(allow_missing_positional = true)]
    Show {
        #[command(flatten)]
        settings: Settings,
        /// The spool's directory [default: dead_letter.directory]
        directory: Option<PathBuf>,
        /// Which one: its position as `list` prints it, or TOPIC/PARTITION/OFFSET
        #[arg(value_name = "POSITION|TOPIC/PARTITION/OFFSET")]
        which: Which,
        /// Write the record's value to standard output, byte for byte
        #[arg(long, conflicts_with = "json")]
        value: bool,
        /// As a JSON object, keys and values in base64
        #[arg(long)]
        json: bool,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Run the bridge.
    Run,
    /// Run the bridge between a mock broker with lifelike traffic and a receiver.
    Demo,
    /// Check everything that running depends on.
    Check,
    /// Print the effective configuration.
    ShowConfig,
    /// Print the configuration's JSON Schema; needs no configuration.
    ShowSchema,
    /// List dead letters.
    ListDeadLetters {
        /// The spool, if it is not the configured one.
        directory: Option<PathBuf>,
        /// As JSON lines.
        json: bool,
    },
    /// Show a dead letter.
    ShowDeadLetter {
        /// The spool, if it is not the configured one.
        directory: Option<PathBuf>,
        /// The dead letter.
        which: Which,
        /// In what form.
        form: Form,
    },
    /// Show what a log is made of.
    InspectLog {
        /// The log, if it is not the configured one.
        directory: Option<PathBuf>,
        /// As JSON lines.
        json: bool,
    },
    /// Write the exemplars in a log as JSON lines.
    ExportLog {
        /// The log, if it is not the configured one.
        directory: Option<PathBuf>,
    },
    /// Read all of a log and say whether it is sound.
    VerifyLog {
        /// The log, if it is not the configured one.
        directory: Option<PathBuf>,
    },
}

/// How a dead letter is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// The record's value alone, byte for byte.
    Value,
    /// As a JSON object.
    Json,
}

/// Which dead letter is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one at a position in the spool, in the form that `dead-letter list` prints.
    Position(String),
    /// The one that came from there.
    Record {
        /// The topic it was read from.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    },
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let wrong = || format!("{text:?} is neither a position nor TOPIC/PARTITION/OFFSET");
        match parts.as_slice() {
            [position] if !position.is_empty() => Ok(Self::Position(text.to_owned())),
            [topic, partition, offset] if !topic.is_empty() => {
                let partition = partition.parse().map_err(|_| wrong())?;
                let offset = offset.parse().map_err(|_| wrong())?;
                Ok(Self::Record { topic: (*topic).to_owned(), partition, offset })
            }
            _ => Err(wrong()),
        }
    }
}

impl Cli {
    /// What is to be done.
    pub fn task(&self) -> Task {
        match &self.command {
            None | Some(Command::Run { .. }) => Task::Run,
            Some(Command::Demo { .. }) => Task::Demo,
            Some(Command::Check { .. }) => Task::Check,
            Some(Command::Config { schema: true, .. }) => Task::ShowSchema,
            Some(Command::Config { .. }) => Task::ShowConfig,
            Some(Command::DeadLetter { command }) => command.task(),
            Some(Command::Wal { command }) => command.task(),
        }
    }

    /// Where the configuration comes from. Only what starts the bridge or checks it needs the files that it names.
    pub fn sources(&self) -> Sources {
        let none = Settings::default();
        let after = match &self.command {
            None => &none,
            Some(
                Command::Run { settings }
                | Command::Check { settings }
                | Command::Demo { settings }
                | Command::Config { settings, .. }
                | Command::DeadLetter {
                    command: DeadLetterCommand::List { settings, .. } | DeadLetterCommand::Show { settings, .. },
                }
                | Command::Wal {
                    command:
                        WalCommand::Inspect { settings, .. }
                        | WalCommand::Export { settings, .. }
                        | WalCommand::Verify { settings, .. },
                },
            ) => settings,
        };
        let file = after.config.clone().or_else(|| self.settings.config.clone());
        let quiet = (self.task() == Task::Demo).then(|| format!("log.level={}", demo::LOG_LEVEL));
        let set = [quiet.as_slice(), &self.settings.set, &after.set].concat();
        let check_files = matches!(self.task(), Task::Run | Task::Check);
        Sources::of_process(file, set, check_files)
    }
}

impl DeadLetterCommand {
    fn task(&self) -> Task {
        match self {
            Self::List { directory, json, .. } => Task::ListDeadLetters { directory: directory.clone(), json: *json },
            Self::Show { directory, which, value, json, .. } => {
                let form = match (value, json) {
                    (true, _) => Form::Value,
                    (_, true) => Form::Json,
                    _ => Form::Text,
                };
                Task::ShowDeadLetter { directory: directory.clone(), which: which.clone(), form }
            }
        }
    }
}

impl WalCommand {
    fn task(&self) -> Task {
        match self {
            Self::Inspect { directory, json, .. } => Task::InspectLog { directory: directory.clone(), json: *json },
            Self::Export { directory, .. } => Task::ExportLog { directory: directory.clone() },
            Self::Verify { directory, .. } => Task::VerifyLog { directory: directory.clone() },
        }
    }
}

/// Parses this process's command line; `librdkafka` is its version and what was built into it, for `--version`. Ends
/// the process for `--help` and `--version`, and with [`Exit::Configuration`] if the command line is wrong.
pub fn parse(librdkafka: &str) -> Cli {
    let matches = command(librdkafka).get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn command(librdkafka: &str) -> clap::Command {
    // Leaked once in a process: clap keeps nothing but static text.
    let version: &'static str = format!("{}\nlibrdkafka {librdkafka}", env!("CARGO_PKG_VERSION")).leak();
    Cli::command().version(version)
}

/// The configuration as JSON, secrets masked.
pub fn show(config: &Config) -> String {
    serde_json::to_string_pretty(config).expect("a configuration is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cli(line: &str) -> Result<Cli, clap::Error> {
        let arguments = std::iter::once("exemplar-bridge").chain(line.split_whitespace());
        command("1.2.3 (ssl)")
            .try_get_matches_from(arguments)
            .map(|matches| Cli::from_arg_matches(&matches).expect("what clap has matched"))
    }

    fn task(line: &str) -> Task {
        cli(line).expect(line).task()
    }

    #[test]
    fn the_command_line_is_consistent() {
        command("1.2.3").debug_assert();
    }

    #[test]
    fn no_command_runs() {
        assert_eq!(task(""), Task::Run);
        assert_eq!(task("run"), Task::Run);
        assert_eq!(task("--config a.json"), Task::Run);
        assert_eq!(task("check"), Task::Check);
        assert_eq!(task("demo"), Task::Demo);
        assert_eq!(task("config"), Task::ShowConfig);
        assert_eq!(task("config --schema"), Task::ShowSchema);
    }

    #[test]
    fn settings_stand_before_and_after_the_command() {
        let both = cli("--config a.json --set a=1 --set b=2 check --set c=3").expect("a command");
        let sources = both.sources();
        assert_eq!(sources.file, Some("a.json".into()));
        assert_eq!(sources.set, ["a=1", "b=2", "c=3"]);
        assert!(sources.check_files);

        let after = cli("dead-letter list --config b.json").expect("a command").sources();
        assert_eq!((after.file, after.check_files), (Some("b.json".into()), false));

        let demo = cli("--set a=1 demo --set log.level=info").expect("a command").sources();
        assert_eq!(demo.set[1..], ["a=1", "log.level=info"]);
        assert!(demo.set[0].starts_with("log.level=warn"), "{:?}", demo.set);
        assert!(!demo.check_files);
    }

    #[test]
    fn dead_letters_are_named_by_position_or_by_record() {
        let list = Task::ListDeadLetters { directory: Some("spool".into()), json: true };
        assert_eq!(task("dead-letter list spool --json"), list);

        let shown = |directory: Option<&str>, which, form| Task::ShowDeadLetter {
            directory: directory.map(PathBuf::from),
            which,
            form,
        };
        let position = Which::Position("3:128".to_owned());
        assert_eq!(task("dead-letter show 3:128"), shown(None, position.clone(), Form::Text));
        let with_directory = shown(Some("/spool"), position, Form::Json);
        assert_eq!(task("dead-letter show /spool 3:128 --json"), with_directory);
        let record = Which::Record { topic: "metrics".to_owned(), partition: 2, offset: 77 };
        assert_eq!(task("dead-letter show metrics/2/77 --value"), shown(None, record, Form::Value));
    }

    #[test]
    fn a_log_is_named_by_its_directory() {
        assert_eq!(task("wal verify"), Task::VerifyLog { directory: None });
        assert_eq!(task("wal export"), Task::ExportLog { directory: None });
        let directory = Some(PathBuf::from("data/wal"));
        assert_eq!(task("wal verify data/wal"), Task::VerifyLog { directory: directory.clone() });
        assert_eq!(task("wal inspect data/wal"), Task::InspectLog { directory: directory.clone(), json: false });
        assert_eq!(task("wal inspect data/wal --json"), Task::InspectLog { directory, json: true });
    }

    #[test]
    fn a_wrong_command_line_exits_with_the_code_for_it() {
        for line in [
            "--nope",
            "nope",
            "dead-letter",
            "dead-letter show",
            "dead-letter show a/b/c",
            "dead-letter show a/1",
            "dead-letter show /1/2",
            "dead-letter show a/1/2 --value --json",
            "wal",
            "wal repair data/wal",
        ] {
            let error = cli(line).expect_err(line);
            assert_eq!(error.exit_code(), Exit::Configuration as i32, "{line}: {error}");
        }
    }

    #[test]
    fn version_and_help_say_what_is_needed() {
        let version = cli("--version").expect_err("ends").to_string();
        let expected = concat!("exemplar-bridge ", env!("CARGO_PKG_VERSION"), "\nlibrdkafka 1.2.3 (ssl)\n");
        assert_eq!(version, expected);
        let help = cli("--help").expect_err("ends").to_string();
        for part in ["remote write", "Examples:", "Exit codes:", "EXEMPLAR_BRIDGE_KAFKA__BROKERS", "check"] {
            assert!(help.contains(part), "{part} in {help}");
        }
        for help in [help, cli("-h").expect_err("ends").to_string()] {
            let longest = help.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(100), "{help}");
        }
    }
}
