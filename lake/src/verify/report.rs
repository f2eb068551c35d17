//! What verifying finds, as scripts and people read it.

use std::collections::BTreeMap;
use std::fmt;

use contracts::chain::ChainHead;
use contracts::commit_record::CommitRecord;
use contracts::source::{OffsetSet, SrcPartition};
use platform::broker::TopicPartition;
use serde::Serialize;

use super::area::{Area, AreaReport, NotCompared};
use super::ends::OpenEnd;

/// What a problem breaks. A closed list: scripts may rely on the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The broker's sinks write to another store than this one.
    StoreForeign,
    /// A topic ends before what was written from it: the broker was set back, or is another one.
    TopicBehind,
    /// A topic holds other records than those that were read of it: the broker was rolled back.
    RolledBack,
    /// A commit record is unreadable, changed or removed.
    ChainBroken,
    /// A checkpoint does not say what the commits before it add up to.
    CheckpointDiffers,
    /// A commit record contradicts itself: rows, files and source positions do not add up.
    CommitAddsUp,
    /// A committed file is not there.
    FileMissing,
    /// A committed file has another size or digest.
    FileChanged,
    /// A committed file is no Parquet, or holds other rows or columns than it must.
    FileContent,
    /// A file in a dataset that no commit record names.
    FileForeign,
    /// A source position is held by two rows.
    SourceTwice,
    /// A wire record was judged, but is neither a row nor on its way to be one.
    RecordLost,
    /// An audit record of what was sent again cannot be read, so it is not known what stands for what.
    AuditUnreadable,
    /// Not all that a finished run published has arrived or is on its way.
    RunIncomplete,
    /// A run manifest is unreadable, or that of another run.
    ManifestUnreadable,
    /// A run was announced on its topic, and the store has no manifest of it.
    ManifestMissing,
    /// A run manifest is not the one that was announced.
    ManifestChanged,
    /// A file that a month's manifest names is not there.
    CostFactsMissing,
    /// A file of cost facts has another size, digest or number of rows than its manifest says.
    CostFactsChanged,
    /// The manifest of a month is unreadable, or contradicts itself.
    CostFactsManifest,
    /// A file that a tenant's gold manifest names is not there.
    GoldMissing,
    /// A file of a gold table has another size, digest or number of rows than its manifest says.
    GoldChanged,
    /// A gold manifest is unreadable, or that of another tenant.
    GoldManifest,
    /// Gold tables were made from commits that the chains do not hold.
    GoldAhead,
    /// A file of priced findings or their evidence that a tenant's manifest names is not there.
    AttributionMissing,
    /// A file of priced findings or their evidence has another size, digest or number of rows than its manifest says.
    AttributionChanged,
    /// A manifest of priced findings is unreadable, or that of another tenant.
    AttributionManifest,
    /// Findings were priced from commits that the chains do not hold.
    AttributionAhead,
    /// A file that an export manifest names is not there.
    ExportMissing,
    /// An exported file has another size or digest than its manifest says, or no manifest names it.
    ExportChanged,
    /// An export manifest is absent, unreadable, or that of another tenant.
    ExportManifest,
    /// Exported files were made from commits that the chains do not hold.
    ExportAhead,
}

impl Rule {
    /// Where it can be broken.
    #[must_use]
    pub fn area(self) -> Area {
        match self {
            Self::ChainBroken | Self::CheckpointDiffers | Self::CommitAddsUp => Area::CommitChains,
            Self::FileMissing | Self::FileChanged | Self::FileContent | Self::FileForeign | Self::SourceTwice => {
                Area::DataFiles
            }
            Self::StoreForeign | Self::TopicBehind | Self::RolledBack | Self::RecordLost | Self::AuditUnreadable => {
                Area::WireRecords
            }
            Self::RunIncomplete | Self::ManifestUnreadable | Self::ManifestMissing | Self::ManifestChanged => {
                Area::RunManifests
            }
            Self::CostFactsMissing | Self::CostFactsChanged | Self::CostFactsManifest => Area::CostFacts,
            Self::GoldMissing | Self::GoldChanged | Self::GoldManifest | Self::GoldAhead => Area::Gold,
            Self::AttributionMissing
            | Self::AttributionChanged
            | Self::AttributionManifest
            | Self::AttributionAhead => Area::Attribution,
            Self::ExportMissing | Self::ExportChanged | Self::ExportManifest | Self::ExportAhead => Area::Exports,
        }
    }

