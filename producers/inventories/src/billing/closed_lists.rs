//! The closed lists of FOCUS as one typed table. Exporters spell the values their own way (`usage`, `ONE TIME`,
//! `on_demand`), so a cell is compared without case, spaces, `_` and `-`. A value that is not in its list is kept as it
//! is, and matches no known value.

use std::fmt;
use std::sync::Arc;

/// A closed list: its FOCUS column, and every spelling of every value, the standard's own first.
#[derive(Debug)]
pub struct ClosedList<T: 'static> {
    /// FOCUS column.
    pub column: &'static str,
    /// Values and their spellings.
    pub values: &'static [(T, &'static [&'static str])],
}

impl<T: Copy + PartialEq> ClosedList<T> {
    /// The value this cell stands for. `None` when it is not in the list.
    #[must_use]
    pub fn find(&self, cell: &str) -> Option<T> {
        let exact = |spelling: &str| spelling == cell;
        let folded = |spelling: &str| fold(spelling).eq(fold(cell));
        let of = |is_same: &dyn Fn(&str) -> bool| {
            self.values.iter().find(|(_, spellings)| spellings.iter().any(|s| is_same(s))).map(|(value, _)| *value)
        };
        // Nearly every cell is spelled as the standard has it.
        of(&exact).or_else(|| of(&folded))
    }

    /// The standard's spelling.
    #[must_use]
    pub fn name(&self, value: T) -> &'static str {
        let entry = self.values.iter().find(|(known, _)| *known == value);
        entry.and_then(|(_, spellings)| spellings.first()).copied().unwrap_or_default()
    }
}

fn fold(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-')).flat_map(char::to_lowercase)
}

/// A type whose values are a closed list.
pub trait Listed: Copy + PartialEq + 'static {
    /// The list.
    const LIST: ClosedList<Self>;
}

/// What kind of charge a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the values are those of FOCUS")]
pub enum ChargeCategory {
    Adjustment,
    Credit,
    Purchase,
    Tax,
    Usage,
}

impl Listed for ChargeCategory {
    const LIST: ClosedList<Self> = ClosedList {
        column: "ChargeCategory",
        values: &[
            (Self::Adjustment, &["Adjustment"]),
            (Self::Credit, &["Credit"]),
            (Self::Purchase, &["Purchase"]),
            (Self::Tax, &["Tax"]),
            (Self::Usage, &["Usage"]),
        ],
    };
}

/// Whether a row corrects an earlier charge; FOCUS leaves it blank for all other rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the values are those of FOCUS")]
pub enum ChargeClass {
    Correction,
}

impl Listed for ChargeClass {
    const LIST: ClosedList<Self> = ClosedList { column: "ChargeClass", values: &[(Self::Correction, &["Correction"])] };
}

/// How often a charge comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the values are those of FOCUS")]
pub enum ChargeFrequency {
    OneTime,
    Recurring,
    UsageBased,
}

impl Listed for ChargeFrequency {
    const LIST: ClosedList<Self> = ClosedList {
        column: "ChargeFrequency",
        values: &[
            (Self::OneTime, &["One-Time"]),
            (Self::Recurring, &["Recurring"]),
            (Self::UsageBased, &["Usage-Based"]),
        ],
    };
}

/// How the price of a row came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pricing {
    /// On-demand rates.
    Standard,
    /// Covered by a commitment.
    Committed,
    /// Spot and other rates that move.
    Dynamic,
    /// Not stated, FOCUS's `Other`, or a value outside the list.
    Unknown,
}

impl Listed for Pricing {
    const LIST: ClosedList<Self> = ClosedList {
        column: "PricingCategory",
        values: &[
            // The second spelling is that of FOCUS 1.0-preview.
            (Self::Standard, &["Standard", "On-Demand"]),
            (Self::Committed, &["Committed", "Commitment-Based"]),
            (Self::Dynamic, &["Dynamic"]),
            (Self::Unknown, &["Other"]),
        ],
    };
}

/// Whether something used the commitment a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the values are those of FOCUS")]
pub enum CommitmentStatus {
    Unused,
    Used,
}

impl Listed for CommitmentStatus {
    const LIST: ClosedList<Self> = ClosedList {
        column: "CommitmentDiscountStatus",
        // The second spelling is that of ChargeSubcategory in FOCUS 1.0-preview.
        values: &[(Self::Unused, &["Unused", "Unused Commitment"]), (Self::Used, &["Used", "Used Commitment"])],
    };
}

/// What a commitment is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the values are those of FOCUS")]
pub enum CommitmentCategory {
    Spend,
    Usage,
}

impl Listed for CommitmentCategory {
    const LIST: ClosedList<Self> = ClosedList {
        column: "CommitmentDiscountCategory",
        values: &[(Self::Spend, &["Spend"]), (Self::Usage, &["Usage"])],
    };
}

