//! What a store holds, or a receiver got, in a form that can be compared with `assert_eq!`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Debug, Formatter};

use proto::remote_write::{Label, WriteRequest};

/// The labels of a series, the name of the metric (`__name__`) included. What is not UTF-8 is replaced.
pub type Labels = BTreeMap<String, String>;

/// Series and their samples: timestamps in milliseconds, ascending (repeats are kept).
pub type Samples = BTreeMap<Labels, Vec<(i64, Value)>>;

/// A sample's value, equal when its bits are (0 is not -0); but any NaN equals any other, because no server says which one
/// it holds.
#[derive(Clone, Copy)]
pub struct Value(pub f64);

impl Value {
    /// Whether this is the NaN by which Prometheus marks the end of a series. Its API leaves them out; VictoriaMetrics
    /// exports them like any other NaN.
    pub fn is_stale(self) -> bool {
        self.0.to_bits() == 0x7ff0_0000_0000_0002
    }

    fn canonical(self) -> f64 {
        if self.0.is_nan() { f64::NAN } else { self.0 }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.canonical().to_bits() == other.canonical().to_bits()
    }
}

impl Eq for Value {}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        self.canonical().total_cmp(&other.canonical())
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
    let mut all: HashMap<&[Label], Vec<(i64, Value)>> = HashMap::new();
    for series in requests.into_iter().flat_map(|request| &request.timeseries) {
        if !series.samples.is_empty() {
            let samples = series.samples.iter().map(|sample| (sample.timestamp, Value(sample.value)));
            all.entry(&series.labels).or_default().extend(samples);
        }
    }
    let mut sorted = Samples::new();
    for (labels, samples) in all {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let labels = labels.iter().map(|label| (text(&label.name), text(&label.value))).collect();
        // Some labels may have been in another order.
        sorted.entry(labels).or_default().extend(samples);
    }
    sorted.values_mut().for_each(|samples| samples.sort_unstable());
    sorted
}
