//! What the server tells of itself while it runs: lines on standard error, and spans (a request, its waiting for a
//! queue or a room, a batch that served several) for a collector of OpenTelemetry, where the program was built with
//! `otel`. A span names routes, queues and counts, never what somebody searched for.

#[cfg_attr(not(feature = "otel"), path = "no_otlp.rs")]
mod otlp;

use axum::http::{HeaderMap, Method};
use tracing::Span;
use tracing::field::Empty;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::Result;

/// Where traces go, in the order of the specification.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// What was started; it sends spans until it is closed.
pub struct Telemetry {
    exporter: Option<otlp::Exporter>,
    /// What a user should know.
    pub notes: Vec<String>,
}

impl Telemetry {
    /// Sends what was not sent yet.
    pub fn close(&self) {
        if let Some(exporter) = &self.exporter {
            exporter.close();
        }
    }
}

/// Lines up to `level` on standard error, and spans to the collector that the environment names
/// (`OTEL_EXPORTER_OTLP_ENDPOINT` and the other variables of the specification). Once in a process.
///
/// # Errors
/// A variable asks for what this exporter does not do.
pub fn start(level: LevelFilter) -> Result<Telemetry> {
    let (exporter, notes) = match endpoint() {
        Some(variable) => otlp::Exporter::start(variable)?,
        None => (None, Vec::new()),
    };
    // Spans are for collectors: a line says all by itself. What the exporter has to say `otlp` says, with the address.
    let is_said = move |about: &tracing::Metadata| {
        let own = *about.level() <= level && about.is_event();
        // The protocol of assistants says much of what is no news.
        let usual = *about.level() <= LevelFilter::WARN || !about.target().starts_with("rmcp");
        let loud = level >= LevelFilter::DEBUG;
        own && (loud || usual && !about.target().starts_with("opentelemetry"))
    };
    let lines = filter_fn(is_said);
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .with_filter(lines.with_max_level_hint(level));
    let all = tracing_subscriber::registry().with(lines);
    match &exporter {
        Some(exporter) => all.with(exporter.layer()).init(),
        None => all.init(),
    }
    Ok(Telemetry { exporter, notes })
}

/// The variable by which somebody wants traces.
fn endpoint() -> Option<&'static str> {
    let says = |name: &str, value: &str| {
        std::env::var(name).is_ok_and(|said| said.trim().eq_ignore_ascii_case(value))
    };
    if says("OTEL_SDK_DISABLED", "true") || says("OTEL_TRACES_EXPORTER", "none") {
        return None;
    }
    ENDPOINTS.into_iter().find(|name| std::env::var_os(name).is_some_and(|said| !said.is_empty()))
}

/// The span of a request, a part of its client's trace where that sent a `traceparent`.
pub(crate) fn request(method: &Method, route: &str, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        "request",
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = %method,
        http.route = route,
        http.response.status_code = Empty,
    );
    if !span.is_disabled() {
        otlp::continue_trace(&span, headers);
    }
    span
}

/// Notes how a request ended; what a client did wrong is no error of the server.
pub(crate) fn answered(span: &Span, status: u16) {
    // Attributes have no unsigned numbers: such a one would become a text.
    span.record("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

/// The span of waiting for a place in `name` and for what is done there.
pub(crate) fn asked(name: &'static str, inputs: usize) -> Span {
    tracing::info_span!("ask", otel.name = name, tuwen.inputs = inputs as i64)
}

/// The span of one pass over inputs that several may have asked for: in the trace of the first of them, linked with
/// those of the others.
pub(crate) fn batch<'a>(name: &'static str, mut askers: impl Iterator<Item = &'a Span>) -> Span {
    let first = askers.next().and_then(Span::id);
    let span = tracing::info_span!(
        parent: first,
        "batch",
        otel.name = format_args!("batch of {name}"),
        tuwen.queue = name,
        tuwen.inputs = Empty,
    );
    if !span.is_disabled() {
        let mut inputs = 1_i64;
        for asker in askers {
            span.follows_from(asker);
            inputs += 1;
        }
        span.record("tuwen.inputs", inputs);
    }
    span
}
