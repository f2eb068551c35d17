//! Which cost facts count: per tenant and billing period the files that its manifest names. A period changes by replacing
//! its manifest, so no delivery is added to one that it replaces.

use contracts::cost_manifest::{CostManifest, FILE_NAME, FactsPart, LiveDelivery};
use contracts::layout;
use contracts::time::{format_timestamp, timestamp};
use platform::store::Store;
use serde::Serialize;

use super::error::{CutError, Result};
use super::known::{Checked, Objects};
use super::unreadable::Unreadable;
use super::{DataFile, tenant_of_path};

/// The cost facts of one billing period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BillingPeriod {
    /// Tenant.
    pub tenant_id: String,
    /// `YYYY-MM`.
    pub billing_period: String,
    /// Deliveries the facts come from.
    pub deliveries: Vec<BillingSource>,
    /// Files with the facts. They say nothing more than the deliveries do: the same facts may lie in other files.
    #[serde(skip)]
    pub files: Vec<DataFile>,
    /// First and last day (`YYYY-MM-DD`) that its charges touch: corrections may be of other months. `None` when a delivery does
    /// not say.
    #[serde(skip)]
    pub charged_days: Option<(String, String)>,
}

/// A delivery of a billing period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BillingSource {
    /// Delivery.
    pub delivery_id: String,
    /// Provider, account and name of the export.
    pub source: String,
    /// Facts.
    pub rows: u64,
}

pub(super) fn read(
    store: &dyn Store,
    known: &mut Objects<Checked<BillingPeriod>>,
    now_ms: i64,
    unreadable: &mut Vec<Unreadable>,
) -> Result<Vec<BillingPeriod>> {
    let mut listed = store.list(layout::COST_FACTS)?;
    listed.retain(|entry| folder_of(&entry.path).is_some());
    let checked = |path: &str, manifest: &[u8]| Unreadable::or(period(path, manifest));
    let mut periods = Vec::new();
    for period in known.read(store, listed, now_ms, checked)? {
        match period {
            Ok(period) => periods.push(period.clone()),
            Err(problem) => unreadable.push(problem.clone()),
        }
    }
    periods.sort_by(|a, b| (&a.tenant_id, &a.billing_period).cmp(&(&b.tenant_id, &b.billing_period)));
    Ok(periods)
}

/// Folder of a period, by the path of its manifest; `None` for another file.
fn folder_of(path: &str) -> Option<&str> {
    path.strip_suffix(FILE_NAME)?.strip_suffix('/')
}

fn period(path: &str, manifest: &[u8]) -> Result<BillingPeriod> {
    let bad = |problem: String| CutError::BadObject { path: path.to_owned(), problem };
    let folder = folder_of(path).unwrap_or_default();
    let manifest = CostManifest::parse(manifest).map_err(|e| bad(e.to_string()))?;
    let tenant_id = tenant_of_path(folder).ok_or_else(|| bad("its path names no tenant".into()))?;
    let billing_period = folder
        .rsplit_once("/billing_period=")
        .and_then(|(_, period)| layout::decode_segment(period))
        .ok_or_else(|| bad("its path names no billing period".into()))?;
    let file = |part: &FactsPart| DataFile {
        path: format!("{folder}/{}", part.part),
        sha256: part.sha256.clone(),
        path_tenant: Some(tenant_id.clone()),
        bytes: part.bytes,
        rows: part.rows,
        local: None,
    };
    let delivery = |live: &LiveDelivery| BillingSource {
        delivery_id: live.delivery_id.clone(),
        source: live.source.to_string(),
        rows: live.rows,
    };
    let (files, deliveries) =
        (manifest.parts().map(file).collect(), manifest.deliveries.iter().map(delivery).collect());
    let charged_days = charged_days(&manifest);
    Ok(BillingPeriod { tenant_id, billing_period, deliveries, files, charged_days })
}

fn charged_days(manifest: &CostManifest) -> Option<(String, String)> {
    let day = |ms: i64| format_timestamp(ms).get(..10).map(str::to_owned);
    let (mut first, mut last) = (None, None);
    for delivery in &manifest.deliveries {
        let mut charged = delivery.daily_periods.iter().chain(&delivery.longer_periods).peekable();
        charged.peek()?;
        for (start, end) in charged {
            let (start, end) = (timestamp(start).ok()?, timestamp(end).ok()?);
            first = Some(first.map_or(start, |first: i64| first.min(start)));
            // The end is not charged.
            last = last.max(Some(end.saturating_sub(1).max(start)));
        }
    }
    Some((day(first?)?, day(last?)?))
}
