//! What librdkafka offers and its Rust interface does not yet: topic ids, single settings of a topic, the generation of a group
//! member, to send at once, and header names that are no UTF-8. Each unsafe call says why it is sound.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::client::Client as NativeClient;
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::{RDKafka, RDKafkaErrorCode};

use super::client::Client;
use super::errors;
use super::{REQUEST_TIMEOUT, Result};
use crate::broker::{BrokerError, Headers};

const DOING: &str = "asking the cluster for the ids of its topics";

/// Ends the life of what librdkafka gave us.
struct Owned<T>(NonNull<T>, unsafe extern "C" fn(*mut T));

impl<T> Owned<T> {
    /// # Safety
    /// `pointer` is null, or `free` may be called with it once.
    unsafe fn new(pointer: *mut T, free: unsafe extern "C" fn(*mut T)) -> Result<Self> {
        let reason = || BrokerError::Fatal { doing: DOING.to_owned(), reason: "librdkafka gave nothing".to_owned() };
        NonNull::new(pointer).map(|pointer| Self(pointer, free)).ok_or_else(reason)
    }

    fn ptr(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the caller that made this value said so; it is done once, here.
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
    // SAFETY: `pointers` are that many NUL-terminated texts, which librdkafka copies; the destructor is that of the collection.
    let topics = unsafe {
        Owned::new(
            sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()),
            sys::rd_kafka_TopicCollection_destroy,
        )?
    };
    let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    let event = answer(client, operation, |handle, options, queue| {
        // SAFETY: `answer` gives the three; the collection lives until the answer has come.
        unsafe { sys::rd_kafka_DescribeTopics(handle, topics.ptr(), options, queue) }
    })?;
    let mut ids = HashMap::new();
    // SAFETY: the event is the answer to DescribeTopics, the only request of its queue; when it bears no error it has that
    // result. Everything read here belongs to the event and is copied before the event goes.
    unsafe {
        refusal(&event, DOING)?;
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

/// Sends a request of the administration and waits for its answer.
fn answer(
    client: &NativeClient<Client>,
    operation: sys::rd_kafka_admin_op_t,
    send: impl FnOnce(*mut RDKafka, *mut sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
) -> Result<Owned<sys::rd_kafka_event_t>> {
    let handle: *mut RDKafka = client.native_ptr();
    // SAFETY: `client` outlives this function and with it `handle`. The options are made for the operation they are used with;
    // the error text has no room and so is not written. Each value is destroyed by the destructor that belongs to its
    // constructor; the event, which outlives its queue here, is its own.
    unsafe {
        let options =
            Owned::new(sys::rd_kafka_AdminOptions_new(handle, operation), sys::rd_kafka_AdminOptions_destroy)?;
        let patience = i32::try_from(REQUEST_TIMEOUT.as_millis()).unwrap_or(i32::MAX);
        sys::rd_kafka_AdminOptions_set_request_timeout(options.ptr(), patience, std::ptr::null_mut(), 0);
        let queue = Owned::new(sys::rd_kafka_queue_new(handle), sys::rd_kafka_queue_destroy)?;
        send(handle, options.ptr(), queue.ptr());
        let longer = patience.saturating_add(i32::try_from(Duration::from_secs(5).as_millis()).unwrap_or_default());
        Owned::new(sys::rd_kafka_queue_poll(queue.ptr(), longer), sys::rd_kafka_event_destroy)
    }
}

/// The error of a request as a whole.
///
/// # Safety
/// `event` is the answer to a request.
unsafe fn refusal(event: &Owned<sys::rd_kafka_event_t>, doing: &str) -> Result<()> {
    // SAFETY: the event lives, and its text as long as it does.
    unsafe {
        match RDKafkaErrorCode::from(sys::rd_kafka_event_error(event.ptr())) {
            RDKafkaErrorCode::NoError => Ok(()),
            code => {
                let reason = CStr::from_ptr(sys::rd_kafka_event_error_string(event.ptr())).to_string_lossy();
                Err(errors::of_code(code, doing.to_owned(), reason.into_owned()))
            }
        }
    }
}

/// Sets these settings of a topic and leaves its others as they are (`IncrementalAlterConfigs`). The request of the Rust
/// interface would reset all that it does not name.
pub(super) fn set_topic_settings(
    client: &NativeClient<Client>,
    topic: &str,
    settings: &[(&str, String)],
    doing: &str,
) -> Result<()> {
    let text = |text: &str| {
        let reason = || "a name or value holds a NUL".to_owned();
        CString::new(text).map_err(|_| BrokerError::Fatal { doing: doing.to_owned(), reason: reason() })
    };
    let name = text(topic)?;
    // SAFETY: name and values are NUL-terminated texts, which librdkafka copies. The resource is destroyed by its destructor, once.
    let resource = unsafe {
        let kind = sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
        let resource =
            Owned::new(sys::rd_kafka_ConfigResource_new(kind, name.as_ptr()), sys::rd_kafka_ConfigResource_destroy)?;
        for (key, value) in settings {
            let (key, value) = (text(key)?, text(value)?);
            let set = sys::rd_kafka_AlterConfigOpType_t::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET;
            let error =
                sys::rd_kafka_ConfigResource_add_incremental_config(resource.ptr(), key.as_ptr(), set, value.as_ptr());
            if let Ok(error) = Owned::new(error, sys::rd_kafka_error_destroy) {
                let reason = CStr::from_ptr(sys::rd_kafka_error_string(error.ptr())).to_string_lossy().into_owned();
                return Err(BrokerError::Fatal { doing: doing.to_owned(), reason });
            }
        }
        resource
    };
    let mut resources = [resource.ptr()];
    let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS;
    let event = answer(client, operation, |handle, options, queue| {
        // SAFETY: `answer` gives the three; the array has one resource, which lives until the answer has come.
        unsafe { sys::rd_kafka_IncrementalAlterConfigs(handle, resources.as_mut_ptr(), 1, options, queue) }
    })?;
    // SAFETY: the event is the answer to this request, the only one of its queue; when it bears no error it has that result.
    // All that is read belongs to the event and is copied before the event goes; a text that is not there is null.
    unsafe {
        refusal(&event, doing)?;
        let result = sys::rd_kafka_event_IncrementalAlterConfigs_result(event.ptr());
        let mut count = 0;
        let altered = sys::rd_kafka_IncrementalAlterConfigs_result_resources(result, &raw mut count);
        for index in 0..count {
            let resource = *altered.add(index);
            let code = RDKafkaErrorCode::from(sys::rd_kafka_ConfigResource_error(resource));
            if code != RDKafkaErrorCode::NoError {
                let text = sys::rd_kafka_ConfigResource_error_string(resource);
                let text = (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned());
                return Err(errors::of_code(code, doing.to_owned(), text.unwrap_or_else(|| code.to_string())));
            }
        }
    }
    Ok(())
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

/// Headers of a message. Names that are no UTF-8, which other clients may send, come with replacement characters.
pub(super) fn headers(message: &BorrowedMessage<'_>) -> Headers {
    let mut native = std::ptr::null_mut();
    // SAFETY: the message outlives the call and owns the headers it gives out.
    let found = unsafe { sys::rd_kafka_message_headers(message.ptr(), &raw mut native) };
    match RDKafkaErrorCode::from(found) {
        // SAFETY: these are the headers of a message that outlives the call.
        RDKafkaErrorCode::NoError => unsafe { headers_of(native) },
        _ => Headers::new(),
    }
}

/// # Safety
/// `native` are living headers.
unsafe fn headers_of(native: *const sys::rd_kafka_headers_t) -> Headers {
    let mut out = Headers::new();
    // SAFETY: the caller says that `native` lives. Name (with a NUL at its end) and value belong to it and are copied before this
    // returns; a value of no bytes may be null.
    unsafe {
        for index in 0..sys::rd_kafka_header_cnt(native) {
            let (mut name, mut value, mut len) = (std::ptr::null(), std::ptr::null::<u8>(), 0);
            let got = sys::rd_kafka_header_get_all(native, index, &raw mut name, (&raw mut value).cast(), &raw mut len);
            if RDKafkaErrorCode::from(got) != RDKafkaErrorCode::NoError {
                break;
            }
            let value = if value.is_null() { &[] } else { std::slice::from_raw_parts(value, len) };
            out.push(&CStr::from_ptr(name).to_string_lossy(), value);
        }
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_of_other_clients_are_no_trouble() {
        let sent: [(&[u8], &[u8]); 3] = [(b"run_id", b"r1"), (b"\xff\xfe", b"\x00"), (b"empty", b"")];
        // SAFETY: the headers live until the end; names and values are that long and are copied.
        let read = unsafe {
            let native = sys::rd_kafka_headers_new(sent.len());
            for (name, value) in sent {
                let (name_len, value_len) = (name.len().cast_signed(), value.len().cast_signed());
                sys::rd_kafka_header_add(native, name.as_ptr().cast(), name_len, value.as_ptr().cast(), value_len);
            }
            let read = headers_of(native);
            sys::rd_kafka_headers_destroy(native);
            read
        };
        let expected = [("run_id", &b"r1"[..]), ("\u{fffd}\u{fffd}", b"\x00"), ("empty", b"")];
        assert_eq!(read, Headers::from_iter(expected));
    }
}
