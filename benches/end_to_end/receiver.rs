//! A receiver that reads a body, waits if it is told to, and answers 204; 400, if there is poison in it.

use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use regex::bytes::Regex;
use tokio::net::TcpListener;

use crate::load::POISON;

/// Prints its URL and serves until it is killed. Port 0 is any.
pub async fn run(delay_ms: u64, port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the port is free");
    println!("http://{}/api/v1/write", listener.local_addr().expect("it is bound"));
    let delay = Duration::from_millis(delay_ms);
    // A text without special characters is searched for as fast as memory allows.
    let poison: &'static Regex = Box::leak(Box::new(Regex::new(POISON).expect("it has no special characters")));
    let answer = move |request: Request<Incoming>| async move {
        let body = request.into_body().collect().await?.to_bytes();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut answer = Response::new(Empty::<Bytes>::new());
        let refused = poison.is_match(&body);
        *answer.status_mut() = if refused { StatusCode::BAD_REQUEST } else { StatusCode::NO_CONTENT };
        Ok::<_, hyper::Error>(answer)
    };
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let serve =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
        // A client that ends while a request is under way is not this program's concern.
        tokio::spawn(async { drop(serve.await) });
    }
}
