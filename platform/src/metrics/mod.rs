//! Numbers for Prometheus: every metric is declared once, by [`declare!`] in the crate that counts it ([`table`] has those of this
//! one), and updated through its declaration. Services get [`Metrics`] passed in; without a registry every update is a test of an
//! `Option`. Updates are made per batch, file or commit, never per record.

pub mod bounds;
pub mod table;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::{counter, gauge, histogram};
use prometheus_client::registry::Registry;

/// Content type of what [`Metrics::render`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A metric as a row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Name as it is scraped; ends in its unit, counters in `_total`.
    pub name: &'static str,
    /// Type.
    pub kind: MetricKind,
    /// Label names. Their values come from closed lists, or are topics and partitions: never what users bring.
    pub labels: &'static [&'static str],
    /// What it tells, without a full stop.
    pub help: &'static str,
}

/// Type of a metric.
#[derive(Debug, Clone, Copy)]
pub enum MetricKind {
    /// Only rises.
    Counter,
    /// Only rises, in parts of a second.
    SecondsCounter,
    /// Rises and falls.
    Gauge,
    /// Counts observations by upper bounds.
    Histogram(&'static [f64]),
}

macro_rules! declarations {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty)?) $kind:expr;)+) => {
        $($(#[$doc])*
        #[derive(Debug)]
        pub struct $name<const LABELS: usize>(Definition);

        impl<const LABELS: usize> $name<LABELS> {
            /// Declares one. [`declare!`] does.
            #[must_use]
            pub const fn new(
                name: &'static str,
                $($argument: $type,)?
                labels: &'static [&'static str; LABELS],
                help: &'static str,
            ) -> Self {
                Self(Definition { name, kind: $kind, labels, help })
            }

            /// Its row.
            #[must_use]
            pub const fn definition(&self) -> Definition {
                self.0
            }
        })+
    };
}

