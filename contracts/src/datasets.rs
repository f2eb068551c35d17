//! The datasets that sinks write: one entry each says which topic holds its records, where its rows lie and which columns they have.

use std::cmp::Ordering;

use arrow::datatypes::SchemaRef;

use crate::{arrow_schema, avro, dead_letter, layout, topics};

/// A dataset.
#[derive(Debug)]
pub struct Dataset {
    /// Its folder below the store root, and what commit records and metrics call it.
    pub name: &'static str,
    /// Topic of the live pipeline that holds its records.
    pub topic: &'static str,
    /// Newest version of its schema; the first is 1.
    pub newest_version: u16,
    /// Column whose UTC day is the `run_date` of a row. `None` where that day is the one of receipt, which no column holds.
    pub dated_by: Option<&'static str>,
    /// Rows without a tenant are allowed; they lie below [`layout::UNKNOWN_TENANT`].
    pub has_unknown_tenants: bool,
    columns: fn(u16) -> SchemaRef,
    /// Whether a topic, of the live pipeline or of a replay, holds its records.
    is_topic: fn(&str) -> bool,
}

impl Dataset {
    /// Its columns in a version; `None` when this program does not know the version.
    #[must_use]
    pub fn columns(&self, version: u16) -> Option<SchemaRef> {
        (1..=self.newest_version).contains(&version).then(|| (self.columns)(version))
    }

    /// True when a data file lies in it.
    #[must_use]
    pub fn holds(&self, path: &str) -> bool {
        of_path(path) == Some(self)
    }
}

impl PartialEq for Dataset {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Dataset {}

impl PartialOrd for Dataset {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By name.
impl Ord for Dataset {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(other.name)
    }
}

/// Valid findings.
pub static FINDINGS: Dataset = Dataset {
    name: layout::FINDINGS,
    topic: topics::VALID,
    newest_version: avro::NEWEST,
    dated_by: Some("run_ts"),
    has_unknown_tenants: false,
    columns: arrow_schema::findings_of,
    is_topic: topics::is_valid,
};

/// Records that the contract refused.
pub static DEAD_LETTERS: Dataset = Dataset {
    name: layout::DEAD_LETTERS,
    topic: topics::DEAD_LETTERS,
    newest_version: dead_letter::SCHEMA_VERSION,
    dated_by: None,
    has_unknown_tenants: true,
    columns: |_| dead_letter::arrow_schema(),
    is_topic: topics::is_dead_letters,
};

/// All there are.
pub static ALL: [&Dataset; 2] = [&FINDINGS, &DEAD_LETTERS];

/// Topics of the live pipeline that sinks read.
#[must_use]
pub fn topics() -> [&'static str; 2] {
    ALL.map(|dataset| dataset.topic)
}

/// True for a topic of the live pipeline that sinks read.
#[must_use]
pub fn has_topic(topic: &str) -> bool {
    topics().contains(&topic)
}

/// The dataset that a topic's records belong to, of the live pipeline or of a replay; `None` for topics that no sink reads.
#[must_use]
pub fn of_topic(topic: &str) -> Option<&'static Dataset> {
    ALL.into_iter().find(|dataset| (dataset.is_topic)(topic))
}

/// The dataset that a data file lies in.
#[must_use]
pub fn of_path(path: &str) -> Option<&'static Dataset> {
    let folder = path.split('/').next();
    ALL.into_iter().find(|dataset| Some(dataset.name) == folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics::PipelineTopics;

    #[test]
    fn each_dataset_has_a_topic_and_a_folder_of_its_own() {
        for dataset in ALL {
            assert_eq!(of_topic(dataset.topic), Some(dataset));
            assert!(has_topic(dataset.topic));
            let holders = ALL.map(|other| other.holds(&format!("{}/tenant_id=acme/x.parquet", dataset.name)));
            assert_eq!(holders, ALL.map(|other| other == dataset));
            let versions: Vec<_> =
                (1..=dataset.newest_version).filter_map(|version| dataset.columns(version)).collect();
            assert_eq!(versions.len(), usize::from(dataset.newest_version), "{}", dataset.name);
            assert_eq!([0, dataset.newest_version + 1].map(|none| dataset.columns(none)), [None, None]);
            for columns in versions {
                assert!(
                    dataset.dated_by.is_none_or(|column| columns.field_with_name(column).is_ok()),
                    "{}",
                    dataset.name
                );
            }
        }
        assert_eq!(of_path("cur_facts/tenant_id=acme/x.parquet"), None);
        assert!(!has_topic(topics::WIRE));
        let replay = PipelineTopics::replay("r1");
        assert_eq!(replay.written().map(of_topic), [Some(&FINDINGS), Some(&DEAD_LETTERS)]);
        assert_eq!(PipelineTopics::live().written(), topics());
        assert_eq!([topics::WIRE, topics::RUNS, "finops.replay.r1"].map(of_topic), [None; 3]);
    }
}
