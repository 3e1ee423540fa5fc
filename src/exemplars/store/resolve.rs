//! From matchers to the series they select, as Prometheus does it (`PostingsForMatchers` in `tsdb/querier.go`): an
//! absent label counts as empty, so a matcher that matches "" also selects series without the label.
//!
//! The lock is released every few hundred steps, so the answer is of no single moment. That is well for a series that
//! is there all the while; the others have no exemplars that are older than the query and still held.

use std::time::{Duration, Instant};

use roaring::RoaringBitmap;

use super::super::matcher::{Candidates, Matcher, Op};
use super::Store;

/// Values or series looked at between one release of the lock and the next.
const STEP: usize = if cfg!(test) { 2 } else { 256 };

/// Nor is it held longer than this, but for a single value: an expression may take long over each.
const TURN: Duration = Duration::from_millis(1);

/// The series that match all matchers of any selector.
pub(super) fn resolve<S: AsRef<[Matcher]>>(store: &Store, selectors: &[S]) -> RoaringBitmap {
    selectors.iter().map(|selector| intersection(store, selector.as_ref())).fold(RoaringBitmap::new(), |a, b| a | b)
}

fn intersection(store: &Store, matchers: &[Matcher]) -> RoaringBitmap {
    let mut order: Vec<&Matcher> = matchers.iter().collect();
    order.sort_by_key(|matcher| match matcher.candidates() {
        _ if negated(matcher) || matcher.matches("") => 2,
        Candidates::Values(_) => 0,
        Candidates::Prefix(_) => 1,
    });
    let mut selected: Option<RoaringBitmap> = None;
    for matcher in order {
        let so_far = match selected.take() {
            Some(so_far) if so_far.is_empty() => return so_far,
            // Nothing to start with but what matches.
            None if !negated(matcher) && !matcher.matches("") => {
                selected = Some(matching_pattern(store, matcher));
                continue;
            }
            so_far => so_far.unwrap_or_else(|| store.read().series.index().all().clone()),
        };
        selected = Some(narrow(store, so_far, matcher));
    }
    selected.unwrap_or_else(|| store.read().series.index().all().clone())
}

fn negated(matcher: &Matcher) -> bool {
    matches!(matcher.op(), Op::NotEqual | Op::NoMatch)
}

/// Those of the series that match.
fn narrow(store: &Store, mut series: RoaringBitmap, matcher: &Matcher) -> RoaringBitmap {
    if matches!(matcher.candidates(), Candidates::Prefix(_)) && fewer_than_values(store, &series, matcher) {
        return one_by_one(store, &series, matcher);
    }
    let pattern = matching_pattern(store, matcher);
    match (negated(matcher), matcher.matches("")) {
        (false, false) => series &= pattern,
        (false, true) => series -= with_name(store, matcher) - pattern,
        (true, false) => series &= with_name(store, matcher) - pattern,
        (true, true) => series -= pattern,
    }
    series
}

/// The series that have the label and whose value matches the pattern, its negation left aside.
fn matching_pattern(store: &Store, matcher: &Matcher) -> RoaringBitmap {
    match matcher.candidates() {
        Candidates::Values(values) => with_values(store, matcher, values),
        Candidates::Prefix("") if matches!(matcher.value(), ".*" | ".+") => with_name(store, matcher),
        Candidates::Prefix(prefix) => with_prefix(store, matcher, prefix),
    }
}

fn with_name(store: &Store, matcher: &Matcher) -> RoaringBitmap {
    let mut series = RoaringBitmap::new();
    let state = store.read();
    let index = state.series.index();
    if let Some(name) = index.find_name(matcher.name()) {
        index.with_name(name).add_to(&mut series);
    }
    series
}

fn with_values(store: &Store, matcher: &Matcher, values: &[String]) -> RoaringBitmap {
    let mut series = RoaringBitmap::new();
    for values in values.chunks(STEP) {
        let state = store.read();
        let index = state.series.index();
        let Some(name) = index.find_name(matcher.name()) else { break };
        for pair in values.iter().filter_map(|value| index.find_pair(name, value)) {
            index.with_pair(pair).add_to(&mut series);
        }
    }
    series
}

fn with_prefix(store: &Store, matcher: &Matcher, prefix: &str) -> RoaringBitmap {
    let mut series = RoaringBitmap::new();
    let mut from = Some(prefix.to_owned());
    while let Some(start) = from.take() {
        let state = store.read();
        let taken = Instant::now();
        let index = state.series.index();
        let Some(name) = index.find_name(matcher.name()) else { break };
        let pairs = index.values_from(name, &start).take_while(|&pair| index.value(pair).starts_with(prefix));
        for (step, pair) in pairs.enumerate() {
            let value = index.value(pair);
            if step == STEP || (step > 0 && taken.elapsed() >= TURN) {
                from = Some(value.to_owned());
                break;
            }
            if matcher.matches(value) != negated(matcher) {
                index.with_pair(pair).add_to(&mut series);
            }
        }
    }
    series
}

fn fewer_than_values(store: &Store, series: &RoaringBitmap, matcher: &Matcher) -> bool {
    let state = store.read();
    let index = state.series.index();
    let values = index.find_name(matcher.name()).map_or(0, |name| index.values(name));
    series.len() < values as u64
}

/// Tests the label of each series.
fn one_by_one(store: &Store, series: &RoaringBitmap, matcher: &Matcher) -> RoaringBitmap {
    let mut ids = series.iter().peekable();
    let mut selected = RoaringBitmap::new();
    while ids.peek().is_some() {
        let state = store.read();
        let taken = Instant::now();
        let index = state.series.index();
        let name = index.find_name(matcher.name());
        let matches = |id: &u32| {
            let pairs = state.series.held(*id).map_or(&[][..], |series| &*series.pairs);
            matcher.matches(name.and_then(|name| index.value_among(pairs, name)).unwrap_or_default())
        };
        for id in ids.by_ref().take(STEP) {
            if matches(&id) {
                selected.insert(id);
            }
            if taken.elapsed() >= TURN {
                break;
            }
        }
    }
    selected
}
