//! Which spans are kept: whole traces, across topics.

use opentelemetry::trace::{Link, SpanKind, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

/// A part follows its whole; a batch is kept when it has records of a trace that is; the rest is kept by chance.
pub(super) fn sampler(percent: u32) -> impl Into<Box<dyn ShouldSample>> {
    Sampler::parent_based(Linked(Sampler::TraceIdRatioBased(f64::from(percent) / 100.0)))
}

#[derive(Debug, Clone)]
struct Linked(Sampler);

impl ShouldSample for Linked {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        if links.iter().any(|link| link.span_context.is_sampled()) {
            let decision = SamplingDecision::RecordAndSample;
            return SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::NONE };
        }
        self.0.should_sample(parent_context, trace_id, name, span_kind, attributes, links)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Span, SpanContext, SpanId, TraceFlags, Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    #[test]
    fn a_batch_is_kept_with_the_trace_of_its_records() {
        let check = |percent: u32, link: Option<TraceFlags>, expected: bool| {
            let tracer = SdkTracerProvider::builder().with_sampler(sampler(percent)).build().tracer("test");
            let context =
                |flags| SpanContext::new(TraceId::from(1), SpanId::from(1), flags, true, TraceState::default());
            let links = link.map(|flags| Link::with_context(context(flags))).into_iter().collect();
            let span = tracer.span_builder("process").with_links(links).start(&tracer);
            assert_eq!(span.span_context().is_sampled(), expected, "{percent} % {link:?}");
        };
        check(100, None, true);
        check(0, None, false);
        check(0, Some(TraceFlags::NOT_SAMPLED), false);
        check(0, Some(TraceFlags::SAMPLED), true);
        check(100, Some(TraceFlags::NOT_SAMPLED), true);
    }
}
