//! What is put on topics: real captures, samples that can be told apart, and garbage; in every encoding.

mod encoding;
mod garbage;
mod generator;

use std::path::Path;

pub use encoding::{Encoding, decode, encode, encode_request, plain, reencode};
pub use garbage::{Garbage, Piece, bomb, is_garbage, long_window};
pub use generator::{START, add_exemplars, labels, lifelike, lifelike_exemplars, numbered, request, sample, series};

/// The captured bodies of one version of remote write (1 or 2) in the order in which they were sent: snappy blocks.
pub fn captures(version: u8) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/data/rw{version}"));
    let entries = std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a directory can be read").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "bin"));
    files.sort_unstable();
    files.iter().map(|file| std::fs::read(file).expect("a capture can be read")).collect()
}
