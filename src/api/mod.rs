//! What is served over HTTP.

mod routes;
mod server;

pub use server::{BindError, Server};
