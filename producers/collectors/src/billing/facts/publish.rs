//! Makes the facts of a load live, month by month. Each month is one conditional replace of its manifest: after a conflict the
//! manifest is read again and the rule decides again, because another load may have brought the same source meanwhile.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use contracts::cost_manifest::{CostManifest, FactsPart, LiveDelivery};
use platform::failpoint;
use platform::retry::Backoff;
use platform::store::ReplaceOutcome;

use super::merge::{Merge, Merged};
use super::month::{Live, Month, names};
use super::options::LoadOptions;
use super::plan::{Plan, are_distinct};
use super::report::LiveMonth;
use super::upgrade;
use super::writer::{FactsWriter, OwnFacts};
use crate::billing::error::LoadError;

/// Attempts to replace the manifest of a month. After each failed one another load has succeeded, so this is how many loads
/// of one month may finish at the same time.
const ATTEMPTS_MAX: u32 = 64;
const BACKOFF_FIRST: Duration = Duration::from_millis(5);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

impl<'a> FactsWriter<'a> {
    /// Makes all months live. A delivery that the rule refuses in any month is refused before one is changed.
    ///
    /// # Errors
    /// [`LoadError::Overlap`] when the rule refuses; a month cannot be encoded or stored, or other loads of it were faster
    /// every time. [`LoadError::InPart`] names the months that are live already.
    pub fn publish(mut self, options: &LoadOptions) -> Result<Vec<LiveMonth>, LoadError> {
        let periods = self.months();
        let mut own = BTreeMap::new();
        for period in &periods {
            let deliveries = self.deliveries(period)?;
            are_distinct(period, &deliveries, options.overlap)?;
            let month = self.month(period, options);
            let live = month.read()?;
            if live.plan(&month, &deliveries)?.joins.is_empty() {
                self.drop_month(period);
            }
            own.insert(period.clone(), deliveries);
        }
        let mut done: Vec<LiveMonth> = Vec::new();
        for (period, deliveries) in own {
            let published = self.publish_month(&period, deliveries, options);
            let live = || done.iter().map(|month| month.billing_period.clone()).collect::<Vec<_>>();
            match published {
                Ok(month) => done.push(month),
                Err(error) if done.is_empty() => return Err(error),
                Err(error) => return Err(LoadError::InPart { live: live(), period, source: Box::new(error) }),
            }
        }
        Ok(done)
    }

    fn publish_month(
        &mut self,
        period: &str,
        deliveries: Vec<LiveDelivery>,
        options: &LoadOptions,
    ) -> Result<LiveMonth, LoadError> {
        let part = self.finish_month(period)?;
        let month = self.month(period, options);
        let own = OwnFacts { part, deliveries };
        let outcome = month.make_live(&own);
        if let (Err(_), Some(part), false) = (&outcome, &own.part, month.is_unanswered.get()) {
            month.remove_unnamed(&part.part);
        }
        outcome
    }

    fn month(&self, period: &str, options: &LoadOptions) -> Month<'a> {
        Month {
            store: self.store(),
            tenant: self.tenant().to_owned(),
            folder: self.folder(period),
            period: period.to_owned(),
            options: options.clone(),
            is_unanswered: Cell::new(false),
        }
    }
}

impl Month<'_> {
    fn make_live(&self, own: &OwnFacts) -> Result<LiveMonth, LoadError> {
        let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_MAX);
        let mut unanswered = None;
        for _ in 0..ATTEMPTS_MAX {
            let live = self.read()?;
            match self.attempt(own, &live) {
                // The replace without an answer has happened: report what it did.
                Ok(Some(month)) if month.is_unchanged() => return Ok(unanswered.unwrap_or(month)),
                Ok(Some(month)) => return Ok(month),
                Ok(None) => {}
                // Another load may have removed a file that this one was reading.
                Err(error) if !error.is_bad_input() && self.has_changed_since(&live)? => {
                    tracing::debug!(period = self.period, %error, "the month has changed meanwhile, deciding again");
                    if self.is_unanswered.get() {
                        unanswered = live.plan(self, &own.deliveries).ok().map(|plan| plan.report(self, &live, own));
                    }
                }
                Err(error) => return Err(error),
            }
            thread::sleep(backoff.next_delay());
        }
        Err(LoadError::Contended { period: self.period.clone(), attempts: ATTEMPTS_MAX })
    }

    /// `None` when another load was faster.
    fn attempt(&self, own: &OwnFacts, live: &Live) -> Result<Option<LiveMonth>, LoadError> {
        let plan = live.plan(self, &own.deliveries)?;
        let month = plan.report(self, live, own);
        let Some(part) = own.part.as_ref().filter(|_| !plan.joins.is_empty()) else {
            let is_named = |name: &str| live.manifest.iter().flat_map(names).any(|named| named == name);
            // A replace without an answer may have happened after all.
            own.part.iter().filter(|part| !is_named(&part.part)).for_each(|part| self.remove(&part.part));
            if !plan.joins.is_empty() {
                // It was live when this load began, and nothing was written; another load has replaced it since.
                return Err(LoadError::Contended { period: self.period.clone(), attempts: 1 });
            }
            self.sweep(live.manifest.as_ref());
            return Ok(Some(month));
        };
        let merged = self.merge(own, live, part, &plan)?;
        let manifest = self.next_manifest(live, &merged);
        if self.replace(live, &manifest)? == ReplaceOutcome::Conflict {
            // The write of a lost answer may have been replaced since: then this load is live in what is there now.
            merged.written.iter().for_each(|part| self.remove_unnamed(part));
            return Ok(None);
        }
        failpoint::hit!("producers.facts.replaced");
        self.clean(live, &manifest, &part.part);
        Ok(Some(month))
    }

    fn merge(&self, own: &OwnFacts, live: &Live, part: &FactsPart, plan: &Plan) -> Result<Merged, LoadError> {
        let merge = Merge {
            store: self.store,
            folder: &self.folder,
            period: &self.period,
            part_bytes_target: self.options.part_bytes_target,
        };
        let kept = live.present.iter().enumerate().filter(|(number, _)| !plan.replaced.contains(number));
        let kept = kept.map(|(_, delivery)| delivery.clone()).collect();
        let joining: Vec<_> = plan.joins.iter().map(|number| own.deliveries[*number].clone()).collect();
        let own_is_whole = joining.len() == own.deliveries.len();
        merge.join(live.manifest.as_ref(), kept, part, joining, own_is_whole)
    }

    /// The month as it is, in the current version.
    fn read(&self) -> Result<Live, LoadError> {
        let live = Live::read(self)?;
        let (Some(manifest), Some(old)) = (&live.manifest, live.of_version_1()) else { return Ok(live) };
        upgrade::upgrade(self, &live, manifest, old)?;
        Live::read(self)
    }

    /// After the replace: files that are previous no more, the own file when it was merged into another, and orphans. What
    /// cannot be removed now is an orphan for the next load: the month is live already.
    fn clean(&self, before: &Live, now: &CostManifest, own: &str) {
        let named: BTreeSet<&str> = names(now).collect();
        let superseded = before.manifest.iter().flat_map(|before| &before.previous_parts).map(|old| old.part.as_str());
        for name in superseded.chain([own]).filter(|name| !named.contains(name)) {
            self.remove(name);
            failpoint::hit!("producers.facts.removed");
        }
        self.sweep(Some(now));
    }
}
