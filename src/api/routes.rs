//! Paths and their answers: `/-/healthy`, `/-/ready` and `/metrics`.

use std::convert::Infallible;
use std::sync::Arc;

use serde_json::json;
use warp::http::{Response, StatusCode, header};
use warp::{Filter, Rejection, Reply};

use crate::metrics::{CONTENT_TYPE, Metrics};
use crate::status::Status;

/// All routes.
pub fn routes(
    metrics: Arc<Metrics>,
    status: Status,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone + Send + Sync + 'static {
    // HEAD is GET without its body, which hyper leaves out. The path comes first: what is not there is 404 by any method.
    let method = warp::get().or(warp::head()).unify();
    let healthy =
        warp::path!("-" / "healthy").and(method).map(|| answer(StatusCode::OK, "text/plain", "healthy\n".to_owned()));
    let ready = warp::path!("-" / "ready").and(method).map(move || ready(&status));
    let metrics = warp::path!("metrics").and(method).map(move || match metrics.encode() {
        Ok(text) => answer(StatusCode::OK, CONTENT_TYPE, text),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    });
    healthy.or(ready).unify().or(metrics).unify().recover(refuse).unify()
}

fn answer(status: StatusCode, content_type: &str, body: String) -> Response<String> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, content_type)
        .body(body)
        .expect("status and content type are valid")
}

/// Errors have the shape of Prometheus' own: `status`, `errorType`, `error`.
fn failure(status: StatusCode, error: &str) -> Response<String> {
    let kind = if status == StatusCode::NOT_FOUND { "not_found" } else { "bad_data" };
    let body = json!({ "status": "error", "errorType": kind, "error": error });
    answer(status, "application/json", format!("{body}\n"))
}

fn ready(status: &Status) -> Response<String> {
    let (ready, conditions) = status.ready();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "ready": ready, "conditions": conditions });
    answer(code, "application/json", format!("{body}\n"))
}

async fn refuse(rejection: Rejection) -> Result<Response<String>, Infallible> {
    Ok(if rejection.find::<warp::reject::MethodNotAllowed>().is_some() {
        let mut answer = failure(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here");
        answer.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
        answer
    } else {
        failure(StatusCode::NOT_FOUND, "no such path; there are /-/healthy, /-/ready and /metrics")
    })
}
