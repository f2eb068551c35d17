//! An OpenTelemetry collector for tests: takes OTLP over HTTP and keeps the spans.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
pub use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use prost::Message;

use crate::http;

/// A collector that answers as long as the tests run.
pub struct SpanCollector {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// One request as it came.
#[derive(Clone)]
pub struct Request {
    /// First line and headers.
    pub head: String,
    /// What it brought.
    pub traces: ExportTraceServiceRequest,
}

impl SpanCollector {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn start() -> Self {
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let kept = requests.clone();
        let address = http::serve(move |request| {
            let traces = ExportTraceServiceRequest::decode(&request.body[..]).unwrap();
            kept.lock().unwrap().push(Request { head: request.head, traces });
            (200, String::new())
        });
        Self { address, requests }
    }

    /// What is answered to the program.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    ///
    /// # Panics
    /// When one was no request.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// All spans so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        let resources = self.requests().into_iter().flat_map(|request| request.traces.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// The spans of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| span.name == name).collect()
    }

    /// The only span of that name.
    ///
    /// # Panics
    /// When it is not the only one.
    #[must_use]
    pub fn only(&self, name: &str) -> Span {
        let mut found = self.named(name);
        assert_eq!(found.len(), 1, "{name}: {found:#?}");
        found.remove(0)
    }
}

/// The value of an attribute, as text.
///
/// # Panics
/// When the span has none of that name.
#[must_use]
pub fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{key} is {other:?} in {span:#?}"),
    }
}

/// What a span is linked to: trace and span, in hexadecimal.
#[must_use]
pub fn links(span: &Span) -> Vec<(String, String)> {
    span.links.iter().map(|link| (hex::encode(&link.trace_id), hex::encode(&link.span_id))).collect()
}

/// What says which span it is: trace and span, in hexadecimal.
#[must_use]
pub fn context(span: &Span) -> (String, String) {
    (hex::encode(&span.trace_id), hex::encode(&span.span_id))
}

/// True when it says that it failed.
#[must_use]
pub fn is_failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
}
