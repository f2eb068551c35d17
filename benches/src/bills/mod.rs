//! Bills: lines of an export to stored cost facts, and the memory it takes over millions of them.

mod files;
mod lines;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use collectors::billing::{LoadOptions, load};
use contracts::layout;
use platform::lifecycle::Shutdown;
use platform::progress::{Progress, Silent};
use platform::store::local::LocalStore;
use serde_json::Value;

use crate::{cpu, findings};

pub use files::write;

const TENANT: &str = "bench";

/// Loads bills, one after the other, each into a store of its own below `folder`, in which its facts stay.
pub fn run(folder: &Path, bills: &[&str]) -> Result<(), String> {
    println!("{}; one thread, facts synced to disk", cpu::model());
    bills.iter().try_for_each(|bill| measure(folder, Path::new(bill)))
}

/// Prints findings about the volumes of a bill of that many lines: findings of the same tenant, over and over the same volumes.
pub fn print_findings(total: usize, lines: usize) -> Result<(), String> {
    let volumes = (files::things(lines) / lines::CHARGES.len()).max(1);
    let mut out = BufWriter::new(std::io::stdout().lock());
    for n in 0..total {
        let mut finding: Value = serde_json::from_str(&findings::finding_of(n, 1)).map_err(|e| e.to_string())?;
        let (account, region, volume) = lines::volume(n % volumes);
        finding["tenant_id"] = TENANT.into();
        finding["issue_key"]["number"] = n.into();
        let scope = &mut finding["scope"];
        scope["resource_arn"] = format!("arn:aws:ec2:{region}:{account}:volume/{volume}").into();
        (scope["account_id"], scope["region"], scope["resource_id"]) = (account.into(), region.into(), volume.into());
        writeln!(out, "{finding}").map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn measure(folder: &Path, bill: &Path) -> Result<(), String> {
    let name = bill.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let facts = folder.join(format!("facts-of-{name}"));
    // What an earlier measurement left would be compared with this bill.
    match std::fs::remove_dir_all(&facts) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(format!("removing {}: {e}", facts.display())),
        _ => {}
    }
    let store = LocalStore::open(&facts, layout::SINK).map_err(|e| e.to_string())?;
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    let options = LoadOptions::default();
    let paths: [PathBuf; 1] = [bill.to_owned()];
    cpu::forget_peak()?;
    let (before, started) = (cpu::time()?, Instant::now());
    let loaded = load(TENANT, &paths, &options, &store, &progress, &Shutdown::new()).map_err(|e| e.to_string())?;
    let (spent, wall) = (cpu::time()?.saturating_sub(before), started.elapsed());
    let rows = loaded.report.rejects.rows;
    #[allow(clippy::cast_precision_loss, reason = "counts of lines, far below 2^52")]
    let per_second = |time: std::time::Duration| rows as f64 / time.as_secs_f64();
    println!(
        "{name}: {rows} lines, {:.0} a CPU-second, {:.0} a second, {} MiB resident at most, {} lines of the inventory",
        per_second(spent),
        per_second(wall),
        cpu::peak_mib(),
        loaded.inventory.lines().len(),
    );
    Ok(())
}
