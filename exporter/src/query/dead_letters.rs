//! `dlq list`, `dlq show` and `dlq stats`: records the contract refused. Who asks says for whom: a tenant has what is its own; an
//! operator has all of it, because a record too broken to tell its tenant belongs to no tenant.

use contracts::datasets;
use contracts::layout::UNKNOWN_TENANT;
use contracts::tenant_scope::TenantScope;
use contracts::topics::WIRE;
use duckdb::types::Value;
use duckdb::{Row, params, params_from_iter};
use lake::cut::{Cut, DataFile};
use serde::{Serialize, Serializer};

use super::extreme_times;
use super::filter::Conditions;
use crate::columns::DEAD_LETTERS;
use crate::duck::{Duck, DuckLimits, literal};
use crate::error::Result;
use crate::findings_db::check_paths;
use crate::population::sql_time;

/// Whose dead letters are asked for.
#[derive(Debug, Clone)]
pub enum DeadLetterScope {
    /// Those of one tenant: of its folder, with its id. What other bytes of a record say of tenants counts for nothing here.
    Tenant(TenantScope),
    /// An operator's view: all of them, or those of the tenants named; `_unknown` for records that name none. Those that only the
    /// record's own bytes name are found, too.
    Operator(Vec<String>),
}

/// Which dead letters. Empty lists and texts ask for nothing.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    /// Runs.
    pub run_id: Vec<String>,
    /// Codes of the first violation.
    pub error_code: Vec<String>,
    /// Fields of the first violation.
    pub error_field: Vec<String>,
    /// Source topics.
    pub src_topic: Vec<String>,
    /// Source positions.
    pub src: Vec<String>,
    /// First refused at or after, milliseconds since the epoch.
    pub since_ms: Option<i64>,
    /// First refused before, milliseconds since the epoch.
    pub until_ms: Option<i64>,
    /// Words that must all occur in source, code, field or detail, ignoring case.
    pub text: String,
    /// Most rows; `None` for all.
    pub limit: Option<u64>,
}

/// A dead letter in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "members are columns of `contracts::dead_letter::arrow_schema`")]
pub struct DeadLetterRow {
    pub src: Option<String>,
    pub src_topic: Option<String>,
    pub src_ts: Option<String>,
    pub tenant_id: Option<String>,
    /// Another tenant than `tenant_id` that the record's value or key names. No verdict stands behind it: shown to operators,
    /// with a mark, and used for nothing else.
    pub tenant_unverified: Option<String>,
    pub workspace_id: Option<String>,
    pub run_id: Option<String>,
    pub error_code: Option<String>,
    pub error_field: Option<String>,
    pub error_detail: Option<String>,
    pub first_seen_ts: Option<String>,
    pub replays: Option<u64>,
    pub replay_of: Option<String>,
    /// Size of the value as it was received; `None` of a tombstone.
    pub value_bytes: Option<u64>,
    /// There was no value at all (a tombstone), not an empty one.
    pub value_is_null: bool,
}

impl DeadLetterRow {
    /// The tenant for people, with a mark on what no verdict stands behind.
    #[must_use]
    pub fn tenant_shown(&self) -> Option<String> {
        shown(self.tenant_id.as_deref(), self.tenant_unverified.as_deref())
    }
}

fn shown(tenant: Option<&str>, unverified: Option<&str>) -> Option<String> {
    match (tenant, unverified) {
        (tenant, None) => tenant.map(str::to_owned),
        (None, Some(named)) => Some(format!("{named} (unverified)")),
        (Some(tenant), Some(named)) => Some(format!("{tenant}; names {named} (unverified)")),
    }
}

/// Dead letters that match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterList {
    /// The first of them, newest first.
    pub items: Vec<DeadLetterRow>,
    /// How many match in all.
    pub total: u64,
}

/// One dead letter, whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadLetterDetail {
    /// What a list shows.
    #[serde(flatten)]
    pub row: DeadLetterRow,
    /// All violations.
    pub errors: serde_json::Value,
    /// Version of the contract that refused it.
    pub contract_version: Option<String>,
    /// Version of the validator.
    pub validator_version: Option<String>,
    /// Headers it was received with, in order.
    pub headers: Vec<(String, Option<Payload>)>,
    /// Key as received.
    pub key: Option<Payload>,
    /// Value as received; only its first bytes when it was over the size limit, `None` of a tombstone.
    pub value: Option<Payload>,
    /// SHA-256 of the whole value, when only its first bytes were kept.
    pub value_sha256: Option<String>,
}

/// Bytes as received; in JSON `{"text": …}`, or `{"hex": …}` when they are no UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload(pub Vec<u8>);

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.collect_map([("text", text)]),
            Err(_) => serializer.collect_map([("hex", hex::encode(&self.0))]),
        }
    }
}

