//! Which cost facts of a tenant and billing month are live. `_manifest.json` in the month's folder of the dataset
//! `cur_facts` names the Parquet files that count and, per source, the deliveries they hold; readers read these files and no
//! others. It is replaced conditionally, as a whole: a month of all sources changes in one step, and of two loads at once
//! neither loses what the other brought.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::seal::{self, SealError, sealed};

/// Version of this format; a reader refuses a higher one. Version 1 held one delivery without its source.
pub const FORMAT_VERSION: u32 = 2;
/// Name of the manifest in the folder of a billing month.
pub const FILE_NAME: &str = "_manifest.json";

/// The live cost facts of one tenant and billing month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostManifest {
    /// [`FORMAT_VERSION`]; 1 when it was read from a manifest of that version.
    pub format_version: u32,
    /// How often the month has changed: no two manifests of a month are equal.
    pub generation: u64,
    /// The file written last. While the month is small it holds all live facts.
    #[serde(flatten)]
    pub main: FactsPart,
    /// Further live files of a large month.
    pub further_parts: Vec<FactsPart>,
    /// Files that earlier generations named and this one does not: kept for a while for readers that are still at them.
    pub previous_parts: Vec<PreviousPart>,
    /// What the files hold, by source and delivery id.
    pub deliveries: Vec<LiveDelivery>,
}

/// A live Parquet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactsPart {
    /// Name in the folder of the month.
    pub part: String,
    /// Rows.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, hex.
    pub sha256: String,
}

/// A file that is live no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousPart {
    /// Name. The member `part` is in the manifest once while the month is one file, for programs that search the text for it.
    #[serde(rename = "file")]
    pub part: String,
    /// When the load began whose manifest was the first not to name it, `…Z` with milliseconds.
    pub superseded_at: String,
}

/// Who bills: deliveries of one source replace each other, those of different sources add up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct DeliverySource {
    /// `aws`, `azure`, …; `None` when the rows do not say.
    pub provider: Option<String>,
    /// Billing account; `None` when the rows do not say.
    pub billing_account: Option<String>,
    /// Given with `--source` where one account has several exports.
    pub name: Option<String>,
}

/// A delivery whose facts count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveDelivery {
    /// Digest over the unpacked contents of the files delivered together.
    pub delivery_id: String,
    /// Who billed.
    pub source: DeliverySource,
    /// Export it was made from, such as `focus`.
    pub source_format: String,
    /// Digest of the export's column names; empty when unknown.
    pub columns: String,
    /// Facts.
    pub rows: u64,
    /// Sums by currency.
    pub totals: BTreeMap<String, CostTotals>,
    /// What of the unblended total is on an invoice, by currency and invoice id; empty when the export names none. In manifests
    /// of earlier versions of the program it is not there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub invoiced: BTreeMap<String, BTreeMap<String, String>>,
    /// Facts with a flag, by the name of its column: `currency_defaulted`, `model_fallback`, `unknown_type`. Only those that
    /// are there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flagged: BTreeMap<String, u64>,
    /// Charges of usage by length; `None` in manifests of earlier versions of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_lengths: Option<UsageLengths>,
    /// Refused rows of the delivery by reason, with the first of its months and sources: a refused row may name neither.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rejected: BTreeMap<String, u64>,
    /// Charge periods of at most a day, merged: start and end (exclusive), sorted.
    pub daily_periods: Vec<(String, String)>,
    /// Longer charge periods (fees, taxes, commitments), as above.
    pub longer_periods: Vec<(String, String)>,
    /// A sample of what is charged, by day: hashes of 12 hex digits, joined. Distinguishes a delivery of the same charges
    /// from one of other charges in the same days.
    pub charges: BTreeMap<String, String>,
    /// Where its facts are; empty in a manifest of version 1: the whole file.
    pub row_groups: Vec<RowGroups>,
}

/// How long charges of usage are, as far as they have an end (cur_attribution 8.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UsageLengths {
    /// Up to an hour.
    pub hourly: u64,
    /// Longer, up to a day.
    pub daily: u64,
    /// Longer than that.
    pub monthly: u64,
}

