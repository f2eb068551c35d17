//! Rows that were refused, counted by reason, with samples. A row is refused, never guessed; too many refused rows refuse
//! the whole load.

use std::collections::BTreeMap;

use super::quote::quote;

/// The setting that says how many rows may be refused.
const LIMIT_SETTING: &str = "costs.rejects_per_thousand_max";
/// Samples kept.
const SAMPLES_MAX: usize = 100;

/// Why a row was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The start of usage is missing, or a time is unreadable.
    BadTimestamp,
    /// No account.
    MissingAccount,
    /// An account id that went through a floating point number.
    BadAccount,
    /// No billing currency.
    MissingCurrency,
    /// A billing currency that ISO 4217 does not list: the contract would refuse every finding in it.
    UnknownCurrency,
    /// A cost is not a decimal.
    BadDecimal,
    /// No cost.
    MissingCost,
}

impl Reason {
    /// As reported.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadTimestamp => "bad_timestamp",
            Self::MissingAccount => "missing_account",
            Self::BadAccount => "bad_account",
            Self::MissingCurrency => "missing_currency",
            Self::UnknownCurrency => "unknown_currency",
            Self::BadDecimal => "bad_decimal",
            Self::MissingCost => "missing_cost",
        }
    }

    /// What the cell should hold.
    #[must_use]
    pub fn wanted(self) -> &'static str {
        match self {
            Self::BadTimestamp => {
                "YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ, with an offset such as +02:00 instead of Z where needed"
            }
            Self::MissingAccount | Self::BadAccount => "an account id as text, with all its digits",
            Self::MissingCurrency | Self::UnknownCurrency => "an ISO 4217 currency code such as USD",
            Self::BadDecimal | Self::MissingCost => {
                "a decimal number such as 12.34, of at most 26 digits before the point and 28 in all"
            }
        }
    }
}

/// What is wrong with a row, and in which column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// Column, as the export's standard spells it.
    pub column: &'static str,
    /// What the cell holds, quoted and cut; `None` when it is blank.
    pub value: Option<String>,
}

impl Refusal {
    /// A blank cell, or a column that is not there.
    #[must_use]
    pub fn blank(reason: Reason, column: &'static str) -> Self {
        Self { reason, column, value: None }
    }

    /// A cell that does not hold what it should.
    #[must_use]
    pub fn of(reason: Reason, column: &'static str, cell: &str) -> Self {
        Self { reason, column, value: Some(quote(cell)) }
    }
}

/// A refused row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// File.
    pub file: String,
    /// Row, 1 is the first after the header.
    pub row: u64,
    /// Why.
    pub refusal: Refusal,
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Refusal { reason, column, value } = &self.refusal;
        let value = value.as_deref().unwrap_or("blank");
        let (row, file, reason, wanted) = (self.row, &self.file, reason.as_str(), reason.wanted());
        write!(f, "row {row} of {file}: {reason} in {column}: it is {value}, wanted {wanted}")
    }
}

/// Rows read and refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejects {
    /// Refused rows in a thousand that a load may have.
    pub per_thousand_max: u64,
    /// Rows read.
    pub rows: u64,
    /// Refused rows by reason.
    pub by_reason: BTreeMap<Reason, u64>,
    /// Refused rows by billing month, of those that tell it.
    pub by_month: BTreeMap<String, u64>,
    /// The first month that has too many of them.
    month_over: Option<MonthOver>,
    /// The first of them.
    pub samples: Vec<Sample>,
}

/// A billing month of which too many rows were refused.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MonthOver {
    month: String,
    refused: u64,
    rows: u64,
}

impl Rejects {
    /// None yet.
    #[must_use]
    pub fn new(per_thousand_max: u64) -> Self {
        Self {
            per_thousand_max,
            rows: 0,
            by_reason: BTreeMap::new(),
            by_month: BTreeMap::new(),
            month_over: None,
            samples: Vec::new(),
        }
    }

