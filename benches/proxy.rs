//! What the bridge adds to the time that VictoriaMetrics takes to answer: the same questions, asked directly and through
//! the bridge by turns, on connections that are kept, so that a machine whose speed drifts favours neither.
//!
//! `make bench` runs it; it takes a few seconds. `--quick` asks a tenth as often, to see that it works.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use testkit::{Bridge, VictoriaMetrics};

/// What is asked, and how often: the least there is, and a dashboard's worth of points.
const QUESTIONS: [(&str, &str, usize); 2] = [
    ("query=1", "/api/v1/query?query=1", 5000),
    (
        "query_range, some 1 MiB",
        "/api/v1/query_range?query=union(label_set(time(),%22a%22,%221%22),label_set(time(),%22a%22,%222%22))\
         &start=1600000000&end=1600020000&step=1",
        300,
    ),
];

type Http = Client<HttpConnector, Empty<Bytes>>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let victoria = VictoriaMetrics::start().await;
    let bridge = Bridge::builder(env!("CARGO_BIN_EXE_exemplar-bridge")).kafka("127.0.0.1:1", &["none"], "none");
    let mut bridge = bridge.config(json!({ "http": { "upstream": victoria.url("") } })).start().await;
    bridge.wait_healthy().await;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let http: Http = Client::builder(TokioExecutor::new()).build(connector);

    for (what, path, times) in QUESTIONS {
        let [direct, through] = [victoria.url(path), bridge.url(path)].map(|url| url.parse().expect("a URL"));
        let mut all: Vec<[Duration; 2]> = Vec::new();
        let (_, bytes) = ask(&http, &direct).await;
        for number in 0..if quick { times / 10 } else { times } {
            // Whoever comes second finds what the first has warmed up.
            let (a, b) = if number % 2 == 0 { (&direct, &through) } else { (&through, &direct) };
            let (first, second) = (ask(&http, a).await, ask(&http, b).await);
            assert_eq!((first.1, second.1), (bytes, bytes), "both answer the same");
            all.push(if number % 2 == 0 { [first.0, second.0] } else { [second.0, first.0] });
        }
        let [directly, by_bridge]: [Vec<f64>; 2] =
            [0, 1].map(|side| all.iter().map(|pair| milliseconds(pair[side])).collect());
        let added: Vec<f64> =
            all.iter().map(|[direct, through]| milliseconds(*through) - milliseconds(*direct)).collect();
        println!("{what}: {bytes} bytes, asked {} times each", all.len());
        for (side, mut all) in
            [("directly", directly), ("through the bridge", by_bridge), ("added, pair by pair", added)]
        {
            let [quarter, half, most] = [0.25, 0.5, 0.99].map(|part| quantile(&mut all, part));
            println!("  {side:19} median {half:7.3} ms, a quarter below {quarter:7.3} ms, 99 % below {most:7.3} ms");
        }
    }
}

/// How long an answer took to its last byte, and how many there were.
async fn ask(http: &Http, uri: &Uri) -> (Duration, usize) {
    let began = Instant::now();
    let answer = http.get(uri.clone()).await.expect("an answer");
    let status = answer.status();
    let body = answer.into_body().collect().await.expect("an answer to its end").to_bytes();
    assert!(status.is_success(), "{uri}: {body:?}");
    (began.elapsed(), body.len())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn quantile(all: &mut [f64], part: f64) -> f64 {
    all.sort_by(f64::total_cmp);
    all[(all.len() as f64 * part) as usize]
}
