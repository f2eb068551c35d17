//! `finops up`: validator, sink and exporter in one process until stopped.

use std::sync::Arc;

use contracts::topics;
use exporter::ExportOptions;
use platform::clock::SystemClock;
use platform::exit::ExitCode;
use platform::lifecycle::{SupervisedService, first_failure, supervise};
use platform::service::Until;

use crate::failure::{Failure, Result};
use crate::output::note;
use crate::ports::{self, OpenPorts};
use crate::settings::Settings;
use crate::watch::Watch;

pub fn run(settings: &Settings) -> Result<ExitCode> {
    let validator_config = ports::validator_config(settings, Until::Shutdown)?;
    let sink_config = ports::sink_config(settings, Until::Shutdown);
    let mut ports = OpenPorts::open(settings)?;
    let watch = Watch::start(
        settings,
        &mut ports,
        &["validator", "sink", "exporter"],
        &[topics::groups::VALIDATOR, topics::groups::SINK],
    )?;
    let OpenPorts { broker, store } = ports;
    let options = ExportOptions { limit: settings.findings_max, ..ExportOptions::default() };
    let exporter_config = ports::exporter_config(settings, options);
    let shutdown = ports::stop_on_signals()?;
    let validator_counters = Arc::new(validator::ValidatorCounters::observed(watch.observer("validator")));
    let sink_counters = Arc::new(sink::SinkCounters::observed(watch.observer("sink")));
    let exporter_deps = ports::exporter_deps(store.clone(), watch.observer("exporter"));
    let (for_validator, for_sink, for_cleaner) = (broker.clone(), broker.clone(), broker);
    let services = vec![
        SupervisedService::new("validator", move |stop| {
            validator::run(
                &validator_config,
                validator::ValidatorDeps {
                    broker: &*for_validator,
                    clock: &SystemClock,
                    counters: &validator_counters,
                },
                &stop,
            )
        }),
        SupervisedService::new("sink", move |stop| {
            sink::run(
                &sink_config,
                sink::SinkDeps { broker: &*for_sink, store: &*store, clock: &SystemClock, counters: &sink_counters },
                &stop,
            )
        }),
        SupervisedService::new("exporter", move |stop| exporter::run(&exporter_config, &exporter_deps, &stop)),
        SupervisedService::new("cleaner", move |stop| {
            ports::keep_clean(&*for_cleaner, &stop);
            Ok::<_, std::convert::Infallible>(())
        }),
    ];
    note!(
        "finops is up: reading wire findings from {}, writing to {}, exporting to {}; stop with Ctrl-C",
        settings.broker_location(),
        settings.store_location(),
        settings.export.display()
    );
    let ended = supervise(services, &shutdown);
    match first_failure(&ended) {
        Some(failure) => Err(Failure::new(ExitCode::Io, failure)),
        None => Ok(ExitCode::Done),
    }
}
