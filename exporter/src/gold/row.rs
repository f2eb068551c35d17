//! A row of the gold tables, its key, and the name of a set of rows.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::error::{ExportError, Result};

/// Version of the columns; a reader refuses a higher one. Version 2 has values of decimal(38,6), version 1 had decimal(18,6).
pub const SCHEMA_VERSION: u32 = 2;

/// One KPI value. The column `tenant_id` is that of the table, `computed_ts` that of the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KpiRow {
    /// Workspace, `*` for the whole tenant.
    pub workspace_id: String,
    /// KPI.
    pub kpi_name: String,
    /// Canonical text of `dimensions`, see [`dim_key`].
    pub dim_key: String,
    /// Currency of money.
    pub currency: Option<String>,
    /// Dimensions.
    pub dimensions: BTreeMap<String, String>,
    /// Value in millionths.
    pub value_micro: i128,
    /// `YYYY-MM-DD` or `YYYY-MM`.
    pub period: String,
    /// `day` or `month`.
    pub period_type: String,
    /// `count` or `money`.
    pub unit: &'static str,
    /// Runs or deliveries behind it.
    pub source_ref: String,
}

/// Sources named in a row; the rest is counted.
const SOURCES_MAX: usize = 20;

/// `k=v` joined by `|`, keys sorted, with `%`, `=` and `|` percent-encoded.
#[must_use]
pub fn dim_key(dimensions: &BTreeMap<String, String>) -> String {
    let encode = |text: &str| text.replace('%', "%25").replace('=', "%3D").replace('|', "%7C");
    let pairs: Vec<String> = dimensions.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
    pairs.join("|")
}

/// Sources `;` separated, at most 20, then `+n`.
pub(super) fn source_ref(sources: &[String]) -> String {
    let shown = sources.len().min(SOURCES_MAX);
    let mut text = sources[..shown].join(";");
    if sources.len() > shown {
        text += &format!(";+{}", sources.len() - shown);
    }
    text
}

/// Places of the values that KPIs are computed with.
const COMPUTED_PLACES: usize = 12;
/// Parts of a millionth that those places tell apart.
const PARTS: i128 = 1_000_000;

/// Reads a decimal with at most [`COMPUTED_PLACES`] places as millionths, half-even; `None` when it is no such number or has
/// more digits than decimal(38,12).
pub(super) fn micro(text: &str) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > COMPUTED_PLACES {
        return None;
    }
    let parts: i128 = format!("{whole}{fraction:0<COMPUTED_PLACES$}").parse().ok()?;
    let (down, rest) = (parts / PARTS, parts % PARTS);
    let is_up = rest > PARTS / 2 || (rest == PARTS / 2 && down % 2 == 1);
    Some(sign * (down + i128::from(is_up)))
}

/// Puts the rows of one period in order and refuses two of one key.
pub(super) fn sort_unique(rows: &mut [KpiRow]) -> Result<()> {
    fn key(row: &KpiRow) -> (&str, &str, &str, Option<&str>) {
        (&row.workspace_id, &row.kpi_name, &row.dim_key, row.currency.as_deref())
    }
    rows.sort_by(|a, b| key(a).cmp(&key(b)));
    match rows.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
        None => Ok(()),
        Some(pair) => Err(ExportError::DuplicateRow {
            kpi: pair[0].kpi_name.clone(),
            period: pair[0].period.clone(),
            workspace: pair[0].workspace_id.clone(),
            dim_key: pair[0].dim_key.clone(),
        }),
    }
}

/// 16 hex digits of the SHA-256 of the version of the columns and the sorted rows, build time left out: same content, same
/// name, and files of two versions are never taken for each other.
pub(super) fn generation(tenant: &str, rows: &[KpiRow]) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("schema {SCHEMA_VERSION}\n"));
    for row in rows {
        let currency = row.currency.as_deref().unwrap_or("");
        let value = row.value_micro.to_string();
        let cells = [
            tenant,
            &row.workspace_id,
            &row.period,
            &row.period_type,
            &row.kpi_name,
            &row.dim_key,
            &value,
            row.unit,
            currency,
            &row.source_ref,
        ];
        // Lengths keep neighbours apart whatever they hold.
        cells.iter().for_each(|cell| hash.update(format!("{}:{cell}", cell.len())));
    }
    hex::encode(hash.finalize())[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dim_keys_are_sorted_and_unambiguous() {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        assert_eq!(dim_key(&map(&[])), "");
        assert_eq!(dim_key(&map(&[("model", "amortized"), ("account_id", "1")])), "account_id=1|model=amortized");
        assert_eq!(dim_key(&map(&[("title", "a=b|c%")])), "title=a%3Db%7Cc%25");
    }

    #[test]
    fn sources_are_cut_after_twenty() {
        let sources: Vec<String> = (0..23).map(|n| format!("r{n}")).collect();
        assert!(source_ref(&sources).ends_with("r18;r19;+3"));
        assert_eq!(source_ref(&sources[..2]), "r0;r1");
    }

    #[test]
    fn decimals_become_millionths() {
        let cases = [
            ("1", Some(1_000_000)),
            ("-0.5", Some(-500_000)),
            ("0.000000500000", Some(0)),
            ("0.000001500000", Some(2)),
            ("0.000002500001", Some(3)),
            ("-0.000001500000", Some(-2)),
            ("999999999999.999999", Some(999_999_999_999_999_999)),
            ("1600000000002.000000", Some(1_600_000_000_002_000_000)),
            ("99999999999999999999999999.999999500000", Some(10_i128.pow(32))),
            ("0.0000000000001", None),
            ("999999999999999999999999999.9", None),
            ("1e3", None),
        ];
        for (text, expected) in cases {
            assert_eq!(micro(text), expected, "{text}");
        }
    }
}
