//! FOCUS 0.5 to 1.4: columns to cost facts. Newer versions renamed some columns and added others; each fact column names
//! the columns it may come from, first match wins.

use std::sync::Arc;

use contracts::{cloud_ids, service_family};
use inventories::billing::cells;
use inventories::billing::closed_lists::{
    ChargeCategory, ChargeClass, ChargeFrequency, CommitmentCategory, CommitmentStatus, ListCell, Listed, Pricing,
};
use inventories::billing::fact::{Charge, CostFact, RowDetail, SplitCost};
use inventories::billing::sku::Sku;
use inventories::billing::tags::{self, RowTags};
use rust_decimal::Decimal;

use super::clouds::{self, Clouds};
use super::fields::{TagsCache, TimeColumns, Times, amount, currency, number};
use super::focus_columns::Columns;
use super::known_charges::{KnownCharge, KnownCharges, Noticed};
use super::observed::Observed;
use super::read_row::ReadRow;
use super::rejects::{Reason, Refusal};
use super::row::Row;

/// What a charge says beyond what is stored of it.
#[derive(Debug, Clone, Copy)]
struct OfCharge {
    /// True when its price list is in another currency than the bill.
    is_priced_in_other_currency: bool,
}

/// Reads FOCUS rows.
#[derive(Debug)]
pub struct FocusReader {
    columns: Columns,
    source_ref: Arc<str>,
    times: Times,
    known: KnownCharges<OfCharge>,
    tags: TagsCache,
    /// True when the column of tags has a type that cannot be read.
    are_tags_unreadable: bool,
    /// True when the file has a readable column that marks corrections.
    has_class: bool,
    clouds: Clouds,
    /// What was noticed in accepted rows.
    pub observed: Observed,
}

impl FocusReader {
    /// For a file with these columns; `source_ref` goes into every fact.
    #[must_use]
    pub fn new(columns: &[String], source_ref: Arc<str>) -> Self {
        let columns = Columns::of(columns);
        Self {
            has_class: columns.class.is_some(),
            clouds: Clouds::of(&columns),
            times: Times::default(),
            known: KnownCharges::new(columns.of_charge()),
            columns,
            source_ref,
            tags: TagsCache::default(),
            are_tags_unreadable: false,
            observed: Observed::default(),
        }
    }

