//! The log as a whole, read from a position to its end: records, and what is damaged or torn between and behind them.
//!
//! It only ever reads, and takes no lock: it may run beside a writer, in another process too.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::extent::{self, Extent, Listed};
use crate::fs::{FileSystem, StdFileSystem};
use crate::record::{Found, Records};
use crate::segment::{self, HEADER_BYTES, Heading};
use crate::{BLOCK_BYTES, Cause, Entry, Error, Position};

/// The segment that is being read.
#[derive(Debug)]
struct Current {
    number: u64,
    extent: Extent,
    path: PathBuf,
    records: Records,
}

/// An iterator over the log from a position to its end.
///
/// The segments are listed once, at the start; those that a writer removes meanwhile are passed over, those that it adds
/// are not read, what it adds to the last one may be. After an error the next call goes on behind what could not be read,
/// so a caller may stop there or not.
#[derive(Debug)]
pub struct Reader {
    fs: Arc<dyn FileSystem>,
    directory: PathBuf,
    block_bytes: usize,
    from: Position,
    listed: VecDeque<Listed>,
    current: Option<Current>,
    ready: VecDeque<Entry>,
}

impl Reader {
    /// Reads the log in `directory` from its start.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the directory cannot be listed. A segment that cannot be read is an error in its turn.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_from(directory, Position::START)
    }

    /// Reads the log in `directory` from the first record that starts at `from` or after it; `from` need not be a
    /// record's position.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_from(directory: impl AsRef<Path>, from: Position) -> Result<Self, Error> {
        Self::open_on(Arc::new(StdFileSystem), directory, from, BLOCK_BYTES)
    }

    /// The same on another file system. The block size is [`BLOCK_BYTES`] but for tests.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_on(
        fs: Arc<dyn FileSystem>,
        directory: impl AsRef<Path>,
        from: Position,
        block_bytes: usize,
    ) -> Result<Self, Error> {
        let directory = directory.as_ref().to_owned();
        let mut listed = extent::survey(&*fs, &directory)?;
        listed.retain(|segment| segment.number >= from.segment);
        Ok(Self { fs, directory, block_bytes, from, listed, current: None, ready: VecDeque::new() })
    }

    /// Begins the next segment.
    fn advance(&mut self, Listed { number, extent, missing }: Listed) -> Result<(), Error> {
        if let Some(end) = missing {
            self.damage(end.segment, 0..end.offset, Cause::Missing);
        }
        let path = segment::path(&self.directory, number);
        let failed = |source| Error::Read { path: path.clone(), position: Position::new(number, 0), source };
        let file = match self.fs.open(&path) {
            Ok(file) => file,
            // The writer has removed it: nobody wants it any more.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let length = file.len().map_err(failed)?;
        let heading = segment::read_heading(&*file, number).map_err(failed)?;

        let block = self.block_bytes as u64;
        let start = match self.from {
            Position { segment, offset } if segment == number => HEADER_BYTES.max(offset / block * block),
            _ => HEADER_BYTES,
        };
        let records = || Records::new(file, number, self.block_bytes, start, start > HEADER_BYTES).map_err(failed);
        let records = match heading {
            Heading::Valid { .. } => records()?,
            Heading::Damaged => records()?.after_bad(0, Cause::SegmentHeader),
            Heading::Unsupported { version } => {
                self.damage(number, 0..length, Cause::Unsupported(version));
                return Ok(());
            }
            Heading::Short => {
                match (length, extent) {
                    (0, Extent::Until(1..)) => {}
                    (0, _) => self.torn(number, 0..0),
                    _ => self.bad(number, extent, 0..length, Cause::SegmentHeader, true),
                }
                self.check_length(number, extent, length);
                return Ok(());
            }
        };
        self.current = Some(Current { number, extent, path, records });
        Ok(())
    }

    fn take(&mut self, number: u64, extent: Extent, found: Found) {
        match found {
            Found::Record { range, payload } => {
                let position = Position::new(number, range.start);
                if position >= self.from {
                    self.ready.push_back(Entry::Record { position, payload });
                }
            }
            Found::Bad { range, cause, tail } => self.bad(number, extent, range, cause, tail),
        }
    }

    /// Judges bytes that are no record.
    fn bad(&mut self, number: u64, extent: Extent, range: Range<u64>, cause: Cause, tail: bool) {
        match extent {
            Extent::Open if tail => self.torn(number, range),
            Extent::Open | Extent::Whole => self.damage(number, range, cause),
            Extent::Until(end) => {
                let end = end.clamp(range.start, range.end);
                self.damage(number, range.start..end, cause);
                if end < range.end {
                    self.torn(number, end..range.end);
                }
            }
        }
    }

    /// Notices what a segment has lost at its end.
    fn check_length(&mut self, number: u64, extent: Extent, length: u64) {
        if let Extent::Until(end) = extent {
            self.damage(number, length..end, Cause::Shortened);
        }
    }

    fn damage(&mut self, number: u64, range: Range<u64>, cause: Cause) {
        if range.is_empty() {
            return;
        }
        if let Some((position, length)) = self.within(number, &range) {
            self.ready.push_back(Entry::Damage { position, length, cause });
        }
    }

    fn torn(&mut self, number: u64, range: Range<u64>) {
        if let Some((position, length)) = self.within(number, &range) {
            self.ready.push_back(Entry::Torn { position, length });
        }
    }

    /// The part of a range that is not before where reading began.
    fn within(&self, number: u64, range: &Range<u64>) -> Option<(Position, u64)> {
        let start = Position::new(number, range.start).max(self.from);
        let reached = start.segment == number && (start.offset < range.end || start.offset == range.start);
        reached.then(|| (start, range.end - start.offset))
    }
}

impl Iterator for Reader {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Some(Ok(entry));
            }
            if let Some(Current { number, extent, path, records }) = &mut self.current {
                let (number, extent) = (*number, *extent);
                match records.next() {
                    Ok(Some(found)) => self.take(number, extent, found),
                    Ok(None) => {
                        let length = records.offset();
                        self.current = None;
                        self.check_length(number, extent, length);
                    }
                    Err((offset, source)) => {
                        let position = Position::new(number, offset);
                        return Some(Err(Error::Read { path: path.clone(), position, source }));
                    }
                }
                continue;
            }
            let segment = self.listed.pop_front()?;
            if let Err(error) = self.advance(segment) {
                return Some(Err(error));
            }
        }
    }
}
