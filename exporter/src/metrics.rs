//! What the exporter counts.

use platform::metrics::bounds::BUILD_SECONDS;

platform::metrics::declare! {
    EXPORT_SECONDS = Histogram("finops_export_build_seconds", BUILD_SECONDS, [], "Time of an exporter's pass over the changed tenants");
    EXPORT_BUILDS = Counter("finops_export_builds_total", [], "Tenants that an exporter has built because something of them had changed, or because they were due; also those that failed");
    EXPORT_FAILURES = Counter("finops_export_failures_total", [], "Tenants, or whole passes, that could not be exported; their old files stand");
    EXPORT_FAILING = Gauge("finops_export_failing", [], "Failures that stand, of tenants or of the whole pass; bad data is not tried again before something of the tenant changes");
    EXPORT_LAST = Gauge("finops_export_last_success_timestamp_seconds", [], "When the last pass without a failure ended, in seconds since the epoch");
    EXPORT_CHECKED = Gauge("finops_export_last_look_timestamp_seconds", [], "When the exporter last looked for changed tenants and left nothing to be tried again, in seconds since the epoch");
}