impl UsageLengths {
    /// Longest charge of an hour, and of a day of 25 hours: a second more than these.
    const LONGEST_MS: [i64; 2] = [3_601_000, 90_001_000];

    /// Counts a charge of this length.
    pub fn add(&mut self, length_ms: i64) {
        let [hour, day] = Self::LONGEST_MS;
        match length_ms {
            length if length <= hour => self.hourly += 1,
            length if length <= day => self.daily += 1,
            _ => self.monthly += 1,
        }
    }

    /// Those of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            hourly: self.hourly.saturating_add(other.hourly),
            daily: self.daily.saturating_add(other.daily),
            monthly: self.monthly.saturating_add(other.monthly),
        }
    }

    /// What most of them are, of two as many the finer one; `daily` when there are none.
    #[must_use]
    pub fn granularity(self) -> &'static str {
        let Self { hourly, daily, monthly } = self;
        match hourly.max(daily).max(monthly) {
            0 => "daily",
            most if hourly == most => "hourly",
            most if daily == most => "daily",
            _ => "monthly",
        }
    }

    /// Of all these deliveries together; `None` when one of them does not tell.
    #[must_use]
    pub fn granularity_of<'d>(deliveries: impl Iterator<Item = &'d LiveDelivery>) -> Option<&'static str> {
        let all = deliveries.map(|delivery| delivery.usage_lengths);
        let sum = all.reduce(|all, one| Some(all?.and(one?)))?;
        sum.map(Self::granularity)
    }
}

/// Sums of a delivery in one currency, as decimal text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CostTotals {
    /// Cost as invoiced.
    pub unblended: String,
    /// Cost after discounts.
    pub net: String,
    /// Cost with upfront payments spread over their term.
    pub amortized: String,
    /// Cost at average rates.
    pub blended: String,
}

/// Row groups of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowGroups {
    /// Name of the file.
    #[serde(rename = "file")]
    pub part: String,
    /// Numbers of the row groups, 0 is the first.
    pub row_groups: Vec<u32>,
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not what was written, or no manifest.
    #[error("it cannot be used as a manifest of cost facts: {0}")]
    Unusable(#[from] SealError),
    /// A later version of the program wrote it.
    #[error("format version {found} is newer than {FORMAT_VERSION}, the newest that this program reads")]
    Newer {
        /// Version found.
        found: u32,
    },
}

impl CostManifest {
    /// Reads a manifest of any version.
    ///
    /// # Errors
    /// It is no manifest, or a newer one.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let Versioned { format_version } = seal::read(bytes)?;
        match format_version {
            ..=1 => Ok(seal::read::<Version1>(bytes)?.into()),
            FORMAT_VERSION => Ok(seal::read(bytes)?),
            found => Err(ManifestError::Newer { found }),
        }
    }

    /// What is stored: JSON for people, with its own digest.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map(sealed)
    }

    /// All live files.
    pub fn parts(&self) -> impl Iterator<Item = &FactsPart> {
        std::iter::once(&self.main).chain(&self.further_parts)
    }
}

impl fmt::Display for DeliverySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unknown = "unknown";
        let (provider, account) = (self.provider.as_deref(), self.billing_account.as_deref());
        write!(f, "{}/{}", provider.unwrap_or(unknown), account.unwrap_or(unknown))?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " ({name})"))
    }
}

#[derive(Deserialize)]
struct Versioned {
    format_version: u32,
}

#[derive(Deserialize)]
struct Version1 {
    format_version: u32,
    delivery_id: String,
    #[serde(flatten)]
    main: FactsPart,
    source_format: String,
    previous_part: Option<String>,
}

