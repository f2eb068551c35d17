//! Every requirement that is tested: its stable id, how strongly the specification asks for it, where, and in which words.

use inventories::billing::conformance::Keyword;

use super::FocusVersion;
use super::columns::{COLUMNS, Column, Kind, Level};
use super::rule::{Need, Rule, When};
use super::rules::RULES;

/// A requirement. The order is that of reports: by column, then what is about the column, then what is about its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Requirement {
    /// Of a column of the specification, by its place there.
    Column(usize, ColumnRule),
    /// How the cells of a row relate, by its place among the rules.
    Row(usize),
    /// A column that is not of the specification is marked as one.
    CustomPrefix,
}

/// What is asked of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ColumnRule {
    Present,
    Once,
    Spelling,
    OfTheVersion,
    Type,
    NotNull,
    Format,
    NotNegative,
}

impl Requirement {
    /// The column it is about; `None` for columns that have no name here.
    fn column(self) -> Option<&'static str> {
        match self {
            Self::Column(at, _) => Some(COLUMNS[at].name),
            Self::Row(at) => Some(RULES[at].column),
            Self::CustomPrefix => None,
        }
    }

    /// Never changes: findings are known by it.
    pub(super) fn id(self) -> String {
        let rule = match self {
            Self::Column(_, rule) => rule.id(),
            Self::Row(at) => RULES[at].id,
            Self::CustomPrefix => "custom_prefix",
        };
        format!("{}.{rule}", self.column().unwrap_or("Columns"))
    }

    pub(super) fn keyword(self) -> Keyword {
        match self {
            Self::Column(at, ColumnRule::Present) if COLUMNS[at].level == Level::Recommended => Keyword::Should,
            // Of units the specification recommends most.
            Self::Column(at, ColumnRule::Format) if COLUMNS[at].kind == Kind::Unit => Keyword::Should,
            Self::Column(_, ColumnRule::OfTheVersion) => Keyword::Should,
            Self::Row(at) => RULES[at].keyword,
            Self::Column(..) | Self::CustomPrefix => Keyword::Must,
        }
    }

    /// The heading under which the specification has it.
    pub(super) fn section(self, version: FocusVersion) -> String {
        let columns = if version < FocusVersion::V1_2 { "Column Naming and Ordering" } else { "Column Handling" };
        let attribute = match self {
            Self::Column(_, ColumnRule::Once | ColumnRule::Spelling) | Self::CustomPrefix => Some(columns),
            Self::Column(at, ColumnRule::Format) => COLUMNS[at].kind.attribute(version),
            _ => None,
        };
        match (attribute, self.column()) {
            (Some(attribute), _) => format!("Attributes, {attribute}"),
            (None, column) => format!("Columns, {}", heading(column.unwrap_or_default(), version)),
        }
    }

    /// The requirement in words.
    pub(super) fn described(self) -> String {
        match self {
            Self::Column(at, rule) => rule.described(&COLUMNS[at]),
            Self::Row(at) => RULES[at].described(),
            Self::CustomPrefix => "the name of a column that is not of the specification begins with x_".to_owned(),
        }
    }
}

/// The heading of a column's page: `SKU Price ID`.
fn heading(column: &str, version: FocusVersion) -> String {
    if version < FocusVersion::V1_3
        && let "InvoiceIssuerName" | "ProviderName" | "PublisherName" = column
    {
        return heading(column.trim_end_matches("Name"), FocusVersion::V1_3);
    }
    let mut words = String::new();
    for letter in column.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter);
    }
    let spelled = words.split(' ').map(|word| match word {
        "Id" => "ID",
        "Sku" => "SKU",
        word => word,
    });
    spelled.collect::<Vec<_>>().join(" ")
}

impl ColumnRule {
    fn id(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Once => "once",
            Self::Spelling => "spelling",
            Self::OfTheVersion => "of_the_version",
            Self::Type => "type",
            Self::NotNull => "not_null",
            Self::Format => "format",
            Self::NotNegative => "not_negative",
        }
    }

    fn described(self, column: &Column) -> String {
        let name = column.name;
        match self {
            Self::Present if column.level == Level::Recommended => format!("{name} is there (recommended)"),
            Self::Present => format!("{name} is there"),
            Self::Once => format!("{name} is there once"),
            Self::Spelling => format!("the column is spelled {name}"),
            Self::OfTheVersion => format!("the version has a column {name}"),
            Self::Type => format!("{name} can be read as text"),
            Self::NotNull => format!("{name} is not null"),
            Self::Format => format!("{name} is {}", column.kind.described()),
            Self::NotNegative => format!("{name} is not negative"),
        }
    }
}

