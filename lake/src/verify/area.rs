//! What verifying covers, and how much of it could be compared.

use std::fmt;

use serde::Serialize;

/// A part of what a store holds. A closed list: scripts may rely on the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Commit records and checkpoints, against each other and against the positions of the sinks' group.
    CommitChains,
    /// Files of findings and dead letters, against the commit records.
    DataFiles,
    /// Records of the wire topics, against the rows.
    WireRecords,
    /// Run manifests, against the rows that arrived.
    RunManifests,
    /// Files of cost facts, against the manifests of their months.
    CostFacts,
    /// Files of priced findings and their evidence, against the tenants' manifests and the commit chains.
    Attribution,
    /// Files of gold tables and of the table of runs, against the tenants' manifests and the commit chains.
    Gold,
    /// Exported files, against the tenants' manifests and the commit chains.
    Exports,
}

impl Area {
    /// All there are, in the order of a report.
    pub const ALL: [Self; 8] = [
        Self::CommitChains,
        Self::DataFiles,
        Self::WireRecords,
        Self::RunManifests,
        Self::CostFacts,
        Self::Attribution,
        Self::Gold,
        Self::Exports,
    ];
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CommitChains => "commit records",
            Self::DataFiles => "data files",
            Self::WireRecords => "wire records",
            Self::RunManifests => "run manifests",
            Self::CostFacts => "cost fact files",
            Self::Attribution => "priced finding files",
            Self::Gold => "gold files",
            Self::Exports => "exported files",
        })
    }
}

/// Something that is there, or was, and could not be compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotCompared {
    /// Path, topic partition, folder or topic.
    pub object: String,
    /// How many of what the area counts; `None` where that is unknown.
    pub count: Option<u64>,
    /// Why.
    pub reason: String,
}

/// How much of an area was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AreaReport {
    /// Which.
    pub area: Area,
    /// Objects that were compared.
    pub compared: u64,
    /// Problems that were found.
    pub differing: u64,
    /// What could not be compared.
    pub not_compared: Vec<NotCompared>,
}

impl AreaReport {
    pub(super) fn of(area: Area) -> Self {
        Self { area, compared: 0, differing: 0, not_compared: Vec::new() }
    }
}
