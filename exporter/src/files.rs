//! A list of files, named as patterns.

use lake::cut::{Cut, DataFile, tenant_of_path};

use crate::duck::{Duck, DuckLimits, literal, read_parquet};
use crate::error::{ExportError, Result};

/// Takes the files that match `patterns` (`*`, `?`, `[…]`, `**`) as findings. No run manifests, so every run counts as complete.
///
/// # Errors
/// `no_input_given`, `no_input_files`.
pub fn cut_of_files(patterns: &[String]) -> Result<Cut> {
    let findings = matching(patterns)?;
    let row_tenants = tenants_of_rows(&findings)?;
    Ok(Cut::of_list(patterns.join(" "), findings, row_tenants))
}

/// # Errors
/// `no_input_files` when the cut has neither findings nor runs nor bills.
pub(crate) fn refuse_empty(cut: &Cut) -> Result<()> {
    if cut.is_empty() { Err(ExportError::NoInputFiles { searched: cut.location.clone() }) } else { Ok(()) }
}

/// Data files that match, by tenant and path, each once. Names that start with `_` or `.` below the fixed part of a pattern are
/// no data (R63): staging, chains and temporary files.
fn matching(patterns: &[String]) -> Result<Vec<DataFile>> {
    if patterns.is_empty() {
        return Err(ExportError::NoInputGiven);
    }
    let duck = Duck::open(&DuckLimits { threads: 1, ..DuckLimits::default() })?;
    let mut paths = Vec::new();
    for pattern in patterns {
        let doing = format!("listing {pattern}");
        let found: Vec<String> =
            duck.rows(&doing, &format!("SELECT file FROM glob({})", literal(pattern)), [], |row| row.get(0))?;
        let fixed = fixed_part(pattern).len();
        let is_data = |path: &String| !path.get(fixed..).unwrap_or(path).split('/').any(|s| s.starts_with(['_', '.']));
        paths.extend(found.into_iter().filter(is_data));
    }
    paths.sort_unstable();
    paths.dedup();
    if paths.is_empty() {
        return Err(ExportError::NoInputFiles { searched: patterns.join(" ") });
    }
    let mut files = paths.into_iter().map(data_file).collect::<Result<Vec<_>>>()?;
    files.sort_by(|a, b| a.path_tenant.cmp(&b.path_tenant));
    Ok(files)
}

/// Tenants of the rows of files whose path names none.
fn tenants_of_rows(files: &[DataFile]) -> Result<Vec<String>> {
    let nameless: Vec<_> =
        files.iter().filter(|f| f.path_tenant.is_none()).filter_map(|f| f.local.as_deref()).collect();
    if nameless.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT DISTINCT tenant_id FROM {} WHERE tenant_id IS NOT NULL", read_parquet(nameless));
    Duck::open(&DuckLimits::default())?.rows("listing tenants", &sql, [], |row| row.get(0))
}

/// The folder of a pattern before its first wildcard.
fn fixed_part(pattern: &str) -> &str {
    let end = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    pattern[..end].rfind('/').map_or("", |slash| &pattern[..=slash])
}

fn data_file(path: String) -> Result<DataFile> {
    let local = std::path::PathBuf::from(&path);
    let bytes = std::fs::metadata(&local).map_err(ExportError::io("looking at", &local))?.len();
    // The folder a file lies in differs between machines; the cut must not.
    let name = path.rsplit('/').next().unwrap_or(&path);
    let (path, path_tenant) = (format!("{name} {bytes}"), tenant_of_path(&path));
    Ok(DataFile { path, sha256: String::new(), path_tenant, bytes, rows: 0, local: Some(local) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_part_ends_before_the_first_wildcard() {
        assert_eq!(fixed_part("/a/_b/*/c.parquet"), "/a/_b/");
        assert_eq!(fixed_part("/a/b.parquet"), "/a/");
        assert_eq!(fixed_part("*.parquet"), "");
    }
}
