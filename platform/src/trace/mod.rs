//! Traces for OpenTelemetry: what a run, a step or a batch did, and how these hang together across topics. Services get a
//! [`Tracer`] passed in; the default one makes nothing, and asking it is a test of an `Option`. Spans are made per batch,
//! file or commit, never per record, and no attribute holds what a record says.

mod collector;
mod sampler;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Link, Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, Span as SdkSpan};
use opentelemetry_semantic_conventions::attribute;

pub use collector::{SETTINGS, Traces};

/// Distinct contexts that one span is linked to; the other records of its batch are found through their own traces.
const LINKS_MAX: usize = 64;
/// Header of W3C Trace Context.
const TRACEPARENT: &str = "traceparent";

/// Makes spans; clones share it. The default makes none.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Option<Arc<On>>);

#[derive(Debug)]
struct On {
    tracer: SdkTracer,
    /// `messaging.system`.
    system: &'static str,
    parent: Context,
}

/// A piece of work; it ends when this is dropped.
#[derive(Debug, Default)]
pub struct Span(Option<SdkSpan>);

/// Traces that a batch has records of.
#[derive(Debug, Default)]
pub struct Links(Vec<Link>);

impl Tracer {
    /// False when no collector receives what it makes.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins a piece of work inside this process.
    #[must_use]
    pub fn span(&self, name: impl Into<Cow<'static, str>>) -> Span {
        self.begin(|_| SpanBuilder::from_name(name).with_kind(SpanKind::Internal))
    }

    /// Begins to send records to a topic.
    #[must_use]
    pub fn send(&self, topic: &str) -> Span {
        self.begin(|system| messaging("send", SpanKind::Producer, system, topic))
    }

    /// Begins to process a batch of records, read from a topic by a group.
    #[must_use]
    pub fn process(&self, topic: &str, group: &str, links: Links) -> Span {
        let mut span = self.begin(|system| messaging("process", SpanKind::Consumer, system, topic).with_links(links.0));
        span.set(attribute::MESSAGING_CONSUMER_GROUP_NAME, || group.to_owned());
        span
    }

    /// A tracer whose spans are parts of this one.
    #[must_use]
    pub fn within(&self, span: &Span) -> Self {
        let (Some(on), Some(parent)) = (&self.0, &span.0) else { return Self::default() };
        let parent = Context::new().with_remote_span_context(parent.span_context().clone());
        Self(Some(Arc::new(On { tracer: on.tracer.clone(), system: on.system, parent })))
    }

    /// The distinct contexts among the `traceparent` headers of a batch. One that is malformed says nothing. The headers
    /// are looked at only when a collector receives them.
    #[must_use]
    pub fn links<'m>(&self, headers: impl IntoIterator<Item = &'m [u8]>) -> Links {
        if !self.is_on() {
            return Links::default();
        }
        let propagator = TraceContextPropagator::new();
        let (mut seen, mut links) = (Vec::<&[u8]>::new(), Vec::new());
        for header in headers {
            // Neighbours mostly are of one run.
            if seen.last() == Some(&header) || seen.contains(&header) {
                continue;
            }
            let Some(context) = parse(&propagator, header) else { continue };
            seen.push(header);
            links.push(Link::with_context(context));
            if links.len() == LINKS_MAX {
                break;
            }
        }
        Links(links)
    }

    fn begin(&self, builder: impl FnOnce(&'static str) -> SpanBuilder) -> Span {
        Span(self.0.as_ref().map(|on| on.tracer.build_with_context(builder(on.system), &on.parent)))
    }
}

impl Span {
    /// Says something about the work; `value` is made only when a collector receives it.
    pub fn set<V: Into<Value>>(&mut self, key: &'static str, value: impl FnOnce() -> V) {
        if let Some(span) = self.0.as_mut().filter(|span| span.is_recording()) {
            span.set_attribute(KeyValue::new(key, value()));
        }
    }

