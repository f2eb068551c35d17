//! Folders that stand for a billing period in the exports of AWS and Azure.

use std::path::{Path, PathBuf};

/// The innermost folder of a period around a file below `root`: `BILLING_PERIOD=2026-01`, `year=2026/month=1`,
/// `20260101-20260201`.
#[must_use]
pub fn period_folder(file: &Path, root: &Path) -> Option<PathBuf> {
    let mut folders = file.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
    folders.find(|folder| is_period(folder)).map(Path::to_owned)
}

fn is_period(folder: &Path) -> bool {
    let name = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let own = name(folder);
    let value =
        |name: &str, key: &str| name.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')).map(str::to_owned);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some(period) = value(&own, "billing_period") {
        return period.split_once('-').is_some_and(|(year, month)| is_number(year) && is_number(month));
    }
    if let Some(month) = value(&own, "month") {
        let year = folder.parent().map(name).and_then(|parent| value(&parent, "year"));
        return is_number(&month) && year.is_some_and(|year| is_number(&year));
    }
    let is_day = |text: &str| text.len() == "20260101".len() && is_number(text);
    own.split_once('-').is_some_and(|(start, end)| is_day(start) && is_day(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_a_period_are_known_by_their_names() {
        let cases = [
            ("r/BILLING_PERIOD=2026-01/e/x.csv", Some("r/BILLING_PERIOD=2026-01")),
            ("r/billing_period=2026-01/x.csv", Some("r/billing_period=2026-01")),
            ("r/year=2026/month=1/x.parquet", Some("r/year=2026/month=1")),
            ("r/20260101-20260201/a/x.csv", Some("r/20260101-20260201")),
            ("r/month=1/x.csv", None),
            ("r/2026/01/x.csv", None),
            ("r/20260101-2026/x.csv", None),
        ];
        for (file, expected) in cases {
            let found = period_folder(Path::new(file), Path::new("r")).map(|period| period.display().to_string());
            assert_eq!(found.as_deref(), expected, "{file}");
        }
    }
}
