//! Whether a cost is the product of a price and a quantity, as far as the digits of the three say.

use inventories::billing::cells;
use rust_decimal::Decimal;

/// Digits from which a price or quantity may have been rounded. One with fewer is taken for exact: 0.0116 is a price, and 744
/// are the hours of a month.
const ROUNDED_DIGITS_MIN: usize = 6;

/// What no cost differs by: exports round to ten places and write more, and what is rounded there is never paid.
const UNPAID: Decimal = Decimal::from_parts(1, 0, 0, false, 9);

/// True when the cost is the product. A cost stands for all numbers that are rounded to it, and so does a price or a quantity with many
/// digits. `None` when one of them is absent or no decimal, or when the product has no room.
pub(super) fn is_product(cost: Option<&str>, price: Option<&str>, quantity: Option<&str>) -> Option<bool> {
    let (cost, price, quantity) =
        (rounded(cost?, 0)?, rounded(price?, ROUNDED_DIGITS_MIN)?, rounded(quantity?, ROUNDED_DIGITS_MIN)?);
    let difference = price.number.checked_mul(quantity.number)?.checked_sub(cost.number)?.abs();
    let errors =
        [(price.number.abs(), quantity.error), (quantity.number.abs(), price.error), (price.error, quantity.error)];
    let allowed = errors.into_iter().try_fold(cost.error, |sum, (a, b)| sum.checked_add(a.checked_mul(b)?))?;
    Some(difference <= allowed.max(UNPAID))
}

struct Rounded {
    number: Decimal,
    /// Half a unit of the last digit, or 0 for an exact number.
    error: Decimal,
}

fn rounded(cell: &str, digits_min: usize) -> Option<Rounded> {
    let number = cells::decimal(cell)?.normalize();
    let (mantissa, exponent) = match cell.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (cell, 0),
    };
    let significant = mantissa.trim_start_matches(|c: char| !c.is_ascii_digit() || c == '0');
    // A 0 without digits behind the point says that nothing is charged.
    if cell == "0" || significant.bytes().filter(u8::is_ascii_digit).count() < digits_min {
        return Some(Rounded { number, error: Decimal::ZERO });
    }
    let fraction = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let places = i64::try_from(fraction).ok()? - exponent;
    let places = u32::try_from(places.clamp(0, i64::from(cells::SCALE))).ok()?;
    Some(Rounded { number, error: Decimal::new(5, places + 1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_compared_as_exactly_as_its_digits_allow() {
        let check = |cost, price, quantity, expected| {
            assert_eq!(is_product(Some(cost), Some(price), Some(quantity)), expected, "{cost} {price} {quantity}");
        };
        check("1.5", "0.5", "3", Some(true));
        check("1.50", "0.50", "3", Some(true));
        check("0.4", "0.1", "3", Some(false));
        check("0.333", "0.111", "3", Some(true));
        check("0.33", "0.111", "3", Some(true));
        check("0.34", "0.111", "3", Some(false));
        check("3.33E-1", "1.11E-1", "3", Some(true));
        check("10", "0.333333", "30", Some(true));
        check("10.0", "0.333333333333", "30.0000", Some(true));
        check("9.9", "0.333333", "30", Some(false));
        check("0.30000000000000004", "0.1", "3", Some(true));
        check("-1.5", "0.5", "-3", Some(true));
        check("0", "0", "3", Some(true));
        check("0", "0.4", "1", Some(false));
        check("0.00", "0.004", "1", Some(true));
        check("0.00001605990", "0.008", "0.00200749000", Some(true));
        check("0.00001606990", "0.008", "0.00200749000", Some(false));
        check("1", "x", "3", None);
        check("1234567.89", "0.0000123", "100000000000", Some(false));
        assert_eq!(is_product(Some("1"), None, Some("1")), None);
    }
}