    /// What a column must hold for figures to be right; `None` for all others.
    #[must_use]
    pub fn wanted(&self, column: usize) -> Option<&'static str> {
        self.columns.wanted(column)
    }

    /// Numbers of the columns that are read.
    #[must_use]
    pub fn needed(&self) -> Vec<usize> {
        self.columns.all().collect()
    }

    /// True for columns that may hold maps, structs and lists: tags, and properties of a SKU.
    #[must_use]
    pub fn takes_nested(&self, column: usize) -> bool {
        let nested = [self.columns.tags, self.columns.allocated_tags];
        nested.contains(&Some(column)) || self.columns.sku_details.contains(&Some(column))
    }

    /// A column whose type `kind` cannot be read: its cells are unknown from here on.
    ///
    /// # Errors
    /// What the column must hold, when figures would be wrong without it.
    pub fn unreadable(&mut self, column: usize, name: &str, kind: &str) -> Result<(), &'static str> {
        if let Some(wanted) = self.columns.wanted(column) {
            return Err(wanted);
        }
        self.are_tags_unreadable |= self.columns.tags == Some(column);
        self.has_class &= self.columns.class != Some(column);
        if self.observed.unreadable_columns.insert(name.to_owned(), kind.to_owned()).is_none() {
            self.known.forget();
        }
        Ok(())
    }

    /// A row.
    ///
    /// # Errors
    /// Why the row is refused: times first, then account, currency, costs.
    pub fn read(&mut self, row: Row<'_>) -> Result<ReadRow, Refusal> {
        let times = self.times.of(row, &self.time_columns())?;
        if times.ends_too_early {
            self.observed.unreadable_cell("ChargePeriodEnd");
        }
        let known = match self.known.find(row, &times.month) {
            Some(known) => known,
            None => {
                let new = self.charge(row, &times.month)?;
                self.known.add(&new);
                new
            }
        };
        let c = self.columns;
        let billed: Decimal = amount(row, &[c.billed_cost], "BilledCost")?
            .ok_or_else(|| Refusal::blank(Reason::MissingCost, "BilledCost"))?;
        let effective = amount(row, &c.effective_cost, "EffectiveCost")?;
        let list_cost = amount(row, &[c.list_cost], "ListCost")?;
        amount(row, &[c.contracted_cost], "ContractedCost")?;
        let quantity = number(row, c.pricing_quantity, "PricingQuantity", &mut self.observed);
        let mut fact = CostFact {
            charge: Arc::clone(&known.charge),
            billing_period_start_ms: times.billing_start_ms,
            billing_period_end_ms: times.billing_end_ms,
            usage_start_ms: times.usage_start_ms,
            usage_end_ms: times.usage_end_ms,
            cost_unblended: billed,
            cost_net: billed,
            cost_amortized: effective.unwrap_or(billed),
            cost_blended: billed,
            model_fallback: effective.is_none(),
            quantity,
            split: None,
            source_ref: Arc::clone(&self.source_ref),
        };
        fact.split = self.split(row, &fact);
        let unit_price = number(row, c.list_unit_price, "ListUnitPrice", &mut self.observed);
        let unit_price = match known.more.is_priced_in_other_currency {
            true => in_billing_currency(row, &c, unit_price, list_cost, quantity),
            false => unit_price,
        };
        let detail = RowDetail { unit_price, parts: None };
        self.observed.model_fallback += u64::from(fact.model_fallback);
        let is_usage = fact.charge.charge_category.is(ChargeCategory::Usage) && !fact.charge.is_correction;
        self.observed.usage_far_from_period += u64::from(is_usage && times.are_far_apart());
        known.observe(&mut self.observed);
        Ok(ReadRow { fact, detail, charge_hash: known.hash })
    }

    /// The billing month of a row that was refused, when it tells it.
    pub fn month_of(&mut self, row: Row<'_>) -> Option<Arc<str>> {
        self.times.month_of_refused(row, &self.time_columns())
    }

    /// Where the times of a row are.
    fn time_columns(&self) -> TimeColumns {
        let c = &self.columns;
        TimeColumns {
            usage_start: (c.charge_start, "ChargePeriodStart"),
            usage_end: (c.charge_end, "ChargePeriodEnd"),
            billing_start: (c.billing_start, "BillingPeriodStart"),
            billing_end: (c.billing_end, "BillingPeriodEnd"),
        }
    }

    /// What a row charges for, from the cells that say it.
    fn charge(&mut self, row: Row<'_>, month: &str) -> Result<Arc<KnownCharge<OfCharge>>, Refusal> {
        let c = self.columns;
        let text = |column| row.get(column).map(str::to_owned);
        let cloud = self.clouds.name(row);
        let (payer_account_id, account_id) = clouds::accounts(row, &c, &cloud)?;
        let code = row.first(&c.currency).ok_or_else(|| Refusal::blank(Reason::MissingCurrency, "BillingCurrency"))?;
        let currency = currency(code, "BillingCurrency")?;
        let noticed = &mut Vec::new();
        let class = listed::<ChargeClass>(row.get(c.class), noticed);
        let service_code = row.first(&c.service);
        let region = row.first(&c.region).map(|name| cloud_ids::region(&cloud, name));
        let sku = sku(row, &c, &cloud);
        let charge = Charge {
            cloud,
            billing_period: month.to_owned(),
            payer_account_id,
            account_id,
            region: region.or_else(|| row.get(c.zone).and_then(cells::region_of_zone)),
            service: service_code.map(service_family::family_of),
            service_code: service_code.map(str::to_owned),
            resource_id: text(c.resource),
            resource_type: text(c.resource_type),
            line_item_type: None,
            charge_category: category(row, &c, noticed),
            is_correction: class.as_ref().is_some_and(|class| class.is(ChargeClass::Correction)),
            is_class_stated: self.has_class && !matches!(class, Some(ListCell::Unlisted(_))),
            usage_type: row.first(&c.usage_type).map(str::to_owned),
            operation: text(c.operation),
            description: text(c.description),
            sku,
            pricing: pricing(row, &c, noticed),
            commitment_id: text(c.commitment),
            commitment_status: commitment_status(row, &c, noticed),
            currency,
            currency_defaulted: false,
            unknown_type: false,
            invoice: text(c.invoice),
            tags: self.tags(row.nested(c.tags).as_deref(), noticed),
        };
        let priced_in = row.get(c.pricing_currency);
        let is_other = priced_in.is_some_and(|code| !code.eq_ignore_ascii_case(&charge.currency));
        let more = OfCharge { is_priced_in_other_currency: is_other };
        // Lists that no fact needs yet, so that a bill which spells them in a new way is noticed.
        listed::<ChargeFrequency>(row.get(c.frequency), noticed);
        listed::<CommitmentCategory>(row.get(c.commitment_category), noticed);
        Ok(KnownCharge::new(charge, std::mem::take(noticed), more))
    }

    fn tags(&mut self, cell: Option<&str>, noticed: &mut Vec<Noticed>) -> RowTags {
        let tags = match cell {
            _ if self.are_tags_unreadable => RowTags::Unknown,
            Some(cell) => self.tags.of(cell, || tags::parse(cell)),
            // A bill without the column tells nothing; a blank cell tells that there are none.
            None if self.columns.tags.is_some() => RowTags::default(),
            None => return RowTags::Unknown,
        };
        if tags == RowTags::Unknown {
            noticed.push(Noticed::Unreadable("Tags"));
        }
        tags
    }

    /// An allocated charge: a part of what was charged for its resource. All parts of a charge add up to it.
    fn split(&mut self, row: Row<'_>, fact: &CostFact) -> Option<Box<SplitCost>> {
        let resource_id = row.get(self.columns.allocated_resource)?.to_owned();
        let cell = row.nested(self.columns.allocated_tags);
        let tags = cell.map_or_else(RowTags::default, |cell| self.tags.of(&cell, || tags::parse(&cell)));
        if tags == RowTags::Unknown {
            self.observed.unreadable_cell("AllocatedTags");
        }
        Some(Box::new(SplitCost {
            resource_id,
            parent_id: fact.charge.resource_id.clone(),
            tags,
            unblended: Some(fact.cost_unblended),
            net: Some(fact.cost_net),
            amortized: Some(fact.cost_amortized),
            blended: Some(fact.cost_blended),
        }))
    }
}

