//! What a delivery does to the live ones of its source and month. Pure.
//!
//! - Deliveries of different sources add up.
//! - A source in another dialect than the live one is the same bill twice: refused, and `--restate` replaces the live one.
//! - The same content is live already: nothing to do; refused when it is live under another `--source` name.
//! - Charge periods that do not overlap: an increment, both count.
//! - The same columns, and nothing that both charge for: parts of one export (one file per subscription), both count.
//! - The new delivery covers the charge periods of the live one: a restatement, which replaces it.
//! - A bill that does not name its account, and charges for nothing that the live one charges for: refused; it may be that of another account.
//! - Anything between is refused, also a delivery of which some charges are live and others are not; `--restate` and `--increment` say which of the two it is.
//!
//! Charge periods of up to a day say which days a delivery is about. Longer ones (fees, taxes, commitments of a month) lie
//! across all increments of a month and are in every restatement: they are compared among themselves. A delivery that
//! has nothing else is compared by them with everything.

use contracts::cloud_ids;
use contracts::cost_manifest::{DeliverySource, LiveDelivery};

use super::charges::{Charges, Shared};
use super::periods::Periods;

/// A gap in a new delivery that does not keep it from covering an old one: what was charged there may be charged no more.
const GAP_MS_MAX: i64 = 86_400_000;

/// How a delivery is taken whose charge periods overlap those of a live one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// By the rule; refused when it does not decide.
    #[default]
    Decide,
    /// It replaces the deliveries of its source that it overlaps.
    Restate,
    /// It adds up with them.
    Increment,
}

/// What is compared of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence<'a> {
    pub delivery_id: &'a str,
    pub source: &'a DeliverySource,
    pub source_format: &'a str,
    pub columns: &'a str,
    pub daily: Periods,
    pub longer: Periods,
    pub charges: Charges,
}

impl<'a> Evidence<'a> {
    /// Of a delivery in a manifest; `None` when its periods are unreadable.
    #[must_use]
    pub fn of(delivery: &'a LiveDelivery) -> Option<Self> {
        Some(Self {
            delivery_id: &delivery.delivery_id,
            source: &delivery.source,
            source_format: &delivery.source_format,
            columns: &delivery.columns,
            daily: Periods::from_text(&delivery.daily_periods)?,
            longer: Periods::from_text(&delivery.longer_periods)?,
            charges: Charges::from_text(&delivery.charges)?,
        })
    }

    /// First and last instant, for people.
    #[must_use]
    pub fn hull(&self) -> (String, String) {
        self.daily.united(&self.longer).hull().unwrap_or_default()
    }
}

/// What a delivery does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is live already.
    Unchanged,
    /// It joins, and replaces the live deliveries with these numbers.
    Joins {
        /// Numbers in the list of live deliveries.
        replaces: Vec<usize>,
    },
    /// The same content is live under another name of its source.
    SameContent {
        /// Number in the list of live deliveries.
        live: usize,
    },
    /// The live delivery with this number is the same source in another dialect.
    OtherDialect {
        /// Number in the list of live deliveries.
        live: usize,
    },
    /// The rule does not decide about the live delivery with this number.
    Unclear {
        /// Number in the list of live deliveries.
        live: usize,
    },
}

/// Decides what `new` does to the live deliveries.
#[must_use]
pub fn decide(new: &Evidence<'_>, live: &[Evidence<'_>], overlap: Overlap) -> Decision {
    let same_source = || live.iter().enumerate().filter(|(_, other)| is_same_source(new.source, other.source));
    if same_source().any(|(_, other)| other.delivery_id == new.delivery_id) {
        let overlapping = same_source().filter(|(_, other)| relation(new, other) != Relation::Apart);
        let replaces: Vec<_> = overlapping.map(|(number, _)| number).collect();
        // To restate what is live takes back what was added to it.
        let takes_back = overlap == Overlap::Restate && replaces.len() > 1;
        return if takes_back { Decision::Joins { replaces } } else { Decision::Unchanged };
    }
    let is_same_content =
        |other: &Evidence<'_>| other.delivery_id == new.delivery_id && is_same_account(new.source, other.source);
    if let (true, Some(live)) = (overlap != Overlap::Increment, live.iter().position(is_same_content)) {
        return Decision::SameContent { live };
    }
    let mut replaces = Vec::new();
    for (number, other) in same_source() {
        match (overlap, relation(new, other)) {
            (Overlap::Restate, _) if other.source_format != new.source_format => replaces.push(number),
            _ if other.source_format != new.source_format => return Decision::OtherDialect { live: number },
            (_, Relation::Apart) | (Overlap::Increment, _) => {}
            (Overlap::Restate, _) | (_, Relation::Restates) => replaces.push(number),
            (Overlap::Decide, Relation::OtherCharges) => {}
            (Overlap::Decide, Relation::Unclear) => return Decision::Unclear { live: number },
        }
    }
    Decision::Joins { replaces }
}

pub fn is_same_source(one: &DeliverySource, other: &DeliverySource) -> bool {
    one.name == other.name && is_same_account(one, other)
}

/// The provider of a bill may be unknown: then the account decides.
fn is_same_account(one: &DeliverySource, other: &DeliverySource) -> bool {
    let is_known_provider = one.provider.is_some() && other.provider.is_some();
    // Manifests of earlier versions hold accounts as exports spell them.
    let account_of = |source: &DeliverySource| {
        let provider = one.provider.as_deref().or(other.provider.as_deref()).unwrap_or_default();
        source.billing_account.as_deref().map(|account| cloud_ids::billing_account(provider, account).into_owned())
    };
    account_of(one) == account_of(other) && (one.provider == other.provider || !is_known_provider)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// No charge period is in both.
    Apart,
    /// The same days, and nothing that both charge for.
    OtherCharges,
    /// The new one covers the live one.
    Restates,
    /// None of these.
    Unclear,
}

fn relation(new: &Evidence<'_>, live: &Evidence<'_>) -> Relation {
    let overlaps = if new.daily.is_empty() || live.daily.is_empty() {
        new.daily.united(&new.longer).overlaps(&live.daily.united(&live.longer))
    } else {
        new.daily.overlaps(&live.daily) || new.longer.overlaps(&live.longer)
    };
    if !overlaps {
        return Relation::Apart;
    }
    let is_same_export = !new.columns.is_empty() && new.columns == live.columns;
    match new.charges.shared_with(&live.charges) {
        Shared::Nothing if is_same_export => return Relation::OtherCharges,
        Shared::Some if is_same_export => return Relation::Unclear,
        // Two accounts may have such a bill, and one must not replace that of the other.
        Shared::Nothing if new.source.billing_account.is_none() => return Relation::Unclear,
        _ => {}
    }
    let covers = match live.daily.is_empty() {
        true => new.longer.covers(&live.longer, GAP_MS_MAX),
        false => new.daily.covers(&live.daily, GAP_MS_MAX),
    };
    if covers { Relation::Restates } else { Relation::Unclear }
}
