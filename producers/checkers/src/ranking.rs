//! Amounts of different currencies, made comparable to rank findings: for severity, and for what is too small to tell. A converted amount is
//! never shown, stored or added to another.

use rust_decimal::Decimal;

/// Units of a currency that are about as much as one US dollar.
///
/// Source: euro foreign exchange reference rates of the European Central Bank, 30 September 2024, divided by that of the dollar (1.1196) and
/// rounded to two digits; AED, SAR, TWD, VND, CLP, COP, ARS: mid-market rates of that month. A rank needs no more.
const UNITS_PER_USD: [(&str, &str); 38] = [
    ("USD", "1"),
    ("AED", "3.7"),
    ("ARS", "970"),
    ("AUD", "1.4"),
    ("BGN", "1.7"),
    ("BRL", "5.4"),
    ("CAD", "1.4"),
    ("CHF", "0.84"),
    ("CLP", "900"),
    ("CNY", "7.0"),
    ("COP", "4200"),
    ("CZK", "22"),
    ("DKK", "6.7"),
    ("EUR", "0.89"),
    ("GBP", "0.75"),
    ("HKD", "7.8"),
    ("HUF", "350"),
    ("IDR", "15000"),
    ("ILS", "3.7"),
    ("INR", "84"),
    ("ISK", "140"),
    ("JPY", "140"),
    ("KRW", "1300"),
    ("MXN", "20"),
    ("MYR", "4.1"),
    ("NOK", "11"),
    ("NZD", "1.6"),
    ("PHP", "56"),
    ("PLN", "3.8"),
    ("RON", "4.4"),
    ("SAR", "3.8"),
    ("SEK", "10"),
    ("SGD", "1.3"),
    ("THB", "32"),
    ("TRY", "34"),
    ("TWD", "32"),
    ("VND", "25000"),
    ("ZAR", "17"),
];

/// About how many US dollars an amount is worth; `None` for a currency that is not in the table.
#[must_use]
pub fn in_usd_for_ranking(amount: Decimal, currency: &str) -> Option<Decimal> {
    let (_, units) = UNITS_PER_USD.iter().find(|(code, _)| code.eq_ignore_ascii_case(currency))?;
    amount.checked_div(units.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_comparable_and_unknown_currencies_are_not() {
        for (code, _) in UNITS_PER_USD {
            assert!(in_usd_for_ranking(Decimal::ONE_HUNDRED, code).is_some_and(|usd| usd > Decimal::ZERO), "{code}");
        }
        assert_eq!(in_usd_for_ranking(Decimal::from(280), "jpy"), Some(Decimal::TWO));
        assert_eq!(in_usd_for_ranking(Decimal::ONE, "XTS"), None);
    }
}
