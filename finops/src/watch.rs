//! What a running service shows to an operator's tools: `/live`, `/ready` and `/metrics`, with the lag of its groups read
//! from the broker now and then. Off unless `http.listen` is set.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use contracts::datasets;
use contracts::topics;
use platform::broker::lag::lag;
use platform::broker::{self, Broker, TopicInfo};
use platform::clock::{Clock, SystemClock};
use platform::exit::ExitCode;
use platform::health::{Health, PartState, Pulse};
use platform::http::Server;
use platform::lifecycle::Shutdown;
use platform::metrics::{self, Metrics, number, table};
use platform::observe::Observer;
use platform::store::Store;
use platform::store::observed::ObservedStore;
use platform::trace::Tracer;
use serde_json::json;

use crate::failure::{Failure, Result};
use crate::output::note;
use crate::ports::OpenPorts;
use crate::resources::Resources;
use crate::settings::Settings;

/// How often lag, broker and store are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A dependency that has not answered for so long is away.
const AWAY_AFTER: Duration = Duration::from_secs(30);
/// Never written: reading it proves that the store answers.
const PROBE: &str = "_sink/v1/probe";

/// A process under watch; answers until it is dropped.
pub struct Watch {
    tracer: Tracer,
    metrics: Metrics,
    pulses: BTreeMap<&'static str, Pulse>,
    _server: Option<Server>,
    looking: Option<(Shutdown, std::thread::JoinHandle<()>)>,
}

impl Watch {
    /// Starts to answer for these services, and to look at these groups, when `http.listen` is set. Calls of the store are then
    /// counted.
    pub fn start(
        settings: &Settings,
        ports: &mut OpenPorts,
        services: &[&'static str],
        groups: &'static [&'static str],
    ) -> Result<Self> {
        let tracer = settings.traces.tracer().clone();
        let Some(address) = &settings.http_listen else {
            let (metrics, pulses) = (Metrics::default(), BTreeMap::new());
            return Ok(Self { tracer, metrics, pulses, _server: None, looking: None });
        };
        let (metrics, health) = (Metrics::registered(), Arc::new(Health::default()));
        metrics.set(&table::BUILD_INFO, [env!("CARGO_PKG_VERSION")], 1.0);
        // All parts first: who asks before a service has begun must hear that it is not ready.
        let (broker_pulse, store_pulse) =
            (health.dependency("broker", AWAY_AFTER), health.dependency("store", AWAY_AFTER));
        let stalled_after = settings.http_stalled_after;
        let pulses = services.iter().map(|name| (*name, health.service(name, stalled_after))).collect();
        let server = Server::start(address, router(metrics.clone(), health))
            .map_err(|e| Failure::new(ExitCode::Configuration, format!("http.listen: listening on {address}: {e}")))?;
        note!("health and metrics are at http://{}/live, /ready and /metrics", server.address());
        if let Some(warning) = exposure(server.address()) {
            tracing::warn!("{warning}");
        }
        ports.store = Arc::new(ObservedStore::new(ports.store.clone(), metrics.clone()));
        let mut probe = HealthProbe {
            broker: ports.broker.clone(),
            store: ports.store.clone(),
            metrics: metrics.clone(),
            resources: Resources::new(settings, metrics.clone()),
            broker_pulse,
            store_pulse,
            groups,
        };
        let stop = Shutdown::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("watch".to_owned()).spawn(move || probe.run_until(&stopped))?;
        Ok(Self { tracer, metrics, pulses, _server: Some(server), looking: Some((stop, thread)) })
    }