    /// While this is broken it is unknown what is missing: sending again could double what is there, or meet a sink
    /// that takes what is sent for duplicates.
    #[must_use]
    pub fn hides_what_is_missing(self) -> bool {
        matches!(
            self,
            Self::StoreForeign
                | Self::TopicBehind
                | Self::RolledBack
                | Self::ChainBroken
                | Self::CheckpointDiffers
                | Self::AuditUnreadable
        )
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(self).ok().and_then(|v| v.as_str().map(str::to_owned));
        f.write_str(&name.unwrap_or_default())
    }
}

/// Something is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct VerifyProblem {
    /// What it breaks.
    pub rule: Rule,
    /// Path in the store, topic partition or run.
    pub object: String,
    /// What is wrong with it.
    pub detail: String,
}

/// How many last records could be compared with what the topics hold: that tells whether the broker was rolled back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LastRecords {
    /// Compared.
    pub compared: u64,
    /// The broker does not hold them any more.
    pub expired: u64,
    /// The commit or position names none: a version that did not keep it wrote it, or a tool.
    pub unknown: u64,
}

/// A partition's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// Topic.
    pub topic: String,
    /// Topic id.
    pub topic_id: String,
    /// Partition.
    pub partition: u32,
    /// Commit records.
    pub commits: u64,
    /// One past the last committed offset.
    pub end: u64,
    /// Committed rows.
    pub rows: u64,
    /// Dropped duplicates.
    pub duplicates: u64,
    /// When the last commit was made.
    pub committed_at: String,
}

/// Records that are on their way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct InFlight {
    /// Not judged yet.
    pub unjudged: u64,
    /// Judged, not written yet.
    pub unwritten: u64,
}

impl InFlight {
    /// Nothing is on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unjudged + self.unwritten == 0
    }
}

/// What is committed and not published: safe, and invisible to readers until a sink publishes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Unpublished {
    /// Files.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
}

/// A run manifest that the store lacks, and where the topic of runs has it.
#[derive(Debug, Clone)]
pub struct Announced {
    /// Where it belongs.
    pub path: String,
    /// Where it was announced.
    pub at: TopicPartition,
    /// Offset of the announcement.
    pub offset: u64,
}

/// Offsets of a wire partition that no row answers for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Topic name.
    pub topic: String,
    /// Topic id and partition.
    pub partition: SrcPartition,
    /// The offsets.
    pub offsets: OffsetSet,
    /// How many of them later records name in `replay.of` although this store has no audit record of such a sending: they do
    /// not stand for them.
    #[serde(skip_serializing_if = "is_zero")]
    pub claimed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl fmt::Display for Missing {
    /// Shows the first ranges.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        write!(f, "{} record(s) of {} {}: offsets ", self.offsets.count(), self.topic, self.partition)?;
        for (n, range) in self.offsets.ranges().take(SHOWN).enumerate() {
            f.write_str(if n == 0 { "" } else { ", " })?;
            match range.end - range.start {
                1 => write!(f, "{}", range.start)?,
                _ => write!(f, "{}–{}", range.start, range.end - 1)?,
            }
        }
        match self.offsets.ranges().count().saturating_sub(SHOWN) {
            0 => {}
            more => write!(f, " and {more} more ranges")?,
        }
        match self.claimed {
            0 => Ok(()),
            claimed => write!(
                f,
                "; later records claim in replay.of to stand for {claimed} of them, but no audit record of this store says \
                 that they were sent again"
            ),
        }
    }
}

