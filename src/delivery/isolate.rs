//! Finds the records that a receiver refuses, by halving: the rest is delivered, in order.

use std::ops::Range;
use std::time::Duration;

use super::retry::{Answer, Delivery, Outcome, Refusal, WHOLE};
use super::{Backoff, Batch};
use crate::dead_letter::{Letter, Put, Why};
use crate::status::Severity;

/// So many dead letters in a row, with nothing accepted in between, are not the data's fault: the lane holds.
pub(crate) const GUARD: u32 = 100;

impl Refusal {
    /// The reason that a dead letter gets, out of a bounded set.
    fn reason(&self) -> &'static str {
        // Prometheus says so in words only: storage.ErrOutOfOrderSample, ErrDuplicateSampleForTimestamp,
        // ErrTooOldSample, ErrOutOfBounds. A tail read again after a crash ends here if it has no out-of-order window.
        const REPEATS: [&str; 4] = ["out of order", "duplicate sample", "too old sample", "out of bounds"];
        match self.status {
            413 => "too_large",
            500.. => "server_error",
            _ if REPEATS.iter().any(|words| self.body.contains(words)) => "repeat_or_out_of_order",
            _ => "rejected",
        }
    }

    /// For how long a part of the batch may get server errors: if they are why we are here, none is waited out again.
    fn isolate_after(&self, normal: Duration) -> Duration {
        if self.status >= 500 { Duration::ZERO } else { normal }
    }
}

impl Delivery {
    /// Delivers what the receiver takes of a batch that it has refused as a whole; what it refuses alone, twice, becomes
    /// a dead letter.
    pub(super) async fn isolate(&mut self, batch: &Batch, refusal: Refusal) -> Outcome {
        let isolate_after = refusal.isolate_after(self.receiver.isolate_after);
        // The leftmost part is on top, so that records stay in order.
        let mut parts = Vec::new();
        push_halves(&mut parts, 0..batch.len());
        while let Some(records) = parts.pop() {
            let part = batch.part(records.clone(), &mut self.decoder);
            if part.is_empty() {
                self.settle(batch.position_after(records.end));
                continue;
            }
            let halves = (records.len() > 1).then_some(());
            match self.send(part.body(), isolate_after, halves).await {
                Answer::Accepted => self.accept(&part, batch.position_after(records.end)),
                Answer::Refused(_) if records.len() > 1 => push_halves(&mut parts, records),
                Answer::Refused(first) => match self.give_up(&part, isolate_after, first).await {
                    Outcome::Settled => self.settle(batch.position_after(records.end)),
                    Outcome::Stopped => return Outcome::Stopped,
                },
                Answer::TooMuch(()) => push_halves(&mut parts, records),
                Answer::Stopped => return Outcome::Stopped,
            }
        }
        Outcome::Settled
    }

    /// Asks once more for a record that was refused alone, then makes it a dead letter. When so many have been given up
    /// that it cannot be the data, asks until the receiver takes it.
    async fn give_up(&mut self, record: &Batch, isolate_after: Duration, first: Refusal) -> Outcome {
        let mut backoff = Backoff::new();
        let mut refusal = first;
        loop {
            let sure = self.given_up_in_a_row < GUARD;
            if sure && refusal.status == 413 {
                break;
            }
            if !self.pause(backoff.next(None)).await {
                return Outcome::Stopped;
            }
            match self.send(record.body(), isolate_after, WHOLE).await {
                Answer::Accepted => {
                    self.receiver.status.recover(&self.lane());
                    self.accept(record, record.position_after(record.len()));
                    return Outcome::Settled;
                }
                Answer::Stopped => return Outcome::Stopped,
                Answer::Refused(again) => refusal = again,
            }
            if sure {
                break;
            }
            let message = format!(
                "the receiver has refused {GUARD} records in a row, so it is not the data; holding, and trying the \
                 next one again. It answers: HTTP status {}: {}",
                refusal.status, refusal.body
            );
            self.receiver.status.report(&self.lane(), Severity::Failing, message);
        }
        self.given_up_in_a_row += 1;
        let mut value = Vec::new();
        let why = Why {
            reason: refusal.reason(),
            detail: refusal.body,
            status: Some(refusal.status),
            receiver: &self.receiver.name,
        };
        let letter = Letter::new(&record.record(0, &mut value), why);
        match self.receiver.dead_letters.put(letter, &self.stop).await {
            Put::Kept => Outcome::Settled,
            Put::Stopped => Outcome::Stopped,
        }
    }

    fn lane(&self) -> String {
        format!("lane/{}/{}", self.receiver.name, self.partition)
    }
}

/// Pushes two halves, the left one on top; a single record as it is.
fn push_halves(parts: &mut Vec<Range<usize>>, records: Range<usize>) {
    let middle = records.start + records.len() / 2;
    parts.push(middle..records.end);
    if middle > records.start {
        parts.push(records.start..middle);
    }
}