    /// What a service of this process reports to.
    pub fn observer(&self, service: &str) -> Observer {
        let pulse = self.pulses.get(service).cloned().unwrap_or_default();
        Observer { metrics: self.metrics.clone(), pulse, tracer: self.tracer.clone() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.looking.take() {
            stop.request("the services have ended");
            let _ = thread.join();
        }
    }
}

/// What others can see when the address is not of this machine alone.
fn exposure(address: SocketAddr) -> Option<String> {
    if address.ip().to_canonical().is_loopback() {
        return None;
    }
    let who = if address.ip().is_unspecified() { "every network of this machine" } else { "this address" };
    Some(format!(
        "http.listen is {address}: every host that reaches {who} can read health, topic names, consumer lag, counts and error codes \
         without a password; it shows no finding and takes no command. Set http.listen to 127.0.0.1:{}, or let a firewall \
         or network policy admit only the monitoring system",
        address.port()
    ))
}

fn router(metrics: Metrics, health: Arc<Health>) -> Router {
    let (alive, ready) = (health.clone(), health.clone());
    let scrape = move || async move {
        for state in health.states() {
            metrics.set(&table::READY, [state.name], f64::from(u8::from(state.ready)));
        }
        ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics.render())
    };
    Router::new()
        .route("/live", get(move || async move { verdict(&alive.states(), |state| state.alive) }))
        .route("/ready", get(move || async move { verdict(&ready.states(), |state| state.ready) }))
        .route("/metrics", get(scrape))
}

fn verdict(states: &[PartState], is_well: fn(&PartState) -> bool) -> impl IntoResponse + use<> {
    let all = states.iter().all(is_well);
    let status = if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "status": if all { "ok" } else { "failing" }, "parts": states });
    (status, [(CONTENT_TYPE, "application/json")], format!("{body}\n"))
}

/// Looks at broker and store.
struct HealthProbe {
    broker: Arc<dyn Broker>,
    store: Arc<dyn Store>,
    metrics: Metrics,
    resources: Resources,
    broker_pulse: Pulse,
    store_pulse: Pulse,
    groups: &'static [&'static str],
}

impl HealthProbe {
    fn run_until(&mut self, stopped: &Shutdown) {
        loop {
            let looked = self.resources.sample(&*self.broker).and_then(|()| self.look_at_broker());
            match looked {
                Ok(()) => self.broker_pulse.works(),
                Err(error) => {
                    tracing::warn!(%error, "lag could not be read");
                    self.metrics.add(&table::SAMPLE_FAILURES, [], 1);
                    self.broker_pulse.waits();
                }
            }
            match self.store.get(PROBE) {
                Ok(_) => self.store_pulse.works(),
                Err(error) => {
                    tracing::warn!(%error, "the store does not answer");
                    self.store_pulse.waits();
                }
            }
            if stopped.wait_timeout(LOOK_EVERY) {
                return;
            }
        }
    }

    fn look_at_broker(&self) -> broker::Result<()> {
        let (topics, now_ms) = (self.broker.topics()?, SystemClock.now_ms());
        for group in self.groups {
            for part in lag(&*self.broker, group, &topics_of(group, &topics))? {
                let partition = part.at.partition.to_string();
                let labels = [*group, &*part.at.topic, &*partition];
                let age_ms = part.oldest_ms.map_or(0, |oldest| now_ms.saturating_sub(oldest).max(0).unsigned_abs());
                self.metrics.set(&table::LAG, labels, number(part.lag));
                self.metrics.set(&table::OLDEST, labels, number(age_ms) / 1e3);
                self.metrics.set(&table::TOPIC_END, [labels[1], labels[2]], number(part.end));
            }
        }
        Ok(())
    }
}

/// The topics a group reads.
pub fn topics_of(group: &str, all: &[TopicInfo]) -> Vec<TopicInfo> {
    let is_read = |topic: &&TopicInfo| match group {
        topics::groups::VALIDATOR => topics::is_wire(&topic.name),
        _ => datasets::has_topic(&topic.name),
    };
    all.iter().filter(is_read).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_reach_is_warned_about() {
        let check = |address: &str, is_warned: bool| {
            let warning = exposure(address.parse().unwrap());
            assert_eq!(warning.is_some(), is_warned, "{address}: {warning:?}");
        };
        check("127.0.0.1:9464", false);
        check("127.8.8.8:1", false);
        check("[::1]:9464", false);
        check("[::ffff:127.0.0.1]:9464", false);
        check("0.0.0.0:9464", true);
        check("[::]:9464", true);
        check("10.1.2.3:9464", true);
        check("203.0.113.9:80", true);
        assert!(exposure("0.0.0.0:9464".parse().unwrap()).unwrap().contains("127.0.0.1:9464"));
    }
}
