//! An answer to a question, rendered a piece at a time, whenever the client has taken the one before. In between it holds
//! no lock and no thread, so a client that reads slowly, or goes away, holds nothing back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::json::Renderer;
use super::question::{Filter, Order, Question};
use crate::exemplars::query::Selector;
use crate::exemplars::store::{Exemplar, Selected, Store};

/// A question has taken longer than it may.
#[derive(Debug)]
pub(super) struct TimedOut;

/// An answer that is being rendered.
pub(super) struct Rendering {
    store: Store,
    question: Question,
    /// How long rendering may take in all, the client's pauses not counted.
    left: Duration,
    stage: Stage,
}

enum Stage {
    /// Nothing has been looked for.
    Asked,
    /// Series by series; the number of exemplars of the present one that are done, and whether it has been begun.
    Series { selected: Box<Selected>, wanted: Wanted, renderer: Renderer, done: usize, begun: bool },
    /// Exemplars that are in order, the last one first.
    Ordered { entries: Vec<Entry>, renderer: Renderer },
    /// Everything has been given away.
    Finished,
}

/// An exemplar on its own, rendered.
struct Entry {
    key: i64,
    timestamp: i64,
    text: Vec<u8>,
}

impl Rendering {
    pub(super) fn new(store: Store, question: Question, limit: Duration) -> Self {
        Self { store, question, left: limit, stage: Stage::Asked }
    }

    pub(super) fn is_finished(&self) -> bool {
        matches!(self.stage, Stage::Finished)
    }

    /// The next piece; `None` at the end. Takes a while: it is for a blocking thread.
    pub(super) fn piece(&mut self) -> Result<Option<Bytes>, TimedOut> {
        let started = Instant::now();
        let clock = Clock { started, left: self.left };
        if matches!(self.stage, Stage::Asked) {
            self.stage = self.begin(&clock)?;
        }
        let piece = self.render(&clock)?;
        self.left = self.left.saturating_sub(started.elapsed());
        Ok(piece)
    }

    /// Selects, and finds out where the limit is.
    fn begin(&self, clock: &Clock) -> Result<Stage, TimedOut> {
        self.store.expire(crate::now());
        let mut wanted = Wanted::default();
        if let Some(limit) = self.question.limit {
            wanted = self.best(limit, clock)?;
        }
        let mut selected = self.select();
        if self.question.order == Order::Time {
            let renderer = Renderer::new();
            return Ok(Stage::Series { selected: Box::new(selected), wanted, renderer, done: 0, begun: false });
        }
        let mut entries = Vec::new();
        while let Some(series) = selected.next_series() {
            clock.check()?;
            for exemplar in series.exemplars() {
                let key = self.key(&exemplar);
                if self.matches(&exemplar) && wanted.takes(key) {
                    let text = Renderer::alone(series.labels(), &exemplar);
                    entries.push(Entry { key, timestamp: exemplar.timestamp, text });
                }
            }
        }
        entries.sort_by_key(|entry| (entry.key, Reverse(entry.timestamp)));
        Ok(Stage::Ordered { entries, renderer: Renderer::new() })
    }

    fn select(&self) -> Selected {
        let selectors = self.question.selectors.iter().flatten();
        let selectors: Vec<_> = selectors.map(|selector| &selector.matchers).collect();
        self.store.select(&selectors, self.question.start, self.question.end)
    }

    /// Which exemplars are within the limit: those with the greatest keys.
    fn best(&self, limit: usize, clock: &Clock) -> Result<Wanted, TimedOut> {
        let mut best = BinaryHeap::with_capacity(limit + 1);
        let mut selected = self.select();
        while let Some(series) = selected.next_series() {
            clock.check()?;
            for exemplar in series.exemplars().filter(|exemplar| self.matches(exemplar)) {
                best.push(Reverse(self.key(&exemplar)));
                if best.len() > limit {
                    best.pop();
                }
            }
        }
        let Some(&Reverse(least)) = best.peek().filter(|_| best.len() == limit) else { return Ok(Wanted::default()) };
        let ties = best.iter().filter(|key| key.0 == least).count();
        Ok(Wanted { least, ties })
    }