/// What an AWS cost and usage report says a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the values are those of AWS")]
pub enum LineType {
    Usage,
    DiscountedUsage,
    SavingsPlanCoveredUsage,
    SavingsPlanNegation,
    Fee,
    RiFee,
    SavingsPlanRecurringFee,
    SavingsPlanUpfrontFee,
    Tax,
    Credit,
    /// Discounts of all kinds, each a line of its own.
    Discount,
    Refund,
}

impl Listed for LineType {
    const LIST: ClosedList<Self> = ClosedList {
        column: "line_item_line_item_type",
        values: &[
            (Self::Usage, &["Usage"]),
            (Self::DiscountedUsage, &["DiscountedUsage"]),
            (Self::SavingsPlanCoveredUsage, &["SavingsPlanCoveredUsage"]),
            (Self::SavingsPlanNegation, &["SavingsPlanNegation"]),
            (Self::Fee, &["Fee"]),
            (Self::RiFee, &["RIFee"]),
            (Self::SavingsPlanRecurringFee, &["SavingsPlanRecurringFee"]),
            (Self::SavingsPlanUpfrontFee, &["SavingsPlanUpfrontFee"]),
            (Self::Tax, &["Tax"]),
            (Self::Credit, &["Credit"]),
            (
                Self::Discount,
                &[
                    "Discount",
                    "EdpDiscount",
                    "PrivateRateDiscount",
                    "BundledDiscount",
                    "RiVolumeDiscount",
                    "SppDiscount",
                    "DistributorDiscount",
                ],
            ),
            (Self::Refund, &["Refund"]),
        ],
    };
}

impl LineType {
    /// The charge category of its lines.
    #[must_use]
    pub fn category(self) -> ChargeCategory {
        match self {
            Self::Usage | Self::DiscountedUsage | Self::SavingsPlanCoveredUsage | Self::SavingsPlanNegation => {
                ChargeCategory::Usage
            }
            Self::Fee | Self::RiFee | Self::SavingsPlanRecurringFee | Self::SavingsPlanUpfrontFee => {
                ChargeCategory::Purchase
            }
            Self::Tax => ChargeCategory::Tax,
            Self::Credit | Self::Discount => ChargeCategory::Credit,
            Self::Refund => ChargeCategory::Adjustment,
        }
    }
}

/// A cell of a closed list: a known value, or the text of one that is not in the list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListCell<T> {
    /// In the list.
    Known(T),
    /// Not in the list.
    Unlisted(Arc<str>),
}

impl<T: Listed> ListCell<T> {
    /// True for this known value.
    #[must_use]
    pub fn is(&self, value: T) -> bool {
        matches!(self, Self::Known(known) if *known == value)
    }

    /// The standard's spelling of a known value, else the text as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(value) => T::LIST.name(*value),
            Self::Unlisted(text) => text,
        }
    }
}

impl<T: Listed> From<&str> for ListCell<T> {
    fn from(cell: &str) -> Self {
        T::LIST.find(cell).map_or_else(|| Self::Unlisted(cell.into()), Self::Known)
    }
}

impl<T: Listed> fmt::Display for ListCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Listed + fmt::Debug>(cases: &[(&str, Option<T>)]) {
        for (cell, expected) in cases {
            assert_eq!(T::LIST.find(cell), *expected, "{}: {cell}", T::LIST.column);
        }
        for (value, spellings) in T::LIST.values {
            assert_eq!(T::LIST.name(*value), spellings[0]);
            for spelling in *spellings {
                let spaced = spelling.replace('-', " ");
                for form in [*spelling, &spelling.to_uppercase(), &spelling.to_lowercase(), &spaced] {
                    assert_eq!(T::LIST.find(form), Some(*value), "{}: {form}", T::LIST.column);
                }
            }
        }
    }

    #[test]
    fn spelling_does_not_matter_and_meaning_does() {
        check(&[
            ("tax", Some(ChargeCategory::Tax)),
            ("Taxes", None),
            ("", None),
            ("usage ", Some(ChargeCategory::Usage)),
        ]);
        check(&[("correction", Some(ChargeClass::Correction)), ("Corrected", None)]);
        check(&[("ONE_TIME", Some(ChargeFrequency::OneTime)), ("usageBased", Some(ChargeFrequency::UsageBased))]);
        check(&[
            ("on demand", Some(Pricing::Standard)),
            ("Commitment Based", Some(Pricing::Committed)),
            ("spot", None),
        ]);
        check(&[("UN-USED", Some(CommitmentStatus::Unused)), ("used", Some(CommitmentStatus::Used))]);
        check(&[("spend", Some(CommitmentCategory::Spend))]);
        check(&[("EdpDiscount", Some(LineType::Discount)), ("SomethingNew", None)]);
    }

    #[test]
    fn a_value_outside_the_list_is_kept_as_it_is() {
        let cell: ListCell<ChargeCategory> = "Rounding".into();
        assert_eq!((cell.as_str(), cell.is(ChargeCategory::Adjustment)), ("Rounding", false));
        assert_eq!(ListCell::<ChargeCategory>::from("CREDIT").as_str(), "Credit");
    }
}
