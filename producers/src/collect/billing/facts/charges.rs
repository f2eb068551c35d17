//! A small sample of what a delivery charges for, by day: which account, resource and meter, without times and amounts. Two
//! deliveries of the same charges share nearly all of a day's sample, two parts of one export nearly none.

use std::collections::{BTreeMap, BTreeSet};

use contracts::time::{date, format_date};
use sha2::{Digest, Sha256};

use crate::billing::fact::CostFact;

/// Smallest hashes kept of a day. When half of what is charged on a day is in both deliveries, none of them meet once in
/// 65,536 times; and there are as many chances as days.
const MARKS_PER_DAY: usize = 16;
/// Days kept, the latest: charges of a month may have begun earlier.
const DAYS_MAX: usize = 64;
const MS_PER_DAY: i64 = 86_400_000;
/// Hex digits of a mark: 48 bits do not meet by chance.
const MARK_DIGITS: usize = 12;
const MARK_BITS_DROPPED: u32 = 16;

/// The smallest hashes of each day's charges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Charges(BTreeMap<i32, BTreeSet<u64>>);

impl Charges {
    /// Adds a charge, by its [`hash`], of a day that holds this instant.
    pub fn add(&mut self, start_ms: i64, charge: u64) {
        let day = i32::try_from(start_ms.div_euclid(MS_PER_DAY)).unwrap_or(i32::MAX);
        let mark = charge >> MARK_BITS_DROPPED;
        let marks = self.0.entry(day).or_default();
        if marks.len() < MARKS_PER_DAY {
            marks.insert(mark);
        } else if marks.last().is_some_and(|largest| mark < *largest) && marks.insert(mark) {
            marks.pop_last();
        }
        if self.0.len() > DAYS_MAX {
            self.0.pop_first();
        }
    }

    /// True when a charge of some day is in both samples.
    #[must_use]
    pub fn shares_any(&self, other: &Self) -> bool {
        self.0.iter().any(|(day, marks)| other.0.get(day).is_some_and(|others| !marks.is_disjoint(others)))
    }

    /// As a manifest holds them.
    #[must_use]
    pub fn to_text(&self) -> BTreeMap<String, String> {
        let joined = |marks: &BTreeSet<u64>| marks.iter().map(|mark| format!("{mark:012x}")).collect::<String>();
        self.0.iter().map(|(day, marks)| (format_date(*day), joined(marks))).collect()
    }

    /// From a manifest; `None` when it is unreadable.
    #[must_use]
    pub fn from_text(text: &BTreeMap<String, String>) -> Option<Self> {
        let mut all = BTreeMap::new();
        for (day, joined) in text {
            let mut marks = BTreeSet::new();
            for digits in joined.as_bytes().chunks(MARK_DIGITS) {
                marks.insert(u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            }
            all.insert(date(day).ok()?, marks);
        }
        Some(Self(all))
    }
}

/// Hash of what a fact charges for. Case is left out, because exports of one provider spell resources in several ways.
#[must_use]
pub fn hash(fact: &CostFact) -> u64 {
    let optional = [
        &fact.payer_account_id,
        &fact.resource_id,
        &fact.service_code,
        &fact.usage_type,
        &fact.operation,
        &fact.region,
        &fact.commitment_id,
    ];
    let mut hasher = Sha256::new();
    let fields = optional.into_iter().map(|field| field.as_deref().unwrap_or_default());
    for field in fields.chain([&*fact.account_id, fact.charge_category.as_str(), &*fact.currency]) {
        hasher.update(field.to_lowercase());
        hasher.update([0]);
    }
    let digest = hasher.finalize();
    digest.iter().take(8).fold(0_u64, |all, byte| all << 8 | u64::from(*byte))
}
