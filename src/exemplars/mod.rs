//! Exemplars.

pub mod chunk;
