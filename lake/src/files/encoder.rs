//! What a dataset has to say about its files.

use arrow::array::RecordBatch;

use crate::batch::FileTarget;
use crate::error::LakeError;
use crate::row::Record;

/// A record that is no row of the target, with the reason.
pub(super) type Bad<'r> = (&'r Record, String);

/// A file to be.
#[derive(Clone, Copy)]
pub(super) struct FileOf<'a> {
    pub topic_id: &'a str,
    pub target: &'a FileTarget,
    /// Version of its schema.
    pub version: u16,
}

/// Makes the rows of a dataset's files; one per batch, because what it keeps may serve many files.
pub(super) trait Encoder {
    /// The version of the file that these records make.
    ///
    /// # Errors
    /// A record is of a version that is not known here.
    fn version_of(&self, records: &[Record]) -> Result<u16, LakeError>;

    /// Rows of all good records, and the bad ones.
    ///
    /// # Errors
    /// The columns cannot be made, for another reason than what is in one record.
    fn encode<'r>(&mut self, records: &'r [Record], file: FileOf<'_>) -> Result<(RecordBatch, Vec<Bad<'r>>), String>;
}
