//! Each request goes where its path says: to the routes, which are ours, or to the upstream. Until it is answered, its
//! connection is not idle.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::HOST;
use hyper::http::uri::{PathAndQuery, Uri};
use hyper::{Request, Response, StatusCode};

use super::answer::{self, Kind};
use super::bodies::BoxError;
use super::paths::{self, Destination};
use super::places::{Answering, Place};
use super::proxy::{Answered, Proxy, boxed};
use crate::metrics::{RequestMetrics, handler};

/// Answers the requests of one client.
pub(super) struct Service<R> {
    routes: R,
    proxy: Proxy,
    metrics: RequestMetrics,
    client: IpAddr,
    place: Arc<Place>,
}

/// An answer's body. Until it is gone, the request is being answered.
pub(super) struct Given {
    body: UnsyncBoxBody<Bytes, BoxError>,
    _answering: Answering,
}

impl<R> Service<R> {
    pub(super) const fn new(
        routes: R,
        proxy: Proxy,
        metrics: RequestMetrics,
        client: IpAddr,
        place: Arc<Place>,
    ) -> Self {
        Self { routes, proxy, metrics, client, place }
    }
}

impl<R> hyper::service::Service<Request<Incoming>> for Service<R>
where
    R: hyper::service::Service<
            Request<Incoming>,
            Response = answer::Response,
            Error = Infallible,
            Future: Send + 'static,
        >,
{
    type Response = Response<Given>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let answering = self.place.answer();
        let give = |answer: Answered| answer.map(|body| Given { body, _answering: answering });
        // RFC 9112, 3.2: somebody before us may have looked at the other one.
        if request.headers().get_all(HOST).iter().count() > 1 {
            let refused = answer::failure(StatusCode::BAD_REQUEST, Kind::BadData, "the request has more than one Host");
            return Box::pin(async { Ok(give(boxed(refused))) });
        }
        match paths::destination(request.uri().path()) {
            Some(Destination::Upstream(path)) => {
                let (proxy, client) = (self.proxy.clone(), self.client);
                return Box::pin(async move { Ok(give(proxy.answer(&path, request, client).await)) });
            }
            Some(Destination::Exemplars) => *request.uri_mut() = exemplars(request.uri()),
            None => {}
        }
        let (came, metrics, handler) = (Instant::now(), self.metrics.clone(), handler(request.uri().path()));
        let answer = self.routes.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            metrics.answered(handler, came, answer.status());
            Ok(give(boxed(answer)))
        })
    }
}

impl Body for Given {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Where they are asked for without any prefix.
fn exemplars(uri: &Uri) -> Uri {
    let path = match uri.query() {
        None => PathAndQuery::from_static(paths::EXEMPLARS),
        Some(query) => {
            format!("{}?{query}", paths::EXEMPLARS).parse().expect("a path of ours with a query that was there")
        }
    };
    path.into()
}
