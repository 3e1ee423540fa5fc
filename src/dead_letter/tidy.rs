//! Removes from the spool what has been replayed, for whoever has its log open: the bridge, or else the replay itself.
//!
//! Segments are removed whole, oldest first, so that a log has no gaps. One letter that was refused again would keep all
//! that is behind it: so what is left in between is appended once more, at the end, before its segment is removed. A crash
//! in between leaves it there twice, never not at all. A segment with damage in it is left as it is, and all behind it.

use std::io;
use std::path::Path;

use prost::Message;
use proto::dead_letter::DeadLetter;
use wal::{Entry, Position};

use super::progress::{Done, Progress};

/// Why not everything was removed that could be.
#[derive(Debug, thiserror::Error)]
pub(super) enum TidyError {
    #[error("{}", crate::error_chain(.0))]
    Log(#[from] wal::Error),
    #[error("what has been replayed cannot be noted: {0}")]
    Progress(#[from] io::Error),
}

/// Where a spool keeps what has been replayed of it.
pub(super) fn progress_of(directory: &Path) -> std::path::PathBuf {
    directory.join("replayed")
}

/// The payloads in a segment, in bytes.
struct Use {
    segment: u64,
    left: u64,
    done: u64,
}

/// Removes replayed letters from the log, and then what `progress` notes of them.
pub(super) fn tidy(log: &mut wal::Log, progress: &mut Progress) -> Result<(), TidyError> {
    let mut rest = survey(log, progress)?.into_iter().peekable();
    while rest.peek().is_some() {
        // As few segments as it takes, so that what is appended meanwhile takes little room.
        let (mut left, mut done, mut part) = (0, 0, Vec::new());
        for each in rest.by_ref() {
            (left, done) = (left + each.left, done + each.done);
            part.push(each.segment);
            if done > 0 && left <= done {
                break;
            }
        }
        let (Some(first), Some(last)) = (part.first(), part.last()) else { break };
        if done == 0 || left > done {
            break;
        }
        if left > 0 {
            append_again(log, progress, *first, *last)?;
        }
        let last = *last;
        log.truncate_before(Position::new(last + 1, 0))?;
        progress.retain(|done| done.position.segment > last)?;
    }
    Ok(())
}

/// What is in each segment, oldest first, up to the first that is damaged.
fn survey(log: &wal::Log, progress: &Progress) -> Result<Vec<Use>, wal::Error> {
    let mut uses: Vec<Use> = Vec::new();
    for entry in log.read_from(Position::START)? {
        match entry? {
            Entry::Record { position, payload } => {
                if uses.last().is_none_or(|last| last.segment != position.segment) {
                    uses.push(Use { segment: position.segment, left: 0, done: 0 });
                }
                let bytes = payload.len() as u64;
                let of_segment = uses.last_mut().expect("it has just been pushed");
                match is_done(progress, position, &payload) {
                    true => of_segment.done += bytes,
                    false => of_segment.left += bytes,
                }
            }
            Entry::Damage { position, .. } => {
                uses.retain(|each| each.segment < position.segment);
                break;
            }
            Entry::Torn { .. } => {}
        }
    }
    Ok(uses)
}

/// Appends what is left in these segments to the end, and makes it durable.
fn append_again(log: &mut wal::Log, progress: &Progress, first: u64, last: u64) -> Result<(), wal::Error> {
    log.end_segment();
    for entry in log.read_from(Position::new(first, 0))? {
        match entry? {
            Entry::Record { position, .. } if position.segment > last => break,
            Entry::Record { position, payload } if !is_done(progress, position, &payload) => {
                super::spool::append(log, &payload)?;
            }
            _ => {}
        }
    }
    log.sync().map(drop)
}

fn is_done(progress: &Progress, position: Position, payload: &[u8]) -> bool {
    DeadLetter::decode(payload).is_ok_and(|letter| progress.has(&Done::new(position, &letter)))
}
