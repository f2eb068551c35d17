//! Files of dead letters from before the sink clamped times. DuckDB counts microseconds and refuses a whole file with a time beyond
//! them, whatever is asked, so it is given a copy in which such a time is the nearest that it can hold.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMillisecondType};
use contracts::time::clamp_ms;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use rayon::prelude::*;

use crate::error::{ExportError, Result};

/// Rows copied at once: each may hold the largest record of a broker (10 MiB).
const ROWS_AT_ONCE: usize = 64;

/// The files, each with a time that DuckDB cannot hold in its place by a copy in `folder`.
pub(super) fn readable(files: Vec<PathBuf>, folder: &Path) -> Result<Vec<PathBuf>> {
    files.into_par_iter().map(|file| readable_one(file, folder)).collect()
}

fn readable_one(file: PathBuf, folder: &Path) -> Result<PathBuf> {
    let opened = File::open(&file).map_err(ExportError::io("opening", &file))?;
    let metadata = ArrowReaderMetadata::load(&opened, Default::default());
    let is_extreme = metadata.and_then(|metadata| Ok((is_extreme(&metadata)?, metadata)));
    // One that cannot be read is DuckDB's to name.
    let Ok((true, metadata)) = is_extreme else { return Ok(file) };
    std::fs::create_dir_all(folder).map_err(ExportError::io("making", folder))?;
    let copy = folder.join(format!("{}.parquet", uuid::Uuid::new_v4().simple()));
    let target = File::create_new(&copy).map_err(ExportError::io("creating", &copy))?;
    let failed = |source| ExportError::Parquet { doing: "clamping times of", path: file.display().to_string(), source };
    clamped(opened, metadata, target).map_err(failed)?;
    Ok(copy)
}

/// True when a time is beyond what is stored today, or the file does not tell.
fn is_extreme(metadata: &ArrowReaderMetadata) -> std::result::Result<bool, ParquetError> {
    let (schema, parquet) = (metadata.schema(), metadata.parquet_schema());
    let groups = metadata.metadata().row_groups();
    for field in schema.fields().iter().filter(|field| is_time(field.data_type())) {
        let converter = StatisticsConverter::try_new(field.name(), schema, parquet)?;
        for bounds in [converter.row_group_mins(groups)?, converter.row_group_maxes(groups)?] {
            let bounds = arrow::compute::cast(&bounds, &DataType::Int64)?;
            let bounds = bounds.as_primitive::<Int64Type>();
            if bounds.iter().any(|ms| ms.is_none_or(|ms| clamp_ms(ms) != ms)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn is_time(found: &DataType) -> bool {
    matches!(found, DataType::Timestamp(TimeUnit::Millisecond, _))
}

fn clamped(file: File, metadata: ArrowReaderMetadata, target: File) -> std::result::Result<(), ParquetError> {
    let schema = metadata.schema().clone();
    let mut writer = ArrowWriter::try_new(target, schema, None)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    for batch in builder.with_batch_size(ROWS_AT_ONCE).build()? {
        let batch = batch?;
        let columns = batch.columns().iter().map(clamped_column).collect();
        writer.write(&RecordBatch::try_new(batch.schema(), columns)?)?;
        // Few rows may be many bytes.
        writer.flush()?;
    }
    writer.close().map(drop)
}

fn clamped_column(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        found @ DataType::Timestamp(TimeUnit::Millisecond, _) => {
            let times: TimestampMillisecondArray = column.as_primitive::<TimestampMillisecondType>().unary(clamp_ms);
            Arc::new(times.with_data_type(found.clone()))
        }
        _ => column.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;
    use arrow::datatypes::{Field, Schema};

    use super::*;
    use crate::duck::{Duck, DuckLimits, read_parquet};

    fn file(folder: &Path, name: &str, times: &[Option<i64>]) -> PathBuf {
        let path = folder.join(name);
        let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let fields = vec![Field::new("src", DataType::Utf8, false), Field::new("first_seen_ts", time, true)];
        let schema = Arc::new(Schema::new(fields));
        let src: StringArray = (0..times.len()).map(|n| Some(format!("t/0/{n}"))).collect();
        let times = TimestampMillisecondArray::from(times.to_vec()).with_timezone("UTC");
        let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(src), Arc::new(times)]).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }

    #[test]
    fn a_file_with_extreme_times_is_read_and_others_are_left_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let duck = Duck::open(&DuckLimits { spill_dir: folder.path().into(), ..DuckLimits::default() }).unwrap();
        let plain = file(folder.path(), "plain.parquet", &[Some(0), None, Some(1_768_903_205_000)]);
        let extreme = [Some(9_300_000_000_000_000), Some(i64::MIN), Some(i64::MAX), Some(0), None];
        let extreme = file(folder.path(), "extreme.parquet", &extreme);
        let all = |files: &[PathBuf]| {
            let time = crate::population::sql_time("CAST(first_seen_ts AS TIMESTAMP)");
            let sql = format!("SELECT {time} FROM {} ORDER BY src", read_parquet(files.iter().map(PathBuf::as_path)));
            duck.rows("reading", &sql, [], |row| row.get::<_, Option<String>>(0))
        };
        all(std::slice::from_ref(&extreme)).unwrap_err();

        let files = readable(vec![plain.clone(), extreme.clone()], duck.scratch()).unwrap();
        assert_eq!(files[0], plain);
        assert_ne!(files[1], extreme);
        let text = |text: &str| Some(text.to_owned());
        let (last, first) = (text("9999-12-31T23:59:59.999Z"), text("0001-01-01T00:00:00.000Z"));
        assert_eq!(all(&files[1..]).unwrap(), [last.clone(), first, last, text("1970-01-01T00:00:00.000Z"), None]);
        let scratch = duck.scratch().to_owned();
        drop(duck);
        assert!(extreme.exists() && !scratch.exists());
        // What is no Parquet file is named by the database.
        let none = folder.path().join("none.parquet");
        std::fs::write(&none, "x").unwrap();
        assert_eq!(readable(vec![none.clone()], folder.path()).unwrap(), [none]);
    }
}
