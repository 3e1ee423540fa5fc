//! Records as fragments, and back: what a segment holds, in order, with the bytes in between that are no record.
//!
//! This layer says which bytes are bad and whether a valid fragment stands behind them; whether that is damage or a torn
//! tail depends on the other segments, and is for the reader to judge.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::Cause;
use crate::fragment::{self, FRAGMENT_HEADER_BYTES, Fragments, Kind, Piece};
use crate::fs::File;
use crate::options::MAX_RECORD_BYTES;

/// Appends a record to `out` as it is written at `offset` of `segment`, padding included; where it starts in the segment.
pub(crate) fn encode(out: &mut Vec<u8>, segment: u64, offset: u64, block_bytes: usize, payload: &[u8]) -> u64 {
    let mut room = block_bytes - (offset % block_bytes as u64) as usize;
    let mut start = offset;
    if room <= FRAGMENT_HEADER_BYTES {
        out.resize(out.len() + room, 0);
        start += room as u64;
        room = block_bytes;
    }
    let mut rest = payload;
    let mut first = true;
    loop {
        let (part, behind) = rest.split_at(rest.len().min(room - FRAGMENT_HEADER_BYTES));
        let kind = match (first, behind.is_empty()) {
            (true, true) => Kind::Full,
            (true, false) => Kind::First,
            (false, false) => Kind::Middle,
            (false, true) => Kind::Last,
        };
        fragment::encode(out, segment, kind, part);
        if behind.is_empty() {
            return start;
        }
        (rest, first, room) = (behind, false, block_bytes);
    }
}

/// One stretch of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole record.
    Record {
        /// Where it is in the segment.
        range: Range<u64>,
        payload: Vec<u8>,
    },
    /// Bytes that are no record.
    Bad {
        range: Range<u64>,
        cause: Cause,
        /// No valid fragment stands behind them in this segment.
        tail: bool,
    },
}

/// Bad bytes whose end is not known yet.
#[derive(Debug)]
struct Bad {
    start: u64,
    /// Up to here a valid fragment stands behind them.
    confirmed: u64,
    cause: Cause,
}

/// Walks one segment from a block or its first fragment to its end.
#[derive(Debug)]
pub(crate) struct Records {
    fragments: Fragments,
    /// The start and the payload so far of a record whose LAST is still to come.
    partial: Option<(u64, Vec<u8>)>,
    bad: Option<Bad>,
    /// The walk began in the middle, so the end of an earlier record may come first.
    resumed: bool,
    ready: VecDeque<Found>,
    done: bool,
}

impl Records {
    /// Starts at `offset`; `resumed` if records may have begun before it.
    pub fn new(file: Arc<dyn File>, segment: u64, block_bytes: usize, offset: u64, resumed: bool) -> io::Result<Self> {
        let fragments = Fragments::new(file, segment, block_bytes, offset)?;
        Ok(Self { fragments, partial: None, bad: None, resumed, ready: VecDeque::new(), done: false })
    }

    /// The same, when the bytes from `start` on to where the walk begins are bad.
    pub fn after_bad(mut self, start: u64, cause: Cause) -> Self {
        self.spoil(start, cause);
        self
    }

    /// Where the walk has come to; the segment's length in the end.
    pub fn offset(&self) -> u64 {
        self.fragments.offset()
    }

    /// The next stretch; `None` at the end. An error comes with where it was met; the walk goes on at the next block.
    pub fn next(&mut self) -> Result<Option<Found>, (u64, io::Error)> {
        while self.ready.is_empty() && !self.done {
            let before = self.fragments.offset();
            match self.fragments.next() {
                Ok(Some(piece)) => self.take(piece),
                Ok(None) => self.finish(),
                Err(error) => {
                    self.break_partial(Cause::Unreadable);
                    self.spoil(before, Cause::Unreadable);
                    // Not readable is not torn, whatever stands behind it.
                    self.confirm(self.fragments.offset());
                    return Err((before, error));
                }
            }
        }
        Ok(self.ready.pop_front())
    }

    fn take(&mut self, piece: Piece) {
        let (kind, payload) = match piece.content {
            Ok(content) => content,
            Err(cause) => {
                self.resumed = false;
                self.break_partial(cause);
                self.spoil(piece.offset, cause);
                return;
            }
        };
        let payload = self.fragments.payload(payload);
        match kind {
            Kind::Full => {
                let payload = payload.to_vec();
                self.begin(piece.offset);
                self.ready.push_back(Found::Record { range: piece.offset..piece.end, payload });
            }
            Kind::First => {
                let payload = payload.to_vec();
                self.begin(piece.offset);
                self.partial = Some((piece.offset, payload));
            }
            Kind::Middle | Kind::Last => match &mut self.partial {
                Some((start, gathered)) if gathered.len() + payload.len() <= MAX_RECORD_BYTES => {
                    gathered.extend_from_slice(payload);
                    if kind == Kind::Last {
                        let (range, payload) = (*start..piece.end, std::mem::take(gathered));
                        self.partial = None;
                        self.ready.push_back(Found::Record { range, payload });
                    }
                }
                _ if self.resumed && self.bad.is_none() => {}
                _ => {
                    self.break_partial(Cause::Incomplete);
                    self.spoil(piece.offset, Cause::Incomplete);
                    self.confirm(piece.end);
                }
            },
        }
    }

    /// A valid fragment at `offset` begins a record: what is bad before it, is bad for good.
    fn begin(&mut self, offset: u64) {
        self.resumed = false;
        self.break_partial(Cause::Incomplete);
        if let Some(Bad { start, cause, .. }) = self.bad.take() {
            self.ready.push_back(Found::Bad { range: start..offset, cause, tail: false });
        }
    }

    fn finish(&mut self) {
        self.done = true;
        self.break_partial(Cause::Incomplete);
        let end = self.fragments.offset();
        if let Some(Bad { start, confirmed, cause }) = self.bad.take() {
            if start < confirmed {
                self.ready.push_back(Found::Bad { range: start..confirmed, cause, tail: false });
            }
            if confirmed < end {
                self.ready.push_back(Found::Bad { range: confirmed..end, cause, tail: true });
            }
        }
    }

    /// The record being gathered will never be whole.
    fn break_partial(&mut self, cause: Cause) {
        if let Some((start, _)) = self.partial.take() {
            self.spoil(start, cause);
        }
    }

    /// Bytes are bad from `start` on, unless they were already.
    fn spoil(&mut self, start: u64, cause: Cause) {
        self.bad.get_or_insert(Bad { start, confirmed: start, cause });
    }

    fn confirm(&mut self, end: u64) {
        if let Some(bad) = &mut self.bad {
            bad.confirmed = end;
        }
    }
}
