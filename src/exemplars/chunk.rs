//! What one record of the log holds: some exemplars with the labels of their series, each text only once.
//!
//! A chunk stands for itself, so damage to one costs that one only. Nothing is compressed: replacing what repeats by
//! numbers makes an exemplar as small as compressing it does, in a fraction of the time.
//!
//! # Format, version 1
//!
//! One byte, the version, then exemplars to the end. Integers are LEB128 varints if nothing else is said:
//!
//! ```text
//! exemplar  := series  timestamp  value  count { name content }     an exemplar with `count` labels
//! series    := 0 count { label }                                    a new series, numbered from 1
//!            | number                                               one that was there before
//! label     := 0 name content                                       a new label, numbered from 1
//!            | number
//! name      := 0 content                                            a new name, numbered from 1
//!            | number
//! content   := 2 × length  bytes                                    UTF-8
//!            | 2 × length + 1  bytes                                the lower-case hexadecimal digits of the bytes
//! timestamp := difference to the one before, zigzag                 milliseconds, wrapping; the first to 0
//! value     := 8 bytes, little-endian                               the bits of the float
//! ```

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::record::exemplars::{Exemplar, Label};

const VERSION: u8 = 1;

/// Writes chunks, reusing its memory.
#[derive(Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
    exemplars: usize,
    timestamp: i64,
    hashes: RandomState,
    names: Numbered<Range<usize>>,
    labels: Numbered<Text>,
    series: Numbered<Range<usize>>,
    /// The texts of names and labels, for comparison: in the chunk they may be packed.
    texts: Vec<u8>,
    /// The labels of series, by number.
    lists: Vec<u32>,
    /// The hashes of the labels of the series at hand.
    hashed: Vec<u64>,
}

/// A label's name and value, one behind the other.
#[derive(Clone, Copy, Debug)]
struct Text {
    start: u32,
    name: u32,
    value: u32,
}

impl Text {
    fn is(self, texts: &[u8], (name, value): &Label<'_>) -> bool {
        if (self.name as usize, self.value as usize) != (name.len(), value.len()) {
            return false;
        }
        let text = &texts[self.start as usize..][..name.len() + value.len()];
        let (known_name, known_value) = text.split_at(name.len());
        known_name == name.as_bytes() && known_value == value.as_bytes()
    }
}

/// Things in the order they came; their numbers are found by hash. A chunk is far smaller than 4 GiB.
#[derive(Debug)]
struct Numbered<T> {
    things: Vec<T>,
    numbers: HashTable<(u64, u32)>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { things: Vec::new(), numbers: HashTable::new() }
    }
}

impl<T> Numbered<T> {
    /// The number, from 1, of the thing with this hash for which `is` holds.
    fn find(&self, hash: u64, is: impl Fn(&T) -> bool) -> Option<u32> {
        let is = |(other, number): &(u64, u32)| *other == hash && is(&self.things[*number as usize - 1]);
        self.numbers.find(hash, is).map(|(_, number)| *number)
    }

    fn add(&mut self, hash: u64, thing: T) -> u32 {
        self.things.push(thing);
        let number = self.things.len() as u32;
        self.numbers.insert_unique(hash, (hash, number), |(hash, _)| *hash);
        number
    }

    fn clear(&mut self) {
        self.things.clear();
        self.numbers.clear();
    }
}

