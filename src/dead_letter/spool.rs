//! The local spool: a log of its own. What is put in is never overwritten, and nothing is committed before it is synced.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tokio_util::sync::CancellationToken;

use super::{Letter, REASONS};
use crate::config;
use crate::delivery::Backoff;
use crate::metrics::{DurationHistogram, Metrics, ReasonLabel};
use crate::now;
use crate::status::{Severity, Status};

/// The spool cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("dead_letter.directory: the spool cannot be opened: {}", crate::error_chain(.0))]
pub struct OpenError(wal::Error);

/// How a dead letter's way ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// It is in the spool; durable with the next [`DeadLetters::sync`].
    Kept,
    /// The lane was told to stop before it was; its offset must not be settled.
    Stopped,
}

/// The spool, shared by all lanes.
#[derive(Clone)]
pub struct DeadLetters(Arc<Spool>);

struct Spool {
    log: Mutex<wal::Log>,
    status: Status,
    count: Family<ReasonLabel, Counter>,
    fsync_duration: DurationHistogram,
    /// When one was last logged, in milliseconds since the epoch.
    logged: AtomicI64,
}

/// What the spool's trouble is reported under.
const COMPONENT: &str = "dead_letter";
const SYNC_COMPONENT: &str = "dead_letter/sync";

/// Dead letters come in bursts; the log shows one in so many milliseconds, the counter all.
const LOG_EVERY: i64 = 1000;

impl DeadLetters {
    /// Opens the spool, and makes its directory if need be.
    ///
    /// # Errors
    /// If the directory cannot be written, or another process has it open.
    pub fn open(config: &config::DeadLetter, status: Status, metrics: &Metrics) -> Result<Self, OpenError> {
        let options = wal::Options {
            segment_bytes: 16 << 20,
            // Whatever Kafka can hold must fit.
            max_record_bytes: wal::MAX_RECORD_BYTES,
            max_bytes: Some(config.max_bytes.get()),
            ..wal::Options::default()
        };
        let log = wal::Log::open(&config.directory, options).map_err(OpenError)?;
        Ok(Self(Arc::new(Spool {
            log: Mutex::new(log),
            status,
            count: metrics.dead_letters.clone(),
            fsync_duration: metrics.dead_letter_fsync_duration.clone(),
            logged: AtomicI64::new(0),
        })))
    }

    /// Keeps a dead letter, trying as long as it takes: its offset is held until it is kept or the lane told to stop.
    pub async fn put(&self, letter: Letter, stop: &CancellationToken) -> Put {
        let mut backoff = Backoff::new();
        while !self.try_put(&letter).await {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Put::Stopped,
                () = tokio::time::sleep(backoff.next(None)) => {}
            }
        }
        Put::Kept
    }

    /// Tries once to keep a dead letter; whether it is kept. If it is not, [`Status`] says why.
    pub async fn try_put(&self, letter: &Letter) -> bool {
        let (spool, record) = (Arc::clone(&self.0), letter.encode());
        let appended = tokio::task::spawn_blocking(move || spool.append(&record)).await;
        match appended.expect("appending does not panic") {
            Ok(()) => {
                self.0.status.recover(COMPONENT);
                self.0.count(letter);
                true
            }
            Err(error) => {
                let message = format!(
                    "a dead letter cannot be kept, so its partition stands still: {}. Stop, move segments of the \
                     spool elsewhere or raise dead_letter.max_bytes, and start again",
                    crate::error_chain(&error)
                );
                self.0.status.report(COMPONENT, Severity::Failing, message);
                false
            }
        }
    }

    /// Makes durable what has been put in so far.
    ///
    /// # Errors
    /// If it cannot be: then nothing may be committed.
    pub async fn sync(&self) -> Result<(), wal::Error> {
        let spool = Arc::clone(&self.0);
        // Always asked of the log, never of a flag of ours: while another sync is under way, this one must wait for it.
        // With nothing to sync it costs next to nothing.
        let synced = tokio::task::spawn_blocking(move || {
            // Only preparing it takes the lock, so that lanes can go on.
            let pending = spool.lock().begin_sync()?;
            spool.fsync(pending)
        });
        match synced.await.expect("syncing does not panic") {
            Ok(()) => {
                self.0.status.recover(SYNC_COMPONENT);
                Ok(())
            }
            Err(error) => {
                let message = format!(
                    "nothing is committed, because dead letters cannot be synced: {}",
                    crate::error_chain(&error)
                );
                self.0.status.report(SYNC_COMPONENT, Severity::Failing, message);
                Err(error)
            }
        }
    }
}

impl Spool {
    fn lock(&self) -> MutexGuard<'_, wal::Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one way to fsync, so that each is counted.
    fn fsync(&self, pending: wal::PendingSync) -> Result<(), wal::Error> {
        if !pending.is_done() {
            let began = Instant::now();
            pending.run()?;
            self.fsync_duration.observe(began.elapsed());
        }
        Ok(())
    }

    fn append(&self, record: &[u8]) -> Result<(), wal::Error> {
        let mut log = self.lock();
        match log.append(record) {
            Err(wal::Error::TooMuchUnsynced { .. }) => {
                let pending = log.begin_sync()?;
                self.fsync(pending)?;
                log.append(record)?;
            }
            appended => drop(appended?),
        }
        Ok(())
    }

    fn count(&self, letter: &Letter) {
        debug_assert!(REASONS.contains(&letter.reason), "{} is a reason without a counter", letter.reason);
        self.count.get_or_create(&ReasonLabel { reason: letter.reason }).inc();
        let (now, logged) = (now(), self.logged.load(Ordering::Relaxed));
        if now - logged < LOG_EVERY {
            return;
        }
        self.logged.store(now, Ordering::Relaxed);
        let proto::dead_letter::DeadLetter { topic, partition, offset, detail, receiver, .. } = &letter.letter;
        tracing::warn!(
            receiver,
            topic,
            partition,
            offset,
            reason = letter.reason,
            "a record is a dead letter (one in a second is shown): {detail}"
        );
    }
}