impl From<Version1> for CostManifest {
    fn from(old: Version1) -> Self {
        let delivery = LiveDelivery {
            delivery_id: old.delivery_id,
            source: DeliverySource::default(),
            source_format: old.source_format,
            columns: String::new(),
            rows: old.main.rows,
            totals: BTreeMap::new(),
            invoiced: BTreeMap::new(),
            flagged: BTreeMap::new(),
            usage_lengths: None,
            rejected: BTreeMap::new(),
            daily_periods: Vec::new(),
            longer_periods: Vec::new(),
            charges: BTreeMap::new(),
            row_groups: Vec::new(),
        };
        // Version 1 does not say when; it was long ago.
        let superseded_at = "1970-01-01T00:00:00.000Z".to_owned();
        Self {
            format_version: old.format_version,
            generation: 0,
            main: old.main,
            further_parts: Vec::new(),
            previous_parts: old.previous_part.map(|part| PreviousPart { part, superseded_at }).into_iter().collect(),
            deliveries: vec![delivery],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION_1: &str = r#"{"format_version": 1, "delivery_id": "d1", "part": "part-d1.parquet", "rows": 3, "bytes": 10,
        "sha256": "ab", "source_format": "focus", "previous_part": "part-d0.parquet"}"#;

    fn manifest() -> CostManifest {
        CostManifest { format_version: FORMAT_VERSION, ..CostManifest::parse(VERSION_1.as_bytes()).unwrap() }
    }

    #[test]
    fn every_version_is_read() {
        let old = CostManifest::parse(VERSION_1.as_bytes()).unwrap();
        assert_eq!((old.format_version, old.deliveries[0].delivery_id.as_str()), (1, "d1"));
        assert_eq!(old.previous_parts[0].part, "part-d0.parquet");
        let new = manifest();
        let mut bytes = new.to_bytes().unwrap();
        assert_eq!(CostManifest::parse(&bytes).unwrap(), new);
        let digit = bytes.iter().position(|byte| *byte == b'3').unwrap();
        bytes[digit] = b'1';
        assert!(matches!(CostManifest::parse(&bytes), Err(ManifestError::Unusable(SealError::Broken))));
        assert_eq!(
            CostManifest::parse(b"{\"format_version\": 3}").unwrap_err().to_string().split(',').next(),
            Some("format version 3 is newer than 2")
        );
        assert!(CostManifest::parse(b"[]").is_err() && CostManifest::parse(b"{\"format_version\": 2}").is_err());
    }

    #[test]
    fn most_charges_of_usage_say_how_fine_a_bill_is() {
        let of = |lengths_s: &[i64]| {
            let mut all = UsageLengths::default();
            lengths_s.iter().for_each(|seconds| all.add(seconds * 1_000));
            all.granularity()
        };
        assert_eq!(of(&[]), "daily");
        assert_eq!((of(&[3_601]), of(&[3_602]), of(&[90_001]), of(&[90_002])), ("hourly", "daily", "daily", "monthly"));
        assert_eq!((of(&[3_600, 86_400]), of(&[86_400, 2_592_000])), ("hourly", "daily"), "ties to the finer");
        assert_eq!(of(&[3_600, 86_400, 86_400, 2_592_000, 2_592_000, 2_592_000]), "monthly");
        assert_eq!(of(&[0, -1, 86_400]), "hourly");
        let with = |usage_lengths| LiveDelivery { usage_lengths, ..manifest().deliveries.remove(0) };
        let [hours, days] =
            [[2, 0], [0, 3]].map(|[hourly, daily]| with(Some(UsageLengths { hourly, daily, monthly: 0 })));
        assert_eq!(UsageLengths::granularity_of([&hours, &days].into_iter()), Some("daily"));
        assert_eq!(UsageLengths::granularity_of([&hours, &with(None)].into_iter()), None, "an older one does not tell");
        assert_eq!(UsageLengths::granularity_of(std::iter::empty()), None);
    }

    #[test]
    fn the_live_file_is_a_member_of_its_own() {
        let json = serde_json::to_value(manifest()).unwrap();
        assert_eq!(json["part"], "part-d1.parquet", "programs of others read this member");
        assert_eq!(json["rows"], 3);
        assert_eq!(json.to_string().matches("\"part\":").count(), 1, "also for those that search the text");
    }

    #[test]
    fn a_source_has_a_name_for_people() {
        let source = |provider: Option<&str>, account: Option<&str>, name: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            DeliverySource { provider: own(provider), billing_account: own(account), name: own(name) }.to_string()
        };
        assert_eq!(source(Some("aws"), Some("1"), None), "aws/1");
        assert_eq!(source(None, None, Some("hourly")), "unknown/unknown (hourly)");
    }
}
