//! How a batch has been failing so far, and how long to wait before it is tried again.

use std::time::Duration;

use super::{Backoff, Limiter, Verdict};

/// The attempts of one batch that have failed in a row.
#[derive(Default)]
pub struct Failing {
    backoff: Backoff,
    /// How many requests of all lanes had been accepted at the last failure.
    accepted: Option<u64>,
    /// Whether nothing was accepted between the last two failures.
    in_vain: bool,
    /// How often it has failed in a row when no fewer requests could be in flight, and nothing else was accepted.
    alone: u32,
}

impl Failing {
    /// Notes an answer.
    pub fn note(&mut self, verdict: &Verdict, limiter: &Limiter) {
        let accepted = Some(limiter.accepted());
        self.in_vain = std::mem::replace(&mut self.accepted, accepted) == accepted;
        let alone = matches!(verdict, Verdict::Retry { .. }) && limiter.is_lowest();
        self.alone = match self.alone {
            _ if !alone => 0,
            failures if self.in_vain => failures + 1,
            _ => 1,
        };
    }

    /// How often it has failed in a row, alone in flight. Where something is accepted, it is not known whether this batch
    /// would be, were it smaller: a receiver that takes so many requests a second would only get more of them.
    pub fn alone(&self) -> u32 {
        self.alone
    }

    /// Waits as long as the back-off says, and at least `asked`. If the receiver took nothing from anybody between the last
    /// two failures, and has not said how long to wait, no longer than until it takes something: then it is back, for all.
    pub async fn wait(&mut self, limiter: &Limiter, asked: Option<Duration>) {
        let acceptance = limiter.acceptance();
        let wait = tokio::time::sleep(self.backoff.next(asked));
        if !self.in_vain || asked.is_some() {
            return wait.await;
        }
        // It may have been since the failure was noted.
        if Some(limiter.accepted()) == self.accepted {
            tokio::select! {
                () = wait => {}
                () = acceptance => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::gauge::Gauge;
    use tokio::time::Instant;

    use super::*;

    const REFUSED: Verdict = Verdict::Retry { status: Some(503), after: None, cause: String::new() };

    /// Another lane's request.
    async fn accepted(limiter: &Limiter) {
        limiter.acquire().await.answered(1000, &Verdict::Delivered);
    }

    /// After so many failures, whether the next wait ends when something is accepted. So many, that its end by itself is
    /// seconds away, but for a chance that the seed excludes.
    async fn is_woken(asked: Option<Duration>, between_failures: impl AsyncFn(&Limiter)) -> bool {
        fastrand::seed(1);
        let limiter = Limiter::new(8, Gauge::default());
        let mut failing = Failing::default();
        for _ in 0..10 {
            failing.note(&REFUSED, &limiter);
            failing.wait(&limiter, None).await;
            between_failures(&limiter).await;
        }
        failing.note(&REFUSED, &limiter);
        let began = Instant::now();
        let accept = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            accepted(&limiter).await;
        };
        tokio::join!(failing.wait(&limiter, asked), accept);
        began.elapsed() < Duration::from_millis(10)
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_receiver_that_took_nothing_goes_on_when_it_takes_something() {
        assert!(is_woken(None, async |_: &Limiter| {}).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_fails_while_others_are_accepted_waits_its_time() {
        assert!(!is_woken(None, accepted).await);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_was_asked_to_wait_does() {
        assert!(!is_woken(Some(Duration::from_secs(1)), async |_: &Limiter| {}).await);
    }
}
