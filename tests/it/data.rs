//! The captures, as this repository keeps them.

use std::path::Path;

/// The bodies of a folder of captures, in the order they were sent: snappy blocks.
fn bodies(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder);
    let files = std::fs::read_dir(&folder).expect("the captures are part of the repository");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).expect("a capture"))
        .collect()
}

/// Remote write 1.0.
pub fn rw1() -> Vec<Vec<u8>> {
    bodies("rw1")
}

/// Remote write 2.0.
pub fn rw2() -> Vec<Vec<u8>> {
    bodies("rw2")
}

/// What a snappy block holds.
pub fn unpacked(block: &[u8]) -> Vec<u8> {
    snap::raw::Decoder::new()
        .decompress_vec(block)
        .expect("a snappy block")
}
