//! What is served over HTTP.

mod answer;
mod connection;
mod exemplars;
pub(crate) mod json;
mod labels;
mod page;
pub mod question;
mod rendering;
mod routes;
mod server;
mod time;

pub use server::{BindError, Server};
