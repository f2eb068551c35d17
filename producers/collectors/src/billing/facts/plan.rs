//! What the deliveries of a load do to a month.

use std::collections::BTreeSet;

use contracts::cost_manifest::{self, LiveDelivery, UsageLengths};

use super::month::{Live, Month};
use super::report::{Effect, LiveMonth, LoadedDelivery};
use super::rule::{Decision, Evidence, Overlap, decide};
use super::writer::OwnFacts;
use crate::billing::error::LoadError;
use crate::billing::unclear_overlap::UnclearOverlap;

impl Live {
    /// What the own deliveries do to the month.
    pub fn plan(&self, month: &Month<'_>, own: &[LiveDelivery]) -> Result<Plan, LoadError> {
        let unreadable = || LoadError::Manifest {
            path: month.path(cost_manifest::FILE_NAME),
            reason: "the charge periods of a delivery are not readable".to_owned(),
        };
        let evidence = |delivery| Evidence::of(delivery).ok_or_else(unreadable);
        let present: Vec<_> = self.present.iter().map(evidence).collect::<Result<_, _>>()?;
        let mut plan = Plan::default();
        for (number, delivery) in own.iter().enumerate() {
            let new = evidence(delivery)?;
            let effect = match decide(&new, &present, month.options.overlap) {
                Decision::Unchanged => Effect::Unchanged,
                Decision::Joins { replaces } => {
                    plan.joins.push(number);
                    let effect = if replaces.is_empty() { Effect::Added } else { Effect::Replaced };
                    plan.replaced.extend(replaces);
                    effect
                }
                Decision::SameContent { live } => {
                    return Err(LoadError::SameContent {
                        period: month.period.clone(),
                        new: delivery.source.to_string(),
                        live: present[live].source.to_string(),
                    });
                }
                Decision::OtherDialect { live } => {
                    return Err(LoadError::AmbiguousSource {
                        period: month.period.clone(),
                        source_name: delivery.source.to_string(),
                        there: format!(
                            "live as {} and this bill is {}",
                            present[live].source_format, delivery.source_format
                        ),
                        advice: "Give --restate to replace what is live, or --source NAME when this is another export",
                    });
                }
                Decision::Unclear { live } => {
                    let other = &self.present[live];
                    return Err(LoadError::Overlap(Box::new(UnclearOverlap {
                        period: month.period.clone(),
                        source: delivery.source.to_string(),
                        new: new.hull(),
                        live: present[live].hull(),
                        live_delivery: other.delivery_id.clone(),
                        live_rows: other.rows,
                    })));
                }
            };
            plan.effects.push(effect);
        }
        Ok(plan)
    }
}

/// Two deliveries of one load must not charge for the same: which one is current, nothing says.
pub(super) fn are_distinct(period: &str, own: &[LiveDelivery], overlap: Overlap) -> Result<(), LoadError> {
    if overlap == Overlap::Increment {
        return Ok(());
    }
    for (number, delivery) in own.iter().enumerate() {
        for other in &own[..number] {
            let (Some(new), Some(before)) = (Evidence::of(delivery), Evidence::of(other)) else { continue };
            let joins =
                matches!(decide(&new, &[before], Overlap::Decide), Decision::Joins { replaces } if replaces.is_empty());
            if !joins {
                return Err(LoadError::TwoDeliveries {
                    period: period.to_owned(),
                    source_name: delivery.source.to_string(),
                    one: other.delivery_id.clone(),
                    other: delivery.delivery_id.clone(),
                });
            }
        }
    }
    Ok(())
}

#[derive(Default)]
pub(super) struct Plan {
    /// Own deliveries that join, by number.
    pub joins: Vec<usize>,
    /// Live ones that they replace, by number among those present.
    pub replaced: BTreeSet<usize>,
    /// What each own delivery does.
    effects: Vec<Effect>,
}

impl Plan {
    pub fn report(&self, month: &Month<'_>, live: &Live, own: &OwnFacts) -> LiveMonth {
        let loaded = |(delivery, effect): (&LiveDelivery, &Effect)| LoadedDelivery {
            delivery_id: delivery.delivery_id.clone(),
            source: delivery.source.clone(),
            source_format: delivery.source_format.clone(),
            rows: delivery.rows,
            effect: *effect,
            totals: delivery.totals.clone(),
            invoiced: delivery.invoiced.clone(),
            flagged: delivery.flagged.clone(),
            rejected: delivery.rejected.clone(),
        };
        let is_own = |other: &LiveDelivery| {
            own.deliveries.iter().any(|own| (&own.source, &own.delivery_id) == (&other.source, &other.delivery_id))
        };
        let is_kept = |(number, present): &(usize, &LiveDelivery)| !self.replaced.contains(number) && !is_own(present);
        let kept = || live.present.iter().enumerate().filter(is_kept).map(|(_, present)| present);
        // Nothing is dropped from the manifest while nothing joins.
        let lost = if self.joins.is_empty() { &[][..] } else { &live.lost[..] };
        LiveMonth {
            billing_period: month.period.clone(),
            deliveries: own.deliveries.iter().zip(&self.effects).map(loaded).collect(),
            beside: kept().count(),
            granularity: UsageLengths::granularity_of(kept().chain(&own.deliveries)),
            replaced: self.replaced.iter().filter_map(|number| live.present.get(*number)).map(Into::into).collect(),
            lost: lost.iter().filter(|lost| !is_own(lost)).map(Into::into).collect(),
        }
    }
}
