//! Copies of the records that are not known to be durable, to be appended again after a failed fsync.

use std::collections::VecDeque;

use crate::Position;

/// What a record is counted as besides its payload.
const RECORD_OVERHEAD: usize = 64;

/// What a record of this length is counted as.
pub(crate) fn cost(payload: usize) -> usize {
    payload + RECORD_OVERHEAD
}

/// Every record that was appended and is not known to be durable, in the order of appending: first those that are in a
/// file that may still be synced, then those that are in none.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    written: VecDeque<(Position, Vec<u8>)>,
    lost: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Unsynced {
    /// What all of them take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A new record was written.
    pub fn push(&mut self, position: Position, payload: &[u8]) {
        debug_assert!(self.lost.is_empty(), "what was lost comes first");
        self.bytes += cost(payload.len());
        self.written.push_back((position, payload.to_vec()));
    }

    /// All before `durable` is durable.
    pub fn forget_before(&mut self, durable: Position) {
        while let Some((_, payload)) = self.written.pop_front_if(|(position, _)| *position < durable) {
            self.bytes -= cost(payload.len());
        }
    }

    /// The files that they were written to will not be synced any more.
    pub fn lose(&mut self) {
        while let Some((_, payload)) = self.written.pop_back() {
            self.lost.push_front(payload);
        }
    }

    /// Takes the oldest one that is in no file.
    pub fn take_lost(&mut self) -> Option<Vec<u8>> {
        self.lost.pop_front()
    }

    /// It could not be written.
    pub fn put_back(&mut self, payload: Vec<u8>) {
        self.lost.push_front(payload);
    }

    /// It was written again.
    pub fn restored(&mut self, position: Position, payload: Vec<u8>) {
        self.written.push_back((position, payload));
    }

    /// Where the oldest one is that is in a file.
    pub fn first(&self) -> Option<Position> {
        self.written.front().map(|(position, _)| *position)
    }

    /// Whether some are in no file.
    pub fn any_lost(&self) -> bool {
        !self.lost.is_empty()
    }
}
