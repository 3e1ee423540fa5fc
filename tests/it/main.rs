//! One binary, one module for each promise: librdkafka is linked once.

mod batch;
mod data;
mod walk;
