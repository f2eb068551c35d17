//! Orders of a list of findings.

/// What a list of findings is sorted by. Amounts, severities and times come largest first, names in alphabetical order;
/// rows without the value come last, whatever the direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is the column it names")]
pub enum FindingOrder {
    #[default]
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
const TIES: &str = "est_monthly_savings DESC NULLS LAST, severity_score DESC NULLS LAST, fingerprint, run_ts DESC, \
                    finding_id, ingested_ts DESC";

impl FindingOrder {
    /// All orders.
    pub const ALL: [Self; 12] = [
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
        match self {
            // Amounts of two currencies cannot be compared.
            Self::Savings | Self::Cost => format!("{key} IS NULL, currency, {key_sql}, {TIES}"),
            _ => format!("{key_sql}, {TIES}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_compared_within_a_currency() {
        let check = |order: FindingOrder, is_reversed, expected: &str| {
            assert_eq!(order.sql(is_reversed), format!("{expected}, {TIES}"));
        };
        check(
            FindingOrder::Savings,
            false,
            "est_monthly_savings IS NULL, currency, est_monthly_savings DESC NULLS LAST",
        );
        check(FindingOrder::Cost, true, "est_monthly_cost IS NULL, currency, est_monthly_cost ASC NULLS LAST");
        check(FindingOrder::Region, false, "lower(region) ASC NULLS LAST");
        check(FindingOrder::Region, true, "lower(region) DESC NULLS LAST");
    }
}
