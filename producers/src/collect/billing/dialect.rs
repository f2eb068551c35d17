//! Which export a file is, told from its columns.

/// A known export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// FOCUS 1.0 to 1.2.
    Focus,
    /// AWS cost and usage report, original form.
    Legacy,
    /// AWS cost and usage report 2.0.
    Cur2,
}

impl Dialect {
    /// As stored in `source_format`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Focus => "focus",
            Self::Legacy => "legacy",
            Self::Cur2 => "cur2",
        }
    }
}

const FOCUS: [&str; 3] = ["billedcost", "chargeperiodstart", "billingcurrency"];
const CUR: [&str; 3] = ["line_item_usage_start_date", "line_item_line_item_type", "line_item_unblended_cost"];
const CUR2: [&str; 5] = ["resource_tags", "tags", "product", "bill_payer_account_name", "line_item_usage_account_name"];

/// The export these columns belong to.
#[must_use]
pub fn detect(columns: &[String]) -> Option<Dialect> {
    let lower: Vec<String> = columns.iter().map(|c| c.trim().to_lowercase()).collect();
    if FOCUS.iter().all(|name| lower.iter().any(|c| c == name)) {
        return Some(Dialect::Focus);
    }
    let snake: Vec<String> = columns.iter().map(|c| snake(c)).collect();
    let has = |name: &&str| snake.iter().any(|c| c == name);
    if !CUR.iter().all(has) {
        return None;
    }
    Some(if CUR2.iter().any(has) { Dialect::Cur2 } else { Dialect::Legacy })
}

/// The name space in which the CSV and Parquet forms of AWS reports meet: `lineItem/UsageStartDate` becomes
/// `line_item_usage_start_date`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    for c in name.trim().chars() {
        if c.is_uppercase() && !out.ends_with('_') {
            out.push('_');
        }
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out.trim_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_forms_meet() {
        let cases = [
            ("lineItem/UsageStartDate", "line_item_usage_start_date"),
            ("reservation/ReservationARN", "reservation_reservation_a_r_n"),
            ("product/ProductName", "product_product_name"),
            ("line_item_usage_start_date", "line_item_usage_start_date"),
            ("resourceTags/user:a b", "resource_tags_user_a_b"),
        ];
        for (name, expected) in cases {
            assert_eq!(snake(name), expected);
        }
    }

    #[test]
    fn columns_tell_the_export() {
        let of = |columns: &[&str]| detect(&columns.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["BILLEDCOST", "ChargePeriodStart", "billingCurrency", "x"]), Some(Dialect::Focus));
        let legacy = ["lineItem/UsageStartDate", "lineItem/LineItemType", "lineItem/UnblendedCost"];
        assert_eq!(of(&legacy), Some(Dialect::Legacy));
        assert_eq!(of(&[legacy.as_slice(), &["product"]].concat()), Some(Dialect::Cur2));
        assert_eq!(of(&legacy[..2]), None);
        assert_eq!(of(&["BilledCost"]), None);
    }
}