    /// Says how many records it was about.
    pub fn set_records(&mut self, records: u64) {
        self.set(attribute::MESSAGING_BATCH_MESSAGE_COUNT, || i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// Says which partition they were of.
    pub fn set_partition(&mut self, partition: u32) {
        self.set(attribute::MESSAGING_DESTINATION_PARTITION_ID, || partition.to_string());
    }

    /// It failed; `why` holds no values of records.
    pub fn fail(&mut self, why: &dyn Display) {
        if let Some(span) = self.0.as_mut().filter(|span| span.is_recording()) {
            span.set_status(Status::error(why.to_string()));
        }
    }

    /// Value of the header `traceparent` for records that come of this work.
    #[must_use]
    pub fn traceparent(&self) -> Option<Bytes> {
        let context = Context::new().with_remote_span_context(self.0.as_ref()?.span_context().clone());
        let mut headers = HashMap::new();
        TraceContextPropagator::new().inject_context(&context, &mut headers);
        headers.remove(TRACEPARENT).map(Bytes::from)
    }
}

/// A span as the semantic conventions for messaging name it.
fn messaging(operation: &'static str, kind: SpanKind, system: &'static str, topic: &str) -> SpanBuilder {
    SpanBuilder::from_name(format!("{operation} {topic}")).with_kind(kind).with_attributes([
        KeyValue::new(attribute::MESSAGING_SYSTEM, system),
        KeyValue::new(attribute::MESSAGING_OPERATION_NAME, operation),
        KeyValue::new(attribute::MESSAGING_OPERATION_TYPE, operation),
        KeyValue::new(attribute::MESSAGING_DESTINATION_NAME, topic.to_owned()),
    ])
}

fn parse(propagator: &TraceContextPropagator, header: &[u8]) -> Option<SpanContext> {
    if !is_well_formed(header) {
        return None;
    }
    let context = propagator.extract_with_context(&Context::new(), &Header(std::str::from_utf8(header).ok()?));
    let span = context.span().span_context().clone();
    span.is_valid().then_some(span)
}

/// `vv-<32 digits>-<16 digits>-ff`, and more in later versions only. The propagator takes ids of any length.
fn is_well_formed(header: &[u8]) -> bool {
    const LEN: usize = 55;
    let is_in_place = |(at, byte): (usize, &u8)| match at {
        2 | 35 | 52 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    let fixed = header.get(..LEN).is_some_and(|fixed| fixed.iter().enumerate().all(is_in_place));
    fixed && (header.len() == LEN || (header[LEN] == b'-' && !header.starts_with(b"00")))
}

/// The one header of a record that a propagator may read.
struct Header<'m>(&'m str);

impl Extractor for Header<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    fn tracer() -> Tracer {
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        Tracer(Some(Arc::new(On { tracer, system: "test", parent: Context::new() })))
    }

    #[test]
    fn without_a_tracer_nothing_is_made_or_looked_at() {
        let tracer = Tracer::default();
        let mut span = tracer.send("topic");
        span.set("key", || -> String { panic!("must not be evaluated") });
        assert_eq!(span.traceparent(), None);
        let unread = std::iter::from_fn(|| -> Option<&'static [u8]> { panic!("must not be evaluated") });
        assert!(tracer.links(unread).0.is_empty());
    }

    #[test]
    fn a_span_and_its_parts_are_one_trace() {
        let tracer = tracer();
        let run = tracer.span("run");
        let send = tracer.within(&run).send("topic");
        let [run, send] = [run, send].map(|span| String::from_utf8(span.traceparent().unwrap().to_vec()).unwrap());
        assert_eq!(run[..35], send[..35], "the same trace");
        assert_ne!(run[35..], send[35..], "another span");
        assert_eq!((run.len(), &run[..3]), (55, "00-"));
    }

    #[test]
    fn distinct_contexts_are_linked_and_malformed_ones_are_not() {
        let one = |n: usize| format!("00-{n:032x}-{n:016x}-01").into_bytes();
        let check = |headers: &[&[u8]], expected: usize| {
            assert_eq!(tracer().links(headers.iter().copied()).0.len(), expected, "{headers:?}");
        };
        check(&[], 0);
        check(&[&one(1), &one(1), &one(2), &one(1)], 2);
        check(&[b"", b"\xff", b"00-1-2-01", &one(0), b"ff-00000000000000000000000000000001-0000000000000001-01"], 0);
        check(&[b"nonsense", &one(1)], 1);
        let with = |from: &str, to: &str| String::from_utf8(one(1)).unwrap().replacen(from, to, 1).into_bytes();
        check(&[&with("00-", "+0-"), &with("-01", "-1"), &with("-01", "-01-x"), &with("-01", "-0A")], 0);
        check(&[&with("00-", "01-"), &[with("00-", "cc-"), b"-more".to_vec()].concat()], 2);
        let many: Vec<_> = (1..1_000).map(one).collect();
        check(&many.iter().map(Vec::as_slice).collect::<Vec<_>>(), LINKS_MAX);
    }
}
