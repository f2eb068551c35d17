//! What exporters leave: JSON files whose manifest must agree with them, and gold tables that a manifest names.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use contracts::layout;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::program::{self, Role, Service};
use super::site::Site;

/// Bytes of the exported files, by tenant and name.
pub type Exported = BTreeMap<String, Vec<u8>>;

/// Reads an export folder; folders being built are not looked at.
///
/// # Panics
/// When a file cannot be read.
#[must_use]
pub fn read(folder: &Path) -> Exported {
    let mut exported = Exported::new();
    let tenants = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap());
    for tenant in tenants.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')) {
        for file in std::fs::read_dir(tenant.path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            exported.insert(name, std::fs::read(path).unwrap());
        }
    }
    exported
}

/// Lets an exporter come to rest on a state that does not change any more, stops it, and judges what it left: byte for byte what one that
/// starts from nothing makes of the same state, with manifests that agree with the files.
///
/// # Panics
/// When it is not.
pub fn judge_alone(site: &Site) {
    let exporter = Service::start(site, Role::Exporter);
    let deadline = Instant::now() + program::WAIT_MAX;
    let fresh = site.folder().join("fresh-export");
    let _ = program::done(site, &["exporter", "once", "--export", fresh.to_str().unwrap()]);
    while read(&site.export_folder()) != read(&fresh) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = exporter.stop();
    judge(site, &fresh);
}

fn judge(site: &Site, fresh: &Path) {
    let (left, made) = (read(&site.export_folder()), read(fresh));
    assert_eq!(left.keys().collect::<Vec<_>>(), made.keys().collect::<Vec<_>>());
    for (name, bytes) in &made {
        assert!(left[name] == *bytes, "{name} is not what the same state gives a second time");
    }
    let mut files = 0;
    for (name, bytes) in left.iter().filter(|(name, _)| name.ends_with("manifest.json")) {
        let tenant = name.split('/').next().unwrap();
        let manifest: Value = serde_json::from_slice(bytes).unwrap();
        for file in manifest["files"].as_array().unwrap() {
            let bytes = &left[&format!("{tenant}/{}", file["name"].as_str().unwrap())];
            assert_eq!(file["sha256"], hex::encode(Sha256::digest(bytes)), "{tenant}: {file}");
            files += 1;
        }
        judge_gold(site, tenant);
    }
    assert!(files > 0, "nothing was exported");
}

fn judge_gold(site: &Site, tenant: &str) {
    let folder = format!("{}/tenant_id={}", layout::KPI_GOLD, layout::encode_segment(tenant));
    let manifest = site.store.get(&format!("{folder}/_manifest.json")).unwrap().unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let tables = |member: &str| manifest[member].as_object().into_iter().flat_map(|tables| tables.values());
    assert!(tables("periods").next().is_some());
    for path in tables("periods").chain(tables("runs")).flat_map(|table| table["files"].as_array().unwrap()) {
        let path = path.as_str().unwrap();
        assert!(site.store.get(path).unwrap().is_some(), "{path} is named by the gold manifest and not there");
    }
}
