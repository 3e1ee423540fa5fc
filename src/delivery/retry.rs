//! The loop around attempts: it alone waits, and it alone decides from a verdict what happens next.
//!
//! Kafka is the queue, so nothing is dropped here: a batch is tried until the receiver takes it, refuses it for good, or
//! the lane is told to stop.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::client::{Attempt, Client, Verdict};
use super::{Backoff, Batch, Limiter, Permit};
use crate::dead_letter::DeadLetters;
use crate::kafka::{Offsets, TopicPartition};
use crate::metrics::{Code, PipelineMetrics, ReasonLabel};
use crate::record::{Decoder, Limits};
use crate::status::{Severity, Status};

/// So many failures of one batch in a row, when no fewer requests can be in flight, halve it.
const HALVE_AFTER: u32 = 3;

/// What all lanes of one receiver share.
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// How it is sent to.
    pub client: Client,
    /// How many requests may be in flight.
    pub limiter: Limiter,
    /// How long one batch may get server errors before the records at fault are looked for.
    pub isolate_after: Duration,
    /// Where records go that cannot be delivered.
    pub dead_letters: DeadLetters,
    /// Where trouble is reported.
    pub status: Status,
    /// What is counted.
    pub metrics: Arc<PipelineMetrics>,
}

impl Receiver {
    fn component(&self) -> String {
        format!("remote_write/{}", self.name)
    }

    /// The receiver cannot be reached or is in trouble; it will come back.
    pub fn waiting(&self, cause: &str) {
        let message = format!("{} does not take data, retrying: {cause}", self.client.url());
        self.status.report(&self.component(), Severity::Waiting, message);
    }

    /// The receiver refuses everything, so the configuration is at fault.
    pub fn misconfigured(&self, cause: &str) {
        let message = format!(
            "{} refuses requests whatever is in them; check remote_write.url and its credentials. \
             Nothing is dropped meanwhile. It answers: {cause}",
            self.client.url()
        );
        self.status.report(&self.component(), Severity::Failing, message);
    }

    /// The receiver accepts requests.
    pub fn accepting(&self) {
        self.status.recover(&self.component());
    }

    /// One attempt, counted.
    pub async fn attempt(&self, body: Bytes) -> Verdict {
        let started = Instant::now();
        self.metrics.in_flight.inc();
        let gauge = Decrement(&self.metrics);
        let Attempt { status, verdict } = self.client.send(body).await;
        drop(gauge);
        self.metrics.send_duration.observe(started.elapsed());
        let code = status.map_or_else(|| "error".to_owned(), |status| status.to_string());
        self.metrics.requests.get_or_create(&Code { code }).inc();
        verdict
    }
}

/// Takes a request out of the gauge also when its lane is given up.
struct Decrement<'a>(&'a PipelineMetrics);

impl Drop for Decrement<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

/// One lane's way to the receiver.
pub struct Delivery {
    pub(super) receiver: Arc<Receiver>,
    pub(super) partition: TopicPartition,
    pub(super) offsets: Arc<Mutex<Offsets>>,
    pub(super) stop: CancellationToken,
    pub(super) decoder: Decoder,
    /// Records given up since the receiver has last accepted data of this lane.
    pub(super) given_up_in_a_row: u32,
    /// With this the last exemplars of the batch at hand were handed over.
    sequence: u64,
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every record of it is delivered or a dead letter, and its offset settled.
    Settled,
    /// The lane was told to stop; what is settled is settled, the rest will be read again.
    Stopped,
}

/// How an attempt, repeated as often as it takes, ended.
pub(super) enum Answer<H> {
    Accepted,
    Refused(Refusal),
    /// It may be too much for the receiver in one request, but has halves. One record has none: [`WHOLE`].
    TooMuch(H),
    Stopped,
}

/// The halves of a body that has none.
pub(super) const WHOLE: Option<Infallible> = None;

