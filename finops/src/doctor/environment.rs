//! Asks broker and store, as the services will. They are opened apart from each other, and each question has the time-out to
//! itself: what is dead or slow hides nothing else.

use std::time::Duration;

use super::{Check, broker, files, store, within};
use crate::settings::Settings;

pub fn checks(settings: &Settings, timeout: Duration) -> Vec<Check> {
    let (broker, store) = (broker::open(settings, timeout), store::open(settings, timeout));
    let mut checks = match &broker {
        Ok(broker) => broker::checks(broker, settings, timeout),
        Err(check) => vec![check.clone()],
    };
    if let (Ok(broker), Ok(store)) = (&broker, &store) {
        let (broker, store, location) = (broker.clone(), store.clone(), settings.store_location());
        let look = move || broker::store_of_sinks(&*broker, store.as_deref(), &location);
        checks.push(within(broker::STORE_OF_SINKS, timeout, look).unwrap_or_else(|late| late));
    }
    if let Ok(Some(store)) = &store {
        checks.push(files::check(store.clone(), timeout));
    }
    checks.extend(match store {
        Ok(Some(_)) if store::is_only_read(settings) => vec![store::only_read(settings)],
        Ok(Some(store)) => store::checks(&store, timeout),
        Ok(None) => store::not_yet(settings, timeout),
        Err(check) => vec![check],
    });
    checks
}
