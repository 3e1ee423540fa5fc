//! After a failed fsync nothing is believed of the files that it was on, and nothing is lost.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::ErrorKind;

use support::*;
use wal::{Error, Position};

#[test]
fn a_failed_fsync_is_not_retried_on_the_same_file() {
    let fs = SimFs::default();
    let mut log = open(&fs, one_segment());
    log.append(b"a").unwrap();
    let durable = log.sync().unwrap();
    let b = log.append(b"b").unwrap();
    fs.fail(Op::Sync, 0, ErrorKind::Other);
    assert!(matches!(log.sync(), Err(Error::Sync { path, .. }) if path == segment_path(1)));
    assert_eq!(log.durable(), durable);
    let c = log.append(b"c").unwrap();
    assert!(b < c && c.segment == 2);
    let durable = log.sync().unwrap();
    assert!(c < durable);
    assert_eq!(texts(&fs), ["a", "b", "b", "c"], "read twice while the machine runs");
    // The file system forgot about `b` in the first segment, as the kernel does. That is not damage: it is in the second.
    let after = fs.cut_power(|| false);
    assert_eq!(texts(&after), ["a", "b", "c"]);
    assert_eq!(reports(&entries(&after)), []);
}

#[test]
fn a_failed_directory_fsync_is_not_believed_either() {
    let fs = SimFs::default();
    let mut log = open(&fs, one_segment());
    log.append(b"a").unwrap();
    fs.fail(Op::SyncDir, 0, ErrorKind::Other);
    assert!(matches!(log.sync(), Err(Error::Sync { path, .. }) if path.as_os_str() == DIRECTORY));
    log.sync().unwrap();
    assert_eq!(texts(&fs.cut_power(|| false)), ["a"]);
}

#[test]
fn syncs_that_fail_forever_do_not_fill_the_disk() {
    let fs = SimFs::default();
    let mut log = open(&fs, small());
    log.append(b"a").unwrap();
    log.sync().unwrap();
    for seed in 0..20 {
        log.append(&payload(seed, 100)).unwrap();
    }
    let used = fs.used();
    fs.fail_always(Op::Sync, ErrorKind::Other);
    for _ in 0..50 {
        assert!(log.sync().is_err());
        assert!(fs.used() < 2 * used + 1000, "{} bytes", fs.used());
        assert_eq!(log.size() as usize, fs.used());
    }
    fs.heal();
    log.sync().unwrap();
    let mut expected = vec![b"a".to_vec()];
    expected.extend((0..20).map(|seed| payload(seed, 100)));
    assert_eq!(payloads(&entries(&fs.cut_power(|| false))), expected);
}

#[test]
fn a_full_disk_after_a_failed_fsync_loses_nothing() {
    let fs = SimFs::default();
    let mut log = open(&fs, small());
    for seed in 0..6 {
        log.append(&payload(seed, 100)).unwrap();
    }
    fs.fail(Op::Sync, 0, ErrorKind::Other);
    assert!(log.sync().is_err());
    fs.leave_room(300);
    for _ in 0..3 {
        assert!(log.sync().unwrap_err().is_disk_full());
        assert!(log.append(b"x").unwrap_err().is_disk_full());
        assert_eq!(log.durable(), Position::START);
    }
    fs.heal();
    log.append(b"y").unwrap();
    log.sync().unwrap();
    let mut expected: Vec<_> = (0..6).map(|seed| payload(seed, 100)).collect();
    expected.push(b"y".to_vec());
    assert_eq!(payloads(&entries(&fs.cut_power(|| false))), expected);
}

#[test]
fn a_sync_that_began_before_another_failed_is_not_believed() {
    let fs = SimFs::default();
    let mut log = open(&fs, one_segment());
    log.append(b"a").unwrap();
    let (first, second) = (log.begin_sync().unwrap(), log.begin_sync().unwrap());
    fs.fail(Op::Sync, 0, ErrorKind::Other);
    assert!(matches!(first.run(), Err(Error::Sync { .. })));
    fs.take_calls();
    assert!(matches!(second.run(), Err(Error::SyncSuperseded { directory }) if directory.as_os_str() == DIRECTORY));
    assert_eq!(fs.take_calls(), [], "not even tried");
    assert_eq!(log.durable(), Position::START);
    log.sync().unwrap();
    assert_eq!(texts(&fs.cut_power(|| false)), ["a"]);
}

#[test]
fn segments_behind_a_failed_fsync_are_not_synced_again() {
    let fs = SimFs::default();
    let mut log = open(&fs, small());
    for seed in 0..6 {
        log.append(&payload(seed, 100)).unwrap();
    }
    let old = *fs.segments().last().unwrap();
    assert!(old > 2);
    fs.fail(Op::Sync, 1, ErrorKind::Other);
    assert!(matches!(log.sync(), Err(Error::Sync { path, .. }) if path == segment_path(2)));
    let sync = log.begin_sync().unwrap();
    fs.take_calls();
    sync.run().unwrap();
    let new = fs.segments().into_iter().filter(|number| *number > old).count();
    let synced = fs.take_calls().into_iter().filter(|op| *op == Op::Sync).count();
    assert_eq!(synced, new);
}

#[test]
fn a_number_is_not_used_twice_when_a_power_cut_follows() {
    let fs = SimFs::default();
    let mut log = open(&fs, small());
    let durable = log.append(b"a").unwrap();
    log.sync().unwrap();
    log.truncate_before(log.end()).unwrap();
    log.append(b"b").unwrap();
    fs.fail(Op::Sync, 0, ErrorKind::Other);
    assert!(log.sync().is_err());
    // It is appended again, to a third segment, and the second one removed; of which the disk may know only the latter.
    drop(log.begin_sync().unwrap());
    let after = fs.cut_power(|| false);
    let position = open(&after, small()).append(b"c").unwrap();
    assert!(position > durable, "{position} comes after {durable}");
}
