//! `dead-letter list` and `dead-letter show`: they read the spool while a bridge writes it.

use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use prost::Message;
use proto::dead_letter::DeadLetter;
use serde_json::{Value, json};

use crate::cli::{Form, Which};

/// What a spool holds, entry by entry.
enum Entry {
    /// A dead letter and where it is in the spool.
    Letter(wal::Position, Box<DeadLetter>),
    /// Something that is lost, in words.
    Lost(String),
}

/// Why a spool cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The spool cannot be read.
    #[error("{}", crate::error_chain(.0))]
    Read(#[from] wal::Error),
    /// The output cannot be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    /// There is no such dead letter.
    #[error("no dead letter {which} in {directory}; `exemplar-bridge dead-letter list` shows those there are")]
    NotFound {
        /// What was asked for.
        which: String,
        /// Where.
        directory: String,
    },
    /// What was asked for is not a position.
    #[error(transparent)]
    Position(#[from] wal::ParsePositionError),
}

fn entries(directory: &Path) -> Result<impl Iterator<Item = Result<Entry, wal::Error>>, wal::Error> {
    let reader = wal::Reader::open(directory)?;
    Ok(reader.filter_map(|entry| match entry {
        Ok(wal::Entry::Record { position, payload }) => Some(Ok(match DeadLetter::decode(payload.as_slice()) {
            Ok(letter) => Entry::Letter(position, Box::new(letter)),
            Err(error) => Entry::Lost(format!("{position}: not a dead letter: {error}")),
        })),
        Ok(wal::Entry::Damage { position, length, cause }) => {
            Some(Ok(Entry::Lost(format!("{position}: {length} bytes are damaged: {cause}"))))
        }
        // What was being written, or would have been, when the process ended.
        Ok(wal::Entry::Torn { .. }) => None,
        Err(error) => Some(Err(error)),
    }))
}

/// Lists a spool's dead letters, for people or as a JSON object a line. What is damaged is told on `trouble`.
///
/// # Errors
/// If the directory cannot be read or the output not written.
pub fn list(directory: &Path, json: bool, out: &mut impl Write, trouble: &mut impl Write) -> Result<(), InspectError> {
    let entries = entries(directory)?;
    if !json {
        writeln!(out, "{:<12} {:<40} {:<24} DETAIL", "POSITION", "TOPIC/PARTITION/OFFSET", "REASON")?;
    }
    for entry in entries {
        match entry? {
            Entry::Lost(what) => writeln!(trouble, "{what}")?,
            Entry::Letter(position, letter) if json => {
                writeln!(out, "{}", facts(position, &letter))?;
            }
            Entry::Letter(position, letter) => {
                let detail = letter.detail.lines().next().unwrap_or_default();
                writeln!(out, "{:<12} {:<40} {:<24} {detail}", position.to_string(), origin(&letter), letter.reason)?;
            }
        }
    }
    Ok(())
}

/// Shows one dead letter in full.
///
/// # Errors
/// If it is not there, the directory cannot be read, or the output not written.
pub fn show(directory: &Path, which: &Which, form: Form, out: &mut impl Write) -> Result<(), InspectError> {
    let wanted = match which {
        Which::Position(position) => Err(position.parse::<wal::Position>()?),
        Which::Record { topic, partition, offset } => Ok((topic, *partition, *offset)),
    };
    for entry in entries(directory)? {
        let Entry::Letter(position, letter) = entry? else {
            continue;
        };
        let found = match &wanted {
            Err(wanted) => position == *wanted,
            Ok(wanted) => (&letter.topic, letter.partition, letter.offset) == *wanted,
        };
        if found {
            return Ok(print(position, &letter, form, out)?);
        }
    }
    let which = match which {
        Which::Position(position) => format!("at {position}"),
        Which::Record { topic, partition, offset } => format!("{topic}/{partition}/{offset}"),
    };
    Err(InspectError::NotFound { which, directory: directory.display().to_string() })
}

fn print(position: wal::Position, letter: &DeadLetter, form: Form, out: &mut impl Write) -> io::Result<()> {
    match form {
        Form::Value => out.write_all(letter.value.as_deref().unwrap_or_default()),
        Form::Json => {
            let mut all = facts(position, letter);
            let base64 = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| BASE64_STANDARD.encode(bytes));
            all["key"] = json!(base64(&letter.key));
            let headers = letter.headers.iter();
            all["headers"] =
                headers.map(|header| json!({ "name": header.name, "value": base64(&header.value) })).collect();
            all["value"] = json!(base64(&letter.value));
            writeln!(out, "{all}")
        }
        Form::Text => {
            writeln!(out, "position   {position}")?;
            writeln!(out, "record     {}", origin(letter))?;
            if let Some(timestamp) = letter.timestamp {
                writeln!(out, "timestamp  {timestamp} ms")?;
            }
            writeln!(out, "receiver   {}", letter.receiver)?;
            writeln!(out, "given up   {} ms", letter.rejected_at)?;
            writeln!(out, "reason     {}", letter.reason)?;
            if let Some(status) = letter.status {
                writeln!(out, "status     {status}")?;
            }
            writeln!(out, "detail     {}", letter.detail)?;
            if let Some(key) = &letter.key {
                writeln!(out, "key        {}", key.escape_ascii())?;
            }
            for header in &letter.headers {
                let value = header.value.as_deref().unwrap_or_default().escape_ascii();
                writeln!(out, "header     {}: {value}", header.name)?;
            }
            let bytes = letter.value.as_ref().map_or(0, Vec::len);
            writeln!(out, "value      {bytes} bytes; --value writes them to standard output")
        }
    }
}

fn origin(letter: &DeadLetter) -> String {
    format!("{}/{}/{}", letter.topic, letter.partition, letter.offset)
}

/// Everything but key, headers and value.
fn facts(position: wal::Position, letter: &DeadLetter) -> Value {
    json!({
        "position": position.to_string(),
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": letter.timestamp,
        "receiver": letter.receiver,
        "rejected_at": letter.rejected_at,
        "reason": letter.reason,
        "status": letter.status,
        "detail": letter.detail,
        "bytes": letter.value.as_ref().map_or(0, Vec::len),
    })
}