/// The public price in the billing currency, of a row whose price list is in another one. `ListCost` is in the billing currency in every
/// version; a `ListUnitPrice` is certain to be only where the price of the list is there beside it, and another one.
fn in_billing_currency(
    row: Row<'_>,
    c: &Columns,
    unit_price: Option<Decimal>,
    list_cost: Option<Decimal>,
    quantity: Option<Decimal>,
) -> Option<Decimal> {
    let priced = row.get(c.priced_list_unit_price).and_then(cells::decimal);
    let given = unit_price.filter(|price| priced.is_some_and(|priced| priced != *price));
    given.or_else(|| list_cost?.checked_div(quantity.filter(|quantity| !quantity.is_zero())?))
}

/// A cell of a closed list. A value outside the list is counted.
fn listed<T: Listed>(cell: Option<&str>, noticed: &mut Vec<Noticed>) -> Option<ListCell<T>> {
    let cell = cell?;
    Some(match T::LIST.find(cell) {
        Some(value) => ListCell::Known(value),
        None => {
            noticed.push(Noticed::Unlisted(T::LIST.column, cell.to_owned()));
            ListCell::Unlisted(cell.into())
        }
    })
}

/// A blank category is taken for usage, as AWS does with its line types, and counted.
fn category(row: Row<'_>, c: &Columns, noticed: &mut Vec<Noticed>) -> ListCell<ChargeCategory> {
    listed(row.first(&c.category), noticed).unwrap_or_else(|| {
        noticed.push(Noticed::Unlisted(ChargeCategory::LIST.column, String::new()));
        ListCell::Known(ChargeCategory::Usage)
    })
}

/// FOCUS 1.0-preview has the status in the subcategory of the charge, among values of other meaning.
fn commitment_status(row: Row<'_>, c: &Columns, noticed: &mut Vec<Noticed>) -> Option<ListCell<CommitmentStatus>> {
    let status = listed(row.get(c.commitment_status), noticed);
    let of_preview = || CommitmentStatus::LIST.find(row.get(c.subcategory)?).map(ListCell::Known);
    status.or_else(of_preview)
}

/// What the columns of the SKU say. Its properties may be a map.
fn sku(row: Row<'_>, c: &Columns, cloud: &str) -> Sku {
    let text = |column| row.get(column).map(str::to_owned);
    let details = c.sku_details.iter().find_map(|column| row.nested(*column));
    let sku = Sku {
        product: text(c.sku.filter(|_| cloud == "aws")),
        category: text(c.sku_category),
        subcategory: text(c.sku_subcategory),
        kind: text(c.service_kind),
        unit: text(c.pricing_unit),
        ..Sku::default()
    };
    sku.with_details(details.as_deref())
}

fn pricing(row: Row<'_>, c: &Columns, noticed: &mut Vec<Noticed>) -> Pricing {
    match listed::<Pricing>(row.first(&c.pricing_category), noticed) {
        Some(ListCell::Known(pricing)) => pricing,
        _ => Pricing::Unknown,
    }
}

#[cfg(test)]
mod tests;