/// A refusal for good: the canary was accepted, so it is the data.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Delivery {
    /// A lane's way to `receiver`. What is settled is noted in `offsets`.
    pub fn new(
        receiver: Arc<Receiver>,
        partition: TopicPartition,
        limits: Limits,
        offsets: Arc<Mutex<Offsets>>,
        stop: CancellationToken,
    ) -> Self {
        Self { receiver, partition, offsets, stop, decoder: Decoder::new(limits), given_up_in_a_row: 0, sequence: 0 }
    }

    /// Delivers a batch. Takes and returns itself, so that the lane can go on reading meanwhile.
    pub async fn deliver(mut self, batch: Batch) -> (Self, Outcome) {
        self.sequence = batch.sequence();
        // What is too much is taken apart, the first part on top. So parts are the larger the later they come, up to the next
        // batch, which is whole.
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            let records = part.len();
            if part.is_empty() {
                self.settle(part.position_after(records));
                continue;
            }
            let halves = (records > 1).then_some(());
            let outcome = match self.send(part.body(), self.receiver.isolate_after, halves).await {
                Answer::Accepted => {
                    self.accept(&part, part.position_after(records));
                    Outcome::Settled
                }
                Answer::Refused(refusal) => self.isolate(&part, refusal).await,
                Answer::TooMuch(()) => {
                    parts.push(part.part(records / 2..records, &mut self.decoder));
                    parts.push(part.part(0..records / 2, &mut self.decoder));
                    Outcome::Settled
                }
                Answer::Stopped => Outcome::Stopped,
            };
            if outcome == Outcome::Stopped {
                return (self, Outcome::Stopped);
            }
        }
        (self, Outcome::Settled)
    }

    /// Notes that everything before `position` is done.
    pub(super) fn settle(&self, position: i64) {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner).settle(position, self.sequence);
    }

    /// Notes that the receiver has taken a batch.
    pub(super) fn accept(&mut self, batch: &Batch, position: i64) {
        self.given_up_in_a_row = 0;
        let (metrics, counts) = (&self.receiver.metrics, batch.counts());
        metrics.samples.inc_by(counts.samples);
        metrics.histograms.inc_by(counts.histograms);
        metrics.exemplars.inc_by(counts.exemplars);
        metrics.metadata.inc_by(counts.metadata);
        metrics.sent_bytes.inc_by(batch.body().len() as u64);
        self.settle(position);
    }

    /// Posts a body until it is accepted, refused for good, or the lane is told to stop. Server errors that last for
    /// `isolate_after` while the canary is accepted count as a refusal. What has `halves` is given back as too much once
    /// it has failed [`HALVE_AFTER`] times in a row, alone in flight, while nothing but the canary was accepted.
    pub(super) async fn send<H: Copy>(&self, body: Bytes, isolate_after: Duration, halves: Option<H>) -> Answer<H> {
        let receiver = Arc::clone(&self.receiver);
        let mut backoff = Backoff::new();
        let mut failing_since: Option<Instant> = None;
        let mut alone = FailingAlone::default();
        loop {
            let Some((verdict, permit)) = self.attempt(&receiver, body.clone()).await else {
                return Answer::Stopped;
            };
            if matches!(verdict, Verdict::Retry { status: Some(500..), .. }) {
                failing_since.get_or_insert_with(Instant::now);
            } else {
                failing_since = None;
            }
            alone.note(&verdict, &receiver.limiter);
            let mut too_much = None;
            let (reason, after) = match verdict {
                Verdict::Delivered => {
                    receiver.accepting();
                    return Answer::Accepted;
                }
                Verdict::TooLarge { body } => {
                    return Answer::Refused(Refusal { status: 413, body });
                }
                Verdict::Rejected { status, body } => match self.canary().await {
                    None => return Answer::Stopped,
                    Some(Verdict::Delivered) => {
                        receiver.accepting();
                        return Answer::Refused(Refusal { status, body });
                    }
                    Some(Verdict::Retry { after, cause, .. }) => {
                        receiver.waiting(&cause);
                        ("unavailable", after)
                    }
                    Some(canary) => {
                        receiver.misconfigured(&format!("HTTP status {status}: {body}; to an empty request: {canary}"));
                        ("misconfigured", None)
                    }
                },
                Verdict::Retry { status, after, cause } => {
                    let long_enough = failing_since.is_some_and(|since| since.elapsed() >= isolate_after);
                    if long_enough && self.canary_is_accepted().await {
                        tracing::error!(
                            partition = %self.partition,
                            "the receiver has answered one batch with server errors for {isolate_after:?} while it \
                             accepts others; looking for the records at fault: {cause}"
                        );
                        return Answer::Refused(Refusal { status: status.unwrap_or_default(), body: cause });
                    }
                    let reason = match status {
                        Some(429) => "rate_limited",
                        Some(_) => "server_error",
                        None => "unavailable",
                    };
                    if alone.failures >= HALVE_AFTER && halves.is_some() && self.canary_is_accepted().await {
                        too_much = halves;
                        tracing::warn!(
                            partition = %self.partition,
                            "the receiver does not take a batch, though hardly any other is in flight; sending it in halves: \
                             {cause}"
                        );
                    } else {
                        receiver.waiting(&cause);
                    }
                    (reason, after)
                }
                Verdict::Misconfigured { cause, .. } => {
                    receiver.misconfigured(&cause);
                    ("misconfigured", None)
                }
            };
            receiver.metrics.retries.get_or_create(&ReasonLabel { reason }).inc();
            drop(permit);
            if !self.pause(backoff.next(after)).await {
                return Answer::Stopped;
            }
            if let Some(halves) = too_much {
                return Answer::TooMuch(halves);
            }
        }
    }

    /// What the receiver answers to the canary; `None` if the lane is told to stop meanwhile. Unlike a batch it is not seen
    /// through: nothing that may be committed depends on it.
    async fn canary(&self) -> Option<Verdict> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            attempt = self.receiver.client.canary() => Some(attempt.verdict),
        }
    }

    async fn canary_is_accepted(&self) -> bool {
        self.canary().await == Some(Verdict::Delivered)
    }

    /// One attempt, once a permit is had; `None` if the lane is told to stop before it begins. Once begun it is seen
    /// through: its answer decides what may be committed. The permit is for what follows at once, which is the canary: so
    /// that it is not one more in flight, nor waits for others.
    async fn attempt<'a>(&self, receiver: &'a Receiver, body: Bytes) -> Option<(Verdict, Permit<'a>)> {
        let permit = tokio::select! {
            biased;
            () = self.stop.cancelled() => return None,
            permit = receiver.limiter.acquire() => permit,
        };
        let bytes = body.len();
        let verdict = receiver.attempt(body).await;
        permit.answered(bytes, &verdict);
        Some((verdict, permit))
    }

    /// Waits; `false` if the lane is told to stop meanwhile.
    pub(super) async fn pause(&self, wait: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }
}

/// How often one batch has failed in a row when no fewer requests could be in flight, and nothing else was accepted. Where
/// something is, it is not known whether this batch would be, were it smaller: a receiver that takes so many requests a
/// second would only get more of them.
#[derive(Default)]
struct FailingAlone {
    failures: u32,
    accepted: u64,
}

impl FailingAlone {
    fn note(&mut self, verdict: &Verdict, limiter: &Limiter) {
        let accepted = limiter.accepted();
        let fails = matches!(verdict, Verdict::Retry { .. }) && limiter.is_lowest();
        self.failures = match self.failures {
            _ if !fails => 0,
            failures if self.accepted == accepted => failures + 1,
            _ => 1,
        };
        self.accepted = accepted;
    }
}
