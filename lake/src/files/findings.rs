//! `finops_findings`: where the row of a storage record belongs, and Avro to Arrow.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::TimestampMillisecondType;
use arrow_avro::reader::{Decoder as AvroDecoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use contracts::topics::headers;
use contracts::{arrow_schema, avro, datasets, frame, layout, time};
use platform::broker::Message;

use super::encoder::{Bad, Encoder, FileOf};
use crate::batch::{BatchRow, FileTarget};
use crate::error::LakeError;
use crate::row::{self, Record};

/// Decodes the rows of files.
#[derive(Default)]
pub(super) struct Decoder {
    /// By the version that records are written with, and the one whose columns they get.
    inner: HashMap<(u16, u16), AvroDecoder>,
}

/// Where the row of a record belongs: its headers say it.
pub(super) fn row(message: &Arc<Message>) -> Result<BatchRow<Record>, String> {
    let tenant = row::required(message, headers::TENANT_ID)?;
    let run_date = row::required(message, headers::RUN_DATE)?;
    if !layout::is_tenant_slug(tenant) {
        return Err(format!("header {} is no tenant", headers::TENANT_ID));
    }
    if time::date(run_date).map(time::format_date).as_deref() != Ok(run_date) {
        return Err(format!("header {} is no date", headers::RUN_DATE));
    }
    let target = FileTarget { dataset: &datasets::FINDINGS, tenant: tenant.to_owned(), run_date: run_date.to_owned() };
    let run = row::text(message, headers::RUN).map(str::to_owned);
    row::row(message, target, run)
}

/// The newest version that one of the records is written with.
fn version_of(records: &[Record]) -> Result<u16, LakeError> {
    let mut newest = 1;
    for Record { message, .. } in records {
        match frame::id(&message.value).map(u16::try_from) {
            Some(Ok(version)) if version > avro::NEWEST => {
                return Err(LakeError::NewerSchema {
                    topic: message.at.topic.to_string(),
                    partition: message.at.partition,
                    offset: message.offset,
                    version: version.into(),
                    known: avro::NEWEST,
                });
            }
            Some(Ok(version)) => newest = newest.max(version),
            // No number of a version: no storage record, as decoding finds out.
            Some(Err(_)) | None => {}
        }
    }
    Ok(newest)
}

impl Encoder for Decoder {
    fn version_of(&self, records: &[Record]) -> Result<u16, LakeError> {
        version_of(records)
    }

    /// A bad record is rare: it must cost only then.
    fn encode<'r>(
        &mut self,
        records: &'r [Record],
        FileOf { target, version, .. }: FileOf<'_>,
    ) -> Result<(RecordBatch, Vec<Bad<'r>>), String> {
        let all: Vec<&Record> = records.iter().collect();
        if let Ok(batch) = self.rows(&all, version, target) {
            return Ok((batch, Vec::new()));
        }
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for record in records {
            // What a failed record left behind in a decoder belongs to no row.
            self.inner.clear();
            match self.rows(&[record], version, target) {
                Ok(_) => good.push(record),
                Err(problem) => bad.push((record, problem)),
            }
        }
        self.inner.clear();
        Ok((self.rows(&good, version, target)?, bad))
    }
}

impl Decoder {
    fn rows(&mut self, records: &[&Record], version: u16, target: &FileTarget) -> Result<RecordBatch, String> {
        let schema = arrow_schema::findings_of(version);
        let written = |record: &&Record| frame::id(&record.message.value);
        let mut batches = Vec::new();
        for run in records.chunk_by(|a, b| written(a) == written(b)) {
            let id = run.first().and_then(written);
            let id = id.and_then(|id| u16::try_from(id).ok()).filter(|id| (1..=version).contains(id));
            let id = id.ok_or("it is no frame of a storage record")?;
            let decoder = match self.inner.entry((id, version)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(fresh(id, version)?),
            };
            batches.push(arrow_schema::conform(&decode(decoder, run)?, &schema).map_err(|e| e.to_string())?);
        }
        let batch = match <[RecordBatch; 1]>::try_from(batches) {
            Ok([batch]) => batch,
            Err(batches) => concat_batches(&schema, &batches).map_err(|e| e.to_string())?,
        };
        must_belong_to(&batch, target)?;
        Ok(batch)
    }
}

fn decode(decoder: &mut AvroDecoder, records: &[&Record]) -> Result<RecordBatch, String> {
    for record in records {
        let value = &record.message.value;
        let room = decoder.capacity();
        let read = decoder.decode(value).map_err(|e| e.to_string())?;
        if read != value.len() || decoder.capacity() + 1 != room {
            return Err(format!("{} bytes hold no single storage record, {read} were read", value.len()));
        }
    }
    let decoded = decoder.flush().map_err(|e| e.to_string())?;
    Ok(decoded.unwrap_or_else(|| RecordBatch::new_empty(decoder.schema())))
}

/// A decoder of one version into the columns of another.
fn fresh(written: u16, wanted: u16) -> Result<AvroDecoder, String> {
    let schema = |version: u16| AvroSchema::new(avro::SCHEMAS[usize::from(version) - 1].to_owned());
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    let id = Fingerprint::Id(written.into());
    store.set(id, schema(written)).map_err(|e| e.to_string())?;
    let builder = ReaderBuilder::new()
        .with_writer_schema_store(store)
        .with_active_fingerprint(id)
        .with_batch_size(super::CHUNK_ROWS);
    let builder = if written == wanted { builder } else { builder.with_reader_schema(schema(wanted)) };
    builder.build_decoder().map_err(|e| e.to_string())
}

/// The headers chose the file, the content must agree: no file may hold a row of another tenant or day.
fn must_belong_to(batch: &RecordBatch, target: &FileTarget) -> Result<(), String> {
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("there is no column {name}"));
    let tenants = column("tenant_id")?.as_string::<i32>();
    if let Some(other) = tenants.iter().find(|tenant| *tenant != Some(target.tenant.as_str())) {
        return Err(format!("its tenant is {:?}, its header says {:?}", other.unwrap_or_default(), target.tenant));
    }
    let times = column("run_ts")?.as_primitive::<TimestampMillisecondType>();
    let day = time::date(&target.run_date).map_err(|_| format!("{:?} is no date", target.run_date))?;
    const DAY_MS: i64 = 86_400_000;
    let is_of_day = |ms: i64| ms.div_euclid(DAY_MS) == i64::from(day);
    if times.null_count() > 0 || !times.values().iter().all(|ms| is_of_day(*ms)) {
        return Err(format!("its run_ts is not on {}, the day its header says", target.run_date));
    }
    Ok(())
}
