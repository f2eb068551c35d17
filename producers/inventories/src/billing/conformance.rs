//! What a check of FOCUS files against the FOCUS specification recorded: which requirements are not kept, how often, and where first.

use contracts::cost_manifest::DeliverySource;
use serde::{Serialize, Serializer};

use crate::kind::{Extent, Inventory, InventoryKind, Source};

/// What was checked, and what does not keep the specification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FocusConformance {
    /// Files.
    pub files: Vec<CheckedFile>,
    /// Rows of all files.
    pub rows: u64,
    /// Who bills in the rows.
    pub sources: Vec<CheckedSource>,
    /// Requirements that are not kept: those that must be first, then by column and rule.
    pub violations: Vec<RuleViolation>,
    /// Columns that a dataset has where its provider has what they are about; these are absent.
    pub absent_columns: Vec<&'static str>,
    /// Requirements on rows that were tested.
    pub rules_tested: usize,
    /// Requirements on rows that were not tested, because a column that they are about is absent.
    pub rules_untested: Vec<String>,
    /// Rules that relate rows to each other and met too many different values to remember: later values were not compared.
    pub rules_tested_in_part: Vec<String>,
}

/// A file, and the version of the specification that it was checked by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedFile {
    /// As given.
    pub file: String,
    /// Such as `1.2`.
    pub version: &'static str,
    /// Rows.
    pub rows: u64,
}

/// Who bills, and how much of it was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedSource {
    /// Provider, billing account and name.
    #[serde(serialize_with = "as_text")]
    pub source: DeliverySource,
    /// Rows.
    pub rows: u64,
    /// Versions of the specification of its files.
    pub versions: Vec<&'static str>,
}

/// How strongly the specification asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Keyword {
    /// A violation is a fault of the dataset.
    Must,
    /// A violation is a weakness of the dataset.
    Should,
}

/// A requirement that is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleViolation {
    /// Stable id: `ListCost.price_times_quantity`.
    pub rule: String,
    /// How strongly the specification asks for it.
    pub keyword: Keyword,
    /// Section of the specification.
    pub section: String,
    /// The requirement in words.
    pub requirement: String,
    /// Rows, or files where it is about columns.
    pub count: u64,
    /// The first of them.
    pub first: Vec<ViolationSample>,
    /// The same by who bills.
    pub by_source: Vec<SourceViolation>,
}

/// What one source has of a violation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceViolation {
    /// Provider, billing account and name.
    #[serde(serialize_with = "as_text")]
    pub source: DeliverySource,
    /// Rows, or files where it is about columns.
    pub count: u64,
    /// The first of them.
    pub first: Vec<ViolationSample>,
}

/// Where a requirement is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ViolationSample {
    /// File.
    pub file: String,
    /// Row, 1 is the first behind the header; `None` where it is about columns.
    pub row: Option<u64>,
    /// Line of a CSV file, 1 is the header; a quoted cell may hold several.
    pub line: Option<u64>,
    /// What the cell holds, or the name of the column; empty when the cell is null.
    pub cell: String,
}

impl FocusConformance {
    /// True when nothing is there that must not be.
    #[must_use]
    pub fn is_conformant(&self) -> bool {
        !self.violations.iter().any(|violation| violation.keyword == Keyword::Must)
    }
}

impl Inventory for FocusConformance {
    const KIND: InventoryKind = InventoryKind { name: "FOCUS files", source: Source::Billing, extent: Extent::Run };
}

fn as_text<S: Serializer>(source: &DeliverySource, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(source)
}
