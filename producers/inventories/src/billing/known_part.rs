//! What tells that a part of a charge belongs to the line of one that came before, without building its key again.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::closed_lists::{ChargeCategory, ListCell, Pricing};
use super::fact::{Charge, CostFact, RowPart};

/// A part of a charge that came before: it belongs to the same line again.
#[derive(Debug)]
pub(super) struct KnownPart {
    /// Compared by address, which is its own as long as it is held here.
    charge: Arc<Charge>,
    category: ChargeCategory,
    pricing: Pricing,
    is_unused: bool,
    is_negative: bool,
    is_earlier: bool,
}

impl KnownPart {
    /// `None` for a category outside the closed list.
    pub(super) fn of(fact: &CostFact, part: &RowPart, is_earlier: bool) -> Option<Self> {
        let ListCell::Known(category) = part.category else { return None };
        Some(Self {
            charge: Arc::clone(&fact.charge),
            category,
            pricing: part.pricing,
            is_unused: part.is_unused,
            is_negative: is_negative(part),
            is_earlier,
        })
    }

    fn identity(&self) -> (*const Charge, ChargeCategory, Pricing, [bool; 3]) {
        let marks = [self.is_unused, self.is_negative, self.is_earlier];
        (Arc::as_ptr(&self.charge), self.category, self.pricing, marks)
    }
}

impl PartialEq for KnownPart {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for KnownPart {}

impl Hash for KnownPart {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// True for an amount below 0. A discount is not one: it belongs to the charge that it is for.
pub(super) fn is_negative(part: &RowPart) -> bool {
    !part.is_discount && part.billed.is_sign_negative() && !part.billed.is_zero()
}
