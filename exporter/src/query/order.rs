//! Orders of a list of findings.

use crate::ranking::order_sql as by_worth;

/// What a list of findings is sorted by. Amounts, severities and times come largest first, names in alphabetical order;
/// rows without the value come last, whatever the direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is the column it names")]
pub enum FindingOrder {
    /// What matters most comes first: severity, then savings, then cost.
    #[default]
    Priority,
    Savings,
    Cost,
    Severity,
    RunTs,
    Service,
    Account,
    Region,
    Workspace,
    Resource,
    Check,
    Status,
    Title,
}

/// What ties are broken by: the order is total.
fn ties() -> String {
    let savings = by_worth("est_monthly_savings", false);
    format!("{savings}, severity_score DESC NULLS LAST, fingerprint, run_ts DESC, finding_id, ingested_ts DESC")
}

/// The rank of a severity level: levels of two producers mean the same, scores within one do not.
const LEVEL_RANK: &str = "list_position(['info', 'low', 'medium', 'high', 'critical'], severity_level)";

impl FindingOrder {
    /// All orders.
    pub const ALL: [Self; 13] = [
        Self::Priority,
        Self::Savings,
        Self::Cost,
        Self::Severity,
        Self::RunTs,
        Self::Service,
        Self::Account,
        Self::Region,
        Self::Workspace,
        Self::Resource,
        Self::Check,
        Self::Status,
        Self::Title,
    ];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Savings => "savings",
            Self::Cost => "cost",
            Self::Severity => "severity",
            Self::RunTs => "run_ts",
            Self::Service => "service",
            Self::Account => "account",
            Self::Region => "region",
            Self::Workspace => "workspace",
            Self::Resource => "resource",
            Self::Check => "check",
            Self::Status => "status",
            Self::Title => "title",
        }
    }

    /// The key, and whether its largest value comes first.
    fn key(self) -> (&'static str, bool) {
        match self {
            Self::Priority => (LEVEL_RANK, true),
            Self::Savings => ("est_monthly_savings", true),
            Self::Cost => ("est_monthly_cost", true),
            Self::Severity => ("severity_score", true),
            Self::RunTs => ("run_ts", true),
            Self::Service => ("lower(service)", false),
            Self::Account => ("account_id", false),
            Self::Region => ("lower(region)", false),
            Self::Workspace => ("workspace_id", false),
            Self::Resource => ("lower(resource_id)", false),
            Self::Check => ("check_id", false),
            Self::Status => ("status", false),
            Self::Title => ("lower(title)", false),
        }
    }

    /// What follows ORDER BY.
    pub(super) fn sql(self, is_reversed: bool) -> String {
        let (key, is_largest_first) = self.key();
        let direction = if is_largest_first == is_reversed { "ASC" } else { "DESC" };
        let key_sql = format!("{key} {direction} NULLS LAST");
        let ties = ties();
        match self {
            Self::Priority => {
                let (savings, cost) =
                    (by_worth("est_monthly_savings", is_reversed), by_worth("est_monthly_cost", is_reversed));
                format!("{key_sql}, {savings}, {cost}, {ties}")
            }
            Self::Savings | Self::Cost => format!("{}, {ties}", by_worth(key, is_reversed)),
            _ => format!("{key_sql}, {ties}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_compared_by_what_they_are_worth() {
        let check = |order: FindingOrder, is_reversed, expected: &str| {
            let sql = order.sql(is_reversed);
            assert!(sql.starts_with(expected), "{sql}");
            assert!(sql.ends_with(&ties()), "{sql}");
        };
        check(FindingOrder::Savings, false, "est_monthly_savings IS NULL, worth(est_monthly_savings, currency) DESC");
        check(FindingOrder::Cost, true, "est_monthly_cost IS NULL, worth(est_monthly_cost, currency) ASC");
        check(FindingOrder::Region, false, "lower(region) ASC NULLS LAST, ");
        check(FindingOrder::Region, true, "lower(region) DESC NULLS LAST, ");
        check(FindingOrder::Priority, false, LEVEL_RANK);
    }
}
