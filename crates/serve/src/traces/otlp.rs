//! Spans to a collector by OTLP over HTTP, as protobuf, as the environment's variables say
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>). They are sent by a thread of their own in batches; where
//! the collector does not keep up, spans are dropped and nobody waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::{HeaderMap, Uri};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HeaderExtractor, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::problem::{Error, Result};

const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const COMPRESSIONS: [&str; 2] =
    ["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"];
/// Certificates of one's own, which this exporter does not take.
const CERTIFICATES: [&str; 6] = [
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
];
/// A collector that is silent for longer holds up only other spans; the specification's value.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer, of which only an error is shown.
const ANSWER: u64 = 64 << 10;

/// What sends spans.
pub(super) struct Exporter(SdkTracerProvider);

impl Exporter {
    /// Begins to send to where `variable` of the environment says.
    pub fn start(variable: &str) -> Result<(Option<Self>, Vec<String>)> {
        check()?;
        let unfit =
            |error| Error::Usage(format!("traces cannot be sent as {variable} says: {error}"));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new())
            .build()
            .map_err(unfit)?;
        let named = Resource::builder().with_attribute(opentelemetry::KeyValue::new(
            "service.version",
            env!("CARGO_PKG_VERSION"),
        ));
        let is_named = std::env::var_os("OTEL_SERVICE_NAME").is_some_and(|name| !name.is_empty())
            || std::env::var("OTEL_RESOURCE_ATTRIBUTES")
                .is_ok_and(|all| all.contains("service.name="));
        let named = if is_named { named } else { named.with_service_name("tuwen") };
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(named.build());
        Ok((Some(Self(provider.build())), Vec::new()))
    }

    /// Takes our spans, and of what is told in them what went wrong.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> {
        let tracer = self.0.tracer("tuwen");
        let told = filter_fn(|about| {
            let ours = about.target().starts_with("tuwen");
            ours && (about.is_span() || *about.level() <= Level::WARN)
        });
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        layer.with_location(false).with_threads(false).with_target(false).with_filter(told)
    }

    /// Sends what waits, for up to five seconds.
    pub fn close(&self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Refuses what would otherwise be ignored.
fn check() -> Result<()> {
    let only = |names: [&str; 2], known: &str, cure: &str| {
        for name in names {
            let said = std::env::var(name).unwrap_or_default();
            if !["", known].contains(&said.trim()) {
                let what = format!("{name} is {said:?}, which is not done here: {cure}");
                return Err(Error::Usage(what));
            }
        }
        Ok(())
    };
    let port = "set it to \"http/protobuf\" or leave it out, and name the collector's port for HTTP (4318)";
    only(PROTOCOLS, "http/protobuf", port)?;
    only(COMPRESSIONS, "none", "set it to \"none\" or leave it out")?;
    match CERTIFICATES.into_iter().find(|name| std::env::var_os(name).is_some()) {
        None => Ok(()),
        Some(name) => Err(Error::Usage(format!(
            "{name} is set, but traces are sent with the public authorities' certificates alone: leave it out, \
             and let a collector on this machine send them on"
        ))),
    }
}

/// Makes a request a part of its client's trace (<https://www.w3.org/TR/trace-context/>).
pub(super) fn continue_trace(span: &Span, headers: &HeaderMap) {
    let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    // It fails where nobody takes the span.
    let _ = span.set_parent(parent);
}

/// The client that this program has already; it tells when sending begins to fail, and when it works again.
#[derive(Debug)]
struct Client {
    agent: ureq::Agent,
    is_failing: AtomicBool,
}

impl Client {
    fn new() -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            // The address is the operator's own.
            .max_redirects(0)
            .build();
        Self { agent: config.new_agent(), is_failing: AtomicBool::new(false) }
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = request.map(|body| body.to_vec());
        let (parts, mut body) = self.agent.run(request)?.into_parts();
        let read = body.with_config().limit(ANSWER).read_to_vec()?;
        Ok(Response::from_parts(parts, read.into()))
    }

    fn tell(&self, address: &Uri, failure: Option<String>) {
        let was_failing = self.is_failing.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(error) if !was_failing => tracing::warn!(
                %address, error, "traces are not sent; each batch is tried again, and what fails is lost"
            ),
            None if was_failing => tracing::info!(%address, "traces are sent again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Client {
    /// Blocks: it is called by the thread that sends.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let address = request.uri().clone();
        let answer = self.send(request);
        let failure = match &answer {
            Err(error) => Some(error.to_string()),
            Ok(answer) if !answer.status().is_success() => Some(answer.status().to_string()),
            Ok(_) => None,
        };
        self.tell(&address, failure);
        answer
    }
}
