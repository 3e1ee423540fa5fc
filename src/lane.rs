//! One partition's line from record to acknowledgement.
//!
//! Invariants: records leave in the order of their offsets; at most one request is in flight; an offset is settled only
//! when everything before it is delivered or a dead letter. Lanes share nothing but the receiver and a budget of
//! memory, so a slow one holds back no other.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;
use rdkafka::error::RDKafkaErrorCode;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio_util::sync::CancellationToken;

use crate::dead_letter::{Letter, Put, Why};
use crate::delivery::{Batch, Builder, Capacity, Delivery, GUARD, Outcome, Receiver};
use crate::exemplars::Exemplars;
use crate::kafka::trouble::Trouble;
use crate::kafka::{Source, TopicPartition, as_record};
use crate::record::exemplars::Taken;
use crate::record::{DecodeError, Decoder, Limits};
use crate::status::Severity;

/// A lane yields to its request, and to other lanes, after so many records …
const BURST_RECORDS: usize = 1024;
/// … or so many bytes of them, whichever comes first.
const BURST_BYTES: usize = 1 << 20;

/// The memory that all lanes of a receiver share.
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
    freed: Notify,
    gauge: Gauge,
}

impl Budget {
    /// So many bytes; what is used is added to `gauge`.
    pub fn new(limit: usize, gauge: Gauge) -> Self {
        Self { limit, used: AtomicUsize::new(0), freed: Notify::new(), gauge }
    }

    fn is_exhausted(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= self.limit
    }
}

/// What one lane holds of the budget; given back when dropped.
struct Share {
    budget: Arc<Budget>,
    held: usize,
}

