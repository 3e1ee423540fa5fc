//! The encodings in which a write request comes.

use std::io::{Read as _, Write as _};

use prost::Message as _;
use proto::remote_write::WriteRequest;

/// How the protobuf message is packed in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Raw,
    /// A snappy block, as remote write has it.
    Snappy,
    /// Snappy's framing format.
    Framed,
    /// A zstd frame.
    Zstd,
}

impl Encoding {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Raw, Self::Snappy, Self::Framed, Self::Zstd];
}

/// Packs bytes.
pub fn encode(plain: &[u8], encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Raw => plain.to_owned(),
        Encoding::Snappy => snap::raw::Encoder::new().compress_vec(plain).expect("it is less than 4 GiB"),
        Encoding::Framed => {
            let mut encoder = snap::write::FrameEncoder::new(Vec::new());
            encoder.write_all(plain).expect("a vector takes everything");
            encoder.into_inner().expect("a vector takes everything")
        }
        Encoding::Zstd => zstd::stream::encode_all(plain, 1).expect("a vector takes everything"),
    }
}

/// Packs a request.
pub fn encode_request(request: &WriteRequest, encoding: Encoding) -> Vec<u8> {
    encode(&request.encode_to_vec(), encoding)
}

/// Packs what is in a snappy block in another way.
pub fn reencode(block: &[u8], encoding: Encoding) -> Vec<u8> {
    encode(&plain(block), encoding)
}

/// What is in a snappy block.
pub fn plain(block: &[u8]) -> Vec<u8> {
    snap::raw::Decoder::new().decompress_vec(block).expect("it is a snappy block")
}

/// The request in a snappy block.
pub fn decode(block: &[u8]) -> WriteRequest {
    WriteRequest::decode(plain(block).as_slice()).expect("it holds a write request")
}

/// What `bytes` are in an encoding, if they are anything in it that has at most `limit` bytes and, for zstd, a window of
/// at most 8 MiB.
pub(super) fn unpack(bytes: &[u8], encoding: Encoding, limit: usize) -> Option<Vec<u8>> {
    const LARGEST_WINDOW_LOG: u32 = 23;
    let mut plain = Vec::new();
    let most = limit as u64 + 1;
    match encoding {
        Encoding::Raw => plain.extend_from_slice(bytes),
        Encoding::Snappy if snap::raw::decompress_len(bytes).ok()? > limit => return None,
        Encoding::Snappy => plain = snap::raw::Decoder::new().decompress_vec(bytes).ok()?,
        Encoding::Framed => drop(snap::read::FrameDecoder::new(bytes).take(most).read_to_end(&mut plain).ok()?),
        Encoding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).ok()?;
            decoder.window_log_max(LARGEST_WINDOW_LOG).ok()?;
            decoder.take(most).read_to_end(&mut plain).ok()?;
        }
    }
    (plain.len() <= limit).then_some(plain)
}
