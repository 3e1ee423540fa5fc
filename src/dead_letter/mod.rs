//! Records that cannot be delivered: untouched, with where they came from and why they are here. Lanes put them in;
//! the command line lists and shows them.

mod inspect;
mod spool;

use prost::Message;
use proto::dead_letter::{DeadLetter, Header};

pub use inspect::{InspectError, list, show};
pub use spool::{DeadLetters, OpenError, Put};

use crate::record::Record;

/// How much of an answer or an error is kept.
const MAX_DETAIL: usize = 1024;

/// Why a record is a dead letter.
pub struct Why<'a> {
    /// A word out of a bounded set.
    pub reason: &'static str,
    /// For people: the decode error, or the beginning of the receiver's answer.
    pub detail: String,
    /// The receiver's status, if it was the receiver that refused.
    pub status: Option<u16>,
    /// The receiver that the record was meant for.
    pub receiver: &'a str,
}

/// All reasons that there are: the values of the metric's label.
pub const REASONS: [&str; 10] = [
    "too_large",
    "corrupt_snappy",
    "corrupt_snappy_framed",
    "corrupt_zstd",
    "remote_write_2",
    "malformed_protobuf",
    "unrecognized",
    "rejected",
    "repeat_or_out_of_order",
    "server_error",
];

/// A record on its way into the spool.
pub struct Letter {
    reason: &'static str,
    letter: DeadLetter,
}

impl Letter {
    /// Takes a copy of a record.
    pub fn new(record: &Record<'_>, why: Why<'_>) -> Self {
        let mut detail = why.detail;
        detail.truncate(detail.floor_char_boundary(MAX_DETAIL));
        let headers = record
            .headers
            .iter()
            .map(|(name, value)| Header { name: (*name).to_owned(), value: value.map(<[u8]>::to_vec) });
        let letter = DeadLetter {
            topic: record.topic.to_owned(),
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            headers: headers.collect(),
            value: record.payload.map(<[u8]>::to_vec),
            reason: why.reason.to_owned(),
            detail,
            status: why.status.map(u32::from),
            rejected_at: crate::now(),
            receiver: why.receiver.to_owned(),
        };
        Self { reason: why.reason, letter }
    }

    fn encode(&self) -> Vec<u8> {
        self.letter.encode_to_vec()
    }
}
