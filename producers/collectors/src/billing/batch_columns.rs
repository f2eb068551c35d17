//! A column of a Parquet batch, in the forms in which its cells are asked for.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, OffsetSizeTrait, StringArray, TimestampMillisecondArray, UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Int32Type, TimeUnit};
use arrow::error::ArrowError;

use super::cell_text::{as_text, member_text};
use super::row_key::write_text;
use super::text_ids::ColumnIds;

/// Instants that have a text: the years 1 to 9999.
const INSTANTS_MS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// What is read of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Its cells as text; maps, structs and lists are unreadable.
    Text,
    /// The same, and maps, structs and lists as JSON text.
    Nested,
    /// One member of each of its maps and structs.
    Member(&'static str),
}

/// A column.
#[derive(Debug)]
pub enum BatchColumn {
    /// Text.
    Text(StringArray),
    /// Text in a dictionary: where in it, what is there, and its numbers.
    Dictionary(Int32Array, StringArray, Arc<[u32]>),
    /// Instants; their text is rarely asked for.
    Instants(TimestampMillisecondArray, OnceCell<StringArray>),
    /// Maps, structs or lists; their text takes long to make.
    Nested(ArrayRef, NestedKey, OnceCell<StringArray>),
}

impl BatchColumn {
    /// `None` when it cannot be read.
    pub fn of(column: &ArrayRef, wanted: Wanted, ids: &mut ColumnIds) -> Option<Self> {
        match wanted {
            Wanted::Member(member) => member_text(column, member).map(Self::Text).ok(),
            Wanted::Text if column.data_type().is_nested() => None,
            Wanted::Nested if column.data_type().is_nested() => {
                let key = NestedKey::of(column, ids).ok()?;
                Some(Self::Nested(column.clone(), key, OnceCell::new()))
            }
            _ => {
                if let Some((keys, texts)) = dictionary(column) {
                    return Some(Self::Dictionary(keys, texts.clone(), ids.texts.of(&texts)));
                }
                let instants = instants(column).map(|instants| Self::Instants(instants, OnceCell::new()));
                instants.or_else(|| as_text(column).map(Self::Text).ok())
            }
        }
    }

    /// A cell.
    pub fn text(&self, index: usize) -> Option<&str> {
        let texts = match self {
            Self::Text(texts) => texts,
            Self::Dictionary(keys, texts, _) => return at(keys, index).map(|at| texts.value(at)),
            Self::Instants(instants, texts) => texts.get_or_init(|| text_or_none(instants)),
            Self::Nested(values, _, texts) => texts.get_or_init(|| text_or_none(values)),
        };
        texts.is_valid(index).then(|| texts.value(index))
    }

    /// A cell, without making text of the others.
    pub fn nested(&self, index: usize) -> Option<Cow<'_, str>> {
        let Self::Nested(values, _, _) = self else { return self.text(index).map(Cow::Borrowed) };
        let index = UInt32Array::from(vec![u32::try_from(index).ok()?]);
        let text = as_text(&take(values, &index, None).ok()?).ok()?;
        text.is_valid(0).then(|| Cow::Owned(text.value(0).to_owned()))
    }

    /// A cell of a column of instants.
    pub fn instant_ms(&self, index: usize) -> Option<i64> {
        let Self::Instants(instants, _) = self else { return None };
        instants.is_valid(index).then(|| instants.value(index))
    }

    /// Writes a cell as bytes: two cells of a file have the same ones exactly if they are the same.
    pub fn write_key(&self, index: usize, key: &mut Vec<u8>) {
        match self {
            Self::Nested(_, columns, _) => columns.write(index, key),
            Self::Dictionary(keys, _, ids) => write_id(keys, ids, index, key),
            _ => write_text(self.text(index), key),
        }
    }
}

/// What could be read in part is text without what could not.
fn text_or_none(column: &dyn Array) -> StringArray {
    as_text(&arrow::array::make_array(column.to_data())).unwrap_or_else(|_| StringArray::new_null(column.len()))
}

/// `None` for columns of anything else, and when one of them has no text.
fn instants(column: &ArrayRef) -> Option<TimestampMillisecondArray> {
    // Only the instant counts; a named zone would need a zone database to print.
    let DataType::Timestamp(_, _) = column.data_type() else { return None };
    let instants = cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None)).ok()?;
    let instants: &TimestampMillisecondArray = instants.as_primitive_opt()?;
    let have_text = instants.iter().flatten().all(|ms| INSTANTS_MS.contains(&ms));
    have_text.then(|| instants.clone())
}

