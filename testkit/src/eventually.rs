//! Waiting. Nothing else in tests sleeps, so that a slow machine makes a test slow and never wrong.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long to wait for what is certain to come: far longer than it takes on any machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// What one look at the world may answer in [`eventually`]: a `bool`, an `Option` or a `Result` with a reason.
pub trait Outcome {
    /// What is handed to the caller once it is there.
    type Value;

    /// The value, or why it is not there yet.
    fn outcome(self) -> Result<Self::Value, String>;
}

impl Outcome for bool {
    type Value = ();

    fn outcome(self) -> Result<(), String> {
        self.then_some(()).ok_or_else(|| "still false".to_owned())
    }
}

impl<T> Outcome for Option<T> {
    type Value = T;

    fn outcome(self) -> Result<T, String> {
        self.ok_or_else(|| "still nothing".to_owned())
    }
}

impl<T, E: Display> Outcome for Result<T, E> {
    type Value = T;

    fn outcome(self) -> Result<T, String> {
        self.map_err(|error| error.to_string())
    }
}

/// Looks again and again until `look` has a value, and returns it.
///
/// # Panics
///
/// After `timeout`, with `what` was waited for and the last reason why it was not there. A look that takes longer than
/// what is left of the time counts as that.
pub async fn eventually<O: Outcome>(what: &str, timeout: Duration, look: impl AsyncFnMut() -> O) -> O::Value {
    let value = within(timeout, look).await;
    value.unwrap_or_else(|reason| panic!("waited {timeout:?} in vain for: {what}: {reason}"))
}

/// As [`eventually`], for whoever can tell more than that it did not come: the last reason why it was not there.
pub async fn within<O: Outcome>(timeout: Duration, mut look: impl AsyncFnMut() -> O) -> Result<O::Value, String> {
    let deadline = Instant::now() + timeout;
    let mut reason = "not one look came to an end".to_owned();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, look()).await.map(Outcome::outcome) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(because)) => reason = because,
            Err(_) => reason.push_str(" (and the last look did not come to an end)"),
        }
        if Instant::now() >= deadline {
            return Err(reason);
        }
        pause(POLL_INTERVAL).await;
    }
}

/// The only sleep there is: between two looks, where a scripted receiver takes its time, and where a schedule says what
/// happens when. Nobody waits with it for something to have happened.
pub async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
