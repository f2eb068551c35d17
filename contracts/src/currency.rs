//! Currencies an amount may be in: the codes of ISO 4217 that name money.
//!
//! Sources: [`CODES`] is list one of the ISO 4217 maintenance agency (SIX), as of February 2026; [`WITHDRAWN`] are those of its
//! list three that were withdrawn in 2006 or later, because no bill of a public cloud is older.

/// Codes in force. Left out are the codes of list one in which no bill is written: precious metals (XAG, XAU, XPD, XPT), units of
/// the bond market (XBA to XBD), the code for tests (XTS) and the one for "no currency" (XXX): a member without a currency is
/// left out.
pub const CODES: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BHD", "BIF", "BMD", "BND",
    "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHE", "CHF", "CHW", "CLF", "CLP", "CNY",
    "COP", "COU", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP",
    "GBP", "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IQD",
    "IRR", "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP",
    "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN",
    "MXV", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN",
    "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD",
    "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX",
    "USD", "USN", "UYI", "UYU", "UYW", "UZS", "VED", "VES", "VND", "VUV", "WST", "XAD", "XAF", "XCD", "XCG", "XDR",
    "XOF", "XPF", "XSU", "XUA", "YER", "ZAR", "ZMW", "ZWG",
];

/// Codes that older bills may still be in.
pub const WITHDRAWN: &[&str] = &[
    "ANG", "AZM", "BGN", "BYR", "CSD", "CUC", "CYP", "EEK", "GHC", "HRK", "LTL", "LVL", "MRO", "MTL", "MZM", "ROL",
    "SDD", "SIT", "SKK", "SLL", "STD", "TMM", "USS", "VEB", "VEF", "XFU", "ZMK", "ZWD", "ZWL", "ZWN", "ZWR",
];

/// True for the code of a currency, in capitals.
#[must_use]
pub fn is_known(code: &str) -> bool {
    CODES.binary_search(&code).is_ok() || WITHDRAWN.binary_search(&code).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_codes_and_share_none() {
        let is_code = |code: &&str| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase());
        for list in [CODES, WITHDRAWN] {
            assert!(list.is_sorted() && list.iter().all(is_code));
        }
        assert!(WITHDRAWN.iter().all(|code| CODES.binary_search(code).is_err()));
    }

    #[test]
    fn what_names_money_is_known() {
        for code in ["USD", "EUR", "XOF", "XCG", "CLF", "HRK", "BGN"] {
            assert!(is_known(code), "{code}");
        }
        for code in ["", "usd", "US", "EURO", "$", "XXX", "XTS", "XAU", "XBA", "BTC", "CNH", "DEM", "ZZZ"] {
            assert!(!is_known(code), "{code}");
        }
    }
}