/// A run of which not all has arrived. A problem only when what has not arrived is not on its way either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IncompleteRun {
    /// `tenant/workspace/run_id`.
    pub run: String,
    /// Records it published.
    pub published: u64,
    /// Those that are rows.
    pub arrived: u64,
    /// Those that are on their way.
    pub on_the_way: u64,
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct VerifyReport {
    /// Chains, by topic id and partition.
    pub chains: Vec<ChainReport>,
    /// Committed files.
    pub files: u64,
    /// Rows of valid findings.
    pub findings_rows: u64,
    /// Rows of dead letters.
    pub dead_letter_rows: u64,
    /// Dropped duplicates.
    pub duplicates: u64,
    /// Files and rows of last commits that are not published yet; the numbers above count them, too.
    pub unpublished: Unpublished,
    /// Wire records that are on their way.
    pub in_flight: InFlight,
    /// Wire records that were judged and are nowhere, by partition: what `repair` sends again.
    pub missing: Vec<Missing>,
    /// Offsets that the broker no longer holds and no row answers for: lost, or never records (a Kafka topic counts its
    /// transaction marks as offsets).
    pub unproven: Vec<Missing>,
    /// Runs of which not all has arrived.
    pub incomplete_runs: Vec<IncompleteRun>,
    /// Last records of commit chains and of the validators' positions, against the topics.
    pub last_records: LastRecords,
    /// All problems, by rule and object.
    pub problems: Vec<VerifyProblem>,
    /// What was compared, and what could not be, by area.
    pub areas: Vec<AreaReport>,
    /// Commits with a missing file.
    #[serde(skip)]
    pub commits_with_missing_files: Vec<CommitRecord>,
    /// Checkpoints that differ, with what the commit records add up to; `None` when no commit ends there.
    #[serde(skip)]
    pub damaged_checkpoints: Vec<(String, Option<ChainHead>)>,
    /// Chains of which the last commit record is damaged, or may be missing.
    #[serde(skip)]
    pub open_ends: Vec<OpenEnd>,
    /// What the chains add up to that could be followed to their end, by topic id and partition.
    #[serde(skip)]
    pub chain_heads: BTreeMap<(String, u32), ChainHead>,
    /// Run manifests that were announced and are not in the store.
    #[serde(skip)]
    pub lost_manifests: Vec<Announced>,
    /// How far the wire topics were looked at.
    #[serde(skip)]
    pub wire_ends: BTreeMap<TopicPartition, u64>,
}

impl Default for VerifyReport {
    fn default() -> Self {
        Self {
            chains: Vec::new(),
            files: 0,
            findings_rows: 0,
            dead_letter_rows: 0,
            duplicates: 0,
            unpublished: Unpublished::default(),
            in_flight: InFlight::default(),
            missing: Vec::new(),
            unproven: Vec::new(),
            incomplete_runs: Vec::new(),
            last_records: LastRecords::default(),
            problems: Vec::new(),
            areas: Area::ALL.into_iter().map(AreaReport::of).collect(),
            commits_with_missing_files: Vec::new(),
            damaged_checkpoints: Vec::new(),
            open_ends: Vec::new(),
            chain_heads: BTreeMap::new(),
            lost_manifests: Vec::new(),
            wire_ends: BTreeMap::new(),
        }
    }
}

impl VerifyReport {
    /// Nothing that was compared is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// Everything was compared.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.areas.iter().all(|area| area.not_compared.is_empty())
    }

    pub(super) fn problem(&mut self, rule: Rule, object: impl Into<String>, detail: impl Into<String>) {
        self.area(rule.area()).differing += 1;
        self.problems.push(VerifyProblem { rule, object: object.into(), detail: detail.into() });
    }

    pub(super) fn compared(&mut self, area: Area, count: u64) {
        self.area(area).compared += count;
    }

    pub(super) fn not_compared(
        &mut self,
        area: Area,
        object: impl Into<String>,
        count: Option<u64>,
        reason: impl Into<String>,
    ) {
        let not_compared = NotCompared { object: object.into(), count, reason: reason.into() };
        self.area(area).not_compared.push(not_compared);
    }

    fn area(&mut self, area: Area) -> &mut AreaReport {
        &mut self.areas[area as usize]
    }
}
