//! Amounts for people. Programs get all six places.

use rust_decimal::Decimal;

/// The amount with two decimals, rounded half to even.
pub fn rounded(amount: Decimal) -> String {
    format!("{:.2}", amount.round_dp(2))
}

/// An amount as the datasets write it, with its currency: `0.63 USD`. Text that is no amount stays as it is.
pub fn amount(text: &str, currency: &str) -> String {
    let amount = text.parse().map_or_else(|_| text.to_owned(), rounded);
    if currency.is_empty() { amount } else { format!("{amount} {currency}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let check = |text: &str, expected: &str| assert_eq!(rounded(text.parse().unwrap()), expected, "{text}");
        check("0.628760", "0.63");
        check("0.625000", "0.62");
        check("0.635000", "0.64");
        check("-0.625000", "-0.62");
        check("1", "1.00");
        check("0.004999", "0.00");
        check("999999999999.995000", "1000000000000.00");
    }

    #[test]
    fn an_amount_has_its_currency() {
        assert_eq!(amount("12.340000", "EUR"), "12.34 EUR");
        assert_eq!(amount("12.345000", ""), "12.34");
        assert_eq!(amount("n/a", "EUR"), "n/a EUR");
    }
}
