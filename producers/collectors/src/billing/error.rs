//! Why a billing file cannot be loaded. Each message names the file and, where there is one, the row: 1 is the first
//! row after the header.

use std::io;
use std::path::Path;

use inventories::collected::Unavailable;
use platform::io_error::plain;
use platform::lifecycle::Stopped;
use platform::store::StoreError;

use super::dialect::nearest;
use super::quote::columns_text;
use super::rejects::Rejects;
use super::unclear_overlap::UnclearOverlap;

/// A load failed; nothing of it was published.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be opened or read.
    #[error("reading billing file {file}: {}", plain(.source))]
    Io {
        /// File.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// An object cannot be read.
    #[error("reading {url}: {why}")]
    Object {
        /// URL of the object, or of what it is looked for in.
        url: String,
        /// Why.
        why: Unavailable,
    },
    /// The URL is of nothing.
    #[error("reading {url}: no object has this key, and none lies below it")]
    NoObject {
        /// URL.
        url: String,
    },
    /// Two objects have one name for this program.
    #[error(
        "bucket {bucket} has the objects {one} and {other}, whose keys differ in slashes only: name one of their folders"
    )]
    LikeNames {
        /// Bucket.
        bucket: String,
        /// Key.
        one: String,
        /// Key.
        other: String,
    },
    /// The file has no bytes, or none after unpacking.
    #[error("billing file {file} is empty")]
    Empty {
        /// File.
        file: String,
    },
    /// The file has a header and no rows.
    #[error("billing file {file} has a header but no rows")]
    NoRows {
        /// File.
        file: String,
    },
    /// The path leads to something that is no file.
    #[error("billing file {file} is {what}: {advice}")]
    NotAFile {
        /// Path.
        file: String,
        /// What it is.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The first bytes are those of another kind of file.
    #[error(
        "billing file {file} is {what}; a bill is a FOCUS export or an AWS cost and usage report as CSV, gzip of CSV, or Parquet: {advice}"
    )]
    NotABill {
        /// File.
        file: String,
        /// What it is.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The fields are separated by something else than a comma.
    #[error(
        "billing file {file} has its fields separated by {separator}, wanted a comma: export it with commas, and with a point in \
         decimal numbers"
    )]
    Separator {
        /// File.
        file: String,
        /// Character.
        separator: char,
    },
    /// A quoted cell never ends: all rows behind it would be its text.
    #[error(
        "billing file {file}, row {row}: a quoted cell is not closed before the end of the file: export it again, whole"
    )]
    OpenQuote {
        /// File.
        file: String,
        /// Row in which the cell begins, 0 for the header.
        row: u64,
    },
    /// A column without which figures would be wrong is there more than once.
    #[error("billing file {file} has the column {column} more than once, and they may differ: export it with one")]
    ColumnTwice {
        /// File.
        file: String,
        /// Column.
        column: String,
    },
    /// The columns are those of no known export.
    #[error(
        "cur_format_unknown: billing file {file} is no FOCUS cost and usage export, no AWS cost and usage report and no other \
         export that is known; columns seen: {}; {}; export FOCUS 1.0 or later, or CUR 2.0",
        columns_text(.columns),
        nearest(.columns)
    )]
    FormatUnknown {
        /// File.
        file: String,
        /// Columns seen.
        columns: Vec<String>,
    },
    /// A FOCUS export lacks columns without which figures would be wrong.
    #[error(
        "cur_format_unknown: billing file {file} looks like a FOCUS export (version {version}) but lacks {}, without which its \
         figures would be wrong: export FOCUS 1.0 or later with all mandatory columns",
        .missing.join(", ")
    )]
    FocusIncomplete {
        /// File.
        file: String,
        /// Version its columns are of.
        version: &'static str,
        /// Columns.
        missing: Vec<&'static str>,
    },
    /// An AWS report lacks columns without which figures would be wrong.
    #[error(
        "cur_format_unknown: billing file {file} looks like an AWS cost and usage report but lacks {}, without which its figures \
         would be wrong: export all columns of the report (CUR 2.0, or FOCUS 1.0 or later)",
        .missing.join(", ")
    )]
    CurIncomplete {
        /// File.
        file: String,
        /// Columns.
        missing: Vec<&'static str>,
    },
    /// One source is there in two dialects.
    #[error(
        "ambiguous_source: billing month {period} of {source_name} is {there}: the same bill in two dialects would count twice. {advice}. \
         Nothing was changed"
    )]
    AmbiguousSource {
        /// Month.
        period: String,
        /// Source, for people.
        source_name: String,
        /// Both dialects, such as `given as cur2 and as focus`.
        there: String,
        /// What to do.
        advice: &'static str,
    },
    /// The export is known but not read.
    #[error(
        "cur_format_unknown: billing file {file} is {what}, which is not read; FOCUS cost and usage and AWS cost and usage reports \
         are: {advice}"
    )]
    OtherExport {
        /// File.
        file: String,
        /// What it is.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The export can be loaded and not checked.
    #[error("cur_format_unknown: billing file {file} is {what}; only FOCUS cost and usage exports can be checked")]
    NotChecked {
        /// File.
        file: String,
        /// What it is.
        what: &'static str,
    },
    /// A folder holds nothing that could be a bill.
    #[error("billing folder {folder} holds no CSV, gzip or Parquet file")]
    NoBills {
        /// Folder.
        folder: String,
    },
    /// A folder holds more than is looked at.
    #[error(
        "billing folder {folder} holds more than {limit} files, or too many folders inside each other: name a part of it"
    )]
    TooManyFiles {
        /// Folder.
        folder: String,
        /// Limit.
        limit: usize,
    },
    /// A manifest names a file that is not there.
    #[error(
        "billing manifest {manifest} names {key}, which is not there: copy the delivery again, whole. Nothing was changed"
    )]
    ManifestFileMissing {
        /// Manifest.
        manifest: String,
        /// File, as the manifest has it.
        key: String,
    },
    /// A file that a manifest names has another size than the manifest says.
    #[error(
        "billing manifest {manifest}: {key} has {found} bytes, not the {expected} that it names: copy the delivery again, whole. \
         Nothing was changed"
    )]
    ManifestFileSize {
        /// Manifest.
        manifest: String,
        /// File, as the manifest has it.
        key: String,
        /// Bytes by the manifest.
        expected: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// A manifest that cannot be read, or says what cannot be.
    #[error("billing manifest {manifest}: {reason}; copy the delivery again, whole. Nothing was changed")]
    ManifestUnreadable {
        /// Manifest.
        manifest: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A manifest that was named by itself names no file.
    #[error("billing manifest {manifest} names no file: there is nothing to load")]
    ManifestEmpty {
        /// Manifest.
        manifest: String,
    },
    /// Nothing says which delivery of a period is current.
    #[error(
        "billing folder {period} holds several deliveries of one period and no manifest that says which is current: name the \
         newest of {}",
        .folders.join(", ")
    )]
    SeveralDeliveries {
        /// Folder of the period.
        period: String,
        /// Folders of the deliveries.
        folders: Vec<String>,
    },
    /// Two deliveries of one load are about the same charges.
    #[error(
        "billing month {period} of {source_name} is in two deliveries of this load, {one} and {other}, which charge for the same \
         days: load the current one only. Nothing was changed"
    )]
    TwoDeliveries {
        /// Month.
        period: String,
        /// Source, for people.
        source_name: String,
        /// A delivery.
        one: String,
        /// Another one.
        other: String,
    },
    /// No file is of the chosen dialect.
    #[error("no billing file is of the dialect {dialect}: leave --dialect out, or name other files")]
    NoneOfDialect {
        /// Chosen.
        dialect: &'static str,
    },
    /// The file is of another dialect than the chosen one: it is left out.
    #[error("billing file {file} is {found}, and --dialect says {wanted}")]
    DialectNotChosen {
        /// File.
        file: String,
        /// Its dialect.
        found: &'static str,
        /// Chosen.
        wanted: &'static str,
    },
    /// A column that figures need has a type that cannot be read.
    #[error("billing file {file}, column {column}: it is {kind}, wanted {wanted}")]
    ColumnType {
        /// File.
        file: String,
        /// Column.
        column: String,
        /// Its type.
        kind: String,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The compressed data ends early or is damaged.
    #[error("billing file {file} is a damaged gzip file: {reason} after row {row}")]
    Gzip {
        /// File.
        file: String,
        /// Last complete row.
        row: u64,
        /// What is wrong.
        reason: String,
    },
    /// A line, or a quoted field that never ends, is longer than allowed.
    #[error("billing file {file}, row {row}: line too long: more than {limit} bytes")]
    LineTooLong {
        /// File.
        file: String,
        /// Row.
        row: u64,
        /// Limit.
        limit: u64,
    },
    /// A cell is not text.
    #[error("billing file {file}, row {row}, column {column}: invalid UTF-8")]
    Utf8 {
        /// File.
        file: String,
        /// Row.
        row: u64,
        /// Column name, or its number.
        column: String,
    },
    /// A row has more or fewer fields than the header.
    #[error(
        "billing file {file}, row {row}: {found} fields, but the header has {expected}; copy or export it again if it may be incomplete"
    )]
    FieldCount {
        /// File.
        file: String,
        /// Row.
        row: u64,
        /// Fields of the header.
        expected: u64,
        /// Fields of the row.
        found: u64,
    },
    /// Parquet that cannot be read.
    #[error("billing file {file} is not readable Parquet: {reason}; copy or export it again if it may be incomplete")]
    Parquet {
        /// File.
        file: String,
        /// Why.
        reason: String,
    },
    /// Too many rows are unusable.
    #[error("cur_quality: {}. Nothing was changed", .0.summary())]
    Quality(Box<Rejects>),
    /// More billing months at once than allowed.
    #[error("the billing files hold more than {limit} billing months ({period} is one too many): load them in parts")]
    TooManyPeriods {
        /// Month.
        period: String,
        /// Limit.
        limit: usize,
    },
    /// Two files of one load have the same rows in different forms.
    #[error("billing files {other} and {file} hold the same {rows} rows in different forms: give one of them")]
    SameRows {
        /// File.
        file: String,
        /// The other one.
        other: String,
        /// Rows.
        rows: u64,
    },
    /// More sources at once than allowed.
    #[error("the billing files hold more than {limit} billing accounts in one month: load them in parts")]
    TooManySources {
        /// Limit.
        limit: usize,
    },
    /// A delivery overlaps a live one of its source and neither adds to it nor replaces it for certain.
    #[error("{0}")]
    Overlap(Box<UnclearOverlap>),
    /// The same content is live under another name of its source.
    #[error(
        "billing month {period}: the content of this bill is live already as {live}, and as {new} it would count twice. \
         Give --increment when it is to count again. Nothing was changed"
    )]
    SameContent {
        /// Month.
        period: String,
        /// Source of this load.
        new: String,
        /// Source that is live.
        live: String,
    },
    /// Other loads of the month were faster every time.
    #[error(
        "billing month {period}: other loads of this month were faster {attempts} time(s) in a row; nothing of this load \
         was changed there: repeat the command"
    )]
    Contended {
        /// Month.
        period: String,
        /// Attempts made.
        attempts: u32,
    },
    /// Some months are live and one is not.
    #[error("{source}. Live already: {}; repeat the command to complete the load", .live.join(", "))]
    InPart {
        /// Months that are live.
        live: Vec<String>,
        /// Month that failed.
        period: String,
        /// Why.
        source: Box<LoadError>,
    },
    /// A live file of cost facts has other content than its manifest says.
    #[error(
        "{path} is damaged: it has {found}, its manifest says {expected}. Restore it from a backup, or remove it and \
         load the bills of its month again"
    )]
    Damaged {
        /// Path in the store.
        path: String,
        /// Size and digest of the manifest.
        expected: String,
        /// Size and digest of the file.
        found: String,
    },
    /// Cost facts cannot be encoded.
    #[error("encoding cost facts of billing month {period}: {reason}")]
    Encode {
        /// Month.
        period: String,
        /// Why.
        reason: String,
    },
    /// Cost facts cannot be stored.
    #[error("storing cost facts of billing month {period}: {source}")]
    Store {
        /// Month.
        period: String,
        /// Why.
        source: StoreError,
    },
    /// The run was asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The manifest of stored cost facts cannot be read.
    #[error("reading {path}: {reason}")]
    Manifest {
        /// Path in the store.
        path: String,
        /// Why.
        reason: String,
    },
}

impl LoadError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { file: path.display().to_string(), source }
    }

    pub(super) fn object(path: &Path, why: Unavailable) -> Self {
        Self::Object { url: path.display().to_string(), why }
    }

    /// True when the input is to blame, false when disk or store are.
    #[must_use]
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Store { .. }
            | Self::Object { .. }
            | Self::Manifest { .. }
            | Self::Encode { .. }
            | Self::Contended { .. }
            | Self::Damaged { .. }
            | Self::Stopped(_) => false,
            Self::InPart { source, .. } => source.is_bad_input(),
            _ => true,
        }
    }

    /// True when the same command may succeed at once.
    #[must_use]
    pub fn is_contention(&self) -> bool {
        match self {
            Self::Contended { .. } => true,
            Self::InPart { source, .. } => source.is_contention(),
            _ => false,
        }
    }
}