impl Share {
    fn set(&mut self, bytes: usize) {
        let budget = &self.budget;
        let before = budget.used.fetch_add(bytes.wrapping_sub(self.held), Ordering::Relaxed);
        let after = before.wrapping_add(bytes.wrapping_sub(self.held));
        budget.gauge.inc_by(bytes as i64 - self.held as i64);
        self.held = bytes;
        if before >= budget.limit && after < budget.limit {
            budget.freed.notify_waiters();
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// What bounds a lane and its batches.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// What a batch may hold.
    pub capacity: Capacity,
    /// How long a batch that is not full waits for more.
    pub linger: Duration,
    /// What a record may be.
    pub limits: Limits,
}

type InFlight = Pin<Box<dyn Future<Output = (Delivery, Outcome)> + Send>>;

/// The way to the receiver: free, or with a request under way.
enum Courier {
    Idle(Delivery),
    Busy(InFlight),
}

/// One partition's lane.
pub struct Lane {
    source: Source,
    receiver: Arc<Receiver>,
    stop: CancellationToken,
    bounds: Bounds,
    decoder: Decoder,
    growing: Builder,
    taking: Option<Taking>,
    /// When the first record joined the growing batch.
    begun: Option<Instant>,
    /// A batch that a record did not fit into any more.
    full: Option<Batch>,
    in_flight_bytes: usize,
    share: Share,
    /// Whether the queue was empty when it was last asked.
    drained: bool,
    paused: bool,
    undecodable_in_a_row: u32,
    /// Whether librdkafka has reported trouble with the partition since the last record.
    troubled: bool,
    /// Whether there is no offset to go on at, and nobody has been told yet.
    no_offset: bool,
    /// What cannot be decoded and is not kept yet.
    aside: Option<Aside>,
}

/// Exemplars on their way out of the growing batch.
struct Taking {
    exemplars: Exemplars,
    taken: Taken,
    /// Of what was handed over last.
    sequence: u64,
}

/// Hands over the exemplars of a batch that is complete: the ring has them before the receiver, and whatever becomes of
/// the batch. The sequence number to wait for before it is committed.
fn hand_over(taking: &mut Option<Taking>) -> u64 {
    let Some(taking) = taking else { return 0 };
    if !taking.taken.is_empty() {
        taking.sequence = taking.exemplars.push(std::mem::take(&mut taking.taken));
    }
    taking.sequence
}

/// A record that cannot be decoded, on its way to where dead letters are kept.
struct Aside {
    /// Until it is kept; for ever, if the lane is told to stop before: nothing behind it may be settled then.
    keeping: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    offset: i64,
}

/// A dead letter that is kept sooner is waited for with everything else: then the batch grows on behind it.
const PROMPTLY: Duration = Duration::from_millis(50);

impl Lane {
    /// A lane that reads `source` until `stop` is cancelled, and hands the exemplars in it to `exemplars`.
    pub fn new(
        source: Source,
        receiver: Arc<Receiver>,
        bounds: Bounds,
        budget: Arc<Budget>,
        exemplars: Option<Exemplars>,
        stop: CancellationToken,
    ) -> Self {
        let TopicPartition { topic, partition } = source.partition.clone();
        Self {
            source,
            receiver,
            stop,
            bounds,
            decoder: Decoder::new(bounds.limits),
            growing: Builder::new(topic, partition),
            taking: exemplars.map(|exemplars| Taking { exemplars, taken: Taken::default(), sequence: 0 }),
            begun: None,
            full: None,
            in_flight_bytes: 0,
            share: Share { budget, held: 0 },
            drained: false,
            paused: false,
            undecodable_in_a_row: 0,
            troubled: false,
            no_offset: false,
            aside: None,
        }
    }

    /// Runs until told to stop. Then it waits for the request in flight, if there is one, and drops the rest: that will
    /// be read again by whoever gets the partition.
    pub async fn run(mut self, delivery: Delivery) {
        let budget = Arc::clone(&self.share.budget);
        let exemplars = self.taking.as_ref().map(|taking| taking.exemplars.clone());
        let mut courier = Courier::Idle(delivery);
        loop {
            // Before anything is asked of the budget, so that no release is missed.
            let freed = budget.freed.notified();
            let room = exemplars.as_ref().map(Exemplars::room);
            if !self.drained && self.has_room() {
                self.read().await;
            }
            courier = match courier {
                Courier::Idle(delivery) => match self.next_batch() {
                    Some(batch) => Courier::Busy(Box::pin(delivery.deliver(batch))),
                    None => Courier::Idle(delivery),
                },
                busy => busy,
            };
            self.account();
            if self.no_offset && matches!(courier, Courier::Idle(_)) && self.is_empty() {
                self.no_offset = false;
                self.source.ask_for_offset();
            }

            let has_room = self.has_room();
            let mut aside = self.aside.take();
            let stop = self.stop.clone();
            tokio::select! {
                biased;
                (delivery, outcome) = finished(&mut courier) => {
                    self.in_flight_bytes = 0;
                    if outcome == Outcome::Stopped || stop.is_cancelled() {
                        break;
                    }
                    courier = Courier::Idle(delivery);
                }
                () = stop.cancelled(), if matches!(courier, Courier::Idle(_)) => break,
                () = self.source.readable(), if self.drained && has_room => self.drained = false,
                () = tokio::task::yield_now(), if !self.drained && has_room => {}
                () = freed, if !has_room => {}
                () = made(room), if !has_room => {}
                () = self.lingered() => {}
                offset = kept(&mut aside) => {
                    aside = None;
                    self.note_aside(offset);
                }
            }
            self.aside = aside;
        }
    }

    fn source_component(&self) -> String {
        format!("kafka/{}/{}", self.receiver.name, self.source.partition)
    }

    fn component(&self) -> String {
        format!("lane/{}/{}", self.receiver.name, self.source.partition)
    }

    /// Whether all that was read has been sent.
    fn is_empty(&self) -> bool {
        self.growing.is_empty() && self.full.is_none() && self.aside.is_none()
    }

    /// Whether to read more. A lane that holds nothing may always, or those that stand still could stop all others.
    fn has_room(&self) -> bool {
        let in_budget = self.share.held == 0 || !self.share.budget.is_exhausted();
        let in_time = self.taking.as_ref().is_none_or(|taking| taking.exemplars.has_room());
        self.takes_more() && in_budget && in_time && !self.stop.is_cancelled()
    }

    /// Whether the lane itself can take another record; asked for each, and so without a look at what is shared.
    fn takes_more(&self) -> bool {
        self.full.is_none()
            && self.undecodable_in_a_row < GUARD
            && self.aside.is_none()
            && !self.growing.is_full(self.bounds.capacity)
    }

    /// Reads a burst, until the queue is drained or there is no more room.
    async fn read(&mut self) {
        let (mut records, mut bytes) = (0, 0);
        while records < BURST_RECORDS && bytes < BURST_BYTES && self.takes_more() {
            let message = match self.source.poll() {
                Some(Ok(message)) => message,
                Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                    self.no_offset = true;
                    continue;
                }
                // The partition cannot be read: no right to. librdkafka goes on trying.
                Some(Err(error)) => {
                    self.troubled = true;
                    let message = format!("the partition cannot be read: {}", Trouble::from(error));
                    self.receiver.status.report(&self.source_component(), Severity::Failing, message);
                    continue;
                }
                None => {
                    self.drained = true;
                    break;
                }
            };
            let record = as_record(&self.source.partition.topic, &message);
            records += 1;
            if self.troubled {
                self.troubled = false;
                self.receiver.status.recover(&self.source_component());
            }
            bytes += record.payload.map_or(0, <[u8]>::len);
            if record.payload.is_none_or(<[u8]>::is_empty) {
                self.receiver.metrics.tombstones.inc();
                self.growing.skip(record.offset);
                continue;
            }
            match self.decoder.decode(&record) {
                Ok(decoded) => {
                    if !self.growing.fits(&decoded, self.bounds.capacity) {
                        self.full = self.growing.finish(hand_over(&mut self.taking));
                        self.begun = None;
                    }
                    self.growing.push(&record, &decoded);
                    if let Some(taking) = &mut self.taking {
                        taking.taken.take(decoded.message, decoded.found);
                    }
                    self.undecodable_in_a_row = 0;
                }
                Err(error) => {
                    let offset = record.offset;
                    let letter = Letter::new(&record, self.why(&error));
                    drop(message);
                    self.put_aside(letter, offset).await;
                }
            }
        }
        self.decoder.give_back();
        if records > 0 && self.begun.is_none() && !self.growing.is_empty() {
            self.begun = Some(Instant::now());
        }
        self.receiver.metrics.records.inc_by(records as u64);
        self.receiver.metrics.record_bytes.inc_by(bytes as u64);
    }

    fn why(&self, error: &DecodeError) -> Why<'_> {
        Why { reason: error.reason(), detail: error.to_string(), status: None, receiver: &self.receiver.name }
    }

