//! Which tenants are built together. A small tenant costs DuckDB more for planning statements than for its rows, so small tenants
//! share the statements of one batch; a large one has a batch of its own. What a batch holds in memory is bounded by its rows, and
//! how long its tenants wait for each other by their number.

use contracts::tenant_scope::TenantScope;
use lake::cut::{Cut, DataFile};

/// What a batch may hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Size {
    tenants: usize,
    rows: u64,
    bytes: u64,
    files: usize,
}

/// A tenant within this is small. Beyond it what it would save is less than the work that is its own: opening its files, above all.
const SMALL_MAX: Size = Size { tenants: 1, rows: 5_000, bytes: 8 << 20, files: 20 };

/// More tenants would gain little, since the planning that 64 share is less than what each adds; and the first of them would wait
/// for the others. The rows are as many as one tenant's list of findings holds by default, so that a batch needs no more memory than
/// that tenant. The names of the files are text of the statements.
const BATCH_MAX: Size = Size { tenants: 64, rows: 50_000, bytes: 64 << 20, files: 200 };

/// Tenants that are built in one go.
#[derive(Debug)]
pub(crate) enum TenantBatch<T> {
    /// A large one, whose rows stay in their files, or one that would fail the others.
    Alone(T),
    /// Small ones, whose rows are held in memory.
    Together(Vec<T>),
}

/// The tenants in their order. Those with more rows than a list of findings may have are not small: the limit is one of a statement.
pub(crate) fn batches<T>(
    cut: &Cut,
    tasks: Vec<T>,
    rows_listed_max: u64,
    scope_of: impl Fn(&T) -> &TenantScope,
) -> Vec<TenantBatch<T>> {
    grouped(tasks, rows_listed_max, |task| Size::of(cut, scope_of(task)))
}

fn grouped<T>(tasks: Vec<T>, rows_listed_max: u64, size_of: impl Fn(&T) -> Option<Size>) -> Vec<TenantBatch<T>> {
    let small_max = Size { rows: SMALL_MAX.rows.min(rows_listed_max), ..SMALL_MAX };
    let (mut batches, mut small, mut held) = (Vec::new(), Vec::new(), Size::default());
    for task in tasks {
        let Some(size) = size_of(&task).filter(|size| size.is_within(small_max)) else {
            batches.push(TenantBatch::Alone(task));
            continue;
        };
        if !held.and(size).is_within(BATCH_MAX) {
            batches.push(TenantBatch::Together(std::mem::take(&mut small)));
            held = Size::default();
        }
        held = held.and(size);
        small.push(task);
    }
    if !small.is_empty() {
        batches.push(TenantBatch::Together(small));
    }
    batches
}

impl Size {
    /// Of what the cut holds of the tenant; `None` when it cannot be built of it.
    fn of(cut: &Cut, scope: &TenantScope) -> Option<Self> {
        if !cut.has(scope) || cut.refuse_unreadable(scope).is_err() {
            return None;
        }
        let of_file = |size: Self, file: &DataFile| {
            let (rows, bytes) = (size.rows.saturating_add(file.rows), size.bytes.saturating_add(file.bytes));
            Self { rows, bytes, files: size.files + 1, ..size }
        };
        let bills = cut.billing_of(scope).iter().flat_map(|period| &period.files);
        Some(cut.findings_of(scope).chain(bills).fold(Self { tenants: 1, ..Self::default() }, of_file))
    }

    fn and(self, other: Self) -> Self {
        Self {
            tenants: self.tenants + other.tenants,
            rows: self.rows.saturating_add(other.rows),
            bytes: self.bytes.saturating_add(other.bytes),
            files: self.files + other.files,
        }
    }

    fn is_within(self, max: Self) -> bool {
        self.tenants <= max.tenants && self.rows <= max.rows && self.bytes <= max.bytes && self.files <= max.files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Size = Size { tenants: 1, rows: 20, bytes: 30_000, files: 1 };

    /// Sizes of the batches: 0 for a tenant alone. One of no size cannot be built.
    fn sizes(tenants: &[Size], rows_listed_max: u64) -> Vec<usize> {
        let of_batch = |batch| match batch {
            TenantBatch::Alone(_) => 0,
            TenantBatch::Together(tenants) => tenants.len(),
        };
        grouped(tenants.to_vec(), rows_listed_max, |size| Some(*size).filter(|size| size.tenants == 1))
            .into_iter()
            .map(of_batch)
            .collect()
    }

    #[test]
    fn small_tenants_are_together_and_large_ones_alone() {
        let large = [
            Size { rows: 5_001, ..ONE },
            Size { bytes: 9 << 20, ..ONE },
            Size { files: 21, ..ONE },
            Size { rows: u64::MAX, bytes: u64::MAX, ..ONE },
        ];
        assert_eq!(sizes(&large, 50_000), [0; 4]);
        assert_eq!(sizes(&[ONE, large[0], ONE, large[1]], 50_000), [0, 0, 2]);
        assert_eq!(sizes(&[ONE; 130], 50_000), [64, 64, 2]);
        assert_eq!(sizes(&[ONE, Size::default(), ONE], 50_000), [0, 2]);
        assert_eq!(sizes(&[], 50_000), [0; 0]);
    }

    #[test]
    fn what_a_batch_holds_is_bounded() {
        assert_eq!(sizes(&[Size { rows: 5_000, ..ONE }; 21], 50_000), [10, 10, 1]);
        assert_eq!(sizes(&[Size { bytes: 8 << 20, ..ONE }; 9], 50_000), [8, 1]);
        assert_eq!(sizes(&[Size { files: 20, ..ONE }; 11], 50_000), [10, 1]);
    }

    #[test]
    fn a_tenant_with_more_findings_than_are_listed_is_alone() {
        assert_eq!(sizes(&[ONE, Size { rows: 21, ..ONE }], 20), [0, 1]);
        assert_eq!(sizes(&[ONE; 2], 19), [0, 0]);
    }
}
