//! The columns this crate reads, as flat names over the nested contract schema. A column that no file has is null
//! (R61: readers join files by name); a money column that is not decimal is an error, because a double has already
//! lost what it was.

use std::path::PathBuf;

use arrow::datatypes::{DataType, Fields};

use crate::duck::{Duck, read_parquet};
use crate::error::{ExportError, Result};

/// A flat column and where it comes from.
pub(crate) struct Column {
    name: &'static str,
    path: &'static [&'static str],
    kind: Kind,
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    /// `DECIMAL(18,6)`.
    Money,
    /// `DECIMAL(38,12)`: costs of single billing rows.
    Cost,
    Flag,
    /// UTC instant; held as a plain TIMESTAMP, which needs no time zone database.
    Time,
    TextMap,
    Binary,
    BinaryMap,
}

const fn column(name: &'static str, path: &'static [&'static str], kind: Kind) -> Column {
    Column { name, path, kind }
}

/// A dataset and its columns; the first is the tenant.
pub(crate) struct Table {
    pub dataset: &'static str,
    pub columns: &'static [Column],
}

/// Findings.
pub(crate) const FINDINGS: Table = Table {
    dataset: contracts::layout::FINDINGS,
    columns: &[
        column("tenant_id", &["tenant_id"], Kind::Text),
        column("workspace_id", &["workspace_id"], Kind::Text),
        column("finding_id", &["finding_id"], Kind::Text),
        column("fingerprint", &["fingerprint"], Kind::Text),
        column("run_id", &["run_id"], Kind::Text),
        column("run_ts", &["run_ts"], Kind::Time),
        column("ingested_ts", &["ingested_ts"], Kind::Time),
        column("engine_name", &["engine_name"], Kind::Text),
        column("check_id", &["check_id"], Kind::Text),
        column("check_name", &["check_name"], Kind::Text),
        column("category", &["category"], Kind::Text),
        column("status", &["status"], Kind::Text),
        column("severity_level", &["severity", "level"], Kind::Text),
        column("severity_score", &["severity", "score"], Kind::Integer),
        column("cloud", &["scope", "cloud"], Kind::Text),
        column("account_id", &["scope", "account_id"], Kind::Text),
        column("region", &["scope", "region"], Kind::Text),
        column("service", &["scope", "service"], Kind::Text),
        column("resource_type", &["scope", "resource_type"], Kind::Text),
        column("resource_id", &["scope", "resource_id"], Kind::Text),
        column("resource_arn", &["scope", "resource_arn"], Kind::Text),
        column("title", &["title"], Kind::Text),
        column("message", &["message"], Kind::Text),
        column("recommendation", &["recommendation"], Kind::Text),
        column("est_monthly_cost", &["estimated", "monthly_cost"], Kind::Money),
        column("est_monthly_savings", &["estimated", "monthly_savings"], Kind::Money),
        column("est_confidence", &["estimated", "confidence"], Kind::Integer),
        column("actual_cost_30d", &["actual", "cost_30d"], Kind::Money),
        column("currency", &["actual", "model", "currency"], Kind::Text),
        column("attribution_method", &["actual", "attribution", "method"], Kind::Text),
        column("lifecycle_status", &["lifecycle", "status"], Kind::Text),
        column("snooze_until_ts", &["lifecycle", "snooze_until_ts"], Kind::Time),
        column("tags", &["tags"], Kind::TextMap),
        column("source_ref", &["source", "source_ref"], Kind::Text),
        column("source_engine", &["source", "engine"], Kind::Text),
        column("allocation_owner", &["allocation", "owner"], Kind::Text),
        column("allocation_cost_center", &["allocation", "cost_center"], Kind::Text),
        column("allocation_product", &["allocation", "product"], Kind::Text),
        column("allocation_environment", &["allocation", "environment"], Kind::Text),
    ],
};

/// Findings, with what costs are attributed by.
pub(crate) const UNPRICED: Table = Table {
    dataset: contracts::layout::FINDINGS,
    columns: &[
        column("tenant_id", &["tenant_id"], Kind::Text),
        column("workspace_id", &["workspace_id"], Kind::Text),
        column("finding_id", &["finding_id"], Kind::Text),
        column("fingerprint", &["fingerprint"], Kind::Text),
        column("run_id", &["run_id"], Kind::Text),
        column("run_ts", &["run_ts"], Kind::Time),
        column("ingested_ts", &["ingested_ts"], Kind::Time),
        column("cloud", &["scope", "cloud"], Kind::Text),
        column("account_id", &["scope", "account_id"], Kind::Text),
        column("region", &["scope", "region"], Kind::Text),
        column("raw_service", &["scope", "service"], Kind::Text),
        column("resource_type", &["scope", "resource_type"], Kind::Text),
        column("resource_id", &["scope", "resource_id"], Kind::Text),
        column("resource_arn", &["scope", "resource_arn"], Kind::Text),
        column("check_id", &["check_id"], Kind::Text),
        column("status", &["status"], Kind::Text),
        column("tags", &["tags"], Kind::TextMap),
        column("method", &["actual", "attribution", "method"], Kind::Text),
    ],
};

/// What priced findings say of costs, by the identity of a row.
pub(crate) const PRICED: Table = Table {
    dataset: contracts::layout::FINDINGS_ENRICHED,
    columns: &[
        column("tenant_id", &["tenant_id"], Kind::Text),
        column("workspace_id", &["workspace_id"], Kind::Text),
        column("run_id", &["run_id"], Kind::Text),
        column("finding_id", &["finding_id"], Kind::Text),
        column("cost_30d", &["actual", "cost_30d"], Kind::Money),
        column("currency", &["actual", "model", "currency"], Kind::Text),
        column("method", &["actual", "attribution", "method"], Kind::Text),
    ],
};

/// Cost facts, with what they are attributed by.
pub(crate) const BILLING_LINES: Table = Table {
    dataset: contracts::layout::COST_FACTS,
    columns: &[
        column("tenant_id", &["tenant_id"], Kind::Text),
        column("billing_period", &["billing_period"], Kind::Text),
        column("usage_start", &["usage_start"], Kind::Time),
        column("usage_end", &["usage_end"], Kind::Time),
        column("payer_account_id", &["payer_account_id"], Kind::Text),
        column("account_id", &["account_id"], Kind::Text),
        column("region", &["region"], Kind::Text),
        column("service_code", &["service_code"], Kind::Text),
        column("service", &["service"], Kind::Text),
        column("resource_id", &["resource_id"], Kind::Text),
        column("line_item_type", &["line_item_type"], Kind::Text),
        column("charge_category", &["charge_category"], Kind::Text),
        column("usage_type", &["usage_type"], Kind::Text),
        column("operation", &["operation"], Kind::Text),
        column("currency", &["currency"], Kind::Text),
        column("cost_unblended", &["cost_unblended"], Kind::Cost),
        column("cost_net", &["cost_net"], Kind::Cost),
        column("cost_amortized", &["cost_amortized"], Kind::Cost),
        column("cost_blended", &["cost_blended"], Kind::Cost),
        column("model_fallback", &["model_fallback"], Kind::Flag),
        column("tags", &["tags"], Kind::TextMap),
        column("source_ref", &["source_ref"], Kind::Text),
        column("quantity", &["quantity"], Kind::Cost),
        column("split_resource_id", &["split_resource_id"], Kind::Text),
        column("split_parent_id", &["split_parent_id"], Kind::Text),
        column("split_tags", &["split_tags"], Kind::TextMap),
        column("split_cost_unblended", &["split_cost_unblended"], Kind::Cost),
        column("split_cost_net", &["split_cost_net"], Kind::Cost),
        column("split_cost_amortized", &["split_cost_amortized"], Kind::Cost),
        column("split_cost_blended", &["split_cost_blended"], Kind::Cost),
    ],
};

/// Cost facts.
pub(crate) const COST_FACTS: Table = Table {
    dataset: contracts::layout::COST_FACTS,
    columns: &[
        column("tenant_id", &["tenant_id"], Kind::Text),
        column("billing_period", &["billing_period"], Kind::Text),
        column("billing_period_start", &["billing_period_start"], Kind::Time),
        column("usage_start", &["usage_start"], Kind::Time),
        column("usage_end", &["usage_end"], Kind::Time),
        column("account_id", &["account_id"], Kind::Text),
        column("region", &["region"], Kind::Text),
        column("service", &["service"], Kind::Text),
        column("line_item_type", &["line_item_type"], Kind::Text),
        column("charge_category", &["charge_category"], Kind::Text),
        column("commitment_status", &["commitment_status"], Kind::Text),
        column("currency", &["currency"], Kind::Text),
        column("cost_unblended", &["cost_unblended"], Kind::Cost),
        column("cost_amortized", &["cost_amortized"], Kind::Cost),
    ],
};

/// Dead letters.
pub(crate) const DEAD_LETTERS: Table = Table {
    dataset: contracts::layout::DEAD_LETTERS,
    columns: &[
        column("tenant_id", &["tenant_id"], Kind::Text),
        column("workspace_id", &["workspace_id"], Kind::Text),
        column("run_id", &["run_id"], Kind::Text),
        column("src", &["src"], Kind::Text),
        column("replay_of", &["replay_of"], Kind::Text),
        column("src_topic", &["src_topic"], Kind::Text),
        column("src_ts", &["src_ts"], Kind::Time),
        column("error_code", &["error_code"], Kind::Text),
        column("error_field", &["error_field"], Kind::Text),
        column("error_detail", &["error_detail"], Kind::Text),
        column("errors", &["errors"], Kind::Text),
        column("contract_version", &["contract_version"], Kind::Text),
        column("validator_version", &["validator_version"], Kind::Text),
        column("first_seen_ts", &["first_seen_ts"], Kind::Time),
        column("replays", &["replays"], Kind::Integer),
        column("headers", &["headers"], Kind::BinaryMap),
        column("key", &["key"], Kind::Binary),
        column("value", &["value"], Kind::Binary),
        column("value_bytes", &["value_bytes"], Kind::Integer),
        column("value_sha256", &["value_sha256"], Kind::Text),
    ],
};

impl Kind {
    fn sql_type(self) -> &'static str {
        match self {
            Self::Text => "VARCHAR",
            Self::Integer => "BIGINT",
            Self::Money => "DECIMAL(18,6)",
            Self::Cost => "DECIMAL(38,12)",
            Self::Flag => "BOOLEAN",
            Self::Time => "TIMESTAMP",
            Self::TextMap => "MAP(VARCHAR, VARCHAR)",
            Self::Binary => "BLOB",
            Self::BinaryMap => "MAP(VARCHAR, BLOB)",
        }
    }

    fn accepts(self, found: &DataType) -> bool {
        match self {
            Self::Money | Self::Cost => matches!(found, DataType::Decimal128(..)),
            Self::Time => matches!(found, DataType::Timestamp(..)),
            _ => true,
        }
    }
}

