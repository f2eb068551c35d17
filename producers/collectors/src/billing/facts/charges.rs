//! A small sample of what a delivery charges for, by day: which account, resource and meter, without times and amounts. Two
//! deliveries of the same charges share nearly all that the samples of a day have in common ground, two parts of one export
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use contracts::time::{date, format_date};
use sha2::{Digest, Sha256};

use inventories::billing::fact::Charge;

/// Smallest hashes kept of a day: enough that a day with a twentieth of the charges of another can be compared with it. A
/// manifest holds some 24 KB of them for a whole month.
const MARKS_PER_DAY: usize = 64;
/// Charges that must be comparable before samples, which do not hold all charges, prove anything.
const COMPARABLE_MIN: usize = 8;
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

    /// How much of what is charged in the same days is charged in both.
    ///
    /// Up to the smaller of two largest marks both samples of a day are complete, so only marks up to there are compared.
    #[must_use]
    pub fn shared_with(&self, other: &Self) -> Shared {
        let (mut own, mut others, mut shared, mut all_complete) = (0, 0, 0, true);
        for (marks, other_marks) in self.0.iter().filter_map(|(day, marks)| Some((marks, other.0.get(day)?))) {
            let limit = complete_up_to(marks).min(complete_up_to(other_marks));
            own += marks.range(..=limit).count();
            others += other_marks.range(..=limit).count();
            shared += marks.range(..=limit).filter(|mark| other_marks.contains(mark)).count();
            all_complete &= limit == u64::MAX;
        }
        let comparable = own.min(others);
        match shared {
            _ if comparable == 0 => Shared::Unknown,
            _ if shared * 2 > comparable => Shared::Most,
            0 if all_complete || comparable >= COMPARABLE_MIN => Shared::Nothing,
            _ => Shared::Some,
        }
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

/// How much two deliveries have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// Nothing of them can be compared.
    Unknown,
    /// No charge.
    Nothing,
    /// Some charges, at most half of them; or too few are comparable to say that there are none.
    Some,
    /// More than half of the charges.
    Most,
}

/// The mark up to which a day's sample holds all marks.
fn complete_up_to(marks: &BTreeSet<u64>) -> u64 {
    if marks.len() < MARKS_PER_DAY { u64::MAX } else { marks.last().copied().unwrap_or(u64::MAX) }
}

/// Hash of what is charged. Case is left out, because exports of one provider spell resources in several ways.
#[must_use]
pub fn hash(charge: &Charge) -> u64 {
    let optional = [
        &charge.payer_account_id,
        &charge.resource_id,
        &charge.service_code,
        &charge.usage_type,
        &charge.operation,
        &charge.region,
        &charge.commitment_id,
    ];
    let mut hasher = Sha256::new();
    let fields = optional.into_iter().map(|field| field.as_deref().unwrap_or_default());
    for field in fields.chain([&*charge.account_id, charge.charge_category.as_str(), &*charge.currency]) {
        hasher.update(field.to_lowercase());
        hasher.update([0]);
    }
    let digest = hasher.finalize();
    digest.iter().take(8).fold(0_u64, |all, byte| all << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Charges with these numbers on one day, hashed.
    fn charges(numbers: std::ops::Range<u64>) -> Charges {
        let mut charges = Charges::default();
        for number in numbers {
            let digest = Sha256::digest(number.to_be_bytes());
            charges.add(0, digest.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte)));
        }
        charges
    }

    #[track_caller]
    fn check(one: std::ops::Range<u64>, other: std::ops::Range<u64>, expected: Shared) {
        let (one, other) = (charges(one), charges(other));
        assert_eq!((one.shared_with(&other), other.shared_with(&one)), (expected, expected));
    }

    #[test]
    fn samples_of_any_size_are_compared() {
        check(0..1, 1..2, Shared::Nothing);
        check(0..2, 1..3, Shared::Some);
        check(0..3, 0..4, Shared::Most);
        check(0..50, 50..90, Shared::Nothing);
        check(0..1_000, 1_000..3_000, Shared::Nothing);
        check(0..1_000, 900..2_000, Shared::Some);
        check(0..1_000, 0..1_000, Shared::Most);
        assert_eq!(Charges::default().shared_with(&charges(0..5)), Shared::Unknown);
    }

    #[test]
    fn a_day_that_has_only_begun_is_never_taken_for_other_charges() {
        for all in [20, 60, 100, 1_000, 10_000] {
            for part in [1, 3, 5, 20] {
                let shared = charges(0..part).shared_with(&charges(0..all));
                assert!(matches!(shared, Shared::Most | Shared::Unknown), "{part} of {all}: {shared:?}");
            }
        }
    }
}
