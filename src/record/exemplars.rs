//! Exemplars on their way out of a record: the series that carry them are copied, without samples, while the record is
//! at hand, and read where there is time for it.
//!
//! Only what the walk has accepted comes here, so the structure is known to be sound. UTF-8 is judged here, because the
//! walk leaves it to the receiver.

use std::ops::Range;

use super::walk::Found;
use super::wire::{FIXED64, LEN, Reader, VARINT, WireError, key};

const LABELS: u32 = key(1, LEN);
const SAMPLES: u32 = key(2, LEN);
const EXEMPLARS: u32 = key(3, LEN);
const HISTOGRAMS: u32 = key(4, LEN);

/// The copies of series that carry exemplars, of one record after another.
#[derive(Debug, Default)]
pub struct Taken {
    /// Each is a `TimeSeries` message without samples, after its length in four bytes.
    bytes: Vec<u8>,
    exemplars: u64,
}

impl Taken {
    /// Copies from `message` the series of which `found` says that they carry exemplars.
    pub fn take(&mut self, message: &[u8], found: &Found) {
        for range in &found.exemplar_series {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(&[0; 4]);
            copy_without_samples(&message[range.clone()], &mut self.bytes).expect("the walk has accepted the series");
            // A record is bounded by `limits`, far below 4 GiB.
            let len = (self.bytes.len() - start - 4) as u32;
            self.bytes[start..start + 4].copy_from_slice(&len.to_le_bytes());
        }
        self.exemplars += found.counts.exemplars;
    }

    /// Whether nothing has been taken.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many exemplars have been taken.
    pub fn exemplars(&self) -> u64 {
        self.exemplars
    }

    /// The memory taken, in bytes.
    pub fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// The series in the order they were taken; each is for [`Series::read`].
    pub fn series(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (len, after) = rest.split_first_chunk()?;
            let (series, after) = after.split_at(u32::from_le_bytes(*len) as usize);
            rest = after;
            Some(series)
        })
    }
}

/// Copies whatever is not a sample in runs that are as long as possible: most series consist of one.
fn copy_without_samples(series: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut rest = Reader(series);
    let mut copied = 0;
    loop {
        let start = series.len() - rest.0.len();
        let Some(key) = rest.key()? else { break };
        match key {
            LABELS | EXEMPLARS => drop(rest.bytes()?),
            other => {
                skip(&mut rest, other)?;
                out.extend_from_slice(&series[copied..start]);
                copied = series.len() - rest.0.len();
            }
        }
    }
    out.extend_from_slice(&series[copied..]);
    Ok(())
}

fn skip(rest: &mut Reader<'_>, key: u32) -> Result<(), WireError> {
    match key {
        SAMPLES | HISTOGRAMS => rest.bytes().map(drop),
        other => rest.skip_unknown(other),
    }
}

/// A label's name and its value.
pub type Label<'a> = (&'a str, &'a str);

/// An exemplar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar<'a> {
    /// Its own labels, sorted by name, those without a value left out.
    pub labels: &'a [Label<'a>],
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The value, every bit of it.
    pub value: f64,
}

/// A series that carries exemplars, read from its copy; reused for its allocations.
#[derive(Debug, Default)]
pub struct Series<'a> {
    labels: Vec<Label<'a>>,
    exemplars: Vec<Entry>,
    exemplar_labels: Vec<Label<'a>>,
}

#[derive(Debug)]
struct Entry {
    /// In `exemplar_labels`.
    labels: Range<usize>,
    timestamp: i64,
    value: f64,
}

/// A label's name or value is not UTF-8, so nothing could ask for it.
struct NotUtf8;