    /// Counts a refused row, whose billing month may be known.
    pub fn add(&mut self, file: &str, row: u64, month: Option<&str>, refusal: Refusal) {
        *self.by_reason.entry(refusal.reason).or_default() += 1;
        if let Some(month) = month {
            *self.by_month.entry(month.to_owned()).or_default() += 1;
        }
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(Sample { file: file.to_owned(), row, refusal });
        }
    }

    /// Refused rows by reason that are not in `before`.
    #[must_use]
    pub fn since(&self, before: &BTreeMap<Reason, u64>) -> BTreeMap<String, u64> {
        let new = |(reason, rows): (&Reason, &u64)| {
            let rows = rows - before.get(reason).copied().unwrap_or_default();
            (rows > 0).then(|| (reason.as_str().to_owned(), rows))
        };
        self.by_reason.iter().filter_map(new).collect()
    }

    /// Refused rows.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_reason.values().sum()
    }

    /// Looks at each billing month by itself: many good rows of other months must not hide a broken one.
    pub fn judge_months(&mut self, accepted: &BTreeMap<String, u64>) {
        let over = |(month, refused): (&String, &u64)| {
            let rows = refused + accepted.get(month).copied().unwrap_or_default();
            let over = MonthOver { month: month.clone(), refused: *refused, rows };
            self.is_too_much(over.refused, over.rows).then_some(over)
        };
        self.month_over = self.by_month.iter().find_map(over);
    }

    /// True when more rows were refused than may be, or all of them; of the load, or of one of its months.
    #[must_use]
    pub fn are_too_many(&self) -> bool {
        self.month_over.is_some() || self.is_too_much(self.total(), self.rows)
    }

    fn is_too_much(&self, refused: u64, rows: u64) -> bool {
        refused.saturating_mul(1000) > rows.saturating_mul(self.per_thousand_max) || (refused > 0 && refused == rows)
    }

    /// One line for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let reasons: Vec<_> = self.by_reason.iter().map(|(r, n)| format!("{n} {}", r.as_str())).collect();
        let mut text = format!("{} of {} rows were refused ({})", self.total(), self.rows, reasons.join(", "));
        if self.is_too_much(self.total(), self.rows) {
            text += &format!(", more than the {} in 1000 of {LIMIT_SETTING}", self.per_thousand_max);
        } else if let Some(MonthOver { month, refused, rows }) = &self.month_over {
            text += &format!(
                ", and of billing month {month} {refused} of {rows}, more than the {} in 1000 of {LIMIT_SETTING}",
                self.per_thousand_max
            );
        }
        if let Some(first) = self.samples.first() {
            text += &format!("; the first is {first}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_thousand_is_still_allowed() {
        let mut rejects = Rejects { rows: 1000, ..Rejects::new(1) };
        rejects.add("f", 3, None, Refusal::of(Reason::BadDecimal, "BilledCost", "1,5"));
        assert_eq!(
            rejects.summary(),
            "1 of 1000 rows were refused (1 bad_decimal); the first is row 3 of f: bad_decimal in BilledCost: it is \
             \"1,5\", wanted a decimal number such as 12.34, of at most 26 digits before the point and 28 in all"
        );
        assert!(!rejects.are_too_many());
        rejects.add("f", 4, None, Refusal::blank(Reason::MissingCost, "BilledCost"));
        assert!(rejects.are_too_many());
        let said = rejects.summary();
        let expected = "2 of 1000 rows were refused (1 bad_decimal, 1 missing_cost), more than the 1 in 1000 of \
             costs.rejects_per_thousand_max; the first is row 3 of";
        assert!(said.starts_with(expected), "{said}");
    }
    #[test]
    fn a_broken_month_is_not_hidden_by_good_ones() {
        let mut rejects = Rejects { rows: 10_000, ..Rejects::new(1) };
        rejects.add("f", 3, Some("2026-01"), Refusal::blank(Reason::MissingCost, "BilledCost"));
        let accepted = |rows| [("2025-12".to_owned(), 9_999 - rows), ("2026-01".to_owned(), rows)].into();
        rejects.judge_months(&accepted(999));
        assert!(!rejects.are_too_many(), "one in a thousand is allowed in a month, too");
        rejects.judge_months(&accepted(998));
        assert!(rejects.are_too_many());
        let said = rejects.summary();
        assert!(
            said.contains(
                "of billing month 2026-01 1 of 999, more than the 1 in 1000 of costs.rejects_per_thousand_max"
            ),
            "{said}"
        );
        rejects.judge_months(&accepted(0));
        assert!(rejects.are_too_many(), "a month without any accepted row");
    }
}
