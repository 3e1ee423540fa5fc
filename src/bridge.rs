//! Starts, supervises and stops everything, in order: the spool before anything can become a dead letter, the server
//! before anything can go wrong, pipelines last; and the other way round at the end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::{self, BindError};
use crate::config::Config;
use crate::dead_letter::{DeadLetters, OpenError};
use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, PipelineError, Shared};
use crate::status::Status;

/// Why the bridge ends before it is told to.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The dead-letter spool cannot be opened.
    #[error(transparent)]
    DeadLetters(#[from] OpenError),
    /// The address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A pipeline has failed.
    #[error("remote_write {receiver}: {error}")]
    Pipeline {
        /// The receiver's name.
        receiver: String,
        /// Why.
        #[source]
        error: PipelineError,
    },
}

/// Runs the bridge until `shutdown` is done, then drains and returns.
///
/// # Errors
/// If it cannot start, or something ends that a restart may mend. Kafka holds what was not delivered.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), BridgeError> {
    run_and_tell(config, shutdown, |_| {}).await
}

/// [`run`], which also tells what `http.listen` has become, port 0 being any, once connections are accepted there.
///
/// # Errors
/// Those of [`run`].
pub async fn run_and_tell(
    config: Config,
    shutdown: impl Future<Output = ()>,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), BridgeError> {
    let config = Arc::new(config);
    let (metrics, status) = (Arc::new(Metrics::new()), Status::default());
    let dead_letters = DeadLetters::open(&config.dead_letter, status.clone(), &metrics)?;
    let server = api::Server::bind(&config.http, Arc::clone(&metrics), status.clone()).await?;
    listening(server.address());
    let shared =
        Shared { buffered_bytes: metrics.buffered_bytes.clone(), config: Arc::clone(&config), status, dead_letters };

    let stop = CancellationToken::new();
    let mut pipelines = JoinSet::new();
    for (index, remote) in config.remote_write.iter().enumerate() {
        let receiver = remote.name.clone();
        let failed = |error| BridgeError::Pipeline { receiver: receiver.clone(), error };
        let pipeline = Pipeline::new(shared.clone(), index, metrics.pipeline(&receiver)).map_err(failed)?;
        let stop = stop.clone();
        pipelines.spawn(async move { (receiver, pipeline.run(stop).await) });
    }
    // Only now: every pipeline has said that it is not ready yet.
    let serving = tokio::spawn(server.run(stop.clone()));

    let mut shutdown = std::pin::pin!(shutdown);
    let mut result = Ok(());
    loop {
        let ended = tokio::select! {
            () = &mut shutdown, if !stop.is_cancelled() => {
                tracing::info!("stopping");
                stop.cancel();
                continue;
            }
            ended = pipelines.join_next() => ended,
        };
        let Some(ended) = ended else { break };
        // Whichever ends first takes the others along; the first error is the one to report.
        stop.cancel();
        let (receiver, ended) = ended.expect("a pipeline reports the panics of its lanes and has none itself");
        if let (Err(error), true) = (ended, result.is_ok()) {
            result = Err(BridgeError::Pipeline { receiver, error });
        }
    }
    serving.await.expect("the server does not panic");
    result
}
