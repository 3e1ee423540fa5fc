//! A set of series: a single one, a few, or a compressed bitmap, since most label pairs are either of very few series
//! or of very many.

use roaring::RoaringBitmap;

/// Up to so many series are kept as a sorted list.
const FEW: usize = if cfg!(test) { 4 } else { 32 };

/// A set of series' ids.
#[derive(Debug)]
pub(super) enum Postings {
    /// None or one of them: no allocation.
    One(Option<u32>),
    /// Sorted.
    Few(Vec<u32>),
    /// More than a few.
    Many(RoaringBitmap),
}

impl Default for Postings {
    fn default() -> Self {
        Self::One(None)
    }
}

impl Postings {
    pub(super) fn insert(&mut self, id: u32) {
        match self {
            Self::One(one @ None) => *one = Some(id),
            Self::One(Some(one)) if *one == id => {}
            Self::One(Some(one)) => *self = Self::Few(vec![id.min(*one), id.max(*one)]),
            Self::Few(few) => {
                if let Err(at) = few.binary_search(&id) {
                    few.insert(at, id);
                }
                if few.len() > FEW {
                    *self = Self::Many(few.iter().copied().collect());
                }
            }
            Self::Many(many) => {
                many.insert(id);
            }
        }
    }

    pub(super) fn remove(&mut self, id: u32) {
        match self {
            Self::One(one) => *one = one.filter(|&one| one != id),
            Self::Few(few) => {
                if let Ok(at) = few.binary_search(&id) {
                    few.remove(at);
                }
                if let [one] = few[..] {
                    *self = Self::One(Some(one));
                }
            }
            Self::Many(many) => {
                many.remove(id);
                if many.len() <= FEW as u64 / 2 {
                    *self = Self::Few(many.iter().collect());
                }
            }
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        matches!(self, Self::One(None))
    }

    /// Adds all of these to `bitmap`.
    pub(super) fn add_to(&self, bitmap: &mut RoaringBitmap) {
        match self {
            Self::One(one) => bitmap.extend(one.iter()),
            Self::Few(few) => bitmap.extend(few.iter()),
            Self::Many(many) => *bitmap |= many,
        }
    }
}
