//! A month of cost facts as it lies in the store: its manifest and the files that this names. Reads it, replaces it only from
//! the version that was read, and removes what no manifest names.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use contracts::cost_manifest::{self, CostManifest, FactsPart, LiveDelivery, PreviousPart};
use contracts::time::{format_timestamp, timestamp};
use platform::failpoint;
use platform::store::{ReplaceOutcome, Store, StoreError, Version};

use super::merge::Merged;
use super::options::LoadOptions;
use super::writer::store_error;
use crate::billing::error::LoadError;

/// How long a file is kept that is live no more: longer than an export reads.
const PREVIOUS_AGE_MS: i64 = 15 * 60_000;
/// Such files at most: a load a second for that time.
const PREVIOUS_MAX: usize = 900;
/// Age from which a file that no manifest names is a crashed load's: a load publishes its file minutes before it is named.
const ORPHAN_AGE_MS: i64 = 24 * 3_600_000;

/// A month that is being changed.
pub(super) struct Month<'a> {
    pub store: &'a dyn Store,
    pub tenant: String,
    pub period: String,
    pub folder: String,
    pub options: LoadOptions,
    /// A replace failed without an answer: it may still happen, so the files of its manifest must stay.
    pub is_unanswered: Cell<bool>,
}

/// A month as it was read.
pub(super) struct Live {
    pub manifest: Option<CostManifest>,
    pub version: Option<Version>,
    /// Deliveries whose files are all there, with the right size.
    pub present: Vec<LiveDelivery>,
    /// The others.
    pub lost: Vec<LiveDelivery>,
}

impl Live {
    pub fn read(month: &Month<'_>) -> Result<Self, LoadError> {
        let failed = |source| store_error(&month.period, source);
        let path = month.path(cost_manifest::FILE_NAME);
        let Some((bytes, version)) = month.store.get_versioned(&path).map_err(failed)? else {
            return Ok(Self { manifest: None, version: None, present: Vec::new(), lost: Vec::new() });
        };
        let bad = |reason: String| LoadError::Manifest { path: path.clone(), reason };
        let manifest = CostManifest::parse(&bytes).map_err(|e| bad(e.to_string()))?;
        let sizes: BTreeMap<String, u64> = month
            .store
            .list(&month.folder)
            .map_err(failed)?
            .into_iter()
            .map(|entry| (entry.path, entry.bytes))
            .collect();
        let is_there = |part: &FactsPart| sizes.get(&month.path(&part.part)) == Some(&part.bytes);
        let there: BTreeSet<&str> =
            manifest.parts().filter(|part| is_there(part)).map(|part| part.part.as_str()).collect();
        let is_present = |delivery: &LiveDelivery| match delivery.row_groups.as_slice() {
            [] => there.contains(manifest.main.part.as_str()),
            groups => groups.iter().all(|groups| there.contains(groups.part.as_str())),
        };
        let (present, lost) = manifest.deliveries.iter().cloned().partition(is_present);
        Ok(Self { manifest: Some(manifest), version: Some(version), present, lost })
    }

    pub fn of_version_1(&self) -> Option<&LiveDelivery> {
        self.present.iter().find(|delivery| delivery.row_groups.is_empty())
    }
}

impl Month<'_> {
    /// Replaces the manifest that was read.
    pub(super) fn replace(&self, live: &Live, manifest: &CostManifest) -> Result<ReplaceOutcome, LoadError> {
        let failed = |source| store_error(&self.period, source);
        let json = manifest
            .to_bytes()
            .map_err(|e| failed(StoreError::io("encoding the manifest of", self.folder.as_str(), e.into())))?;
        failpoint::hit!("producers.facts.written");
        self.is_unanswered.set(true);
        let path = self.path(cost_manifest::FILE_NAME);
        let outcome = self.store.replace(&path, &json, live.version.as_ref()).map_err(failed)?;
        self.is_unanswered.set(false);
        Ok(outcome)
    }

    pub(super) fn next_manifest(&self, live: &Live, merged: &Merged) -> CostManifest {
        let mut deliveries = merged.deliveries.clone();
        deliveries.sort_by(|a, b| (&a.source, &a.delivery_id).cmp(&(&b.source, &b.delivery_id)));
        let mut parts = merged.parts.iter().cloned();
        let main =
            parts.next().unwrap_or_else(|| FactsPart { part: String::new(), rows: 0, bytes: 0, sha256: String::new() });
        let is_live = |name: &str| merged.parts.iter().any(|part| part.part == name);
        let (superseded_at, now) = (format_timestamp(self.options.now_ms), self.options.now_ms);
        let is_recent = |previous: &&PreviousPart| {
            timestamp(&previous.superseded_at).is_ok_and(|at| at > now.saturating_sub(PREVIOUS_AGE_MS))
        };
        let before = live.manifest.iter().flat_map(|live| live.parts()).filter(|part| !is_live(&part.part));
        let before = before.map(|part| PreviousPart { part: part.part.clone(), superseded_at: superseded_at.clone() });
        let earlier = live.manifest.iter().flat_map(|live| &live.previous_parts).filter(is_recent).cloned();
        CostManifest {
            format_version: cost_manifest::FORMAT_VERSION,
            generation: live.manifest.as_ref().map_or(1, |live| live.generation + 1),
            main,
            further_parts: parts.collect(),
            previous_parts: before.chain(earlier).take(PREVIOUS_MAX).collect(),
            deliveries,
        }
    }

    /// True when the manifest is another one now.
    pub(super) fn has_changed_since(&self, live: &Live) -> Result<bool, LoadError> {
        Ok(Live::read(self)?.version != live.version)
    }

    pub(super) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Removes files that no manifest names and that are older than a day.
    pub(super) fn sweep(&self, manifest: Option<&CostManifest>) {
        let named: BTreeSet<&str> = manifest.into_iter().flat_map(names).collect();
        let entries = match self.store.list(&self.folder) {
            Ok(entries) => entries,
            Err(error) => return tracing::warn!(%error, "looking for files of crashed loads failed"),
        };
        for entry in entries {
            let name = entry.path.rsplit('/').next().unwrap_or_default();
            let is_orphan = name.ends_with(".parquet") && !named.contains(name);
            if is_orphan && entry.modified_ms < self.options.now_ms.saturating_sub(ORPHAN_AGE_MS) {
                tracing::info!(path = entry.path, "removing a file of a crashed load");
                self.remove(name);
            }
        }
    }

    /// Removes a file that no manifest names.
    pub(super) fn remove(&self, name: &str) {
        if let Err(error) = self.store.delete(&self.path(name)) {
            tracing::warn!(%error, "a file that no manifest names stays until the next load of its month");
        }
    }

    /// Removes an own file unless the manifest names it.
    pub(super) fn remove_unnamed(&self, name: &str) {
        match Live::read(self) {
            Ok(live) if !live.manifest.iter().flat_map(names).any(|named| named == name) => self.remove(name),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "a file that no manifest names stays until the next load of its month")
            }
        }
    }
}

/// Names of the files that count, or did just before.
pub(super) fn names(manifest: &CostManifest) -> impl Iterator<Item = &str> {
    manifest.parts().map(|part| part.part.as_str()).chain(manifest.previous_parts.iter().map(|old| old.part.as_str()))
}
