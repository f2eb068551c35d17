//! What a rule about a row is made of.

use inventories::billing::conformance::Keyword;

use super::FocusVersion;
use super::objects::ObjectNeed;

/// What has to hold for a rule to apply to a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Is(&'static str, &'static [&'static str]),
    /// Also null.
    IsNot(&'static str, &'static [&'static str]),
    Null(&'static str),
    /// Null, in a column that the file has: without the column the rule is not tested.
    Empty(&'static str),
    NotNull(&'static str),
    /// Both columns hold the same.
    Same(&'static str, &'static str),
}

impl When {
    /// The column, and the one that it is compared with.
    pub(super) fn columns(self) -> [Option<&'static str>; 2] {
        match self {
            Self::Is(column, _)
            | Self::IsNot(column, _)
            | Self::Null(column)
            | Self::Empty(column)
            | Self::NotNull(column) => [Some(column), None],
            Self::Same(column, other) => [Some(column), Some(other)],
        }
    }

    /// True when the rule cannot be tested in a file without its columns. Else an absent column is null.
    pub(super) fn wants_columns(self) -> bool {
        matches!(self, Self::Empty(_) | Self::Same(..))
    }

    /// `other` is the cell of the second column.
    pub(super) fn holds(self, cell: Option<&str>, other: Option<&str>) -> bool {
        match self {
            Self::Is(_, values) => cell.is_some_and(|cell| values.contains(&cell)),
            Self::IsNot(_, values) => cell.is_none_or(|cell| !values.contains(&cell)),
            Self::Null(_) | Self::Empty(_) => cell.is_none(),
            Self::NotNull(_) => cell.is_some(),
            Self::Same(..) => cell.is_some() && cell == other,
        }
    }
}

/// What a rule asks of its column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need {
    Null,
    NotNull,
    NotOneOf(&'static [&'static str]),
    Is(&'static str),
    Zero,
    /// The amount in the other column.
    EqualTo(&'static str),
    /// The product of the two columns, as exactly as their digits say.
    ProductOf(&'static str, &'static str),
    /// Later than the other column.
    After(&'static str),
    /// A subcategory of the category in the other column.
    SubcategoryOf(&'static str),
    /// Always the same for one value of the other column and one provider.
    OneFor(&'static str),
    /// Its own values have one value of the other column each, within one provider.
    HasOne(&'static str),
    /// The text in the other column.
    SameAs(&'static str),
    /// What its JSON object holds.
    Object(ObjectNeed),
    /// A JSON object without a member that is in the one of the other column.
    NoneOf(&'static str),
    /// A JSON object whose list names, under a key, what is in the other column.
    Names {
        list: &'static str,
        key: &'static str,
        other: &'static str,
    },
}

impl Need {
    /// Columns it looks at beside its own.
    pub(super) fn columns(self) -> Vec<&'static str> {
        match self {
            Self::ProductOf(a, b) => vec![a, b],
            Self::After(other)
            | Self::SubcategoryOf(other)
            | Self::OneFor(other)
            | Self::HasOne(other)
            | Self::SameAs(other)
            | Self::NoneOf(other)
            | Self::Names { other, .. }
            | Self::EqualTo(other) => vec![other],
            Self::Null | Self::NotNull | Self::NotOneOf(_) | Self::Is(_) | Self::Zero | Self::Object(_) => Vec::new(),
        }
    }
}

/// A requirement.
#[derive(Debug)]
pub(super) struct Rule {
    pub column: &'static str,
    pub since: FocusVersion,
    pub until: FocusVersion,
    pub keyword: Keyword,
    pub when: &'static [When],
    /// What a row is not, for the rule to apply: all of these together. Empty for none.
    pub unless: &'static [When],
    pub need: Need,
    /// Behind the column, its id.
    pub id: &'static str,
}

impl Rule {
    pub(super) fn is_in(&self, version: FocusVersion) -> bool {
        (self.since..=self.until).contains(&version)
    }
}
