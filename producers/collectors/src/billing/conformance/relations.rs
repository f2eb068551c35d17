//! How the cells of a row relate, and what rows of one service or price have in common.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use inventories::billing::cells;
use serde_json::{Map, Value};

use super::exactness::is_product;
use super::json;
use super::objects;
use super::requirement::Requirement;
use super::rule::{Need, When};
use super::rules::RULES;
use super::services::category_of;
use crate::billing::row::Row;

/// Different values for which one value of another column is remembered, over all rules: some 30 MB. What comes after is not compared.
const REMEMBERED_MAX: usize = 1_000_000;

/// A rule with the places of its columns.
pub(super) struct BoundRule {
    /// Its place among all rules.
    pub at: usize,
    need: Need,
    pub column: usize,
    when: Vec<Bound>,
    unless: Vec<Bound>,
    others: [Option<usize>; 2],
}

/// A condition with the places of its columns.
struct Bound {
    when: When,
    places: [Option<usize>; 2],
}

impl Bound {
    fn holds(&self, row: Row<'_>) -> bool {
        let [cell, other] = self.places.map(|place| row.get(place));
        self.when.holds(cell, other)
    }
}

impl BoundRule {
    /// `None` when the file lacks a column that it cannot be tested without. A condition on a column that is absent sees null.
    pub(super) fn of(at: usize, place: &impl Fn(&str) -> Option<usize>) -> Option<Self> {
        let rule = &RULES[at];
        let others: Vec<usize> = rule.need.columns().into_iter().map(place).collect::<Option<_>>()?;
        let bound = |when: &When| Bound { when: *when, places: when.columns().map(|name| place(name?)) };
        let is_there = |name: &str| place(name).is_some();
        let needed = rule.when.iter().filter(|when| when.wants_columns());
        if !needed.flat_map(|when| when.columns()).flatten().all(is_there) {
            return None;
        }
        Some(Self {
            at,
            need: rule.need,
            column: place(rule.column)?,
            when: rule.when.iter().map(bound).collect(),
            unless: rule.unless.iter().map(bound).collect(),
            others: [others.first().copied(), others.get(1).copied()],
        })
    }
}

/// What rules remember between rows.
#[derive(Debug, Default)]
pub(super) struct Relations {
    /// By rule and value of the other column: a digest of the value that it had first.
    remembered: HashMap<(usize, u64), u64>,
    tested_in_part: BTreeSet<usize>,
    /// The cell that was read last, as an object: all rules about a column look at one cell.
    last_object: (String, Option<Map<String, Value>>),
}

impl Relations {
    /// True when the row keeps the rule, or cannot tell.
    pub(super) fn keeps(&mut self, rule: &BoundRule, cloud: &str, row: Row<'_>) -> bool {
        let applies = rule.when.iter().all(|when| when.holds(row));
        if !applies || (!rule.unless.is_empty() && rule.unless.iter().all(|when| when.holds(row))) {
            return true;
        }
        let cell = row.get(Some(rule.column));
        let [a, b] = rule.others.map(|place| row.get(place));
        match rule.need {
            Need::Null => cell.is_none(),
            Need::NotNull => cell.is_some(),
            Need::NotOneOf(values) => cell.is_none_or(|cell| !values.contains(&cell)),
            Need::Is(value) => cell == Some(value),
            Need::Zero => cell.and_then(cells::decimal).is_none_or(|amount| amount.is_zero()),
            Need::EqualTo(_) => {
                let amounts = (cell.and_then(cells::decimal), a.and_then(cells::decimal));
                matches!(amounts, (Some(amount), Some(other)) if amount == other)
                    || amounts.0.is_none()
                    || amounts.1.is_none()
            }
            Need::ProductOf(..) => is_product(cell, a, b).unwrap_or(true),
            Need::After(_) => {
                let times = (cell.and_then(cells::timestamp_ms), a.and_then(cells::timestamp_ms));
                !matches!(times, (Some(end), Some(start)) if end <= start)
            }
            Need::SubcategoryOf(_) => cell.is_none_or(|cell| category_of(cell) == a),
            Need::SameAs(_) => cell == a,
            Need::Object(need) => {
                cell.is_none_or(|cell| self.object(cell).is_none_or(|object| need.is_kept_by(object)))
            }
            Need::NoneOf(_) => cell.zip(a).is_none_or(|(cell, other)| {
                let objects = json::object(cell).zip(json::object(other));
                objects.is_none_or(|(own, other)| objects::shares_no_member(&own, &other))
            }),
            Need::Names { list, key, .. } => cell.zip(a).is_none_or(|(cell, text)| {
                self.object(cell).is_none_or(|object| objects::names(object, list, key, text))
            }),
            Need::HasOne(_) => cell.is_none_or(|own| self.is_the_same(rule.at, (cloud, own), a)),
            Need::OneFor(_) => a.is_none_or(|other| self.is_the_same(rule.at, (cloud, other), cell)),
        }
    }

    /// The object in the cell; `None` where it is none, which is a matter of its form.
    fn object(&mut self, cell: &str) -> Option<&Map<String, Value>> {
        if self.last_object.0 != cell {
            self.last_object = (cell.to_owned(), json::object(cell));
        }
        self.last_object.1.as_ref()
    }

    /// True when the rule has seen no other value for what is in the other column.
    fn is_the_same(&mut self, rule: usize, other: impl Hash, cell: Option<&str>) -> bool {
        let (key, value) = ((rule, digest(other)), digest(cell));
        match self.remembered.get(&key) {
            Some(first) => *first == value,
            None if self.remembered.len() < REMEMBERED_MAX => self.remembered.insert(key, value).is_none(),
            None => {
                self.tested_in_part.insert(rule);
                true
            }
        }
    }

    /// Ids of rules that met too many values to remember.
    pub(super) fn tested_in_part(&self) -> Vec<String> {
        self.tested_in_part.iter().map(|at| Requirement::Row(*at).id()).collect()
    }
}

fn digest(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_values_than_are_remembered_are_not_accused() {
        let mut relations = Relations::default();
        for n in 0..REMEMBERED_MAX {
            assert!(relations.is_the_same(1, n, Some("a")));
        }
        assert!(!relations.is_the_same(1, 7_usize, Some("b")));
        assert_eq!(relations.tested_in_part(), [""; 0]);
        assert!(relations.is_the_same(2, "new", Some("a")) && relations.is_the_same(2, "new", Some("b")));
        assert_eq!(relations.tested_in_part(), [Requirement::Row(2).id()]);
    }
}