impl Kind {
    /// The attribute of the specification that says what cells look like; `None` when the page of the column does.
    fn attribute(self, version: FocusVersion) -> Option<&'static str> {
        match self {
            Self::Decimal | Self::Price => Some("Numeric Format"),
            Self::Time => Some("Date/Time Format"),
            Self::Currency if version < FocusVersion::V1_2 => Some("Currency Code Format"),
            Self::Currency => Some("Currency Format"),
            Self::Unit => Some("Unit Format"),
            Self::KeyValue => Some("Key-Value Format"),
            Self::Object => Some("JSON Object Format"),
            Self::Text | Self::OneOf(_) | Self::Category => None,
        }
    }

    fn described(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Decimal | Self::Price => "a number such as -100.2 or 35.2E-7: no plus sign, comma or unit".to_owned(),
            Self::Time => "a time in UTC such as 2024-09-01T00:00:00Z".to_owned(),
            Self::Currency => "a currency code of ISO 4217 in capitals".to_owned(),
            Self::Unit => "a unit such as GB-Hours, Requests or 1000 Tokens".to_owned(),
            Self::KeyValue => "a JSON object whose values are no objects or lists".to_owned(),
            Self::Object => {
                "a JSON object without a key twice, whose lists hold one type, no null and nothing twice".to_owned()
            }
            Self::OneOf(values) => format!("one of {}", values.join(", ")),
            Self::Category => "one of the service categories of the specification".to_owned(),
        }
    }
}

impl Rule {
    fn described(&self) -> String {
        let need = match self.need {
            Need::Null => "is null".to_owned(),
            Need::NotNull => "is not null".to_owned(),
            Need::NotOneOf(values) => format!("is not {}", values.join(" or ")),
            Need::Is(value) => format!("is {value}"),
            Need::Zero => "is 0".to_owned(),
            Need::EqualTo(other) => format!("equals {other}"),
            Need::ProductOf(a, b) => format!("is {a} times {b}"),
            Need::After(other) => format!("is later than {other}"),
            Need::SubcategoryOf(other) => format!("belongs to the category in {other}"),
            Need::OneFor(other) => format!("is always the same for one {other} of a provider"),
            Need::HasOne(other) => format!("has always the same {other}"),
            Need::SameAs(other) => format!("is the {other}"),
            Need::Object(need) => need.described(),
            Need::NoneOf(other) => format!("has nothing that is in {other}"),
            Need::Names { list, other, .. } => format!("has the {other} in {list}"),
        };
        let all = |when: &[When]| when.iter().map(|when| when.described()).collect::<Vec<_>>().join(" and ");
        let mut words = format!("{} {need}", self.column);
        if !self.when.is_empty() {
            words += &format!(" when {}", all(self.when));
        }
        if !self.unless.is_empty() {
            words += &format!(", unless {}", all(self.unless));
        }
        words
    }
}

impl When {
    fn described(self) -> String {
        match self {
            Self::Is(column, values) => format!("{column} is {}", values.join(" or ")),
            Self::IsNot(column, values) => format!("{column} is not {}", values.join(" or ")),
            Self::Null(column) | Self::Empty(column) => format!("{column} is null"),
            Self::Same(column, other) => format!("{column} is {other}"),
            Self::NotNull(column) => format!("{column} is not null"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_those_of_the_specification() {
        let check = |column, version, expected: &str| assert_eq!(heading(column, version), expected);
        check("SkuPriceId", FocusVersion::V1_2, "SKU Price ID");
        check("InvoiceIssuerName", FocusVersion::V1_2, "Invoice Issuer");
        check("InvoiceIssuerName", FocusVersion::V1_4, "Invoice Issuer Name");
        check("ServiceName", FocusVersion::V1_0, "Service Name");
    }

    #[test]
    fn ids_are_unique_and_each_requirement_names_its_section() {
        let rules = [ColumnRule::Present, ColumnRule::Format, ColumnRule::NotNull, ColumnRule::NotNegative];
        let of_columns = |at| rules.map(|rule| Requirement::Column(at, rule));
        let versions = |at: &usize| COLUMNS[..*at].iter().all(|column| column.name != COLUMNS[*at].name);
        let columns = (0..COLUMNS.len()).filter(versions).flat_map(of_columns);
        let all: Vec<_> = columns.chain((0..RULES.len()).map(Requirement::Row)).collect();
        let ids: std::collections::BTreeSet<_> = all.iter().map(|requirement| requirement.id()).collect();
        assert_eq!(ids.len(), all.len());
        let section = |requirement: Requirement, version| requirement.section(version);
        let place = |name| COLUMNS.iter().position(|column| column.name == name).unwrap();
        let format = |name| Requirement::Column(place(name), ColumnRule::Format);
        assert_eq!(section(format("BillingCurrency"), FocusVersion::V1_0), "Attributes, Currency Code Format");
        assert_eq!(section(format("ChargeCategory"), FocusVersion::V1_2), "Columns, Charge Category");
        assert_eq!(section(Requirement::CustomPrefix, FocusVersion::V1_2), "Attributes, Column Handling");
        assert_eq!(
            section(Requirement::Column(place("BilledCost"), ColumnRule::NotNull), FocusVersion::V1_4),
            "Columns, Billed Cost"
        );
    }
}
