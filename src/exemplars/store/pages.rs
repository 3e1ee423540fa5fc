//! Tables that grow a page at a time: nothing already stored is ever moved, so growing never takes longer than
//! allocating one page, and a table has at most one page too many.

use std::mem;
use std::ops::{Index, IndexMut};

/// "No such entry", in links of 32 bits.
pub(super) const NONE: u32 = u32::MAX;

/// Entries of a page. Small in tests, so that every test turns pages.
const PAGE_BITS: u32 = if cfg!(test) { 2 } else { 10 };
const PAGE: usize = 1 << PAGE_BITS;

/// A stack of entries that stay where they are.
#[derive(Debug)]
pub(super) struct Pages<T> {
    pages: Vec<Vec<T>>,
    len: usize,
}

impl<T> Pages<T> {
    pub(super) const fn new() -> Self {
        Self { pages: Vec::new(), len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes allocated, without what the entries own.
    pub(super) const fn bytes(&self) -> usize {
        self.pages.len() * (PAGE * size_of::<T>() + size_of::<Vec<T>>())
    }

    pub(super) fn push(&mut self, value: T) {
        match self.pages.last_mut() {
            Some(page) if page.len() < PAGE => page.push(value),
            _ => {
                let mut page = Vec::with_capacity(PAGE);
                page.push(value);
                self.pages.push(page);
            }
        }
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let page = self.pages.last_mut()?;
        let value = page.pop();
        if page.is_empty() {
            self.pages.pop();
        }
        self.len -= usize::from(value.is_some());
        value
    }

    pub(super) fn get(&self, id: u32) -> Option<&T> {
        self.pages.get((id >> PAGE_BITS) as usize)?.get(id as usize & (PAGE - 1))
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }
}

impl<T> Index<u32> for Pages<T> {
    type Output = T;

    #[inline]
    fn index(&self, id: u32) -> &T {
        &self.pages[(id >> PAGE_BITS) as usize][id as usize & (PAGE - 1)]
    }
}

impl<T> IndexMut<u32> for Pages<T> {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut T {
        &mut self.pages[(id >> PAGE_BITS) as usize][id as usize & (PAGE - 1)]
    }
}

/// Entries under ids, which are given anew once their entry is removed. With the last entry goes all memory.
#[derive(Debug)]
pub(super) struct Slab<T> {
    entries: Pages<T>,
    free: Pages<u32>,
}

impl<T: Default> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Pages::new(), free: Pages::new() }
    }

    /// How many entries are in use.
    pub(super) const fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Bytes allocated, without what the entries own.
    pub(super) const fn bytes(&self) -> usize {
        self.entries.bytes() + self.free.bytes()
    }

    /// The entry under an id, or what is left there of a removed one.
    pub(super) fn get(&self, id: u32) -> Option<&T> {
        self.entries.get(id)
    }

    pub(super) fn insert(&mut self, entry: T) -> u32 {
        if let Some(id) = self.free.pop() {
            self.entries[id] = entry;
            return id;
        }
        let id = u32::try_from(self.entries.len()).expect("fewer than 2^32 entries, as each costs memory");
        self.entries.push(entry);
        id
    }

    pub(super) fn remove(&mut self, id: u32) -> T {
        let entry = mem::take(&mut self.entries[id]);
        self.free.push(id);
        if self.len() == 0 {
            self.entries.clear();
            self.free.clear();
        }
        entry
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, id: u32) -> &T {
        &self.entries[id]
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut T {
        &mut self.entries[id]
    }
}
