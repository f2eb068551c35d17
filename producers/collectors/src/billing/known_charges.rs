//! Charges that came before: an hourly bill charges the same things hour after hour, and most cells of a row only say what is
//! charged. They are read once per thing, not once per row.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use inventories::billing::fact::Charge;

use super::facts::charge_hash;
use super::observed::Observed;
use super::row::Row;

/// Bytes of remembered charges. A bill with more than some 200,000 things in one hour is read as if each row was new.
const BYTES_MAX: usize = 256 << 20;
/// Bytes of a charge beside its texts, which are about those of its cells.
const BYTES_PER_CHARGE: usize = 1_000;

/// What the cells of a charge say; `M` is what one dialect needs beyond it.
#[derive(Debug)]
pub struct KnownCharge<M> {
    /// What is charged.
    pub charge: Arc<Charge>,
    /// Its hash, see `charge_hash`.
    pub hash: u64,
    /// What was noticed in its cells, and counts in each of its rows.
    noticed: Vec<Noticed>,
    /// For one dialect.
    pub more: M,
}

impl<M> KnownCharge<M> {
    /// Of a charge that is new.
    pub fn new(charge: Charge, noticed: Vec<Noticed>, more: M) -> Arc<Self> {
        Arc::new(Self { hash: charge_hash(&charge), charge: Arc::new(charge), noticed, more })
    }

    /// Counts a row of it.
    pub fn observe(&self, observed: &mut Observed) {
        for noticed in &self.noticed {
            match noticed {
                Noticed::Unlisted(column, value) => observed.unlisted(column, value),
                Noticed::Unreadable(column) => observed.unreadable_cell(column),
            }
        }
    }
}

/// Something in the cells of a charge that people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noticed {
    /// A value that is not in the closed list of its column.
    Unlisted(&'static str, String),
    /// A cell of this column that could not be read.
    Unreadable(&'static str),
}

/// The charges seen so far in one file.
#[derive(Debug)]
pub struct KnownCharges<M> {
    /// Numbers of the columns that say what is charged.
    columns: Vec<usize>,
    key: Vec<u8>,
    known: HashMap<Box<[u8]>, Arc<KnownCharge<M>>, RandomState>,
    bytes: usize,
}

impl<M> KnownCharges<M> {
    /// For rows that these columns tell apart.
    pub fn new(columns: Vec<usize>) -> Self {
        Self { columns, key: Vec::new(), known: HashMap::default(), bytes: 0 }
    }

    /// The charge of a row of this month; `None` when it is new.
    pub fn find(&mut self, row: Row<'_>, month: &str) -> Option<Arc<KnownCharge<M>>> {
        self.key.clear();
        self.key.extend_from_slice(month.as_bytes());
        self.columns.iter().for_each(|column| row.write_key(*column, &mut self.key));
        self.known.get(self.key.as_slice()).map(Arc::clone)
    }

    /// Remembers the charge of the row that was not found last.
    pub fn add(&mut self, new: &Arc<KnownCharge<M>>) {
        if self.bytes > BYTES_MAX {
            self.forget();
        }
        self.bytes += 2 * self.key.len() + BYTES_PER_CHARGE;
        self.known.insert(self.key.as_slice().into(), Arc::clone(new));
    }

    /// Forgets all: from now on cells say something else.
    pub fn forget(&mut self) {
        self.known.clear();
        self.bytes = 0;
    }
}