/// Texts in a dictionary that has no null; where each cell is in it.
fn dictionary(column: &ArrayRef) -> Option<(Int32Array, StringArray)> {
    let dictionary = column.as_dictionary_opt::<Int32Type>()?;
    let texts: &StringArray = dictionary.values().as_string_opt()?;
    (texts.null_count() == 0).then(|| (dictionary.keys().clone(), texts.clone()))
}

fn at(keys: &Int32Array, index: usize) -> Option<usize> {
    keys.is_valid(index).then(|| usize::try_from(keys.value(index)).ok()).flatten()
}

fn write_id(keys: &Int32Array, ids: &[u32], index: usize, key: &mut Vec<u8>) {
    let id = at(keys, index).and_then(|at| ids.get(at)).copied();
    key.extend_from_slice(&id.unwrap_or(u32::MAX).to_le_bytes());
}

/// What tells the cells of a nested column apart.
#[derive(Debug)]
pub enum NestedKey {
    /// Text.
    Text(StringArray),
    /// Text in a dictionary: where in it, and its numbers.
    Dictionary(Int32Array, Arc<[u32]>),
    /// Structs: their members.
    Members(Option<NullBuffer>, Vec<NestedKey>),
    /// Lists and maps: where the items of each lie, and the items.
    Items(Option<NullBuffer>, Vec<usize>, Vec<NestedKey>),
}

impl NestedKey {
    fn of(column: &ArrayRef, ids: &mut ColumnIds) -> Result<Self, ArrowError> {
        let nulls = column.nulls().cloned();
        let mut all = |columns: &[&ArrayRef]| {
            let numbered = columns.iter().enumerate();
            numbered.map(|(number, column)| Self::of(column, ids.item(number))).collect::<Result<_, _>>()
        };
        Ok(match column.data_type() {
            DataType::Map(_, _) => {
                let maps = column.as_map();
                Self::Items(nulls, numbers(maps.value_offsets()), all(&[maps.keys(), maps.values()])?)
            }
            DataType::List(_) => {
                let lists = column.as_list::<i32>();
                Self::Items(nulls, numbers(lists.value_offsets()), all(&[lists.values()])?)
            }
            DataType::LargeList(_) => {
                let lists = column.as_list::<i64>();
                Self::Items(nulls, numbers(lists.value_offsets()), all(&[lists.values()])?)
            }
            DataType::Struct(_) => {
                let members: Vec<_> = column.as_struct().columns().iter().collect();
                Self::Members(nulls, all(&members)?)
            }
            kind if kind.is_nested() => return Err(ArrowError::NotYetImplemented(format!("reading {kind}"))),
            _ => match dictionary(column) {
                Some((keys, texts)) => Self::Dictionary(keys, ids.texts.of(&texts)),
                None => Self::Text(as_text(column)?),
            },
        })
    }

    fn write(&self, index: usize, key: &mut Vec<u8>) {
        match self {
            Self::Dictionary(keys, ids) => write_id(keys, ids, index, key),
            Self::Text(texts) => write_text(texts.is_valid(index).then(|| texts.value(index)), key),
            Self::Members(nulls, _) | Self::Items(nulls, _, _) if is_null(nulls.as_ref(), index) => {
                write_text(None, key)
            }
            Self::Members(_, members) => {
                // A struct whose first member is null is none that is null itself.
                key.push(1);
                members.iter().for_each(|member| member.write(index, key));
            }
            Self::Items(_, ends, columns) => {
                let items = ends[index]..ends[index + 1];
                key.extend_from_slice(&u32::try_from(items.len()).unwrap_or(u32::MAX - 1).to_le_bytes());
                for item in items {
                    columns.iter().for_each(|column| column.write(item, key));
                }
            }
        }
    }
}

fn is_null(nulls: Option<&NullBuffer>, index: usize) -> bool {
    nulls.is_some_and(|nulls| nulls.is_null(index))
}

fn numbers<O: OffsetSizeTrait>(offsets: &[O]) -> Vec<usize> {
    offsets.iter().map(|offset| offset.as_usize()).collect()
}
