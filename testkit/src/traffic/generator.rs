//! Write requests made up for tests. The same arguments give the same request.

use std::ops::Range;

use proto::remote_write::{Exemplar, Label, Sample, TimeSeries, WriteRequest};

/// The time at which made-up samples begin, in milliseconds since the epoch: 2025-06-15T15:06:40Z.
pub const START: i64 = 1_750_000_000_000;

/// How many series [`lifelike`] traffic has; then it begins with the first again, one scrape later.
const LIFELIKE_SERIES: u64 = 100_000;
const SCRAPE_INTERVAL_MS: i64 = 15_000;

/// Labels from pairs, which have to be sorted by name as the protocol demands.
pub fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    assert!(pairs.is_sorted_by(|a, b| a.0 < b.0), "labels are sorted by name: {pairs:?}");
    let label = |&(name, value): &(&str, &str)| Label { name: name.into(), value: value.into() };
    pairs.iter().map(label).collect()
}

/// A sample; the timestamp is in milliseconds since the epoch.
pub fn sample(timestamp: i64, value: f64) -> Sample {
    Sample { value, timestamp }
}

/// An exemplar with these labels; the timestamp is in milliseconds since the epoch.
pub fn exemplar(timestamp: i64, value: f64, pairs: &[(&str, &str)]) -> Exemplar {
    Exemplar { labels: labels(pairs), value, timestamp }
}

/// A request of series with their samples.
pub fn request(series: impl IntoIterator<Item = (Vec<Label>, Vec<Sample>)>) -> WriteRequest {
    let series = series.into_iter();
    let series = series.map(|(labels, samples)| TimeSeries { labels, samples, ..TimeSeries::default() });
    WriteRequest { timeseries: series.collect(), metadata: Vec::new() }
}

/// A request in which each series of `series` has a sample for each number of `numbers`, which is its value, and its time
/// in milliseconds after [`START`]: so every sample can be told from every other, and what is lost or repeated be named.
pub fn numbered(series: Range<u64>, numbers: Range<i64>) -> WriteRequest {
    request(series.map(|series| {
        let labels = labels(&[("__name__", "numbered"), ("job", "testkit"), ("series", &series.to_string())]);
        (labels, numbers.clone().map(|number| sample(START + number, number as f64)).collect())
    }))
}

/// The labels of a series as a service in a cluster has them: eleven, some 200 bytes of text. Neighbours have most
/// of them in common.
pub fn series(number: u64) -> Vec<Label> {
    const QUANTILES: [&str; 2] = ["0.5", "0.99"];
    const HANDLERS: [&str; 8] =
        ["cart", "checkout", "orders", "payments", "products", "recommendations", "search", "shipping"];
    // A pod has one series only, or snappy would make far less of it than of real traffic.
    let pod = number;
    let handler = HANDLERS[(number % HANDLERS.len() as u64) as usize];
    let mut random = fastrand::Rng::with_seed(pod);
    let mut word = |length| -> String { (0..length).map(|_| random.lowercase()).collect() };
    let (name, set, uid) = (word(5), word(9), word(12));
    labels(&[
        ("__name__", "http_server_request_duration_seconds"),
        ("cluster", "eu-central-1"),
        ("container", "storefront"),
        ("handler", &format!("/api/v2/{handler}/{{id}}")),
        ("instance", &format!("10.{}.{}.{}:8080", pod >> 16 & 255, pod >> 8 & 255, pod & 255)),
        ("job", "storefront"),
        ("namespace", "shop"),
        ("node", &format!("ip-10-{}-{}-{}", pod >> 16 & 255, pod >> 8 & 255, pod & 255)),
        ("pod", &format!("storefront-{set}-{name}")),
        ("quantile", QUANTILES[(number % QUANTILES.len() as u64) as usize]),
        ("uid", &uid),
    ])
}

/// Request `number` of a stream of lifelike ones, with so many samples, one a series: 100,000 series and a scrape every
/// 15 s. No two requests of a stream have a sample in common.
pub fn lifelike(number: u64, samples: usize) -> WriteRequest {
    let first = number * samples as u64;
    let mut random = fastrand::Rng::with_seed(number);
    request((first..first + samples as u64).map(|place| {
        let (scrape, place) = ((place / LIFELIKE_SERIES) as i64, place % LIFELIKE_SERIES);
        let value = f64::from(random.u32(..)) / 1024.0;
        (series(place), vec![sample(START + scrape * SCRAPE_INTERVAL_MS, value)])
    }))
}

/// The exemplars that belong to request `number` of the same stream, so many, each in a series of its own and without
/// samples, as Prometheus sends them. No two of a stream are the same; they are spread over all series.
pub fn lifelike_exemplars(number: u64, exemplars: usize) -> WriteRequest {
    let first = number * exemplars as u64;
    let places = first..first + exemplars as u64;
    // A prime, so that neighbours are far from each other.
    let all = places.map(|place| (series(place * 7919 % LIFELIKE_SERIES), vec![sample(START + place as i64, 0.0)]));
    let mut request = request(all);
    add_exemplars(&mut request, number);
    request.timeseries.iter_mut().for_each(|series| series.samples.clear());
    request
}

/// Adds an exemplar with `trace_id` and `span_id` to each series of a request, at the time of its first sample.
pub fn add_exemplars(request: &mut WriteRequest, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    for series in &mut request.timeseries {
        let Some(first) = series.samples.first() else {
            continue;
        };
        let (trace, span) = (format!("{:032x}", random.u128(..)), format!("{:016x}", random.u64(..)));
        let labels = [("span_id", span.as_str()), ("trace_id", trace.as_str())];
        series.exemplars.push(exemplar(first.timestamp, first.value, &labels));
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::traffic::{Encoding, encode};

    #[test]
    fn lifelike_traffic_is_as_large_as_real_traffic() {
        let plain = lifelike(0, 1000).encode_to_vec();
        let packed = encode(&plain, Encoding::Snappy);
        assert!((280..=340).contains(&(plain.len() / 1000)), "{} bytes a sample", plain.len() / 1000);
        assert!((50..=70).contains(&(packed.len() / 1000)), "{} bytes a sample, packed", packed.len() / 1000);
    }

    #[test]
    fn lifelike_requests_have_no_sample_in_common() {
        let requests: Vec<_> = (0..110).map(|number| lifelike(number, 1000)).collect();
        let samples = crate::samples_of(&requests);
        assert_eq!(samples.len(), LIFELIKE_SERIES as usize);
        assert!(samples.values().all(|samples| samples.is_sorted_by(|a, b| a.0 < b.0)));
    }
}
