//! What this process, the disks it writes to and the embedded broker's file use, as metrics.

use std::path::{Path, PathBuf};
use std::time::Duration;

use platform::broker::{self, Broker};
use platform::metrics::{Metrics, number, table};
use platform::resources::{cpu_time, resident_bytes};

use crate::settings::Settings;

/// Samples what is used.
pub struct Resources {
    metrics: Metrics,
    /// By the setting that names the folder.
    folders: Vec<(&'static str, PathBuf)>,
    cpu_before: Duration,
}

impl Resources {
    pub fn new(settings: &Settings, metrics: Metrics) -> Self {
        let folders = folders(settings).into_iter().map(|(name, folder)| (name, folder.to_owned())).collect();
        Self { metrics, folders, cpu_before: Duration::ZERO }
    }

    /// # Errors
    /// The broker does not say how large it is.
    pub fn sample(&mut self, broker: &dyn Broker) -> broker::Result<()> {
        if let Some(cpu) = cpu_time() {
            self.metrics.add_time(&table::PROCESS_CPU, [], cpu.saturating_sub(self.cpu_before));
            self.cpu_before = cpu;
        }
        if let Some(bytes) = resident_bytes() {
            self.metrics.set(&table::PROCESS_MEMORY, [], number(bytes));
        }
        for (name, folder) in &self.folders {
            if let Ok(bytes) = free_bytes(folder) {
                self.metrics.set(&table::DISK_FREE, [name], number(bytes));
            }
        }
        if let Some(size) = broker.file_size()? {
            self.metrics.set(&table::BROKER_FILE, [], number(size.file_bytes));
            self.metrics.set(&table::BROKER_FREE, [], number(size.free_bytes));
        }
        Ok(())
    }
}

/// Where something is written on this machine, each folder once, by the setting that names it.
pub fn folders(settings: &Settings) -> Vec<(&'static str, &Path)> {
    let written = [
        ("data.dir", Some(&settings.data)),
        ("store", settings.s3.is_none().then_some(&settings.root)),
        ("export.dir", Some(&settings.export)),
        ("store.cache.dir", settings.s3.as_ref().map(|s3| &s3.cache_dir)),
    ];
    let mut folders: Vec<(&'static str, &Path)> = Vec::new();
    for (name, folder) in written {
        if let Some(folder) = folder
            && folders.iter().all(|(_, known)| known != folder)
        {
            folders.push((name, folder));
        }
    }
    folders
}

/// Room for this user on the disk where the folder is, or will be.
pub fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(existing(folder))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// The folder, or the nearest one above it that exists.
pub fn existing(folder: &Path) -> &Path {
    let there = folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    if there.as_os_str().is_empty() { Path::new(".") } else { there }
}
