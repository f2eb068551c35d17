//! What librdkafka offers and its Rust interface does not yet: topic ids, the generation of a group member, and to send at
//! once. The only
//! unsafe code of the workspace; each call says why it is sound.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::client::Client as NativeClient;
use rdkafka::error::KafkaError;
use rdkafka::types::{RDKafka, RDKafkaErrorCode};

use super::client::Client;
use super::errors;
use super::{REQUEST_TIMEOUT, Result};
use crate::broker::BrokerError;

const DOING: &str = "asking the cluster for the ids of its topics";

/// Ends the life of what librdkafka gave us.
struct Owned<T>(NonNull<T>, unsafe extern "C" fn(*mut T));

impl<T> Owned<T> {
    fn new(pointer: *mut T, free: unsafe extern "C" fn(*mut T)) -> Result<Self> {
        let reason = || BrokerError::Fatal { doing: DOING.to_owned(), reason: "librdkafka gave nothing".to_owned() };
        NonNull::new(pointer).map(|pointer| Self(pointer, free)).ok_or_else(reason)
    }

    fn ptr(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the constructor that belongs to this destructor, and is freed once, here.
        unsafe { (self.1)(self.0.as_ptr()) }
    }
}

/// Ids of these topics, by name; a topic that is not there has none.
pub(super) fn topic_ids(client: &NativeClient<Client>, names: &[&str]) -> Result<HashMap<String, String>> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    // A name with a NUL cannot be a topic's.
    let names: Vec<CString> = names.iter().filter_map(|name| CString::new(*name).ok()).collect();
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let handle: *mut RDKafka = client.native_ptr();
    // SAFETY: `client` outlives this function and with it `handle`. `pointers` are that many NUL-terminated texts, which
    // librdkafka copies. The options are made for the operation they are used with; the error text has no room and so is
    // not written. Queue, collection, options and event are destroyed by `Owned`, the event (declared last) first.
    let event = unsafe {
        let topics = Owned::new(
            sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()),
            sys::rd_kafka_TopicCollection_destroy,
        )?;
        let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options =
            Owned::new(sys::rd_kafka_AdminOptions_new(handle, operation), sys::rd_kafka_AdminOptions_destroy)?;
        let patience = i32::try_from(REQUEST_TIMEOUT.as_millis()).unwrap_or(i32::MAX);
        sys::rd_kafka_AdminOptions_set_request_timeout(options.ptr(), patience, std::ptr::null_mut(), 0);
        let queue = Owned::new(sys::rd_kafka_queue_new(handle), sys::rd_kafka_queue_destroy)?;
        sys::rd_kafka_DescribeTopics(handle, topics.ptr(), options.ptr(), queue.ptr());
        let longer = patience.saturating_add(i32::try_from(Duration::from_secs(5).as_millis()).unwrap_or_default());
        Owned::new(sys::rd_kafka_queue_poll(queue.ptr(), longer), sys::rd_kafka_event_destroy)?
    };
    let mut ids = HashMap::new();
    // SAFETY: the event is the answer to DescribeTopics, the only request of its queue; when it bears no error it has that
    // result. Everything read here belongs to the event and is copied before the event goes.
    unsafe {
        let code = RDKafkaErrorCode::from(sys::rd_kafka_event_error(event.ptr()));
        if code != RDKafkaErrorCode::NoError {
            let reason = CStr::from_ptr(sys::rd_kafka_event_error_string(event.ptr())).to_string_lossy().into_owned();
            return Err(errors::of_code(code, DOING.to_owned(), reason));
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event.ptr());
        let mut count = 0;
        let described = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        for index in 0..count {
            let topic = *described.add(index);
            let error = sys::rd_kafka_TopicDescription_error(topic);
            if RDKafkaErrorCode::from(sys::rd_kafka_error_code(error)) != RDKafkaErrorCode::NoError {
                continue;
            }
            let name = CStr::from_ptr(sys::rd_kafka_TopicDescription_name(topic)).to_string_lossy().into_owned();
            let id = sys::rd_kafka_Uuid_base64str(sys::rd_kafka_TopicDescription_topic_id(topic));
            ids.insert(name, written_as_kafka_does(&CStr::from_ptr(id).to_string_lossy()));
        }
    }
    Ok(ids)
}

/// Kafka's own tools write ids in the alphabet that is safe in paths and URLs, librdkafka in the other one.
fn written_as_kafka_does(id: &str) -> String {
    id.replace('+', "-").replace('/', "_")
}

/// Generation of this client in its group; `None` when it is no member now.
pub(super) fn generation(client: &NativeClient<Client>) -> Option<i32> {
    // SAFETY: `client` outlives the call; what is returned is ours to destroy, which `Owned` does.
    let generation = unsafe {
        let metadata = sys::rd_kafka_consumer_group_metadata(client.native_ptr());
        let metadata = Owned::new(metadata, sys::rd_kafka_consumer_group_metadata_destroy).ok()?;
        sys::rd_kafka_consumer_group_metadata_generation_id(metadata.ptr())
    };
    (generation >= 0).then_some(generation)
}

/// Sends what waits in a producer, and waits until it is known of all of it where it went, or that it did not. The Rust
/// interface does so in looks of up to 100 ms, between which it does not send.
pub(super) fn flush(client: &NativeClient<Client>, timeout: Duration) -> std::result::Result<(), KafkaError> {
    let patience = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: `client` outlives the call, which only needs that it is a client.
    match RDKafkaErrorCode::from(unsafe { sys::rd_kafka_flush(client.native_ptr(), patience) }) {
        RDKafkaErrorCode::NoError => Ok(()),
        code => Err(KafkaError::Flush(code)),
    }
}
