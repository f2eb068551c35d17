//! The order of amounts of several currencies: by about what they are worth. Amounts in currencies that cannot be ranked come after all others,
//! by currency, and unknown amounts last.

use contracts::ranking::{USD_PER_UNIT_SCALE, usd_per_unit_for_ranking};

/// Defines `worth(amount, currency)`: about how many US dollars an amount is worth, exact in the product; null for an unknown amount and for a
/// currency that cannot be ranked. For ORDER BY alone.
pub(crate) fn macro_sql() -> String {
    let whens: Vec<_> = usd_per_unit_for_ranking().map(|(code, usd)| format!("WHEN '{code}' THEN {usd}")).collect();
    format!(
        "CREATE TEMP MACRO worth(amount, currency) AS CAST(amount AS DECIMAL(38, 6)) * CAST(CASE currency {} END AS DECIMAL(18, {USD_PER_UNIT_SCALE}))",
        whens.join(" ")
    )
}

/// What follows ORDER BY for a column of amounts beside a column `currency`.
pub(crate) fn order_sql(column: &str, is_reversed: bool) -> String {
    let direction = if is_reversed { "ASC" } else { "DESC" };
    format!(
        "{column} IS NULL, worth({column}, currency) {direction} NULLS LAST, \
         CASE WHEN worth({column}, currency) IS NULL THEN currency END NULLS LAST, {column} {direction} NULLS LAST"
    )
}
