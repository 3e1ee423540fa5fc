//! Promise: Prometheus' own client library for Go reads the bridge's answers as it reads those of Prometheus.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::both::Both;

/// Builds the program in `tests/clients/go`.
fn build() -> String {
    let program = format!("{}/exemplars-in-go", env!("CARGO_TARGET_TMPDIR"));
    let output = Command::new("go")
        .args(["build", "-buildvcs=false", "-o", &program, "."])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/go"))
        .output()
        .expect("Go is installed; `make deps` installs it");
    assert!(output.status.success(), "it does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// What the program prints, told to ask a server.
async fn run(program: &str, url: String, [query, start, end]: [&str; 3]) -> Value {
    let output = tokio::process::Command::new(program).args([&url, query, start, end]).output().await;
    let Output { status, stdout, stderr } = output.expect("the program is built");
    assert!(status.success(), "{query} {start} {end}: {}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).expect("it prints JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn client_golang_reads_exemplars() {
    let program = tokio::task::spawn_blocking(build).await.expect("it builds");
    let both = Both::shared().await;
    for (question, found) in [
        ([r#"{job="shop"}"#, "0", "4000000000"], 274),
        ([r#"orders_total{region="日本"}"#, "0", "4000000000"], 1),
        (["histogram_quantile(0.9, sum by (le) (rate({le!=''}[5m])))", "1795247500.5", "1795247500.75"], 8),
        (["values_total or quarters", "1795247600", "1795247700"], 2),
        ([r#"orders_total{region="nowhere"}"#, "0", "4000000000"], 0),
    ] {
        let theirs = run(&program, both.prometheus.url(""), question).await;
        let ours = run(&program, both.bridge.url(""), question).await;
        assert_eq!(theirs.as_array().map(Vec::len), Some(found), "{question:?}");
        assert!(ours == theirs, "{question:?}: {ours} and not {theirs}");
    }
    for question in [["{", "0", "1"], ["orders_total", "1", "0"], ["{}", "0", "1"]] {
        let theirs = run(&program, both.prometheus.url(""), question).await;
        let ours = run(&program, both.bridge.url(""), question).await;
        assert_eq!(
            (&theirs["errorType"], &ours["errorType"]),
            (&"bad_data".into(), &"bad_data".into()),
            "{question:?}"
        );
        assert!(ours["error"].as_str().is_some_and(|error| !error.is_empty()), "{ours}");
    }
}
