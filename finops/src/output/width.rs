//! How wide a line may be.

use std::io::IsTerminal;
use std::sync::OnceLock;

/// Below this no table is readable.
const WIDTH_MIN: usize = 20;

static GIVEN: OnceLock<u16> = OnceLock::new();

/// Sets what `--width` gave, once.
pub fn set_width(given: Option<u16>) {
    if let Some(given) = given {
        // Only the first call of a process sets it.
        let _ = GIVEN.set(given);
    }
}

/// Characters a line may have: `--width`, else `COLUMNS`, else those of the terminal; `None` when output goes elsewhere, where
/// nothing is cut.
pub fn width() -> Option<usize> {
    let terminal = || {
        let out = std::io::stdout();
        let size = if out.is_terminal() { terminal_size::terminal_size_of(&out) } else { None };
        size.map(|(width, _)| usize::from(width.0))
    };
    choose(GIVEN.get().copied(), std::env::var("COLUMNS").ok().as_deref(), terminal)
}

fn choose(given: Option<u16>, columns: Option<&str>, terminal: impl Fn() -> Option<usize>) -> Option<usize> {
    let columns = || columns.and_then(|text| text.trim().parse().ok()).filter(|width| *width >= WIDTH_MIN);
    given.map(usize::from).or_else(columns).or_else(terminal).map(|width| width.max(WIDTH_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_comes_before_the_variable_and_the_terminal() {
        let check = |given, columns, terminal, expected| {
            assert_eq!(choose(given, columns, || terminal), expected, "{given:?} {columns:?} {terminal:?}");
        };
        check(Some(100), Some("90"), Some(80), Some(100));
        check(None, Some("90"), Some(80), Some(90));
        check(None, Some(""), Some(80), Some(80));
        check(None, Some("0"), Some(80), Some(80));
        check(None, Some("wide"), None, None);
        check(None, None, None, None);
        check(Some(1), None, None, Some(20));
    }
}
