//! The catalogue of KPIs: one SQL file each, all of them in [`KPIS`]. A KPI is added by its file and its line here.

/// What a KPI counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KpiUnit {
    /// Things.
    Count,
    /// Money; the row has a currency.
    Money,
    /// A share of a hundred.
    Percent,
}

/// What a KPI looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KpiPopulation {
    /// The last complete run of each producer in each workspace in the period.
    Snapshot,
    /// Cost facts whose usage starts in the period.
    Facts,
}

/// One KPI.
#[derive(Debug, Clone, Copy)]
pub struct Kpi {
    /// Name, as in column `kpi_name`.
    pub name: &'static str,
    /// Unit of its values.
    pub unit: KpiUnit,
    /// Rows it looks at.
    pub population: KpiPopulation,
    /// Query that gives `tenant_id, workspace_id, period, dimensions, value, currency`, over the rows of several tenants.
    pub(crate) sql: &'static str,
}

impl Kpi {
    /// What it says, in words: the first paragraph of its file.
    #[must_use]
    pub fn meaning(&self) -> String {
        let comment = self.sql.lines().map_while(|line| line.strip_prefix("-- ")).collect::<Vec<_>>().join(" ");
        comment.split_once(": ").map_or_else(|| comment.clone(), |(_, meaning)| meaning.to_owned())
    }
}

macro_rules! kpi {
    ($name:literal, $unit:ident, $population:ident) => {
        Kpi {
            name: $name,
            unit: KpiUnit::$unit,
            population: KpiPopulation::$population,
            sql: include_str!(concat!("../../sql/kpi/", $name, ".sql")),
        }
    };
}

/// Every KPI, by name.
pub const KPIS: &[Kpi] = &[
    kpi!("cost.by_account", Money, Facts),
    kpi!("cost.by_region", Money, Facts),
    kpi!("cost.by_service", Money, Facts),
    kpi!("cost.commitment_coverage_pct", Percent, Facts),
    kpi!("cost.commitment_unused", Money, Facts),
    kpi!("cost.commitment_utilization_pct", Percent, Facts),
    kpi!("cost.flagged_30d", Money, Snapshot),
    kpi!("cost.forecast_month", Money, Facts),
    kpi!("cost.total", Money, Facts),
    kpi!("coverage.actual_cost_pct", Percent, Snapshot),
    kpi!("coverage.cost_days", Count, Facts),
    kpi!("coverage.estimate_pct", Percent, Snapshot),
    kpi!("coverage.method_count", Count, Snapshot),
    kpi!("coverage.runs", Count, Snapshot),
    kpi!("coverage.scopes_failed", Count, Snapshot),
    kpi!("findings.count", Count, Snapshot),
    kpi!("findings.count_by_account", Count, Snapshot),
    kpi!("findings.count_by_category", Count, Snapshot),
    kpi!("findings.count_by_check", Count, Snapshot),
    kpi!("findings.count_by_region", Count, Snapshot),
    kpi!("findings.count_by_service", Count, Snapshot),
    kpi!("findings.count_by_severity", Count, Snapshot),
    kpi!("findings.count_by_state", Count, Snapshot),
    kpi!("findings.count_by_status", Count, Snapshot),
    kpi!("findings.matrix", Count, Snapshot),
    kpi!("findings.meta_count", Count, Snapshot),
    kpi!("findings.open_by_severity_category", Count, Snapshot),
    kpi!("savings.deferred_monthly", Money, Snapshot),
    kpi!("savings.dismissed_monthly", Money, Snapshot),
    kpi!("savings.potential_monthly", Money, Snapshot),
    kpi!("savings.potential_monthly_net", Money, Snapshot),
    kpi!("top_savings", Money, Snapshot),
];

/// A contradiction that must not be published.
pub(crate) struct Check {
    pub name: &'static str,
    /// Query that gives one text per contradiction.
    pub sql: &'static str,
}

macro_rules! check {
    ($name:literal) => {
        Check { name: $name, sql: include_str!(concat!("../../sql/checks/", $name, ".sql")) }
    };
}

/// Every check, by name.
pub(crate) const CHECKS: &[Check] = &[
    check!("costs_add_up"),
    check!("costs_reconcile"),
    check!("counts_add_up"),
    check!("net_savings_add_up"),
    check!("savings_add_up"),
];

impl KpiPopulation {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "findings of the last complete runs of the period",
            Self::Facts => "costs of the period",
        }
    }
}

impl KpiUnit {
    /// As in column `unit`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Money => "money",
            Self::Percent => "pct",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &str) -> Vec<String> {
        let folder = std::path::Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("sql").join(folder);
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap().trim_end_matches(".sql").to_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn lists_and_files_agree() {
        assert_eq!(files("kpi"), KPIS.iter().map(|kpi| kpi.name).collect::<Vec<_>>());
        assert_eq!(files("checks"), CHECKS.iter().map(|check| check.name).collect::<Vec<_>>());
    }

    /// What the statement that ends here selects.
    fn selected(statement: &str) -> &str {
        let mut depth = 0;
        let begins = statement.char_indices().rev().find(|(at, c)| {
            depth += i32::from(*c == ')') - i32::from(*c == '(');
            depth < 0 || (depth == 0 && statement[*at..].starts_with("SELECT "))
        });
        begins.and_then(|(at, _)| statement[at..].split(" FROM ").next()).unwrap_or_default()
    }

    /// What belongs to a clause that begins here.
    fn clause(rest: &str) -> &str {
        const NEXT: [&str; 7] = ["WHERE ", "GROUP BY ", "JOIN ", "QUALIFY ", "ORDER BY ", "UNION ", ";"];
        let ends = NEXT.iter().filter_map(|next| rest.find(next)).min().unwrap_or(rest.len());
        &rest[..ends]
    }

    /// Several tenants share a statement: one that forgets them would mix their rows. A service family is one of its text.
    #[test]
    fn every_statement_keeps_tenants_apart() {
        let root = std::path::Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("sql");
        let all = ["attribution", "attribution_rows", "base", "checks", "export", "gold", "kpi"].into_iter();
        for (folder, name) in all.flat_map(|folder| files(folder).into_iter().map(move |name| (folder, name))) {
            let text = std::fs::read_to_string(root.join(folder).join(format!("{name}.sql"))).unwrap();
            let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
            let sql = code.join(" ");
            assert!(sql.contains("tenant_id"), "{folder}/{name}.sql");
            for word in ["PARTITION BY ", "GROUP BY ", "USING (", " ON "] {
                for (at, _) in sql.match_indices(word) {
                    let rest = sql[at + word.len()..].trim_start();
                    let keys = match word {
                        " ON " => clause(rest),
                        _ if rest.starts_with("ALL") => selected(&sql[..at]),
                        _ => rest.split([')', ';']).next().unwrap_or_default(),
                    };
                    let is_apart = keys.contains("tenant_id") || keys.starts_with("raw_service");
                    assert!(is_apart, "{folder}/{name}.sql: {word}{}", rest.chars().take(60).collect::<String>());
                }
            }
        }
    }

    #[test]
    fn every_file_starts_with_its_meaning_in_words() {
        let all = KPIS.iter().map(|kpi| (kpi.name, kpi.sql)).chain(CHECKS.iter().map(|check| (check.name, check.sql)));
        for (name, sql) in all {
            assert!(sql.starts_with(&format!("-- {name}: ")), "{name}");
        }
        let total = KPIS.iter().find(|kpi| kpi.name == "cost.total").unwrap();
        let meaning =
            "cost of the period per model: one row without tax, and one row per charge category, tax among them.";
        assert_eq!(total.meaning(), meaning);
    }
}
