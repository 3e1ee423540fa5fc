//! Marks for labels that are only texts.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::encode::Source;
use crate::exemplars::store::{Label, Mark, MarkedLabel, Value};

/// Names and values with their marks.
#[derive(Debug, Default)]
pub struct Texts(HashMap<String, Name, RandomState>);

#[derive(Debug, Default)]
struct Name {
    mark: Mark,
    values: HashMap<String, Mark, RandomState>,
}

impl Texts {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// An exemplar of a series whose labels are texts.
#[derive(Debug)]
pub struct Text<'a, L> {
    /// Where the marks of labels are.
    pub texts: &'a mut Texts,
    /// The mark of the series.
    pub mark: &'a mut Mark,
    /// The labels of the series.
    pub series: &'a [Label<'a>],
    /// The exemplar's timestamp.
    pub timestamp: i64,
    /// Its value.
    pub value: f64,
    /// Its labels.
    pub own: L,
}

impl<'a, L: ExactSizeIterator<Item = (&'a str, Value<'a>)> + Clone> Source for Text<'a, L> {
    fn series(&mut self) -> (&mut Mark, usize) {
        (self.mark, self.series.len())
    }

    fn label(&mut self, at: usize) -> MarkedLabel<'_> {
        let (name, value) = self.series[at];
        if !self.texts.0.contains_key(name) {
            self.texts.0.insert(name.to_owned(), Name::default());
        }
        let Name { mark: name_mark, values } = self.texts.0.get_mut(name).expect("it is there now");
        if !values.contains_key(value) {
            values.insert(value.to_owned(), Mark::default());
        }
        MarkedLabel { mark: values.get_mut(value).expect("it is there now"), name_mark, name, value }
    }

    fn names(&mut self) -> Option<&mut Mark> {
        None
    }

    fn sample(&self) -> (i64, f64) {
        (self.timestamp, self.value)
    }

    #[expect(clippy::map_identity, reason = "it makes the lifetimes shorter")]
    fn labels(&self) -> impl ExactSizeIterator<Item = (&str, Value<'_>)> {
        self.own.clone().map(|(name, value)| (name, value))
    }
}
