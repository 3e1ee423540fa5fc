//! What streams through: questions to the upstream, and its answers. Neither is collected; each is read as fast as it is
//! taken at the other end.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

use crate::metrics::InFlight;

/// What a body ends with that breaks off.
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// A body that goes on, but not in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late;

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body did not come in time")
    }
}

impl Error for Late {}

/// The body of a client's request. It has to be there in time: a client that never ends it would hold a connection to the
/// upstream.
pub(super) struct Question(Option<(Incoming, Pin<Box<Sleep>>)>);

impl Question {
    pub(super) const fn none() -> Self {
        Self(None)
    }

    pub(super) fn new(body: Incoming, patience: Duration) -> Self {
        if body.is_end_stream() {
            return Self::none();
        }
        Self(Some((body, Box::pin(tokio::time::sleep(patience)))))
    }

    /// Whether there is none.
    pub(super) const fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

impl Body for Question {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some((body, deadline)) = &mut self.0 else { return Poll::Ready(None) };
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(data(frame)),
            Poll::Pending => deadline.as_mut().poll(cx).map(|()| Some(Err(Late.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|(body, _)| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |(body, _)| body.size_hint())
    }
}

/// The body of the upstream's answer. It breaks off if the upstream says nothing for too long, though somebody listens.
pub(super) struct Answer {
    body: Incoming,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    _place: (OwnedSemaphorePermit, InFlight),
}

impl Answer {
    pub(super) const fn new(body: Incoming, patience: Duration, place: (OwnedSemaphorePermit, InFlight)) -> Self {
        Self { body, patience, waiting: None, _place: place }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.waiting = None;
            return Poll::Ready(data(frame));
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Some(Err(Late.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Trailers belong to one hop, and nobody here sends any.
fn data(frame: Option<Result<Frame<Bytes>, hyper::Error>>) -> Option<Result<Frame<Bytes>, BoxError>> {
    match frame? {
        Ok(frame) => frame.is_data().then_some(Ok(frame)),
        Err(error) => Some(Err(error.into())),
    }
}