impl Column {
    /// The select item of this column over files with these fields.
    fn select(&self, dataset: &'static str, fields: &Fields) -> Result<String> {
        let sql_type = self.kind.sql_type();
        let expression = match leaf(fields, self.path) {
            None => "NULL".to_owned(),
            Some(found) if self.kind.accepts(found) => {
                let top = format!("\"{}\"", self.path[0]);
                self.path[1..].iter().fold(top, |inner, member| format!("struct_extract({inner}, '{member}')"))
            }
            Some(found) => {
                let problem = format!("it is {found}, expected {sql_type}");
                return Err(ExportError::Column { dataset, column: self.path.join("."), problem });
            }
        };
        Ok(format!("CAST({expression} AS {sql_type}) AS {}", self.name))
    }
}

/// Type of the member at `path`, if the files have it.
fn leaf<'f>(fields: &'f Fields, path: &[&str]) -> Option<&'f DataType> {
    let (first, rest) = path.split_first()?;
    let (_, field) = fields.find(first)?;
    match (rest, field.data_type()) {
        ([], found) => Some(found),
        (rest, DataType::Struct(members)) => leaf(members, rest),
        _ => None,
    }
}

impl Table {
    /// Names of the flat columns.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|column| column.name)
    }

    /// A query over `files` with the flat columns and nothing else. Without files it has the columns and no row.
    pub(crate) fn query(&self, duck: &Duck, files: &[PathBuf]) -> Result<String> {
        self.query_with(duck, files, "")
    }

    /// The same with `__file` and `__row`, which tell a row of a file from every other one. There is a file.
    pub(crate) fn query_of_rows(&self, duck: &Duck, files: &[PathBuf]) -> Result<String> {
        self.query_with(duck, files, ", __file, file_row_number AS __row")
    }

    fn query_with(&self, duck: &Duck, files: &[PathBuf], further: &str) -> Result<String> {
        if files.is_empty() {
            let none = Fields::empty();
            let items: Vec<String> =
                self.columns.iter().map(|c| c.select(self.dataset, &none)).collect::<Result<_>>()?;
            return Ok(format!("SELECT {} WHERE false", items.join(", ")));
        }
        let source = read_parquet(files.iter().map(PathBuf::as_path));
        let schema = duck.schema(&format!("reading the schema of {}", self.dataset), &format!("FROM {source}"))?;
        if schema.fields().find("tenant_id").is_none() {
            let problem = "no file has it".to_owned();
            return Err(ExportError::Column { dataset: self.dataset, column: "tenant_id".into(), problem });
        }
        let items: Vec<String> =
            self.columns.iter().map(|c| c.select(self.dataset, schema.fields())).collect::<Result<_>>()?;
        Ok(format!("SELECT {}{further} FROM {source}", items.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::SchemaRef;
    use contracts::{arrow_schema, dead_letter};

    use super::*;

    /// A misspelt path would read as null everywhere.
    #[test]
    fn every_column_is_one_of_the_contract() {
        let check = |table: &Table, schema: SchemaRef| {
            for column in table.columns {
                let found = leaf(schema.fields(), column.path);
                assert!(found.is_some_and(|t| column.kind.accepts(t)), "{} {}", table.dataset, column.path.join("."));
            }
        };
        check(&FINDINGS, arrow_schema::findings());
        check(&UNPRICED, arrow_schema::findings());
        check(&PRICED, arrow_schema::findings());
        check(&BILLING_LINES, arrow_schema::cost_facts());
        check(&COST_FACTS, arrow_schema::cost_facts());
        check(&DEAD_LETTERS, dead_letter::arrow_schema());
    }
}
