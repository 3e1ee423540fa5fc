//! A segment as blocks of fragments: one fragment encoded, and a file walked fragment by fragment.
//!
//! This layer knows where the next fragment can start, and vouches for each by its two CRCs; it knows nothing of records.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::Cause;
use crate::fs::{File, read_full};

/// Header CRC, payload CRC, length, kind.
pub(crate) const FRAGMENT_HEADER_BYTES: usize = 4 + 4 + 2 + 1;

/// Which part of a record a fragment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Full = 1,
    First = 2,
    Middle = 3,
    Last = 4,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Full, Self::First, Self::Middle, Self::Last].into_iter().find(|kind| *kind as u8 == byte)
    }
}

fn header_crc(segment: u64, length: u16, kind: u8) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&segment.to_le_bytes());
    crc.update(&length.to_le_bytes());
    crc.update(&[kind]);
    crc.finalize()
}

/// Appends one fragment to `out`. The payload fits a block, so its length fits 16 bits.
pub(crate) fn encode(out: &mut Vec<u8>, segment: u64, kind: Kind, payload: &[u8]) {
    let length = u16::try_from(payload.len()).expect("a fragment is no longer than a block");
    out.extend_from_slice(&header_crc(segment, length, kind as u8).to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.push(kind as u8);
    out.extend_from_slice(payload);
}

/// What stands at one place of a segment: a valid fragment, or bytes that are none.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Where it starts in the file.
    pub offset: u64,
    /// Where it ends in the file.
    pub end: u64,
    /// A fragment's kind and where its payload is in the block, or why there is none.
    pub content: Result<(Kind, Range<usize>), Cause>,
}

/// Walks a segment's file to its end, skipping what is damaged: a fragment with a bad payload by its length, with a bad
/// header to the next block.
#[derive(Debug)]
pub(crate) struct Fragments {
    file: Arc<dyn File>,
    segment: u64,
    /// As long as a block; the first `filled` bytes are the current one's.
    block: Vec<u8>,
    filled: usize,
    loaded: bool,
    /// Where the current block starts in the file.
    start: u64,
    /// Where the next fragment starts in the block.
    at: usize,
    /// The file's length when it was opened, so that a file of which nothing can be read has an end, too.
    length: u64,
}

impl Fragments {
    /// Starts at `offset`, where a fragment or a block must start.
    pub fn new(file: Arc<dyn File>, segment: u64, block_bytes: usize, offset: u64) -> io::Result<Self> {
        let length = file.len()?;
        let at = (offset % block_bytes as u64) as usize;
        let start = offset - at as u64;
        Ok(Self { file, segment, block: vec![0; block_bytes], filled: 0, loaded: false, start, at, length })
    }

    /// Where the walk has come to.
    pub fn offset(&self) -> u64 {
        self.start + self.at as u64
    }

    /// The payload of the piece that was returned last.
    pub fn payload(&self, range: Range<usize>) -> &[u8] {
        &self.block[range]
    }

    /// The next piece; `None` at the end of the file. After an error the walk goes on at the next block.
    pub fn next(&mut self) -> io::Result<Option<Piece>> {
        loop {
            if !self.loaded {
                match read_full(&*self.file, &mut self.block, self.start) {
                    Ok(filled) => self.filled = filled,
                    Err(error) if self.start < self.length => {
                        self.skip_block();
                        return Err(error);
                    }
                    Err(_) => self.filled = 0,
                }
                self.loaded = true;
            }
            if self.filled <= self.at {
                return Ok(None);
            }
            if self.block.len() - self.at > FRAGMENT_HEADER_BYTES {
                return Ok(Some(self.piece()));
            }
            // Padding, in a block that the file ends in. It is the last one, also if the file grows meanwhile.
            self.at = self.filled;
        }
    }

    fn skip_block(&mut self) {
        self.start += self.block.len() as u64;
        self.at = 0;
        self.loaded = false;
    }

    fn piece(&mut self) -> Piece {
        let at = self.at;
        let offset = self.offset();
        let (end, content) = match self.parse() {
            Ok((kind, payload)) => (payload.end, Ok((kind, payload))),
            Err((end, cause)) => (end, Err(cause)),
        };
        debug_assert!(end > at, "the walk gets ahead");
        let piece = Piece { offset, end: self.start + end as u64, content };
        self.at = end;
        let padding = self.block.len() - end;
        if self.filled == self.block.len() && padding <= FRAGMENT_HEADER_BYTES {
            self.skip_block();
        }
        piece
    }

    /// The fragment at `at`, or why there is none and where to go on in the block.
    fn parse(&self) -> Result<(Kind, Range<usize>), (usize, Cause)> {
        let bad_header = (self.filled, Cause::FragmentHeader);
        let bytes = &self.block[self.at..self.filled];
        let (header, rest) = bytes.split_first_chunk::<FRAGMENT_HEADER_BYTES>().ok_or(bad_header)?;
        let [h0, h1, h2, h3, p0, p1, p2, p3, l0, l1, kind] = *header;
        let length = u16::from_le_bytes([l0, l1]);
        if u32::from_le_bytes([h0, h1, h2, h3]) != header_crc(self.segment, length, kind) {
            return Err(bad_header);
        }
        let kind = Kind::from_byte(kind).ok_or(bad_header)?;
        let payload = self.at + FRAGMENT_HEADER_BYTES..self.at + FRAGMENT_HEADER_BYTES + usize::from(length);
        if payload.end > self.block.len() {
            return Err(bad_header);
        }
        let Some(content) = rest.get(..usize::from(length)) else {
            return Err((self.filled, Cause::Payload));
        };
        if u32::from_le_bytes([p0, p1, p2, p3]) != crc32fast::hash(content) {
            return Err((payload.end, Cause::Payload));
        }
        Ok((kind, payload))
    }
}
