//! Avro storage records to Arrow rows of `finops_findings`.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, TimestampMillisecondType};
use arrow_avro::reader::{Decoder as AvroDecoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use contracts::{arrow_schema, avro, time};

use crate::machine::Target;
use crate::row::Record;

/// Decodes the rows of one file.
pub(super) struct Decoder {
    inner: AvroDecoder,
    schema: SchemaRef,
}

/// A record that is no row of the target, with the reason.
pub(super) type Bad<'r> = (&'r Record, String);

impl Decoder {
    pub fn new() -> Result<Self, String> {
        Ok(Self { inner: fresh()?, schema: arrow_schema::findings() })
    }

    /// Rows of all good records, and the bad ones. A bad record is rare: it must cost only then.
    pub fn decode<'r>(
        &mut self,
        records: &'r [Record],
        target: &Target,
    ) -> Result<(RecordBatch, Vec<Bad<'r>>), String> {
        if let Ok(batch) = self.rows(records.iter(), target) {
            return Ok((batch, Vec::new()));
        }
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for record in records {
            // What a failed record left behind in the decoder is nobody's row.
            self.inner = fresh()?;
            match self.rows(std::iter::once(record), target) {
                Ok(_) => good.push(record),
                Err(problem) => bad.push((record, problem)),
            }
        }
        self.inner = fresh()?;
        Ok((self.rows(good.into_iter(), target)?, bad))
    }

    fn rows<'r>(&mut self, records: impl Iterator<Item = &'r Record>, target: &Target) -> Result<RecordBatch, String> {
        for record in records {
            let value = &record.message.value;
            let room = self.inner.capacity();
            let read = self.inner.decode(value).map_err(|e| e.to_string())?;
            if read != value.len() || self.inner.capacity() + 1 != room {
                return Err(format!("{} bytes hold no single storage record, {read} were read", value.len()));
            }
        }
        let decoded = self.inner.flush().map_err(|e| e.to_string())?;
        let decoded = decoded.unwrap_or_else(|| RecordBatch::new_empty(self.inner.schema()));
        let batch = arrow_schema::conform(&decoded, &self.schema).map_err(|e| e.to_string())?;
        must_belong_to(&batch, target)?;
        Ok(batch)
    }
}

fn fresh() -> Result<AvroDecoder, String> {
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    let id = Fingerprint::Id(avro::SCHEMA_ID);
    store.set(id, AvroSchema::new(avro::SCHEMA_JSON.to_owned())).map_err(|e| e.to_string())?;
    ReaderBuilder::new()
        .with_writer_schema_store(store)
        .with_active_fingerprint(id)
        .with_batch_size(super::CHUNK_ROWS)
        .build_decoder()
        .map_err(|e| e.to_string())
}

/// The headers chose the file, the content must agree: no file may hold a row of another tenant or day.
fn must_belong_to(batch: &RecordBatch, target: &Target) -> Result<(), String> {
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
