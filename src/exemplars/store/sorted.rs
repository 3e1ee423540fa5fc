//! The values of one label name in order: ids of pairs, sorted by their texts, in blocks of bounded size. The texts stay
//! where they are and are looked up to compare.

/// A block is split when it is as long as this.
const BLOCK: usize = if cfg!(test) { 4 } else { 256 };

/// Sorted ids. No block is empty.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    blocks: Vec<Vec<u32>>,
    len: usize,
}

impl Sorted {
    /// Adds an id whose text is `key`, which none of the others has.
    pub(super) fn insert<'a>(&mut self, id: u32, key: &str, text: impl Fn(u32) -> &'a str) {
        self.len += 1;
        let (block, at) = self.position(key, text);
        // Behind the last of all: into the last block.
        let (block, at) = match (self.blocks.get(block), self.blocks.last()) {
            (None, Some(last)) => (block - 1, last.len()),
            _ => (block, at),
        };
        let Some(ids) = self.blocks.get_mut(block) else {
            self.blocks.push(vec![id]);
            return;
        };
        ids.insert(at, id);
        if ids.len() >= BLOCK {
            let upper = ids.split_off(BLOCK / 2);
            ids.shrink_to_fit();
            self.blocks.insert(block + 1, upper);
        }
    }

    /// Takes out the id whose text is `key`.
    pub(super) fn remove<'a>(&mut self, key: &str, text: impl Fn(u32) -> &'a str) {
        let (block, at) = self.position(key, text);
        let Some(ids) = self.blocks.get_mut(block) else { return };
        ids.remove(at);
        self.len -= 1;
        if ids.is_empty() {
            self.blocks.remove(block);
            return;
        }
        // Small neighbours become one, so that there are never many more blocks than needed.
        if let Some(next) = self.blocks.get(block + 1)
            && self.blocks[block].len() + next.len() <= BLOCK / 2
        {
            let next = self.blocks.remove(block + 1);
            self.blocks[block].extend(next);
        }
    }

    /// The ids from the first whose text is not less than `key`.
    pub(super) fn from<'a>(&self, key: &str, text: impl Fn(u32) -> &'a str) -> impl Iterator<Item = u32> {
        let (block, at) = self.position(key, text);
        let (first, rest) = self.blocks[block.min(self.blocks.len())..].split_first().unzip();
        let first: &[u32] = first.map_or(&[], |first: &Vec<u32>| &first[at..]);
        first.iter().chain(rest.unwrap_or_default().iter().flatten()).copied()
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Block, and index therein, of the first id whose text is not less than `key`; the number of blocks if there is
    /// none.
    fn position<'a>(&self, key: &str, text: impl Fn(u32) -> &'a str) -> (usize, usize) {
        let block = self.blocks.partition_point(|ids| ids.last().is_some_and(|&last| text(last) < key));
        let at = self.blocks.get(block).map_or(0, |ids| ids.partition_point(|&id| text(id) < key));
        (block, at)
    }
}
