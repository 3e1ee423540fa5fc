//! What goes over a limit is refused by name, and is taken once there is room.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::ErrorKind;

use support::*;
use wal::{Error, Options};

#[test]
fn what_is_not_synced_is_bounded() {
    let fs = SimFs::default();
    let mut log = open(&fs, Options { max_unsynced_bytes: 1000, ..small() });
    let mut taken = 0;
    let refused = loop {
        match log.append(&[7; 36]) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(taken, 10);
    assert!(
        matches!(refused, Error::TooMuchUnsynced { bytes: 100, unsynced_bytes: 1000, max_unsynced_bytes: 1000, .. }),
        "{refused}"
    );
    assert!(log.append(b"").is_err(), "empty ones count, too");
    log.sync().unwrap();
    log.append(&[7; 2000]).expect("one record is always let in");
    assert!(log.append(b"").is_err());
    fs.fail(Op::Sync, 0, ErrorKind::Other);
    assert!(log.sync().is_err());
    assert!(log.append(b"").is_err(), "what a failed sync may have lost counts, too");
}

#[test]
fn the_cap_is_a_loud_refusal() {
    let fs = SimFs::default();
    let options = Options { max_bytes: Some(1000), ..small() };
    let mut log = open(&fs, options.clone());
    let mut positions = Vec::new();
    let full = loop {
        match log.append(&payload(positions.len(), 100)) {
            Ok(position) => positions.push(position),
            Err(error) => break error,
        }
        assert!(log.size() <= 1000);
    };
    assert!(matches!(full, Error::Full { bytes: 100.., size: ..=1000, max_bytes: 1000, .. }), "{full}");
    assert!(full.to_string().contains(DIRECTORY));
    log.sync().unwrap();
    assert_eq!(payloads(&entries(&fs)).len(), positions.len());

    drop(log);
    log = open(&fs, options);
    assert!(
        matches!(log.append(&payload(0, 300)), Err(Error::Full { .. })),
        "also what an earlier process left counts"
    );
    log.truncate_before(positions[4]).unwrap();
    log.append(&payload(0, 300)).unwrap();
}

#[test]
fn a_record_over_the_limit_is_refused() {
    let fs = SimFs::default();
    let mut log = open(&fs, Options { max_record_bytes: 100, ..small() });
    assert!(matches!(log.append(&[0; 101]), Err(Error::RecordTooLarge { bytes: 101, max_record_bytes: 100 })));
    log.append(&[0; 100]).unwrap();
    assert_eq!(payloads(&entries(&fs)), [vec![0; 100]]);
}