/// Dead letters of one tenant, code, field and topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterStat {
    /// Tenant, if their producer named one.
    pub tenant_id: Option<String>,
    /// Another tenant that the records' own bytes name.
    pub tenant_unverified: Option<String>,
    /// Code of the first violation.
    pub error_code: Option<String>,
    /// Field of the first violation.
    pub error_field: Option<String>,
    /// Source topic.
    pub src_topic: Option<String>,
    /// How many.
    pub count: u64,
    /// First refusal.
    pub first_seen_ts: Option<String>,
    /// Last refusal.
    pub last_seen_ts: Option<String>,
}

impl DeadLetterStat {
    /// The tenant for people, with a mark on what no verdict stands behind.
    #[must_use]
    pub fn tenant_shown(&self) -> Option<String> {
        shown(self.tenant_id.as_deref(), self.tenant_unverified.as_deref())
    }
}

/// Dead letters, newest first.
///
/// # Errors
/// Whatever reading met; a cut without dead letters gives an empty list.
pub fn list_dead_letters(
    cut: &Cut,
    scope: &DeadLetterScope,
    filter: &DeadLetterFilter,
    limits: &DuckLimits,
) -> Result<DeadLetterList> {
    let duck = open(cut, scope, limits)?;
    let conditions = conditions(scope, filter);
    let clause = conditions.clause();
    let doing = "listing dead letters";
    let count = format!("SELECT count(*) FROM dead_letters WHERE {clause}");
    let total = duck.rows(doing, &count, params_from_iter(&conditions.params), |row| row.get(0))?;
    let limit = filter.limit.map_or_else(String::new, |n| format!("LIMIT {n}"));
    let list = format!(
        "SELECT {} FROM dead_letters WHERE {clause} ORDER BY first_seen_ts DESC NULLS LAST, src {limit}",
        row_columns()
    );
    let items = duck.rows(doing, &list, params_from_iter(&conditions.params), read_row)?;
    Ok(DeadLetterList { items, total: total.first().copied().unwrap_or_default() })
}

/// The dead letter of one source position, `<topic id>/<partition>/<offset>`.
///
/// # Errors
/// Whatever reading met.
pub fn show_dead_letter(
    cut: &Cut,
    scope: &DeadLetterScope,
    src: &str,
    limits: &DuckLimits,
) -> Result<Option<DeadLetterDetail>> {
    let duck = open(cut, scope, limits)?;
    let sql = format!(
        "SELECT {}, errors, contract_version, validator_version, headers, key, value, value_sha256 \
         FROM dead_letters WHERE src = ? ORDER BY first_seen_ts LIMIT 1",
        row_columns()
    );
    Ok(duck.rows("reading a dead letter", &sql, params![src], read_detail)?.pop())
}

/// How many dead letters there are per tenant, code, field and topic, most first.
///
/// # Errors
/// Whatever reading met.
pub fn dead_letter_stats(
    cut: &Cut,
    scope: &DeadLetterScope,
    filter: &DeadLetterFilter,
    limits: &DuckLimits,
) -> Result<Vec<DeadLetterStat>> {
    let duck = open(cut, scope, limits)?;
    let conditions = conditions(scope, filter);
    let limit = filter.limit.map_or_else(String::new, |n| format!("LIMIT {n}"));
    let sql = format!(
        "SELECT tenant_id, {UNVERIFIED} AS named, error_code, error_field, src_topic, count(*), {}, {} FROM dead_letters \
         WHERE {} GROUP BY ALL ORDER BY 6 DESC, 1, 2, 3, 4, 5 {limit}",
        sql_time("min(first_seen_ts)"),
        sql_time("max(first_seen_ts)"),
        conditions.clause()
    );
    duck.rows("counting dead letters", &sql, params_from_iter(&conditions.params), |row| {
        Ok(DeadLetterStat {
            tenant_id: row.get(0)?,
            tenant_unverified: row.get(1)?,
            error_code: row.get(2)?,
            error_field: row.get(3)?,
            src_topic: row.get(4)?,
            count: row.get(5)?,
            first_seen_ts: row.get(6)?,
            last_seen_ts: row.get(7)?,
        })
    })
}

fn open(cut: &Cut, scope: &DeadLetterScope, limits: &DuckLimits) -> Result<Duck> {
    let duck = Duck::open(limits)?;
    let files: Vec<&DataFile> = cut.files(&datasets::DEAD_LETTERS).iter().filter(|file| scope.may_have(file)).collect();
    let paths = extreme_times::readable(cut.local(files.iter().copied(), &duck.lease)?, duck.scratch())?;
    let (named, condition) = match scope {
        DeadLetterScope::Tenant(tenant) => {
            check_paths(&duck, &files, &paths)?;
            ("tenant_id".to_owned(), format!("tenant_id = {}", literal(tenant.as_str())))
        }
        DeadLetterScope::Operator(_) => (tenant_named(), "true".to_owned()),
    };
    let query = DEAD_LETTERS.query(&duck, &paths)?;
    let view =
        format!("CREATE TEMP VIEW dead_letters AS SELECT *, {named} AS tenant_named FROM ({query}) WHERE {condition}");
    duck.run("opening dead letters", &view)?;
    Ok(duck)
}

