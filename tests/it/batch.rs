//! Promise: a batch's body decompresses to its records' contents, one after another, whatever formats they came in; and
//! it gives back every record exactly as it came.

use std::io::Write;
use std::sync::Arc;

use exemplar_bridge::config::Format;
use exemplar_bridge::delivery::{Builder, Capacity};
use exemplar_bridge::record::{DecodeError, Decoder, Limits, Record};
use proptest::prelude::*;

use crate::data;

const LIMITS: Limits = Limits {
    format: Format::Auto,
    max_record_bytes: 1 << 20,
};

fn pack(format: Format, bytes: &[u8]) -> Vec<u8> {
    match format {
        Format::Auto | Format::Protobuf => bytes.to_vec(),
        Format::Snappy => snap::raw::Encoder::new()
            .compress_vec(bytes)
            .expect("compresses"),
        Format::SnappyFramed => {
            let mut frames = snap::write::FrameEncoder::new(Vec::new());
            frames.write_all(bytes).expect("writes to memory");
            frames.into_inner().expect("writes to memory")
        }
        Format::Zstd => zstd::stream::encode_all(bytes, 0).expect("compresses"),
    }
}

const FORMATS: [Format; 4] = [
    Format::Protobuf,
    Format::Snappy,
    Format::SnappyFramed,
    Format::Zstd,
];

type Header = (&'static str, Option<&'static [u8]>);

fn record<'a>(
    offset: i64,
    payload: &'a [u8],
    key: Option<&'a [u8]>,
    headers: Vec<Header>,
) -> Record<'a> {
    Record {
        topic: "metrics",
        partition: 3,
        offset,
        timestamp: Some(offset * 10),
        key,
        headers,
        payload: Some(payload),
    }
}

fn assert_same(got: &Record<'_>, want: &Record<'_>) {
    let parts = |record: &Record<'_>| format!("{record:?}");
    assert_eq!(parts(got), parts(want));
}

