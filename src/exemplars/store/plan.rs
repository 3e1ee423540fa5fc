//! What a query is going to read: the selected series in Prometheus' order, with their labels, copied out of the store.

use std::collections::HashMap;

use foldhash::quality::RandomState;
use roaring::RoaringBitmap;

use super::Store;
use super::index::{Index, Label};

/// Series copied between one release of the lock and the next.
const STEP: usize = if cfg!(test) { 2 } else { 512 };

/// A series to be read.
#[derive(Clone, Copy, Debug)]
struct Planned {
    id: u32,
    labels: u32,
    /// Where in `Plan::ranks` its labels are.
    at: usize,
}

/// The selected series, sorted by their labels.
#[derive(Debug)]
pub(super) struct Plan {
    series: Vec<Planned>,
    /// The labels of the series, as ranks among all labels.
    ranks: Vec<u32>,
    labels: Labels,
}

impl Plan {
    /// Plans to read those of the series that may have exemplars at or after `start`.
    pub(super) fn new(store: &Store, ids: &RoaringBitmap, start: i64) -> Self {
        let mut labels = Labels::default();
        // A pair's id may change its meaning when the lock is released, but not while it has a series: so never that of a
        // series that is there all the while, and others will turn out to have no exemplars to be read.
        let mut local = HashMap::with_hasher(RandomState::default());
        let (mut series, mut ranks) = (Vec::new(), Vec::new());
        let mut ids = ids.iter().peekable();
        while ids.peek().is_some() {
            let state = store.read();
            let index = state.series.index();
            for id in ids.by_ref().take(STEP) {
                let Some(held) = state.series.held(id).filter(|series| series.newest >= start) else { continue };
                series.push(Planned { id, labels: held.pairs.len() as u32, at: ranks.len() });
                let known = |&pair| *local.entry(pair).or_insert_with(|| labels.copy(pair, index));
                ranks.extend(held.pairs.iter().map(known));
            }
        }

        let rank = labels.sort();
        for label in &mut ranks {
            *label = rank[*label as usize];
        }
        let mut plan = Self { series: Vec::new(), ranks, labels };
        // As Prometheus' `labels.Compare`: label by label, name before value; the ranks stand for both.
        series.sort_unstable_by(|a, b| plan.ranks_of(a).cmp(plan.ranks_of(b)));
        plan.series = series;
        plan
    }

    pub(super) const fn len(&self) -> usize {
        self.series.len()
    }

    /// The id of a series, by its place.
    pub(super) fn id(&self, place: usize) -> Option<u32> {
        self.series.get(place).map(|series| series.id)
    }

    /// The labels of a series, by its place.
    pub(super) fn labels(&self, place: usize) -> impl ExactSizeIterator<Item = Label<'_>> + Clone {
        let ranks = self.series.get(place).map_or(&[][..], |series| self.ranks_of(series));
        ranks.iter().map(|&rank| self.labels.get(rank))
    }

    fn ranks_of(&self, series: &Planned) -> &[u32] {
        &self.ranks[series.at..][..series.labels as usize]
    }
}

/// Labels, copied.
#[derive(Debug, Default)]
struct Labels {
    text: String,
    /// Where a name begins, where it ends and its value begins, where that ends.
    places: Vec<[usize; 3]>,
}

impl Labels {
    fn copy(&mut self, pair: u32, index: &Index) -> u32 {
        let (name, value) = index.label(pair);
        let start = self.text.len();
        self.text.push_str(name);
        let end_of_name = self.text.len();
        self.text.push_str(value);
        self.places.push([start, end_of_name, self.text.len()]);
        (self.places.len() - 1) as u32
    }

    fn get(&self, at: u32) -> Label<'_> {
        let [start, end_of_name, end] = self.places[at as usize];
        (&self.text[start..end_of_name], &self.text[end_of_name..end])
    }

    /// Sorts them, equal ones becoming one; returns what became of each.
    fn sort(&mut self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.places.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| self.get(a).cmp(&self.get(b)));
        let mut rank = vec![0; order.len()];
        let mut sorted: Vec<[usize; 3]> = Vec::with_capacity(order.len());
        let mut last = None;
        for at in order {
            if last.replace(at).is_none_or(|last| self.get(last) != self.get(at)) {
                sorted.push(self.places[at as usize]);
            }
            rank[at as usize] = (sorted.len() - 1) as u32;
        }
        self.places = sorted;
        rank
    }
}