impl DeadLetterScope {
    fn may_have(&self, file: &DataFile) -> bool {
        match self {
            Self::Tenant(tenant) => file.path_tenant.as_deref() == Some(tenant.as_str()),
            Self::Operator(_) => true,
        }
    }
}

/// The tenant that value or key name, whatever else is wrong with them. Only in the topic whose producers may speak for any tenant:
/// what the producer of another topic writes there says nothing of tenants. DuckDB writes bytes as text with `\xHH` for all that is
/// no plain character, a quote among them, so that any bytes can be searched.
fn tenant_named() -> String {
    let quote = r#"(?:"|\\x22)"#;
    let space = r"(?: |\\x09|\\x0A|\\x0D)*";
    let tenant = "([A-Za-z0-9][A-Za-z0-9._-]{0,62})";
    let in_value = format!("{quote}tenant_id{quote}{space}:{space}{quote}{space}{tenant}{space}{quote}");
    format!(
        "CASE WHEN src_topic = '{WIRE}' THEN \
         coalesce(nullif(lower(regexp_extract(CAST(value AS VARCHAR), '{in_value}', 1)), ''), \
         nullif(lower(regexp_extract(CAST(key AS VARCHAR), '^{space}{tenant}{space}$', 1)), '')) END"
    )
}

/// What is named beside the tenant that the row is of.
const UNVERIFIED: &str = "CASE WHEN tenant_named IS DISTINCT FROM tenant_id THEN tenant_named END";

fn conditions(scope: &DeadLetterScope, filter: &DeadLetterFilter) -> Conditions {
    let mut conditions = Conditions::default();
    if let DeadLetterScope::Operator(tenants) = scope {
        let tenant = format!("coalesce(tenant_id, '{UNKNOWN_TENANT}')");
        conditions.any_of(&[&tenant, "coalesce(tenant_named, '')"], tenants);
    }
    conditions.one_of("run_id", &filter.run_id);
    conditions.one_of("error_code", &filter.error_code);
    conditions.one_of("error_field", &filter.error_field);
    conditions.one_of("src_topic", &filter.src_topic);
    conditions.one_of("src", &filter.src);
    conditions.at_or_after("first_seen_ts", filter.since_ms);
    conditions.before("first_seen_ts", filter.until_ms);
    conditions.words(&["src", "error_code", "error_field", "error_detail"], &filter.text);
    conditions
}

fn row_columns() -> String {
    format!(
        "src, src_topic, {}, tenant_id, workspace_id, run_id, error_code, error_field, error_detail, {}, replays, \
         replay_of, coalesce(value_bytes, octet_length(value)), {UNVERIFIED}, value IS NULL",
        sql_time("src_ts"),
        sql_time("first_seen_ts")
    )
}

fn read_row(row: &Row<'_>) -> duckdb::Result<DeadLetterRow> {
    Ok(DeadLetterRow {
        src: row.get(0)?,
        src_topic: row.get(1)?,
        src_ts: row.get(2)?,
        tenant_id: row.get(3)?,
        workspace_id: row.get(4)?,
        run_id: row.get(5)?,
        error_code: row.get(6)?,
        error_field: row.get(7)?,
        error_detail: row.get(8)?,
        first_seen_ts: row.get(9)?,
        replays: row.get(10)?,
        replay_of: row.get(11)?,
        value_bytes: row.get(12)?,
        tenant_unverified: row.get(13)?,
        value_is_null: row.get(14)?,
    })
}

fn read_detail(row: &Row<'_>) -> duckdb::Result<DeadLetterDetail> {
    let errors: Option<String> = row.get(15)?;
    Ok(DeadLetterDetail {
        row: read_row(row)?,
        // Written by the validator as JSON; should it ever not be, its text is still worth showing.
        errors: errors.map_or(serde_json::Value::Null, |text| serde_json::from_str(&text).unwrap_or(text.into())),
        contract_version: row.get(16)?,
        validator_version: row.get(17)?,
        headers: headers(row.get(18)?),
        key: row.get::<_, Option<Vec<u8>>>(19)?.map(Payload),
        value: row.get::<_, Option<Vec<u8>>>(20)?.map(Payload),
        value_sha256: row.get(21)?,
    })
}

fn headers(value: Value) -> Vec<(String, Option<Payload>)> {
    let Value::Map(entries) = value else { return Vec::new() };
    let entry = |(name, value): &(Value, Value)| {
        let Value::Text(name) = name else { return None };
        let value = if let Value::Blob(bytes) = value { Some(Payload(bytes.clone())) } else { None };
        Some((name.clone(), value))
    };
    entries.iter().filter_map(entry).collect()
}