    fn render(&mut self, clock: &Clock) -> Result<Option<Bytes>, TimedOut> {
        match std::mem::replace(&mut self.stage, Stage::Finished) {
            Stage::Series { mut selected, mut wanted, mut renderer, mut done, mut begun } => loop {
                clock.check()?;
                if let Some(series) = selected.series() {
                    let mut piece = None;
                    for exemplar in series.exemplars().skip(done) {
                        done += 1;
                        if !self.matches(&exemplar) || !wanted.takes(self.key(&exemplar)) {
                            continue;
                        }
                        if !begun {
                            renderer.begin_series(series.labels());
                            begun = true;
                        }
                        renderer.exemplar(&exemplar);
                        piece = renderer.take_full();
                        if piece.is_some() {
                            break;
                        }
                    }
                    if piece.is_some() {
                        self.stage = Stage::Series { selected, wanted, renderer, done, begun };
                        return Ok(piece);
                    }
                    if begun {
                        renderer.end_series();
                    }
                }
                (done, begun) = (0, false);
                if selected.next_series().is_none() {
                    return Ok(Some(renderer.finish()));
                }
            },
            Stage::Ordered { mut entries, mut renderer } => {
                while let Some(entry) = entries.pop() {
                    renderer.entry(&entry.text);
                    if let Some(piece) = renderer.take_full() {
                        self.stage = Stage::Ordered { entries, renderer };
                        return Ok(Some(piece));
                    }
                }
                Ok(Some(renderer.finish()))
            }
            Stage::Asked | Stage::Finished => Ok(None),
        }
    }

    /// What the order goes by; the greatest comes first.
    fn key(&self, exemplar: &Exemplar<'_>) -> i64 {
        match self.question.order {
            Order::Time => exemplar.timestamp,
            Order::Value => order_of(exemplar.value),
        }
    }

    fn matches(&self, exemplar: &Exemplar<'_>) -> bool {
        let Filter { own, .. } = &self.question.filter;
        self.question.filter.wants(exemplar.value)
            && (own.is_empty() || own.iter().any(|selector| own_labels_match(exemplar, selector)))
    }
}

fn own_labels_match(exemplar: &Exemplar<'_>, selector: &Selector) -> bool {
    selector.matchers.iter().all(|matcher| {
        let mut text = String::new();
        if let Some((_, value)) = exemplar.labels().find(|(name, _)| *name == matcher.name()) {
            value.push_to(&mut text);
        }
        matcher.matches(&text)
    })
}

/// A number that is greater for a greater value; `NaN` is the least.
fn order_of(value: f64) -> i64 {
    if value.is_nan() {
        return i64::MIN;
    }
    let bits = value.to_bits() as i64;
    // As `f64::total_cmp` does it.
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

/// The exemplars within a limit: those whose key is greater than the least, and so many that have it.
struct Wanted {
    least: i64,
    ties: usize,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { least: i64::MIN, ties: usize::MAX }
    }
}

impl Wanted {
    fn takes(&mut self, key: i64) -> bool {
        if key > self.least {
            return true;
        }
        let taken = key == self.least && self.ties > 0;
        self.ties -= usize::from(taken);
        taken
    }
}

/// How long this piece may take.
struct Clock {
    started: Instant,
    left: Duration,
}

impl Clock {
    fn check(&self) -> Result<(), TimedOut> {
        if self.started.elapsed() < self.left { Ok(()) } else { Err(TimedOut) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_order() {
        let values = [f64::NAN, f64::NEG_INFINITY, -1.0, -0.0, 0.0, 5e-324, 1.0, f64::MAX, f64::INFINITY];
        assert!(values.map(order_of).is_sorted());
    }
}
