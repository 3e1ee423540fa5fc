//! What a store holds, or a receiver got, in a form that can be compared with `assert_eq!`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};

use proto::remote_write::WriteRequest;

/// The labels of a series, the name of the metric (`__name__`) included. What is not UTF-8 is replaced.
pub type Labels = BTreeMap<String, String>;

/// Series and their samples: timestamps in milliseconds, ascending (repeats are kept).
pub type Samples = BTreeMap<Labels, Vec<(i64, Value)>>;

/// A sample's value, equal when its bits are: NaN equals itself, 0 is not -0.
#[derive(Clone, Copy)]
pub struct Value(pub f64);

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Value {}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Debug for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many samples there are, repeats included.
pub fn count(samples: &Samples) -> usize {
    samples.values().map(Vec::len).sum()
}

/// The samples of some requests, put together; native histograms, exemplars and series without samples are left out.
pub fn samples_of<'a>(requests: impl IntoIterator<Item = &'a WriteRequest>) -> Samples {
    let mut all = Samples::new();
    for series in requests.into_iter().flat_map(|request| &request.timeseries) {
        if series.samples.is_empty() {
            continue;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let labels = series.labels.iter().map(|label| (text(&label.name), text(&label.value))).collect();
        let samples = series.samples.iter().map(|sample| (sample.timestamp, Value(sample.value)));
        all.entry(labels).or_default().extend(samples);
    }
    all.values_mut().for_each(|samples| samples.sort_unstable());
    all
}