impl<'a> Series<'a> {
    /// Reads a series as [`Taken::series`] gives it. Exemplars with labels that are not UTF-8, their own or their series',
    /// are left out; how many.
    pub fn read(&mut self, series: &'a [u8]) -> usize {
        self.labels.clear();
        self.exemplars.clear();
        self.exemplar_labels.clear();
        let (mut rest, mut utf8, mut left_out) = (Reader(series), true, 0);
        while let Some(field) = sound(rest.key()) {
            let message = sound(rest.bytes());
            match field {
                LABELS => match read_label(message) {
                    Ok(label) => self.labels.push(label),
                    Err(NotUtf8) => utf8 = false,
                },
                _ => left_out += usize::from(self.read_exemplar(message).is_err()),
            }
        }
        if !utf8 {
            left_out += self.exemplars.len();
            self.exemplars.clear();
        }
        canonical(&mut self.labels, 0);
        left_out
    }

    fn read_exemplar(&mut self, message: &'a [u8]) -> Result<(), NotUtf8> {
        const VALUE: u32 = key(2, FIXED64);
        const TIMESTAMP: u32 = key(3, VARINT);
        let start = self.exemplar_labels.len();
        let (mut rest, mut value, mut timestamp) = (Reader(message), 0.0, 0);
        while let Some(field) = sound(rest.key()) {
            match field {
                LABELS => self.exemplar_labels.push(read_label(sound(rest.bytes()))?),
                VALUE => value = f64::from_le_bytes(sound(rest.take(8)).try_into().expect("eight bytes were taken")),
                TIMESTAMP => timestamp = sound(rest.varint()) as i64,
                other => sound(rest.skip_unknown(other)),
            }
        }
        canonical(&mut self.exemplar_labels, start);
        self.exemplars.push(Entry { labels: start..self.exemplar_labels.len(), timestamp, value });
        Ok(())
    }

    /// The series' labels, sorted by name, those without a value left out.
    pub fn labels(&self) -> &[Label<'a>] {
        &self.labels
    }

    /// Its exemplars in the order they came.
    pub fn exemplars(&self) -> impl ExactSizeIterator<Item = Exemplar<'_>> {
        self.exemplars_from(0)
    }

    /// The same without the first so many.
    pub fn exemplars_from(&self, first: usize) -> impl ExactSizeIterator<Item = Exemplar<'_>> {
        self.exemplars[first..].iter().map(|entry| Exemplar {
            labels: &self.exemplar_labels[entry.labels.clone()],
            timestamp: entry.timestamp,
            value: entry.value,
        })
    }
}

/// The walk has seen every field of what is read here.
fn sound<T>(read: Result<T, WireError>) -> T {
    read.expect("the walk has accepted the message")
}

fn read_label(message: &[u8]) -> Result<Label<'_>, NotUtf8> {
    const NAME: u32 = key(1, LEN);
    const VALUE: u32 = key(2, LEN);
    let (mut rest, mut name, mut value) = (Reader(message), [].as_slice(), [].as_slice());
    while let Some(field) = sound(rest.key()) {
        match field {
            NAME => name = sound(rest.bytes()),
            VALUE => value = sound(rest.bytes()),
            other => sound(rest.skip_unknown(other)),
        }
    }
    let text = |bytes| str::from_utf8(bytes).map_err(|_| NotUtf8);
    Ok((text(name)?, text(value)?))
}