declarations! {
    /// A declared counter.
    Counter() MetricKind::Counter;
    /// A declared counter of seconds.
    SecondsCounter() MetricKind::SecondsCounter;
    /// A declared gauge.
    Gauge() MetricKind::Gauge;
    /// A declared histogram.
    Histogram(bounds: &'static [f64]) MetricKind::Histogram(bounds);
}

/// The metrics of one crate. Made by [`declare!`], by nothing else.
#[derive(Debug)]
pub struct Table(#[doc(hidden)] pub &'static [Definition]);

inventory::collect!(Table);

#[doc(hidden)]
pub use inventory;

/// Declares the metrics of a crate, one a line: constants whose type says how many labels they have. They are known to
/// [`declared`] and [`Metrics::registered`] wherever the crate is linked in.
///
/// ```
/// platform::metrics::declare! {
///     TURNS = Counter("example_turns_total", ["wheel"], "Turns of a wheel");
/// }
/// platform::metrics::Metrics::registered().add(&TURNS, ["front"], 1);
/// ```
#[doc(inline)]
pub use crate::__metrics_declare as declare;

#[doc(hidden)]
#[macro_export]
macro_rules! __metrics_declare {
    ($($name:ident = $kind:ident($metric:literal, $($bounds:ident,)? [$($label:literal),*], $help:literal);)+) => {
        $(#[doc = $help]
        pub const $name: $crate::metrics::$kind<{ <[&str]>::len(&[$($label),*]) }> =
            $crate::metrics::$kind::new($metric, $($bounds,)? &[$($label),*], $help);)+

        $crate::metrics::inventory::submit! { $crate::metrics::Table(&[$($name.definition()),+]) }
    };
}

/// Every metric of the crates that are linked into this program, by name.
#[must_use]
pub fn declared() -> Vec<&'static Definition> {
    let mut all: Vec<_> = inventory::iter::<Table>().flat_map(|table| table.0).collect();
    all.sort_unstable_by_key(|metric| metric.name);
    all
}

type Labels = Vec<(&'static str, String)>;

/// Where services put their numbers; clones share them. The default keeps nothing.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Option<Arc<Registered>>);

#[derive(Debug, Default)]
struct Registered {
    registry: Registry,
    counters: HashMap<&'static str, Family<Labels, counter::Counter>>,
    seconds: HashMap<&'static str, Family<Labels, counter::Counter<f64, AtomicU64>>>,
    gauges: HashMap<&'static str, Family<Labels, gauge::Gauge<f64, AtomicU64>>>,
    histograms: HashMap<&'static str, Family<Labels, histogram::Histogram, Bounds>>,
}

#[derive(Debug, Clone)]
struct Bounds(&'static [f64]);

impl MetricConstructor<histogram::Histogram> for Bounds {
    fn new_metric(&self) -> histogram::Histogram {
        histogram::Histogram::new(self.0.iter().copied())
    }
}

impl Metrics {
    /// Keeps every metric that is [`declared`]. Counters without labels are 0 from the start; which labels there will be is not
    /// known here.
    #[must_use]
    pub fn registered() -> Self {
        let mut all = Registered::default();
        for Definition { name, kind, help, labels } in declared() {
            match kind {
                MetricKind::Counter => {
                    let family = Family::<Labels, counter::Counter>::default();
                    if labels.is_empty() {
                        // Prometheus sees a counter rise only from a number that it has seen before.
                        drop(family.get_or_create(&Labels::default()));
                    }
                    // The format adds the suffix itself.
                    all.registry.register(name.trim_end_matches("_total"), *help, family.clone());
                    all.counters.insert(name, family);
                }
                MetricKind::SecondsCounter => {
                    let family = Family::default();
                    all.registry.register(name.trim_end_matches("_total"), *help, family.clone());
                    all.seconds.insert(name, family);
                }
                MetricKind::Gauge => {
                    let family = Family::default();
                    all.registry.register(*name, *help, family.clone());
                    all.gauges.insert(name, family);
                }
                MetricKind::Histogram(bounds) => {
                    let family = Family::new_with_constructor(Bounds(bounds));
                    all.registry.register(*name, *help, family.clone());
                    all.histograms.insert(name, family);
                }
            }
        }
        Self(Some(Arc::new(all)))
    }

    /// Raises a counter; `labels` are the values, in the order of the declaration.
    pub fn add<const LABELS: usize>(&self, counter: &Counter<LABELS>, labels: [&str; LABELS], n: u64) {
        if let Some(family) = self.0.as_ref().and_then(|all| all.counters.get(counter.0.name)) {
            family.get_or_create(&named(&counter.0, labels)).inc_by(n);
        }
    }

    /// Raises a counter of seconds.
    pub fn add_time<const LABELS: usize>(
        &self,
        counter: &SecondsCounter<LABELS>,
        labels: [&str; LABELS],
        time: Duration,
    ) {
        if let Some(family) = self.0.as_ref().and_then(|all| all.seconds.get(counter.0.name)) {
            family.get_or_create(&named(&counter.0, labels)).inc_by(time.as_secs_f64());
        }
    }

    /// Sets a gauge.
    pub fn set<const LABELS: usize>(&self, gauge: &Gauge<LABELS>, labels: [&str; LABELS], value: f64) {
        if let Some(family) = self.0.as_ref().and_then(|all| all.gauges.get(gauge.0.name)) {
            family.get_or_create(&named(&gauge.0, labels)).set(value);
        }
    }

    /// Counts an observation.
    pub fn observe<const LABELS: usize>(&self, histogram: &Histogram<LABELS>, labels: [&str; LABELS], value: f64) {
        if let Some(family) = self.0.as_ref().and_then(|all| all.histograms.get(histogram.0.name)) {
            family.get_or_create(&named(&histogram.0, labels)).observe(value);
        }
    }

    /// All numbers in the text form of OpenMetrics.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        if let Some(all) = &self.0
            && let Err(error) = encode(&mut text, &all.registry)
        {
            tracing::error!(%error, "metrics cannot be written as text");
        }
        text
    }
}

fn named<const LABELS: usize>(definition: &Definition, values: [&str; LABELS]) -> Labels {
    definition.labels.iter().copied().zip(values.map(str::to_owned)).collect()
}

/// A count as a metric's value: exact up to 2^53, and beyond that near enough to look at.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn number(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::bounds::SECONDS;
    use super::*;

    declare! {
        WRITES = Counter("test_writes_total", ["code"], "Writes");
        HELD_BYTES = Gauge("test_held_bytes", ["stage"], "Bytes");
        WRITE_SECONDS = Histogram("test_write_seconds", SECONDS, [], "Time of a write");
    }

    #[test]
    fn what_was_counted_is_scraped() {
        let metrics = Metrics::registered();
        metrics.add(&WRITES, ["full"], 2);
        metrics.add(&WRITES, ["full"], 1);
        metrics.set(&HELD_BYTES, ["writer"], 1024.0);
        metrics.observe(&WRITE_SECONDS, [], 0.004);
        metrics.add_time(&table::PROCESS_CPU, [], Duration::from_millis(1_250));
        metrics.add_time(&table::PROCESS_CPU, [], Duration::from_millis(500));
        let text = metrics.render();
        for line in [
            "# TYPE test_writes counter",
            "test_writes_total{code=\"full\"} 3",
            "test_held_bytes{stage=\"writer\"} 1024.0",
            "test_write_seconds_count{} 1",
            "# TYPE process_cpu_seconds counter",
            "process_cpu_seconds_total{} 1.75",
            "test_write_seconds_bucket{le=\"0.005\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_counter_without_labels_is_there_before_it_rises() {
        let text = Metrics::registered().render();
        for Definition { name, kind, labels, .. } in declared() {
            let is_there = text.lines().any(|line| line == format!("{name}{{}} 0") || line == format!("{name} 0"));
            // A gauge that was never set must not say 0: that would be a time, or an age.
            assert_eq!(is_there, matches!(kind, MetricKind::Counter) && labels.is_empty(), "{name} in\n{text}");
        }
    }

    #[test]
    fn without_a_registry_nothing_is_kept() {
        let metrics = Metrics::default();
        metrics.add(&WRITES, ["full"], 2);
        assert_eq!(metrics.render(), "");
    }
}
