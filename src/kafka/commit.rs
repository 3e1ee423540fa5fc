//! Asynchronous commits that are answered. rdkafka 0.39 passes librdkafka no queue for the answer, so its
//! `commit_callback` never comes (rust-rdkafka issue 856): whether a commit has failed could not be known. This makes
//! the one call that it should make, and goes when a release makes it.

#![allow(unsafe_code, reason = "librdkafka's C interface; nothing safe leads to this call")]

use std::ptr;

use rdkafka::bindings::{rd_kafka_commit_queue, rd_kafka_queue_destroy, rd_kafka_queue_get_consumer};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{IsError, KafkaError};
use rdkafka::topic_partition_list::TopicPartitionList;

/// Sends a commit. Its answer comes to the context's `commit_callback`, from within `poll`.
///
/// # Errors
/// If it could not be sent; then no answer comes.
pub(super) fn commit_async<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    offsets: &TopicPartitionList,
) -> Result<(), KafkaError> {
    let client = consumer.client().native_ptr();
    // SAFETY: `client` lives as long as `consumer`. `offsets` is copied before the call returns. The queue is a new
    // reference that is given back below, after librdkafka has taken its own. Without a callback the answer is an event
    // on that queue, the consumer's, which rdkafka hands to `commit_callback`.
    let result = unsafe {
        let queue = rd_kafka_queue_get_consumer(client);
        if queue.is_null() {
            return Err(KafkaError::ConsumerCommit(rdkafka::types::RDKafkaErrorCode::UnknownGroup));
        }
        let result = rd_kafka_commit_queue(client, offsets.ptr(), queue, None, ptr::null_mut());
        rd_kafka_queue_destroy(queue);
        result
    };
    if result.is_error() { Err(KafkaError::ConsumerCommit(result.into())) } else { Ok(()) }
}
