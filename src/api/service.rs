//! Each request goes where its path says: to the routes, which are ours, or to the upstream.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;

use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::http::uri::{PathAndQuery, Uri};
use hyper::{Request, StatusCode};

use super::answer::{self, Kind, Response};
use super::paths::{self, Destination};
use super::proxy::{Answered, Proxy, boxed};

/// Answers the requests of one client.
pub(super) struct Service<R> {
    routes: R,
    proxy: Proxy,
    client: IpAddr,
}

impl<R> Service<R> {
    pub(super) const fn new(routes: R, proxy: Proxy, client: IpAddr) -> Self {
        Self { routes, proxy, client }
    }
}

impl<R> hyper::service::Service<Request<Incoming>> for Service<R>
where
    R: hyper::service::Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static>,
{
    type Response = Answered;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answered, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        // RFC 9112, 3.2: somebody before us may have looked at the other one.
        if request.headers().get_all(HOST).iter().count() > 1 {
            let refused = answer::failure(StatusCode::BAD_REQUEST, Kind::BadData, "the request has more than one Host");
            return Box::pin(async { Ok(boxed(refused)) });
        }
        match paths::destination(request.uri().path()) {
            Some(Destination::Upstream(path)) => {
                let (proxy, client) = (self.proxy.clone(), self.client);
                return Box::pin(async move { Ok(proxy.answer(&path, request, client).await) });
            }
            Some(Destination::Exemplars) => *request.uri_mut() = exemplars(request.uri()),
            None => {}
        }
        let answer = self.routes.call(request);
        Box::pin(async move { answer.await.map(boxed) })
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
