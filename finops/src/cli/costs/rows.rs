//! Deliveries with their totals, one row for each currency.

use std::collections::BTreeMap;

use contracts::cost_manifest::{CostTotals, LiveDelivery};
use contracts::run_manifest::BillingDelivery;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::cli::counts::listed;
use crate::output::{Column, Kind, Rows, rounded};

/// What is listed of a delivery.
pub struct CostRow {
    period: String,
    source: String,
    dialect: String,
    delivery: String,
    /// What the load did; blank for what is live.
    effect: String,
    /// Of the billing period.
    granularity: Option<String>,
    rows: u64,
    rejected: BTreeMap<String, u64>,
    flagged: BTreeMap<String, u64>,
    totals: BTreeMap<String, CostTotals>,
    invoiced: BTreeMap<String, BTreeMap<String, String>>,
}

/// Columns that a narrow terminal does without, the first ones first.
const SPARED: [&str; 8] = ["delivery", "blended", "net", "effect", "granularity", "flagged", "rejected", "invoices"];

/// Columns of amounts, which are text so that programs get every digit.
const AMOUNTS: [&str; 5] = ["unblended", "invoiced", "amortized", "net", "blended"];

impl CostRow {
    pub fn of_load(loaded: &BillingDelivery) -> Self {
        Self {
            period: loaded.billing_period.clone(),
            source: loaded.source.clone(),
            dialect: loaded.source_format.clone(),
            delivery: loaded.delivery_id.clone(),
            effect: loaded.effect.clone(),
            granularity: (!loaded.granularity.is_empty()).then(|| loaded.granularity.clone()),
            rows: loaded.accepted,
            rejected: loaded.rejected.clone(),
            flagged: loaded.flagged.clone(),
            totals: loaded.totals.clone(),
            invoiced: loaded.invoiced.clone(),
        }
    }

    /// `granularity` of the period, where it is known.
    pub fn of_live(period: &str, granularity: Option<&str>, live: &LiveDelivery) -> Self {
        Self {
            period: period.to_owned(),
            source: live.source.to_string(),
            dialect: live.source_format.clone(),
            delivery: live.delivery_id.clone(),
            effect: "live".to_owned(),
            granularity: granularity.map(str::to_owned),
            rows: live.rows,
            rejected: live.rejected.clone(),
            flagged: live.flagged.clone(),
            totals: live.totals.clone(),
            invoiced: live.invoiced.clone(),
        }
    }

    /// What the provider's invoices say of a currency: how many they are, and their sum. Null when the bill names none.
    fn invoices(&self, currency: &str) -> (Value, Value) {
        let Some(invoices) = self.invoiced.get(currency) else { return (Value::Null, Value::Null) };
        let sum: Option<Decimal> = invoices.values().map(|text| text.parse::<Decimal>().ok()).sum();
        (json!(invoices.len()), sum.map_or(Value::Null, |sum| json!(sum.normalize().to_string())))
    }
}

/// All as rows; amounts are exact.
pub fn rows(found: &[CostRow]) -> Rows {
    build(found, |text| text.to_owned())
}

/// For people: amounts with two decimals.
pub fn rounded_rows(found: &[CostRow]) -> Rows {
    build(found, |text| text.parse().map_or_else(|_| text.to_owned(), rounded))
}

fn build(found: &[CostRow], amount: impl Fn(&str) -> String) -> Rows {
    let columns = [
        "period",
        "source",
        "dialect",
        "effect",
        "granularity",
        "rows",
        "rejected",
        "flagged",
        "currency",
        "unblended",
        "invoiced",
        "invoices",
        "amortized",
        "net",
        "blended",
        "delivery",
    ];
    let column = |name| match AMOUNTS.contains(&name) {
        true => Column::sized(name, Kind::Number, 0, 0),
        false => Column::new(name),
    };
    let mut rows = Rows::of(columns.map(column).into()).may_lack(&SPARED);
    for row in found {
        let counts = [json!(row.rows), counted(&row.rejected), counted(&row.flagged)];
        // What an earlier version of the program has loaded may have no totals.
        let by_currency = row.totals.iter().map(|(currency, totals)| (Some(currency), Some(totals)));
        let unknown = row.totals.is_empty().then_some((None, None));
        for (number, (currency, totals)) in by_currency.chain(unknown).enumerate() {
            // Those of the delivery, not of the currency: once, so that they can be added up.
            let [rows_read, rejected, flagged] = if number == 0 { counts.clone() } else { [const { Value::Null }; 3] };
            let (invoices, invoiced) = currency.map_or((Value::Null, Value::Null), |currency| row.invoices(currency));
            let invoiced = invoiced.as_str().map_or(Value::Null, |text| json!(amount(text)));
            let total = |of: fn(&CostTotals) -> &String| totals.map_or(Value::Null, |totals| json!(amount(of(totals))));
            rows.push(vec![
                json!(row.period),
                json!(row.source),
                json!(row.dialect),
                json!(row.effect),
                json!(row.granularity),
                rows_read,
                rejected,
                flagged,
                json!(currency),
                total(|totals| &totals.unblended),
                invoiced,
                invoices,
                total(|totals| &totals.amortized),
                total(|totals| &totals.net),
                total(|totals| &totals.blended),
                json!(row.delivery),
            ]);
        }
    }
    rows
}

/// `bad_decimal 2, missing_cost 1`; 0 for none.
fn counted(counts: &BTreeMap<String, u64>) -> Value {
    let listed = listed(counts.iter().map(|(name, n)| (name.as_str(), *n)));
    if listed.is_empty() { json!(0) } else { json!(listed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(currencies: &[&str]) -> CostRow {
        CostRow {
            period: "2026-01".into(),
            source: "aws/1".into(),
            dialect: "focus".into(),
            delivery: "d".into(),
            effect: "live".into(),
            granularity: Some("hourly".into()),
            rows: 7,
            rejected: BTreeMap::new(),
            flagged: [("model_fallback".to_owned(), 2)].into(),
            totals: currencies.iter().map(|currency| ((*currency).to_owned(), CostTotals::default())).collect(),
            invoiced: BTreeMap::new(),
        }
    }

    #[test]
    fn a_delivery_without_totals_is_listed_all_the_same() {
        assert!(rounded_rows(&[row(&[])]).table(None).0.contains("2026-01"));
    }

    #[test]
    fn rows_of_a_delivery_are_counted_once_in_all_its_currencies() {
        let text = rounded_rows(&[row(&["EUR", "USD"])]).table(None).0;
        assert_eq!((text.matches("hourly").count(), text.matches("model_fallback 2").count()), (2, 1), "{text}");
        assert_eq!(text.matches(" 7 ").count(), 1, "{text}");
    }
}
