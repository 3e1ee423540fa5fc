//! A receiver that reads a body, waits if it is told to, and answers 204.

use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Prints its URL and serves until it is killed.
pub async fn run(delay_ms: u64) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    println!("http://{}/api/v1/write", listener.local_addr().expect("it is bound"));
    let delay = Duration::from_millis(delay_ms);
    let answer = move |request: Request<Incoming>| async move {
        let mut body = request.into_body();
        while let Some(Ok(_)) = body.frame().await {}
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut answer = Response::new(Empty::<Bytes>::new());
        *answer.status_mut() = StatusCode::NO_CONTENT;
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
