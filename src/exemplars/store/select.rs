//! The answer to a query, read from the store chunk by chunk: the lock is held for a few thousand exemplars at a time,
//! and no more than that is copied at once, but for a single series that has more.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use foldhash::quality::RandomState;
use roaring::RoaringBitmap;

use super::Store;
use super::index::Label;
use super::labels::{Value, next_value};
use super::pages::NONE;
use super::plan::Plan;
use super::repeats::SPILLED;
use super::shapes::Part;
use super::state::State;

/// Exemplars visited between one release of the lock and the next. A series counts as some, too.
const STEP: usize = if cfg!(test) { 3 } else { 4096 };
const SERIES_COST: usize = 2;

/// Series with exemplars, sorted by labels. Owned, to be read at any pace: it holds no lock.
#[derive(Debug)]
pub struct Selected {
    store: Store,
    /// What has this arrival number or a greater one is not in the answer.
    horizon: u64,
    start: i64,
    end: i64,
    plan: Plan,
    /// The place in the plan from which to read on, and where in that series.
    place: usize,
    cursor: Option<Cursor>,
    chunk: Chunk,
    /// Place and exemplars of the series given out last.
    current: Option<(usize, Range<usize>)>,
}

/// An exemplar to read on from, and where its series' exemplars begin in the chunk.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    slot: u32,
    arrival: u64,
    first: usize,
}

#[derive(Debug, Default)]
struct Chunk {
    exemplars: Vec<Copied>,
    payloads: Vec<u8>,
    shapes: Vec<Arc<[Part]>>,
    /// Places in the plan, and where in `exemplars` each one's are; those that are yet to be given out, the last first.
    series: Vec<(usize, Range<usize>)>,
}

#[derive(Clone, Copy, Debug)]
struct Copied {
    timestamp: i64,
    value: u64,
    shape: u32,
    /// Where in `payloads` its labels are.
    at: usize,
}

impl Selected {
    pub(super) fn new(store: Store, horizon: u64, start: i64, end: i64, series: RoaringBitmap) -> Self {
        let plan = Plan::new(&store, &series, start);
        Self { store, horizon, start, end, plan, place: 0, cursor: None, chunk: Chunk::default(), current: None }
    }

    /// How many series match, including such as turn out to have no exemplars in the time asked for.
    pub const fn matched(&self) -> usize {
        self.plan.len()
    }

    /// The next series that has exemplars in the time asked for.
    pub fn next_series(&mut self) -> Option<SelectedSeries<'_>> {
        if self.chunk.series.is_empty() {
            self.read_chunk();
        }
        self.current = self.chunk.series.pop();
        self.series()
    }

    /// The series that [`next_series`](Self::next_series) gave last.
    pub fn series(&self) -> Option<SelectedSeries<'_>> {
        let (place, exemplars) = self.current.clone()?;
        Some(SelectedSeries { plan: &self.plan, place, chunk: &self.chunk, exemplars })
    }

    /// Reads until there is something or nothing is left, and always to the end of a series.
    fn read_chunk(&mut self) {
        self.chunk.clear();
        let store = self.store.clone();
        while self.place < self.plan.len() && (self.chunk.series.is_empty() || self.cursor.is_some()) {
            self.read_step(&store.read());
        }
        self.chunk.series.reverse();
    }

    fn read_step(&mut self, state: &State) {
        // Ids of shapes mean the same as long as the lock is held.
        let mut shapes = HashMap::with_hasher(RandomState::default());
        let start = self.start.max(state.cutoff);
        let mut left = STEP;
        while let Some(id) = self.plan.id(self.place) {
            let head = state.series.held(id).map_or(NONE, |series| series.head);
            let (mut at, first) = match self.cursor.take() {
                Some(Cursor { slot, arrival, first }) if state.slots.holds(slot, arrival) => (slot, first),
                // Evicted, and so is all before it: the first that is left comes after.
                Some(Cursor { first, .. }) => (head, first),
                None => (head, self.chunk.exemplars.len()),
            };
            while at != NONE {
                let arrival = state.slots.arrival(at);
                if arrival >= self.horizon {
                    break;
                }
                if left == 0 {
                    self.cursor = Some(Cursor { slot: at, arrival, first });
                    return;
                }
                left -= 1;
                let slot = state.slots.get(at);
                if (start..=self.end).contains(&slot.timestamp) {
                    let chunk = &mut self.chunk;
                    let shape = *shapes.entry(slot.shape & !SPILLED).or_insert_with_key(|&shape| {
                        chunk.shapes.push(state.shapes.parts(shape).clone());
                        (chunk.shapes.len() - 1) as u32
                    });
                    let at = chunk.payloads.len();
                    state.spill.parts(&slot.cell, slot.shape & SPILLED != 0).for_each(|part| {
                        chunk.payloads.extend_from_slice(part);
                    });
                    chunk.exemplars.push(Copied { timestamp: slot.timestamp, value: slot.value, shape, at });
                }
                at = slot.next;
            }
            self.chunk.finish(self.place, first);
            self.place += 1;
            left = left.saturating_sub(SERIES_COST);
            if left == 0 {
                return;
            }
        }
    }
}

impl Chunk {
    fn clear(&mut self) {
        self.exemplars.clear();
        self.payloads.clear();
        self.shapes.clear();
        self.series.clear();
    }

    /// All exemplars of a series are there: brings them in order of time, of arrival where that is equal.
    fn finish(&mut self, place: usize, first: usize) {
        let exemplars = first..self.exemplars.len();
        if !exemplars.is_empty() {
            self.exemplars[exemplars.clone()].sort_by_key(|exemplar| exemplar.timestamp);
            self.series.push((place, exemplars));
        }
    }
}

/// A series and its exemplars.
#[derive(Clone, Debug)]
pub struct SelectedSeries<'a> {
    plan: &'a Plan,
    place: usize,
    chunk: &'a Chunk,
    exemplars: Range<usize>,
}

impl<'a> SelectedSeries<'a> {
    /// Its labels, sorted by name.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = Label<'a>> + Clone + use<'a> {
        self.plan.labels(self.place)
    }

    /// Its exemplars in order of time, at least one.
    pub fn exemplars(&self) -> impl ExactSizeIterator<Item = Exemplar<'a>> + DoubleEndedIterator + Clone + use<'a> {
        let chunk = self.chunk;
        chunk.exemplars[self.exemplars.clone()].iter().map(move |&Copied { timestamp, value, shape, at }| {
            let (parts, payload) = (&chunk.shapes[shape as usize][..], &chunk.payloads[at..]);
            Exemplar { timestamp, value: f64::from_bits(value), parts, payload }
        })
    }
}

/// An exemplar.
#[derive(Clone, Copy, Debug)]
pub struct Exemplar<'a> {
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// With all its bits.
    pub value: f64,
    parts: &'a [Part],
    payload: &'a [u8],
}

impl<'a> Exemplar<'a> {
    /// Its labels, sorted by name.
    pub fn labels(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + Clone + use<'a> {
        let mut payload = self.payload;
        self.parts.iter().map(move |(name, kind)| (&**name, next_value(*kind, &mut payload)))
    }
}
