//! Amounts of different currencies, made comparable to rank findings: for severity, for the order of lists, and for what is too small to be
//! a finding. A converted amount is never shown, stored or added to another.

use rust_decimal::Decimal;

/// Units of a currency that are about as much as one US dollar.
///
/// Source: euro foreign exchange reference rates of the European Central Bank, 30 September 2024, divided by that of the dollar (1.1196) and
/// rounded to two digits. Currencies without one: the rates to the dollar that their central banks keep fixed (AED, BBD, BHD, BMD, BSD, BZD,
/// JOD, LBP, OMR, PAB, QAR, SAR), else mid-market rates of that month; XAF and XOF are fixed to the euro. A rank needs no more.
const UNITS_PER_USD: [(&str, &str); 105] = [
    ("USD", "1"),
    ("AED", "3.7"),
    ("ALL", "89"),
    ("AMD", "390"),
    ("AOA", "930"),
    ("ARS", "970"),
    ("AUD", "1.4"),
    ("AZN", "1.7"),
    ("BAM", "1.7"),
    ("BBD", "2.0"),
    ("BDT", "120"),
    ("BGN", "1.7"),
    ("BHD", "0.38"),
    ("BMD", "1.0"),
    ("BND", "1.3"),
    ("BOB", "6.9"),
    ("BRL", "5.4"),
    ("BSD", "1.0"),
    ("BWP", "13"),
    ("BYN", "3.3"),
    ("BZD", "2.0"),
    ("CAD", "1.4"),
    ("CHF", "0.84"),
    ("CLP", "900"),
    ("CNY", "7.0"),
    ("COP", "4200"),
    ("CRC", "520"),
    ("CZK", "22"),
    ("DKK", "6.7"),
    ("DOP", "60"),
    ("DZD", "130"),
    ("EGP", "48"),
    ("ETB", "120"),
    ("EUR", "0.89"),
    ("FJD", "2.2"),
    ("GBP", "0.75"),
    ("GEL", "2.7"),
    ("GHS", "16"),
    ("GTQ", "7.7"),
    ("HKD", "7.8"),
    ("HNL", "25"),
    ("HUF", "350"),
    ("IDR", "15000"),
    ("ILS", "3.7"),
    ("INR", "84"),
    ("IQD", "1300"),
    ("ISK", "140"),
    ("JMD", "160"),
    ("JOD", "0.71"),
    ("JPY", "140"),
    ("KES", "130"),
    ("KHR", "4100"),
    ("KRW", "1300"),
    ("KWD", "0.31"),
    ("KZT", "480"),
    ("LAK", "22000"),
    ("LBP", "90000"),
    ("LKR", "300"),
    ("MAD", "9.7"),
    ("MDL", "17"),
    ("MKD", "55"),
    ("MMK", "2100"),
    ("MNT", "3400"),
    ("MOP", "8.0"),
    ("MUR", "46"),
    ("MXN", "20"),
    ("MYR", "4.1"),
    ("MZN", "64"),
    ("NAD", "17"),
    ("NGN", "1600"),
    ("NIO", "37"),
    ("NOK", "11"),
    ("NPR", "130"),
    ("NZD", "1.6"),
    ("OMR", "0.38"),
    ("PAB", "1.0"),
    ("PEN", "3.7"),
    ("PGK", "3.9"),
    ("PHP", "56"),
    ("PKR", "280"),
    ("PLN", "3.8"),
    ("PYG", "7800"),
    ("QAR", "3.6"),
    ("RON", "4.4"),
    ("RSD", "100"),
    ("RUB", "93"),
    ("RWF", "1300"),
    ("SAR", "3.8"),
    ("SEK", "10"),
    ("SGD", "1.3"),
    ("THB", "32"),
    ("TND", "3.0"),
    ("TRY", "34"),
    ("TTD", "6.8"),
    ("TWD", "32"),
    ("TZS", "2700"),
    ("UAH", "41"),
    ("UGX", "3700"),
    ("UYU", "42"),
    ("UZS", "13000"),
    ("VND", "25000"),
    ("XAF", "590"),
    ("XOF", "590"),
    ("ZAR", "17"),
    ("ZMW", "26"),
];

/// About how many US dollars an amount is worth; `None` for a currency that is not in the table.
#[must_use]
pub fn in_usd_for_ranking(amount: Decimal, currency: &str) -> Option<Decimal> {
    let (_, units) = UNITS_PER_USD.iter().find(|(code, _)| code.eq_ignore_ascii_case(currency))?;
    amount.checked_div(units.parse().ok()?)
}

/// Digits after the point of [`usd_per_unit_for_ranking`].
pub const USD_PER_UNIT_SCALE: u32 = 9;

/// For each currency of the table, about how many US dollars one unit of it is worth: for queries, which multiply amounts.
pub fn usd_per_unit_for_ranking() -> impl Iterator<Item = (&'static str, Decimal)> {
    let worth = |code: &'static str| Some((code, in_usd_for_ranking(Decimal::ONE, code)?.round_dp(USD_PER_UNIT_SCALE)));
    UNITS_PER_USD.iter().filter_map(move |(code, _)| worth(code))
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

    #[test]
    fn each_currency_is_worth_something() {
        assert_eq!(usd_per_unit_for_ranking().count(), UNITS_PER_USD.len());
        assert!(usd_per_unit_for_ranking().all(|(_, worth)| worth > Decimal::ZERO));
        let mut codes: Vec<_> = UNITS_PER_USD.iter().skip(1).map(|(code, _)| *code).collect();
        codes.push("USD");
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), UNITS_PER_USD.len());
    }

    #[test]
    fn dinars_are_worth_more_than_dollars_and_yen_less() {
        for (code, is_more) in [("KWD", true), ("BHD", true), ("GBP", true), ("JPY", false), ("QAR", false)] {
            assert_eq!(in_usd_for_ranking(Decimal::ONE, code) > Some(Decimal::ONE), is_more, "{code}");
        }
    }
}
