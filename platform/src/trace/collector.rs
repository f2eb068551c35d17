//! Sends spans to a collector by OTLP over HTTP, on a thread of its own with a bounded queue. A collector that does not
//! answer costs spans, and nothing else: it is reported once, and a stop waits for it a bounded time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response};
use hyper_rustls::HttpsConnectorBuilder;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_semantic_conventions::attribute;
use percent_encoding::percent_decode_str;
use tokio::runtime::{Builder, Runtime};

use super::sampler::sampler;
use super::{On, Tracer};
use crate::config::{Config, ConfigProblem, ConfigProblems, Declaration, Secret, Setting};

const ENDPOINT: Setting<Option<String>> = Setting::url("telemetry.otlp.endpoint", &["http", "https"])
    .help("base URL of an OpenTelemetry collector that takes OTLP over HTTP [default: none, no traces]")
    .also("OTEL_EXPORTER_OTLP_ENDPOINT")
    .optional();
const HEADERS: Setting<Option<Secret>> = Setting::secret("telemetry.otlp.headers")
    .help("headers of each request, such as authorization=Bearer%20x,scope=y; values are percent-encoded")
    .also("OTEL_EXPORTER_OTLP_HEADERS")
    .optional();
const TIMEOUT: Setting<Duration> =
    Setting::duration("telemetry.otlp.timeout", Duration::from_millis(100)..=Duration::from_secs(60))
        .default("5s")
        .help("time the collector has to take a batch of spans, and a stop waits for the last ones");
const SAMPLE: Setting<u32> = Setting::integer("telemetry.sample_percent", 0..=100)
    .default("100")
    .help("runs and batches of which traces are sent; a batch with records of such a run always is one");
const SERVICE: Setting<String> = Setting::text("telemetry.service_name")
    .default("finops")
    .help("name of this process in traces")
    .also("OTEL_SERVICE_NAME");

/// The settings of this module.
pub const SETTINGS: &[Declaration] =
    &[ENDPOINT.declared(), HEADERS.declared(), TIMEOUT.declared(), SAMPLE.declared(), SERVICE.declared()];

/// The spans of this process on their way to the collector. Dropping it sends the last ones.
#[derive(Debug, Default)]
pub struct Traces {
    tracer: Tracer,
    sending: Option<Sending>,
}

#[derive(Debug)]
struct Sending {
    provider: SdkTracerProvider,
    timeout: Duration,
    report: Arc<Report>,
}

impl Traces {
    /// Begins to send traces when a collector is configured; `system` is what the broker is called.
    ///
    /// # Errors
    /// Settings that cannot work. A collector that is away is none.
    pub fn start(config: &Config, system: &'static str) -> Result<Self, ConfigProblems> {
        let Some(endpoint) = config.get(&ENDPOINT)? else { return Ok(Self::default()) };
        let unusable = |reason: String| config.problem(&ENDPOINT, reason);
        if url::Url::parse(&endpoint).is_ok_and(|url| !url.username().is_empty() || url.password().is_some()) {
            return Err(unusable("credentials belong into telemetry.otlp.headers".to_owned()).into());
        }
        let headers = match config.get(&HEADERS)? {
            None => HeaderMap::new(),
            Some(text) => headers(text.expose()).map_err(|reason| config.problem(&HEADERS, reason))?,
        };
        let timeout = config.get(&TIMEOUT)?;
        let report = Arc::new(Report { endpoint: endpoint.clone(), failing: AtomicBool::new(false) });
        let client = Client::new(&endpoint, headers, timeout, report.clone()).map_err(|e| unusable(e.to_string()))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(timeout)
            .build()
            .map_err(|e| unusable(e.to_string()))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler(config.get(&SAMPLE)?))
            .with_resource(resource(config)?)
            .build();
        let tracer = provider.tracer("finops");
        let tracer = Tracer(Some(Arc::new(On { tracer, system, parent: Context::new() })));
        Ok(Self { tracer, sending: Some(Sending { provider, timeout, report }) })
    }

    /// Makes the spans.
    #[must_use]
    pub fn tracer(&self) -> &Tracer {
        &self.tracer
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Some(Sending { provider, timeout, report }) = &self.sending
            && let Err(error) = provider.shutdown_with_timeout(*timeout)
        {
            report.failed(&error);
        }
    }
}

fn resource(config: &Config) -> Result<Resource, ConfigProblem> {
    Ok(Resource::builder()
        .with_service_name(config.get(&SERVICE)?)
        .with_attributes([
            KeyValue::new(attribute::SERVICE_VERSION, env!("CARGO_PKG_VERSION")),
            KeyValue::new(attribute::SERVICE_INSTANCE_ID, uuid::Uuid::new_v4().to_string()),
        ])
        .build())
}

