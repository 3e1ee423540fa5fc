//! Queries while others write: what they see belongs together.

use std::sync::atomic::{AtomicBool, Ordering};

use super::consistency::check;
use super::*;

/// Ids of series, pairs and shapes are given anew all the time between the steps of a query; all the labels of a series and
/// its exemplars have the same number, so that a mix-up shows.
#[test]
fn what_is_read_while_ids_change_belongs_together() {
    for max_per_series in [None, Some(3)] {
        let store = Store::new(Bounds { max_per_series, ..bounds(60) });
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let all = [matcher("a", Op::Match, "n.*")];
                    let some = [matcher("b", Op::Match, "n[0-9]*[13579]"), matcher("c", Op::NoMatch, "n.*7")];
                    while !done.load(Ordering::Relaxed) {
                        answer(store.select(&[&all[..]], i64::MIN, i64::MAX)).iter().for_each(belongs_together);
                        for series in answer(store.select(&[&some[..]], i64::MIN, i64::MAX)) {
                            belongs_together(&series);
                            let last = series.0[0].1.bytes().last();
                            assert!(last.is_some_and(|last| b"1359".contains(&last)), "{series:?}");
                        }
                    }
                });
            }
            for number in 0..20_000_i64 {
                let series = format!("n{}", number / 4);
                let id = format!("{:032x}", number / 4);
                let shape = format!("s{}", number / 4);
                let mut writer = store.writer(0);
                let labels = [("a", &*series), ("b", &series), ("c", &series)];
                assert_eq!(writer.insert(&labels, &[(&shape, &id)], number, 1.0), Ok(()));
            }
            done.store(true, Ordering::Relaxed);
        });
        check(&store);
    }
}

/// A query comes back to the middle of a long series, the beginning of which is evicted in the meantime.
#[test]
fn a_long_series_is_read_on_while_it_is_evicted() {
    for round in 0..200 {
        let store = Store::new(Bounds { max_per_series: (round % 2 == 0).then_some(300), ..bounds(300) });
        let series = [("a", "1")];
        (0..300).for_each(|timestamp| assert_eq!(insert(&store, &series, &[], timestamp), Ok(())));
        let selected = store.select::<[Matcher; 0]>(&[[]], i64::MIN, i64::MAX);
        std::thread::scope(|scope| {
            scope
                .spawn(|| (300..550).for_each(|timestamp| assert_eq!(insert(&store, &series, &[], timestamp), Ok(()))));
            let read: Vec<i64> = answer(selected).iter().flat_map(|(_, read)| read.iter().map(|read| read.1)).collect();
            assert!(read.is_sorted_by(|a, b| a < b), "{read:?}");
            assert!(read.ends_with(&(250..300).collect::<Vec<_>>()), "what is held all the while: {read:?}");
        });
    }
}

fn belongs_together((labels, exemplars): &(Labels, Vec<Plain>)) {
    let number = &labels[0].1[1..];
    assert!(labels.iter().all(|(_, value)| value[1..] == *number), "{labels:?}");
    assert!(exemplars.is_sorted_by(|a, b| a.1 < b.1), "{exemplars:?}");
    for (own, timestamp, _) in exemplars {
        assert_eq!((timestamp / 4).to_string(), number);
        assert_eq!(own[..], [(format!("s{number}"), format!("{:032x}", timestamp / 4))]);
    }
}
