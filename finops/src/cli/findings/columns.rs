//! The columns of `finops findings list`: each once, with its name, what it shows and how much it matters.

use exporter::ExportedFinding;
use serde_json::{Value, json};

use crate::output::{Column, Kind, amount};

/// A column.
pub struct FindingColumn {
    /// Name on the command line.
    pub name: &'static str,
    /// Member of a finding, for programs.
    pub member: &'static str,
    heading: &'static str,
    kind: Kind,
    /// 0 is always shown in a table, of the others the highest goes first; `None` is shown only when asked for.
    rank: Option<usize>,
    width_min: usize,
    get: fn(&ExportedFinding) -> Value,
}

macro_rules! columns {
    ($($name:literal $member:ident $heading:literal $kind:ident $rank:expr, $width:literal;)+) => {
        &[$(FindingColumn {
            name: $name,
            member: stringify!($member),
            heading: $heading,
            kind: Kind::$kind,
            rank: $rank,
            width_min: $width,
            get: |finding| json!(finding.$member),
        }),+]
    };
}

/// All columns, in the order of a table.
const COLUMNS: &[FindingColumn] = columns! {
    "id" finding_id "id" Id Some(0), 12;
    "fingerprint" fingerprint "fingerprint" Id None, 16;
    "severity" severity_level "severity" Text Some(3), 8;
    "status" status "status" Text Some(5), 6;
    "savings" est_monthly_savings "savings/mo" Number Some(0), 8;
    "cost" est_monthly_cost "cost/mo" Number None, 8;
    "billed" actual_cost_30d "billed 30 days" Number None, 8;
    "billed_by" attribution_method "billed by" Text None, 12;
    "confidence" est_confidence "confidence" Number None, 3;
    "service" service "service" Text Some(4), 12;
    "account" account_id "account" Id Some(7), 12;
    "region" region "region" Text Some(6), 14;
    "workspace" workspace_id "workspace" Text Some(8), 9;
    "resource" resource_id "resource" Id Some(2), 16;
    "type" resource_type "type" Text None, 12;
    "check" check_id "check" Id None, 24;
    "category" category "category" Text None, 8;
    "run" run_id "run" Id Some(10), 24;
    "run_ts" run_ts "run started" Text Some(9), 24;
    "title" title "title" Text Some(0), 24;
    "message" message "message" Text None, 40;
    "recommendation" recommendation "recommendation" Text None, 40;
};

/// Members that programs get unless they ask for others.
const MEMBERS: [&str; 18] = [
    "finding_id",
    "fingerprint",
    "run_id",
    "run_ts",
    "workspace_id",
    "check_id",
    "status",
    "severity_level",
    "service",
    "account_id",
    "region",
    "resource_id",
    "est_monthly_cost",
    "est_monthly_savings",
    "currency",
    "title",
    "message",
    "recommendation",
];

/// Names for the command line.
pub fn names() -> Vec<&'static str> {
    COLUMNS.iter().map(|column| column.name).collect()
}

/// The columns asked for, in that order; without any, those of a table by default.
pub fn of_table(asked: &[String]) -> Vec<(&'static FindingColumn, Column)> {
    let shown = |column: &'static FindingColumn, rank| {
        let FindingColumn { name, heading, kind, width_min, .. } = *column;
        (column, Column { name, heading: Some(heading), kind, rank, width_min })
    };
    if asked.is_empty() {
        return COLUMNS.iter().filter_map(|column| Some(shown(column, column.rank?))).collect();
    }
    asked.iter().filter_map(|name| find(name)).map(|column| shown(column, 0)).collect()
}

/// Members for programs: those of the columns asked for, with the currency beside amounts.
pub fn members(asked: &[String]) -> Vec<&'static str> {
    if asked.is_empty() {
        return MEMBERS.to_vec();
    }
    let mut members: Vec<&'static str> =
        asked.iter().filter_map(|name| find(name)).map(|column| column.member).collect();
    if members.iter().any(|member| is_amount(member)) {
        members.push("currency");
    }
    if members.contains(&ACTUAL) {
        members.push("actual_currency");
    }
    members
}

fn find(name: &str) -> Option<&'static FindingColumn> {
    COLUMNS.iter().find(|column| column.name.eq_ignore_ascii_case(name))
}

fn is_amount(member: &str) -> bool {
    ["est_monthly_savings", "est_monthly_cost"].contains(&member)
}

impl FindingColumn {
    /// What a person sees.
    pub fn cell(&self, finding: &ExportedFinding) -> Value {
        match ((self.get)(finding), self.member) {
            (Value::String(text), member) if is_amount(member) => {
                json!(amount(&text, finding.currency.as_deref().unwrap_or_default()))
            }
            (Value::String(text), ACTUAL) => {
                json!(amount(&text, finding.actual_currency.as_deref().unwrap_or_default()))
            }
            // A list is for looking, and twelve digits tell findings apart; `show` takes them.
            (Value::String(id), "finding_id" | "fingerprint") => json!(id.get(..ID_SHOWN).unwrap_or(&id)),
            (value, _) => value,
        }
    }
}

/// The amount that is in the currency of the bill.
const ACTUAL: &str = "actual_cost_30d";
/// Digits of an id in a table.
const ID_SHOWN: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_none_sorts_by_nothing() {
        let mut all = names();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), COLUMNS.len());
        // Priority is of several columns.
        for order in exporter::FindingOrder::ALL.into_iter().filter(|order| *order != exporter::FindingOrder::Priority)
        {
            assert!(find(order.as_str()).is_some(), "a list can be sorted by {}, but not show it", order.as_str());
        }
    }

    #[test]
    fn ranks_are_unique() {
        let mut ranks: Vec<_> = COLUMNS.iter().filter_map(|column| column.rank).filter(|rank| *rank > 0).collect();
        let count = ranks.len();
        ranks.sort_unstable();
        ranks.dedup();
        assert_eq!(ranks.len(), count);
    }

    #[test]
    fn programs_get_the_currency_with_an_amount() {
        let of = |names: &[&str]| members(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["Savings", "id"]), ["est_monthly_savings", "finding_id", "currency"]);
        assert_eq!(of(&["region"]), ["region"]);
        assert_eq!(of(&[]), MEMBERS);
    }
}