/// `name=value,name=value`, values percent-encoded, as `OTEL_EXPORTER_OTLP_HEADERS` has them. A reason names no value.
fn headers(text: &str) -> Result<HeaderMap, String> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or("expected name=value, separated by commas")?;
            let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| "a name is no header name")?;
            let decoded: Vec<u8> = percent_decode_str(value.trim()).collect();
            let mut value =
                HeaderValue::from_bytes(&decoded).map_err(|_| format!("the value of {name} is no header value"))?;
            value.set_sensitive(true);
            Ok((name, value))
        })
        .collect()
}

/// Says once that spans do not arrive, and once that they do again.
#[derive(Debug)]
struct Report {
    endpoint: String,
    failing: AtomicBool,
}

impl Report {
    fn failed(&self, why: &dyn std::fmt::Display) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(endpoint = self.endpoint, %why, "traces cannot be sent: going on without them");
        }
    }

    fn worked(&self) {
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!(endpoint = self.endpoint, "traces are sent again");
        }
    }
}

/// The HTTP client, on a runtime of its own: the thread that sends spans has none.
#[derive(Debug)]
struct Client {
    http: Arc<dyn HttpClient>,
    headers: HeaderMap,
    report: Arc<Report>,
    runtime: Option<Runtime>,
}

impl Client {
    fn new(endpoint: &str, headers: HeaderMap, timeout: Duration, report: Arc<Report>) -> std::io::Result<Self> {
        let http: Arc<dyn HttpClient> = if endpoint.starts_with("https:") {
            let provider = rustls::crypto::aws_lc_rs::default_provider();
            let connector =
                HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?.https_only().enable_http1();
            Arc::new(HyperClient::new(connector.build(), timeout, None))
        } else {
            Arc::new(HyperClient::with_default_connector(timeout, None))
        };
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("traces").enable_all().build()?;
        Ok(Self { http, headers, report, runtime: Some(runtime) })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let runtime = self.runtime.as_ref().ok_or("the client is closed")?;
        request.headers_mut().extend(self.headers.clone());
        let http = self.http.clone();
        let answer = runtime.spawn(async move { http.send_bytes(request).await }).await?;
        match &answer {
            Ok(response) if response.status().is_success() => self.report.worked(),
            Ok(response) => self.report.failed(&response.status()),
            Err(error) => self.report.failed(&innermost(&**error)),
        }
        answer
    }
}

impl Drop for Client {
    /// A name that is being looked up must not hold up a stop.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The cause that tells most, such as "connection refused".
fn innermost<'e>(error: &'e (dyn std::error::Error + 'static)) -> &'e (dyn std::error::Error + 'static) {
    std::iter::successors(Some(error), |cause| cause.source()).last().unwrap_or(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigBuilder;

    fn start(file: &str, env: &[(&str, &str)]) -> Result<Traces, String> {
        let config = ConfigBuilder::new(&[SETTINGS]).file("finops.toml", file).env(env.iter().copied()).resolve();
        Traces::start(&config.map_err(|e| e.to_string())?, "test").map_err(|e| e.to_string())
    }

    #[test]
    fn traces_are_off_unless_a_collector_is_configured() {
        assert!(start("", &[]).unwrap().tracer().0.is_none());
        assert!(start("telemetry.otlp.endpoint = 'http://127.0.0.1:1'", &[]).unwrap().tracer().0.is_some());
        assert!(start("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:1")]).unwrap().tracer().0.is_some());
    }

    #[test]
    fn what_cannot_work_is_a_problem_that_holds_no_secret() {
        let check = |settings: &str, expected: &str| {
            let found = start(&format!("[telemetry]\notlp.endpoint = 'http://h:1'\n{settings}"), &[]).unwrap_err();
            assert!(found.contains(expected) && !found.contains("hunter2"), "{found}");
        };
        check("otlp.headers = 'hunter2'", "finops.toml:3: telemetry.otlp.headers: expected name=value");
        check("otlp.headers = 'a=1,b c=hunter2'", "a name is no header name");
        check("otlp.headers = 'a=hunter2%0a'", "the value of a is no header value");
        check("sample_percent = 101", "expected a whole number from 0 to 100");
        let found = start("telemetry.otlp.endpoint = 'http://me:hunter2@h:1'", &[]).unwrap_err();
        assert!(
            found.contains("credentials belong into telemetry.otlp.headers") && !found.contains("hunter2"),
            "{found}"
        );
    }

    #[test]
    fn headers_are_percent_encoded() {
        let headers = headers("authorization=Bearer%20x%3Dy, scope=acme,").unwrap();
        assert_eq!(
            (&headers["authorization"], &headers["scope"]),
            (&"Bearer x=y".parse().unwrap(), &"acme".parse().unwrap())
        );
        assert_eq!(format!("{:?}", headers["scope"]), "Sensitive");
    }
}