fn headers(which: u8) -> Vec<Header> {
    match which {
        0 => vec![],
        1 => vec![
            ("trace", Some(b"\x00\xff")),
            ("trace", None),
            ("", Some(b"")),
        ],
        _ => vec![("content-type", Some(b"application/x-protobuf"))],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_batch_holds_its_records_joined_and_gives_them_back(
        picks in prop::collection::vec((0..60usize, 0..4usize, 0..3u8, any::<Option<[u8; 3]>>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let captures = data::rw1();
        let contents: Vec<Vec<u8>> = picks.iter().map(|(capture, ..)| data::unpacked(&captures[*capture])).collect();
        let payloads: Vec<Vec<u8>> =
            picks.iter().zip(&contents).map(|((_, format, ..), content)| pack(FORMATS[*format], content)).collect();
        let records: Vec<Record<'_>> = picks
            .iter()
            .zip(&payloads)
            .enumerate()
            // Offsets have gaps.
            .map(|(i, ((.., which, key), payload))| {
                record(7 * i as i64, payload, key.as_ref().map(|key| &key[..]), headers(*which))
            })
            .collect();

        let mut decoder = Decoder::new(LIMITS);
        let mut builder = Builder::new(Arc::from("metrics"), 3);
        for record in &records {
            let decoded = decoder.decode(record).expect("real traffic");
            builder.push(record, &decoded);
        }
        let batch = builder.finish().expect("records were pushed");

        prop_assert_eq!(data::unpacked(&batch.body()), contents.concat());
        let mut room = Vec::new();
        for (i, want) in records.iter().enumerate() {
            assert_same(&batch.record(i, &mut room), want);
        }
        let cut = cut.index(records.len());
        let part = batch.part(0..cut + 1, &mut decoder);
        prop_assert_eq!(data::unpacked(&part.body()), contents[..=cut].concat());
        let next = if cut + 1 < records.len() { records[cut + 1].offset } else { records[cut].offset + 1 };
        prop_assert_eq!(part.position_after(part.len()), next);
    }
}

fn decode(payload: &[u8]) -> Result<usize, DecodeError> {
    let record = record(0, payload, None, vec![]);
    Decoder::new(LIMITS)
        .decode(&record)
        .map(|decoded| decoded.uncompressed)
}

fn reason(payload: &[u8]) -> &'static str {
    decode(payload).expect_err("garbage").reason()
}

#[test]
fn tiny_records_in_every_format_join_too() {
    // One series with one label and one sample: smaller than any preamble or frame around it.
    let tiny =
        b"\x0a\x16\x0a\x04\x0a\x00\x12\x00\x12\x0e\x09\0\0\0\0\0\0\xf0\x3f\x10\x80\x80\x80\x01";
    let mut decoder = Decoder::new(LIMITS);
    let mut builder = Builder::new(Arc::from("metrics"), 3);
    let payloads: Vec<Vec<u8>> = FORMATS
        .iter()
        .cycle()
        .take(4000)
        .map(|format| pack(*format, tiny))
        .collect();
    for (offset, payload) in payloads.iter().enumerate() {
        let record = record(offset as i64, payload, None, vec![]);
        builder.push(&record, &decoder.decode(&record).expect("a small request"));
    }
    let batch = builder.finish().expect("records were pushed");
    assert_eq!(data::unpacked(&batch.body()), tiny.repeat(4000));
    assert_eq!(batch.counts().samples, 4000);
}

#[test]
fn what_a_record_declares_is_a_hint_and_the_walk_decides() {
    let content = data::unpacked(&data::rw1()[0]);
    let mut decoder = Decoder::new(LIMITS);
    let encodings: [&'static [u8]; 5] =
        [b"snappy", b"zstd", b"identity", b"X-Snappy-Framed", b"gzip"];
    for format in FORMATS {
        let payload = pack(format, &content);
        for encoding in encodings {
            let record = record(
                0,
                &payload,
                None,
                vec![("Content-Encoding", Some(encoding))],
            );
            let decoded = decoder.decode(&record).expect("real traffic");
            assert_eq!(decoded.uncompressed, content.len());
        }
    }
}

#[test]
fn decoding_stops_at_the_cap_in_every_format() {
    let tag = |len: usize| {
        // Metadata whose help text is `len` bytes of zeros.
        let mut bytes = Vec::new();
        let mut help = vec![0x22];
        prost::encoding::encode_varint(len as u64, &mut help);
        help.extend(vec![0; len]);
        bytes.push(0x1a);
        prost::encoding::encode_varint(help.len() as u64, &mut bytes);
        bytes.extend(help);
        bytes
    };
    let limit = LIMITS.max_record_bytes;
    let fits = tag(limit - 8);
    assert_eq!(fits.len(), limit);
    let bomb = tag(limit - 7);
    assert_eq!(bomb.len(), limit + 1);
    for format in FORMATS {
        assert_eq!(
            decode(&pack(format, &fits)).expect("it fits"),
            limit,
            "{format:?}"
        );
        assert_eq!(reason(&pack(format, &bomb)), "too_large", "{format:?}");
    }
}

#[test]
fn what_is_no_request_is_told_apart() {
    let content = data::unpacked(&data::rw1()[0]);
    let snappy = pack(Format::Snappy, &content);
    assert_eq!(reason(&snappy[..snappy.len() / 2]), "unrecognized");
    assert_eq!(reason(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0]), "unrecognized");
    assert_eq!(
        reason(&pack(Format::Zstd, &content)[..1000]),
        "corrupt_zstd"
    );
    assert_eq!(
        reason(&pack(Format::SnappyFramed, &content)[..1000]),
        "corrupt_snappy_framed"
    );
    assert_eq!(
        reason(&pack(Format::Snappy, b"\x0a\x05")),
        "malformed_protobuf"
    );
    assert_eq!(reason(&data::rw2()[0]), "remote_write_2");
    assert_eq!(reason(&data::unpacked(&data::rw2()[0])), "remote_write_2");
    // A window of 1 GiB: more than a decoder should promise memory for.
    assert_eq!(
        reason(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0, 0]),
        "corrupt_zstd"
    );
}

#[test]
fn capacity_closes_a_batch_and_an_odd_record_travels_alone() {
    let content = data::unpacked(&data::rw1()[0]);
    let mut decoder = Decoder::new(LIMITS);
    let capacity = Capacity {
        bytes: content.len() * 2,
        samples: usize::MAX,
    };
    let mut builder = Builder::new(Arc::from("metrics"), 3);
    let plain = record(0, &content, None, vec![]);
    for _ in 0..2 {
        let decoded = decoder.decode(&plain).expect("real traffic");
        assert!(builder.fits(&decoded, capacity));
        builder.push(&plain, &decoded);
    }
    assert!(builder.is_full(capacity));
    assert!(!builder.fits(&decoder.decode(&plain).expect("real traffic"), capacity));

    // Field 1000, a varint: not of the protocol, so it must not speak for other records.
    let odd = [content.as_slice(), &[0xc0, 0x3e, 1]].concat();
    let odd = record(1, &odd, None, vec![]);
    let wide = Capacity {
        bytes: usize::MAX,
        samples: usize::MAX,
    };
    assert!(!builder.fits(&decoder.decode(&odd).expect("valid"), wide));
    let mut alone = Builder::new(Arc::from("metrics"), 3);
    alone.push(&odd, &decoder.decode(&odd).expect("valid"));
    assert!(alone.is_full(wide));
    assert!(!alone.fits(&decoder.decode(&plain).expect("real traffic"), wide));
}
