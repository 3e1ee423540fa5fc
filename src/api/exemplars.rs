//! `query_exemplars`, as Prometheus answers it, and the same question as a JSON object.
//!
//! Selecting and rendering run on a blocking thread and are read as they come: a large answer delays nobody and is never
//! in memory as a whole.

use std::collections::HashMap;

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;
use warp::http::StatusCode;
use warp::reply::Response;

use super::answer::{self, Kind};
use super::json::Renderer;
use super::time::{parse_time, parse_time_value};
use crate::exemplars::Exemplars;
use crate::exemplars::query::{Selector, selectors};
use crate::exemplars::store::Store;

/// The most bytes of a request's body: a query of 16 KiB, however it is encoded, and room beside it.
const BODY: usize = 64 << 10;

/// Pieces of an answer that wait for a slow reader.
const PIECES: usize = 4;

/// Why a question is not answered.
enum Refusal {
    /// It is wrong: what about it.
    BadData(String),
    /// It was answered, had the log been replayed.
    NotReady,
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BadData(error) => answer::failure(StatusCode::BAD_REQUEST, Kind::BadData, &error),
            Refusal::NotReady => {
                let error = "the log is being replayed; try again when /-/ready answers 200";
                answer::failure(StatusCode::SERVICE_UNAVAILABLE, Kind::Unavailable, error)
            }
        }
    }
}

/// A question.
struct Question {
    selectors: Vec<Selector>,
    /// Milliseconds, both included.
    start: i64,
    end: i64,
}

/// Answers `GET /api/v1/query_exemplars?query=…&start=…&end=…`.
pub(super) async fn get(exemplars: Exemplars, parameters: String) -> Response {
    answer(&exemplars, Parameters::of([parameters.as_bytes()]).question()).await
}

/// Answers `POST /api/v1/query_exemplars`, with the same as a form; what is in the body comes before what is in the URL.
pub(super) async fn post_form(exemplars: Exemplars, parameters: String, body: impl Body) -> Response {
    let question = match read(body).await {
        Ok(body) => Parameters::of([&body, parameters.as_bytes()]).question(),
        Err(refusal) => Err(refusal),
    };
    answer(&exemplars, question).await
}

/// Answers `POST /` with `{"query": …, "start": …, "end": …}`.
pub(super) async fn post_json(exemplars: Exemplars, body: impl Body) -> Response {
    let question = match read(body).await {
        Ok(body) => Object::of(&body).and_then(Object::question),
        Err(refusal) => Err(refusal),
    };
    answer(&exemplars, question).await
}

/// A request's body as it comes.
pub(super) trait Body: Stream<Item = Result<Self::Piece, warp::Error>> + Send {
    type Piece: Buf;
}

impl<B: Buf, S: Stream<Item = Result<B, warp::Error>> + Send> Body for S {
    type Piece = B;
}

async fn read(body: impl Body) -> Result<Vec<u8>, Refusal> {
    let mut body = std::pin::pin!(body);
    let mut all = Vec::new();
    while let Some(piece) = body.next().await {
        let mut piece = piece.map_err(|error| Refusal::BadData(format!("the body cannot be read: {error}")))?;
        if all.len() + piece.remaining() > BODY {
            return Err(Refusal::BadData(format!("the body is longer than {BODY} bytes")));
        }
        while piece.has_remaining() {
            let chunk = piece.chunk();
            all.extend_from_slice(chunk);
            piece.advance(chunk.len());
        }
    }
    Ok(all)
}

/// Parameters of a URL or a form: the first value of each.
struct Parameters(HashMap<String, String>);

impl Parameters {
    fn of<const N: usize>(encoded: [&[u8]; N]) -> Self {
        let mut all = HashMap::new();
        for (name, value) in encoded.into_iter().flat_map(form_urlencoded::parse) {
            all.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        Self(all)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn question(&self) -> Result<Question, Refusal> {
        let time = |name| self.get(name).map(|text| parse_time(text).map_err(|error| invalid(name, error))).transpose();
        question(self.get("query"), time("start")?, time("end")?)
    }
}

/// What `POST /` takes.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    query: Option<String>,
    start: Option<serde_json::Value>,
    end: Option<serde_json::Value>,
}

impl Object {
    fn of(body: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body).map_err(|error| {
            let example = r#"{"query": "{job=\"shop\"}", "start": 1632980302, "end": 1632980402}"#;
            Refusal::BadData(format!("the body is not an object such as {example}: {error}"))
        })
    }

    fn question(self) -> Result<Question, Refusal> {
        let time = |name, value: Option<serde_json::Value>| {
            value.map(|value| parse_time_value(&value).map_err(|error| invalid(name, error))).transpose()
        };
        question(self.query.as_deref(), time("start", self.start)?, time("end", self.end)?)
    }
}

fn invalid(parameter: &str, error: impl std::fmt::Display) -> Refusal {
    Refusal::BadData(format!("invalid parameter {parameter:?}: {error}"))
}

/// In Prometheus' order: first the times, then the query.
fn question(query: Option<&str>, start: Option<i64>, end: Option<i64>) -> Result<Question, Refusal> {
    let (start, end) = (start.unwrap_or(i64::MIN), end.unwrap_or(i64::MAX));
    if end < start {
        return Err(invalid("end", "end timestamp must not be before start timestamp"));
    }
    let selectors = selectors(query.unwrap_or_default()).map_err(|error| invalid("query", error))?;
    Ok(Question { selectors, start, end })
}

async fn answer(exemplars: &Exemplars, question: Result<Question, Refusal>) -> Response {
    let question = match question {
        Ok(question) => question,
        Err(refusal) => return refusal.into(),
    };
    if question.selectors.is_empty() {
        // As Prometheus answers an expression that selects nothing.
        return answer::json(StatusCode::OK, r#"{"status":"success"}"#);
    }
    let Some(store) = exemplars.store() else { return Refusal::NotReady.into() };
    let store = store.clone();
    let (pieces, mut rendered) = mpsc::channel::<Bytes>(PIECES);
    tokio::task::spawn_blocking(move || render(&store, &question, &pieces));
    let body = futures_util::stream::poll_fn(move |context| rendered.poll_recv(context)).map(Ok::<_, std::io::Error>);
    answer::stream(body)
}

/// Renders an answer piece by piece, until it is complete or nobody reads it any more.
fn render(store: &Store, question: &Question, pieces: &mpsc::Sender<Bytes>) {
    store.expire(crate::now());
    let selectors: Vec<_> = question.selectors.iter().map(|selector| &selector.matchers).collect();
    let mut selected = store.select(&selectors, question.start, question.end);
    let mut renderer = Renderer::new();
    while let Some(series) = selected.next_series() {
        let mut exemplars = series.exemplars();
        renderer.begin_series(series.labels());
        loop {
            if let Some(piece) = renderer.take_full()
                && pieces.blocking_send(piece).is_err()
            {
                return;
            }
            let Some(exemplar) = exemplars.next() else { break };
            renderer.exemplar(&exemplar);
        }
        renderer.end_series();
    }
    let _gone = pieces.blocking_send(renderer.finish());
}