/// Makes what is in `labels` from `start` sorted by name and without empty values, which are the same as no label.
fn canonical(labels: &mut Vec<Label<'_>>, start: usize) {
    let mut end = start;
    for index in start..labels.len() {
        if !labels[index].1.is_empty() {
            labels.swap(end, index);
            end += 1;
        }
    }
    labels.truncate(end);
    let labels = &mut labels[start..];
    if !labels.is_sorted_by(|a, b| a.0 <= b.0) {
        labels.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use proto::remote_write as v1;

    use super::*;
    use crate::record::walk;

    fn label(name: &[u8], value: &[u8]) -> v1::Label {
        v1::Label { name: name.to_vec(), value: value.to_vec() }
    }

    fn exemplar(labels: Vec<v1::Label>, value: f64, timestamp: i64) -> v1::Exemplar {
        v1::Exemplar { labels, value, timestamp }
    }

    fn taken(request: &v1::WriteRequest) -> Taken {
        let message = request.encode_to_vec();
        let mut found = Found::default();
        walk(&message, &mut found).expect("it was encoded");
        let mut taken = Taken::default();
        taken.take(&message, &found);
        taken
    }

    #[test]
    fn series_with_exemplars_are_taken_and_samples_left() {
        const NAN: u64 = 0x7ff8_0000_0000_1234;
        let samples = (0..50).map(|i| v1::Sample { value: 1.5, timestamp: i }).collect();
        let with = v1::TimeSeries {
            labels: vec![label(b"job", b"shop"), label(b"__name__", b"x"), label(b"none", b"")],
            samples,
            exemplars: vec![
                exemplar(vec![label(b"trace_id", b"a"), label(b"empty", b"")], f64::from_bits(NAN), i64::MIN),
                exemplar(vec![], f64::INFINITY, 0),
            ],
            histograms: vec![v1::Histogram::default()],
        };
        let without = v1::TimeSeries { exemplars: vec![], ..with.clone() };
        let alone = v1::TimeSeries { samples: vec![], histograms: vec![], ..with.clone() };
        let request = v1::WriteRequest { timeseries: vec![without, with, alone], ..v1::WriteRequest::default() };
        let taken = taken(&request);
        assert_eq!(taken.exemplars(), 4);
        assert_eq!(taken.series().count(), 2);
        let mut series = Series::default();
        for bytes in taken.series() {
            assert!(bytes.len() < 120, "samples are left out");
            assert_eq!(series.read(bytes), 0);
            assert_eq!(series.labels(), [("__name__", "x"), ("job", "shop")]);
            let exemplars: Vec<Exemplar<'_>> = series.exemplars().collect();
            let [first, second] = exemplars.as_slice() else { panic!("two: {series:?}") };
            assert_eq!(first.labels, [("trace_id", "a")]);
            assert_eq!((first.value.to_bits(), first.timestamp), (NAN, i64::MIN));
            assert_eq!((second.labels.len(), second.value, second.timestamp), (0, f64::INFINITY, 0));
        }
    }

    #[test]
    fn what_is_not_utf8_is_left_out_and_counted() {
        let good = exemplar(vec![label(b"trace_id", b"a")], 1.0, 1);
        let bad = exemplar(vec![label(b"trace_id", b"\xff")], 2.0, 2);
        let series = |name: &[u8]| v1::TimeSeries {
            labels: vec![label(name, b"x")],
            exemplars: vec![good.clone(), bad.clone(), good.clone()],
            ..v1::TimeSeries::default()
        };
        let timeseries = vec![series(b"ok"), series(b"\xc3\x28")];
        let taken = taken(&v1::WriteRequest { timeseries, ..v1::WriteRequest::default() });
        let mut read = Series::default();
        let results: Vec<_> = taken.series().map(|bytes| (read.read(bytes), read.exemplars().len())).collect();
        assert_eq!(results, [(1, 2), (3, 0)]);
    }

    #[test]
    fn fields_that_nobody_knows_do_not_disturb() {
        // Field 9 as a varint between the labels, and after the exemplar.
        let mut series = vec![];
        v1::TimeSeries { labels: vec![label(b"a", b"1")], ..v1::TimeSeries::default() }.encode(&mut series).expect("a");
        series.extend([9 << 3, 7]);
        let rest = v1::TimeSeries {
            labels: vec![label(b"b", b"2")],
            exemplars: vec![exemplar(vec![], 3.0, 4)],
            ..v1::TimeSeries::default()
        };
        rest.encode(&mut series).expect("there is room");
        series.extend([9 << 3, 7]);
        let mut message = vec![0x0a, series.len() as u8];
        message.extend(series);
        let mut found = Found::default();
        walk(&message, &mut found).expect("unknown fields are fine");
        let mut taken = Taken::default();
        taken.take(&message, &found);
        let bytes = taken.series().next().expect("one series");
        let mut series = Series::default();
        assert_eq!(series.read(bytes), 0);
        assert_eq!(series.labels(), [("a", "1"), ("b", "2")]);
        assert_eq!(series.exemplars().len(), 1);
    }
}
