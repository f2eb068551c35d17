//! The storage record as Avro in a Confluent frame: value of the valid topic.

pub use serde_avro_fast::Schema;
use serde_avro_fast::ser::SerializerConfig;

use crate::frame;
use crate::storage::StorageRecord;

/// The Avro schema, as published in `schemas/avro/`.
pub const SCHEMA_JSON: &str = include_str!("../../schemas/avro/finding.avsc");
/// Its id in the frame. There is no registry to ask: the number is the contract's schema version.
pub const SCHEMA_ID: u32 = 1;

/// The record does not fit the schema: schema and types have drifted apart, which a test guards.
#[derive(Debug, thiserror::Error)]
#[error("cannot encode a storage record as Avro: {0}")]
pub struct EncodeError(#[from] serde_avro_fast::ser::SerError);

/// The checked-in schema is unusable: a build mistake, which a test guards.
#[derive(Debug, thiserror::Error)]
#[error("the Avro schema of findings is not usable: {0}")]
pub struct SchemaError(#[from] serde_avro_fast::schema::SchemaError);

/// Parses the schema, once per encoder owner.
///
/// # Errors
/// The checked-in text is not a schema.
pub fn schema() -> Result<Schema, SchemaError> {
    Ok(SCHEMA_JSON.parse()?)
}

/// Encodes records; keeps its buffers between calls.
pub struct Encoder<'s> {
    config: SerializerConfig<'s>,
}

impl<'s> Encoder<'s> {
    /// An encoder for [`schema`].
    #[must_use]
    pub fn new(schema: &'s Schema) -> Self {
        Self { config: SerializerConfig::new(schema) }
    }

    /// Frame and body of a record.
    ///
    /// # Errors
    /// See [`EncodeError`].
    pub fn encode(&mut self, record: &StorageRecord<'_>) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::with_capacity(1024);
        out.push(frame::MAGIC);
        out.extend_from_slice(&SCHEMA_ID.to_be_bytes());
        Ok(serde_avro_fast::to_datum(record, out, &mut self.config)?)
    }
}