impl Encoder {
    /// Adds an exemplar of the series with these labels.
    pub fn push(&mut self, series: &[Label<'_>], exemplar: &Exemplar<'_>) {
        if self.bytes.is_empty() {
            self.bytes.push(VERSION);
        }
        self.push_series(series);
        let difference = exemplar.timestamp.wrapping_sub(self.timestamp);
        self.timestamp = exemplar.timestamp;
        push_varint(&mut self.bytes, (difference << 1 ^ difference >> 63) as u64);
        self.bytes.extend_from_slice(&exemplar.value.to_le_bytes());
        push_varint(&mut self.bytes, exemplar.labels.len() as u64);
        for (name, value) in exemplar.labels {
            self.push_name(name);
            push_content(&mut self.bytes, value);
        }
        self.exemplars += 1;
    }

    fn push_series(&mut self, series: &[Label<'_>]) {
        // Each text is hashed once, for its label and for the series.
        self.hashed.clear();
        self.hashed.extend(series.iter().map(|label| self.hashes.hash_one(label)));
        let hash = self.hashes.hash_one(&self.hashed);
        let Self { lists, labels, texts, .. } = &*self;
        let label_is = |number: &u32, label| labels.things[*number as usize - 1].is(texts, label);
        let is = |list: &Range<usize>| {
            list.len() == series.len()
                && lists[list.clone()].iter().zip(series).all(|(number, label)| label_is(number, label))
        };
        if let Some(number) = self.series.find(hash, is) {
            push_varint(&mut self.bytes, number.into());
            return;
        }
        self.bytes.push(0);
        push_varint(&mut self.bytes, series.len() as u64);
        let start = self.lists.len();
        for (index, label) in series.iter().enumerate() {
            let number = self.push_label(label, self.hashed[index]);
            self.lists.push(number);
        }
        self.series.add(hash, start..self.lists.len());
    }

    fn push_label(&mut self, label: &Label<'_>, hash: u64) -> u32 {
        if let Some(number) = self.labels.find(hash, |text| text.is(&self.texts, label)) {
            push_varint(&mut self.bytes, number.into());
            return number;
        }
        let (name, value) = label;
        self.bytes.push(0);
        self.push_name(name);
        push_content(&mut self.bytes, value);
        let text = Text { start: self.texts.len() as u32, name: name.len() as u32, value: value.len() as u32 };
        self.texts.extend_from_slice(name.as_bytes());
        self.texts.extend_from_slice(value.as_bytes());
        self.labels.add(hash, text)
    }

    fn push_name(&mut self, name: &str) {
        let hash = self.hashes.hash_one(name);
        if let Some(number) = self.names.find(hash, |text| self.texts[text.clone()] == *name.as_bytes()) {
            push_varint(&mut self.bytes, number.into());
            return;
        }
        self.bytes.push(0);
        push_content(&mut self.bytes, name);
        let start = self.texts.len();
        self.texts.extend_from_slice(name.as_bytes());
        self.names.add(hash, start..self.texts.len());
    }

    /// How many exemplars are in.
    pub fn exemplars(&self) -> usize {
        self.exemplars
    }

    /// Bytes of the chunk so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is in.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The chunk; what is left is an empty one.
    pub fn finish(&mut self) -> Vec<u8> {
        self.exemplars = 0;
        self.timestamp = 0;
        self.names.clear();
        self.labels.clear();
        self.series.clear();
        self.texts.clear();
        self.lists.clear();
        let capacity = self.bytes.len();
        std::mem::replace(&mut self.bytes, Vec::with_capacity(capacity))
    }
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Ids of traces and spans take half the space as what they are.
fn push_content(bytes: &mut Vec<u8>, text: &str) {
    let start = bytes.len();
    if text.len() >= 8 && text.len().is_multiple_of(2) {
        push_varint(bytes, text.len() as u64 | 1);
        if push_packed(bytes, text) {
            return;
        }
        bytes.truncate(start);
    }
    push_varint(bytes, text.len() as u64 * 2);
    bytes.extend_from_slice(text.as_bytes());
}

/// Whether it was nothing but lower-case hexadecimal digits; else what has been pushed is meaningless.
fn push_packed(bytes: &mut Vec<u8>, text: &str) -> bool {
    let (pairs, _) = text.as_bytes().as_chunks();
    let mut all = 0;
    bytes.extend(pairs.iter().map(|[high, low]| {
        let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
        all |= high | low;
        high << 4 | low
    }));
    all < 16
}

/// What a byte is worth as a lower-case hexadecimal digit; 16 if it is none.
const DIGITS: [u8; 256] = {
    let mut digits = [16; 256];
    let mut digit = 0;
    while digit < 16 {
        digits[HEXADECIMAL[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};
const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

/// Why a record of the log is not a chunk. Its checksums were right, so it was never one, or a bug wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Written by a later version of this program.
    #[error("format version {0} is not supported")]
    Version(u8),
    /// Not what the format says.
    #[error("it is malformed")]
    Malformed,
}

/// Reads a chunk and hands over each exemplar with the labels of its series.
///
/// # Errors
/// If it is not a chunk. What came before the error has been handed over.
pub fn decode(chunk: &[u8], mut each: impl FnMut(&[Label<'_>], Exemplar<'_>)) -> Result<(), ChunkError> {
    let rest = match chunk {
        [VERSION, rest @ ..] => rest,
        [version, ..] => return Err(ChunkError::Version(*version)),
        [] => return Err(ChunkError::Malformed),
    };
    let mut decoder = Decoder { rest, ..Decoder::default() };
    let mut timestamp = 0i64;
    while !decoder.rest.is_empty() {
        let read = decoder.exemplar(&mut timestamp).ok_or(ChunkError::Malformed)?;
        let labels = |range: &Range<usize>| -> Vec<Label<'_>> {
            let numbers = decoder.lists[range.clone()].iter();
            numbers
                .map(|number| &decoder.labels[*number])
                .map(|(name, value)| (&*decoder.names[*name], &**value))
                .collect()
        };
        let own = decoder.own.iter().map(|(name, value)| (&*decoder.names[*name], &**value));
        let own: Vec<Label<'_>> = own.collect();
        let exemplar = Exemplar { labels: &own, timestamp, value: read.value };
        each(&labels(&decoder.series[read.series]), exemplar);
    }
    Ok(())
}

/// What has been numbered so far. Here numbers begin at 0.
#[derive(Default)]
struct Decoder<'a> {
    rest: &'a [u8],
    names: Vec<Cow<'a, str>>,
    labels: Vec<(usize, Cow<'a, str>)>,
    lists: Vec<usize>,
    series: Vec<Range<usize>>,
    /// The labels of the exemplar at hand.
    own: Vec<(usize, Cow<'a, str>)>,
}

struct Read {
    series: usize,
    value: f64,
}

impl<'a> Decoder<'a> {
    fn exemplar(&mut self, timestamp: &mut i64) -> Option<Read> {
        let series = match self.number()? {
            0 => self.new_series()?,
            number => known(number, self.series.len())?,
        };
        let zigzag = self.varint()?;
        *timestamp = timestamp.wrapping_add((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64));
        let value = f64::from_le_bytes(self.take(8)?.try_into().ok()?);
        self.own.clear();
        for _ in 0..self.number()? {
            let label = (self.name()?, self.content()?);
            self.own.push(label);
        }
        Some(Read { series, value })
    }

    fn new_series(&mut self) -> Option<usize> {
        let start = self.lists.len();
        for _ in 0..self.number()? {
            let label = match self.number()? {
                0 => {
                    let label = (self.name()?, self.content()?);
                    self.labels.push(label);
                    self.labels.len() - 1
                }
                number => known(number, self.labels.len())?,
            };
            self.lists.push(label);
        }
        self.series.push(start..self.lists.len());
        Some(self.series.len() - 1)
    }

    fn name(&mut self) -> Option<usize> {
        match self.number()? {
            0 => {
                let name = self.content()?;
                self.names.push(name);
                Some(self.names.len() - 1)
            }
            number => known(number, self.names.len()),
        }
    }

    fn content(&mut self) -> Option<Cow<'a, str>> {
        let head = self.number()?;
        let bytes = self.take(head / 2)?;
        if head.is_multiple_of(2) {
            return str::from_utf8(bytes).ok().map(Cow::Borrowed);
        }
        let mut text = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            text.extend([byte >> 4, byte & 15].map(|digit| char::from(HEXADECIMAL[usize::from(digit)])));
        }
        Some(Cow::Owned(text))
    }

    fn number(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }
}

/// The index of something numbered from 1, if there is as much.
fn known(number: usize, len: usize) -> Option<usize> {
    (number <= len).then(|| number - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Owned = (Vec<(String, String)>, Vec<(String, String)>, i64, u64);

    fn borrowed(labels: &[(String, String)]) -> Vec<Label<'_>> {
        labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn owned(labels: &[Label<'_>]) -> Vec<(String, String)> {
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn encode(encoder: &mut Encoder, all: &[Owned]) -> Vec<u8> {
        for (series, labels, timestamp, bits) in all {
            let exemplar = Exemplar { labels: &borrowed(labels), timestamp: *timestamp, value: f64::from_bits(*bits) };
            encoder.push(&borrowed(series), &exemplar);
        }
        assert_eq!(encoder.exemplars(), all.len());
        encoder.finish()
    }

    fn decoded(chunk: &[u8]) -> Result<Vec<Owned>, ChunkError> {
        let mut all = Vec::new();
        decode(chunk, |series, exemplar| {
            all.push((owned(series), owned(exemplar.labels), exemplar.timestamp, exemplar.value.to_bits()));
        })?;
        Ok(all)
    }

    fn labels() -> impl Strategy<Value = Vec<(String, String)>> {
        let name = prop_oneof![Just("le".to_owned()), Just("job".to_owned()), "[a-c]{0,2}", ".{0,3}"];
        let value = prop_oneof![Just("shop".to_owned()), "[0-9a-f]{6,34}", "[0-9A-F]{8}", ".{0,9}"];
        proptest::collection::vec((name, value), 0..6)
    }

    fn exemplars() -> impl Strategy<Value = Vec<Owned>> {
        let timestamp = prop_oneof![0..100i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)];
        proptest::collection::vec((labels(), labels(), timestamp, any::<u64>()), 1..40)
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(first in exemplars(), second in exemplars()) {
            let mut encoder = Encoder::default();
            for all in [&first, &second] {
                let chunk = encode(&mut encoder, all);
                prop_assert_eq!(&decoded(&chunk), &Ok(all.clone()));
                prop_assert!(encoder.is_empty());
            }
        }

        #[test]
        fn anything_is_decoded_or_refused(mut chunk: Vec<u8>) {
            chunk.insert(0, VERSION);
            let _either = decoded(&chunk);
        }

        #[test]
        fn a_cut_is_refused_or_ends_between_exemplars(all in exemplars(), cut: prop::sample::Index) {
            let chunk = encode(&mut Encoder::default(), &all);
            if let Ok(some) = decoded(&chunk[..cut.index(chunk.len()).max(1)]) {
                prop_assert!(some.len() < all.len());
                prop_assert_eq!(&some[..], &all[..some.len()]);
            }
        }
    }

    #[test]
    fn later_versions_and_nothing_at_all_are_refused() {
        assert_eq!(decoded(&[2, 0]), Err(ChunkError::Version(2)));
        assert_eq!(decoded(&[]), Err(ChunkError::Malformed));
    }

    #[test]
    fn the_format_is_what_is_drawn() {
        let mut encoder = Encoder::default();
        let exemplar = Exemplar { labels: &[("trace_id", "00ff00ff")], timestamp: 3, value: 1.0 };
        encoder.push(&[("a", "b")], &exemplar);
        encoder.push(&[("a", "b")], &Exemplar { labels: &[], timestamp: 2, value: 1.0 });
        let mut expected = vec![1, 0, 1, 0, 0, 2, b'a', 2, b'b', 6];
        expected.extend(1.0f64.to_le_bytes());
        expected.extend([1, 0, 16]);
        expected.extend(b"trace_id");
        expected.extend([9, 0x00, 0xff, 0x00, 0xff]);
        expected.extend([1, 1]);
        expected.extend(1.0f64.to_le_bytes());
        expected.push(0);
        assert_eq!(encoder.finish(), expected);
    }
}