    /// Keeps a record that cannot be decoded. Until it is kept the lane reads no more, but what it has read before is
    /// sent.
    async fn put_aside(&mut self, letter: Letter, offset: i64) {
        let (receiver, stop) = (Arc::clone(&self.receiver), self.stop.clone());
        let mut keeping = Box::pin(async move {
            if receiver.dead_letters.put(letter, &stop).await == Put::Stopped {
                std::future::pending().await
            }
        });
        match tokio::time::timeout(PROMPTLY, &mut keeping).await {
            Ok(()) => self.note_aside(offset),
            Err(_) => self.aside = Some(Aside { keeping, offset }),
        }
    }

    fn note_aside(&mut self, offset: i64) {
        self.growing.skip(offset);
        self.undecodable_in_a_row += 1;
        if self.undecodable_in_a_row == GUARD {
            // It is not the data: the lane delivers what it has and reads no more.
            let message = format!(
                "{GUARD} records in a row, up to offset {offset}, could not be decoded, so it is not the data; holding. Check \
                 kafka.topics and kafka.format, see why with `exemplar-bridge dead-letter list`, and restart"
            );
            self.receiver.status.report(&self.component(), Severity::Failing, message);
        }
    }

    /// The next batch to send, if it is time. A batch that can still grow is not held back for that, but as long as
    /// there are records to read at once, reading them first makes fewer and larger requests.
    fn next_batch(&mut self) -> Option<Batch> {
        let batch = match self.full.take() {
            Some(full) => full,
            None => {
                let waits_for_more = self.has_room() && (!self.drained || !self.has_lingered());
                if self.growing.is_empty() || waits_for_more {
                    return None;
                }
                self.begun = None;
                self.growing.finish(hand_over(&mut self.taking))?
            }
        };
        self.in_flight_bytes = batch.memory();
        Some(batch)
    }

    fn has_lingered(&self) -> bool {
        self.begun.is_none_or(|begun| begun.elapsed() >= self.bounds.linger)
    }

    /// Waits until the growing batch has lingered; for ever, if it has already, since then only the request in flight
    /// holds it back.
    async fn lingered(&self) {
        match self.begun {
            Some(begun) if !self.has_lingered() => tokio::time::sleep_until((begun + self.bounds.linger).into()).await,
            _ => std::future::pending().await,
        }
    }

    fn account(&mut self) {
        let full = self.full.as_ref().map_or(0, Batch::memory);
        let taken = self.taking.as_ref().map_or(0, |taking| taking.taken.memory());
        self.share.set(self.growing.memory() + taken + full + self.in_flight_bytes);
        self.set_paused(!self.has_room());
    }

    fn set_paused(&mut self, paused: bool) {
        match (self.paused, paused) {
            (false, true) => drop(self.receiver.metrics.paused.inc()),
            (true, false) => drop(self.receiver.metrics.paused.dec()),
            _ => {}
        }
        self.paused = paused;
    }
}

impl Drop for Lane {
    /// Also when a lane is given up, its trouble goes with it.
    fn drop(&mut self) {
        self.set_paused(false);
        self.receiver.status.recover(&self.component());
        self.receiver.status.recover(&self.source_component());
    }
}

/// Room for exemplars; never, if none are taken.
async fn made(room: Option<Notified<'_>>) {
    match room {
        Some(room) => room.await,
        None => std::future::pending().await,
    }
}

/// The end of the request under way; never, if there is none.
async fn finished(courier: &mut Courier) -> (Delivery, Outcome) {
    match courier {
        Courier::Busy(in_flight) => in_flight.await,
        Courier::Idle(_) => std::future::pending().await,
    }
}

/// The offset of what was to be kept, once it is; never, if there is nothing.
async fn kept(aside: &mut Option<Aside>) -> i64 {
    match aside {
        Some(aside) => {
            aside.keeping.as_mut().await;
            aside.offset
        }
        None => std::future::pending().await,
    }
}
