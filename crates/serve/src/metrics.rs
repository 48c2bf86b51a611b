//! Counts of what was asked and how long it took, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper ends of the histogram, in milliseconds.
const BUCKETS: [u32; 13] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 30_000];

/// See the module. Routes are those of the router, so that no client makes more of them.
#[derive(Default)]
pub(crate) struct Metrics {
    routes: Mutex<BTreeMap<String, Route>>,
}

#[derive(Default)]
struct Route {
    statuses: BTreeMap<u16, u64>,
    /// Requests up to each end, one after the other.
    buckets: [u64; BUCKETS.len()],
    seconds: f64,
}

impl Metrics {
    /// Notes an answer.
    pub fn note(&self, route: &str, status: u16, took: Duration) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), Route::default());
        }
        let of = routes.get_mut(route).expect("just there");
        *of.statuses.entry(status).or_default() += 1;
        of.seconds += took.as_secs_f64();
        let at = BUCKETS.iter().position(|&end| took <= Duration::from_millis(end.into()));
        if let Some(at) = at {
            of.buckets[at] += 1;
        }
    }

    /// Writes all of them.
    pub fn write(&self, out: &mut String) {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        head(out, "tuwen_requests_total", "counter", "Requests by route and status.");
        for (route, of) in routes.iter() {
            for (status, count) in &of.statuses {
                let labels = format!("route=\"{}\",status=\"{status}\"", label(route));
                line(out, "tuwen_requests_total", &labels, count);
            }
        }
        let name = "tuwen_request_seconds";
        head(out, name, "histogram", "How long requests took.");
        for (route, of) in routes.iter() {
            let route = format!("route=\"{}\"", label(route));
            let mut below = 0;
            for (end, count) in BUCKETS.iter().zip(of.buckets) {
                below += count;
                let labels = format!("{route},le=\"{}\"", f64::from(*end) / 1000.0);
                line(out, &format!("{name}_bucket"), &labels, below);
            }
            let all: u64 = of.statuses.values().sum();
            line(out, &format!("{name}_bucket"), &format!("{route},le=\"+Inf\""), all);
            line(out, &format!("{name}_sum"), &route, of.seconds);
            line(out, &format!("{name}_count"), &route, all);
        }
    }
}

/// The two lines before a metric's values.
pub(crate) fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// One value.
pub(crate) fn line(out: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = writeln!(out, "{name}{{{labels}}} {value}");
}

/// A label's value as the format wants it.
pub(crate) fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_up_and_labels_are_quoted() {
        let metrics = Metrics::default();
        for (status, ms) in [(200, 1), (200, 7), (429, 60_000)] {
            metrics.note("/v1/\"x", status, Duration::from_millis(ms));
        }
        let mut text = String::new();
        metrics.write(&mut text);
        for wanted in [
            "tuwen_requests_total{route=\"/v1/\\\"x\",status=\"200\"} 2\n",
            "tuwen_request_seconds_bucket{route=\"/v1/\\\"x\",le=\"0.001\"} 1\n",
            "tuwen_request_seconds_bucket{route=\"/v1/\\\"x\",le=\"0.01\"} 2\n",
            "tuwen_request_seconds_bucket{route=\"/v1/\\\"x\",le=\"30\"} 2\n",
            "tuwen_request_seconds_bucket{route=\"/v1/\\\"x\",le=\"+Inf\"} 3\n",
            "tuwen_request_seconds_count{route=\"/v1/\\\"x\"} 3\n",
        ] {
            assert!(text.contains(wanted), "{wanted}{text}");
        }
    }
}
