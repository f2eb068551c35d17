//! AWS cost and usage reports: legacy (flat columns that vary by month) and 2.0 (maps of tags and product attributes).
//! Columns to cost facts.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use contracts::service_family;
use inventories::billing::cells;
use inventories::billing::closed_lists::{ChargeCategory, LineType, ListCell, Listed, Pricing};
use inventories::billing::fact::{Charge, CostFact, RowDetail, SplitCost};
use inventories::billing::sku::Sku;
use inventories::billing::tags::{self, RowTags, Tags};

use self::columns::Columns;
use self::costs::{Amounts, SplitAmounts};
use super::fields::{TagsCache, TimeColumns, Times, account, billing_account, currency, number};
use super::known_charges::{KnownCharge, KnownCharges, Noticed};
use super::observed::Observed;
use super::read_row::ReadRow;
use super::rejects::{Reason, Refusal};
use super::row::Row;

mod columns;
mod costs;

const CLOUD: &str = "aws";
/// Currency of reports that do not name one.
const CURRENCY_DEFAULT: &str = "USD";
/// Member of the map of product attributes that holds the region.
const PRODUCT_REGION: &str = "region";
/// Distinct texts of product attributes remembered.
const PRODUCTS_MAX: usize = 100_000;
/// Between the cells that make up the tags of a row.
const SEPARATOR: char = '\u{1f}';

/// Reads rows of a report.
#[derive(Debug)]
pub struct CurReader {
    columns: Columns,
    source_ref: Arc<str>,
    cloud: Arc<str>,
    times: Times,
    known: KnownCharges<OfLine>,
    tags: TagsCache,
    /// The cells that make up the tags of the row at hand.
    tags_text: String,
    /// True when a column of tags has a type that cannot be read.
    are_tags_unreadable: bool,
    /// True when the column of product attributes holds their region alone.
    is_product_region: bool,
    regions: HashMap<String, Option<String>>,
    /// What was noticed in accepted rows.
    pub observed: Observed,
}

impl CurReader {
    /// For a file with these columns; `source_ref` goes into every fact.
    #[must_use]
    pub fn new(columns: &[String], source_ref: Arc<str>) -> Self {
        let columns = Columns::of(columns);
        Self {
            times: Times::default(),
            known: KnownCharges::new(columns.of_charge()),
            columns,
            source_ref,
            cloud: CLOUD.into(),
            tags: TagsCache::default(),
            tags_text: String::new(),
            are_tags_unreadable: false,
            is_product_region: false,
            regions: HashMap::new(),
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
        self.columns.all()
    }

    /// True for columns of tags: they may hold maps, structs and lists.
    #[must_use]
    pub fn takes_nested(&self, column: usize) -> bool {
        self.columns.is_of_tags(column)
    }

    /// The only member that is read of a column of maps or structs.
    pub fn member(&mut self, column: usize) -> Option<&'static str> {
        let is_product = self.columns.product == Some(column);
        self.is_product_region |= is_product;
        is_product.then_some(PRODUCT_REGION)
    }

    /// A column whose type `kind` cannot be read: its cells are unknown from here on.
    ///
    /// # Errors
    /// What the column must hold, when figures would be wrong without it.
    pub fn unreadable(&mut self, column: usize, name: &str, kind: &str) -> Result<(), &'static str> {
        if let Some(wanted) = self.columns.wanted(column) {
            return Err(wanted);
        }
        self.are_tags_unreadable |= self.columns.is_of_tags(column);
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
            self.observed.unreadable_cell("line_item_usage_end_date");
        }
        let known = match self.known.find(row, &times.month) {
            Some(known) => known,
            None => {
                let new = self.charge(row, &times.month)?;
                self.known.add(&new);
                new
            }
        };
        let c = &self.columns;
        let OfLine { line_type, has_reservation, is_priced_in_other_currency } = known.more;
        let amounts = Amounts::of(row, &c.costs, row.get(c.split_parent).is_some())?;
        let amortized = amounts.amortized(line_type, has_reservation);
        let quantity = number(row, c.quantity, "line_item_usage_amount", &mut self.observed);
        let fact = CostFact {
            charge: Arc::clone(&known.charge),
            billing_period_start_ms: times.billing_start_ms,
            billing_period_end_ms: times.billing_end_ms,
            usage_start_ms: times.usage_start_ms,
            usage_end_ms: times.usage_end_ms,
            cost_unblended: amounts.unblended,
            cost_net: amounts.net.unwrap_or(amounts.unblended),
            cost_amortized: amortized.unwrap_or(amounts.unblended),
            cost_blended: amounts.blended.unwrap_or(amounts.unblended),
            model_fallback: amortized.is_none(),
            quantity,
            split: split(row, c, &known.charge.tags)?,
            source_ref: Arc::clone(&self.source_ref),
        };
        let detail = RowDetail {
            // Nothing in the report converts it.
            unit_price: number(row, c.unit_price, "pricing_public_on_demand_rate", &mut self.observed)
                .filter(|_| !is_priced_in_other_currency),
            parts: amounts.parts(line_type, amortized, known.charge.pricing, quantity),
        };
        self.observed.currency_defaulted += u64::from(known.charge.currency_defaulted);
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
            usage_start: (c.usage_start, "line_item_usage_start_date"),
            usage_end: (c.usage_end, "line_item_usage_end_date"),
            billing_start: (c.billing_start, "bill_billing_period_start_date"),
            billing_end: (c.billing_end, "bill_billing_period_end_date"),
        }
    }

    /// What a row charges for, from the cells that say it.
    fn charge(&mut self, row: Row<'_>, month: &str) -> Result<Arc<KnownCharge<OfLine>>, Refusal> {
        let c = &self.columns;
        let text = |column| row.get(column).map(str::to_owned);
        let payer_account_id = billing_account(row, c.payer, "bill_payer_account_id", CLOUD)?;
        let usage_account = "line_item_usage_account_id";
        let account_id = account(row, c.account, usage_account, CLOUD)?
            .ok_or_else(|| Refusal::blank(Reason::MissingAccount, usage_account))?;
        let code = row.get(c.currency);
        let currency = currency(code.unwrap_or(CURRENCY_DEFAULT), "line_item_currency_code")?;
        let reservation = row.get(c.reservation);
        let type_cell = row.get(c.line_type).unwrap_or(LineType::LIST.name(LineType::Usage));
        let line_type = LineType::LIST.find(type_cell);
        let priced_in = row.get(c.pricing_currency);
        let service_code = row.first(&c.service);
        let mut noticed = Vec::new();
        if line_type.is_none() {
            noticed.push(Noticed::Unlisted(LineType::LIST.column, type_cell.to_owned()));
        }
        let charge = Charge {
            cloud: Arc::clone(&self.cloud),
            billing_period: month.to_owned(),
            payer_account_id,
            account_id,
            region: region(row, c, self.is_product_region, &mut self.regions),
            service: service_code.map(service_family::family_of),
            service_code: service_code.map(str::to_owned),
            resource_id: text(c.resource),
            resource_type: None,
            line_item_type: Some(type_cell.to_owned()),
            charge_category: ListCell::Known(line_type.map_or(ChargeCategory::Usage, LineType::category)),
            is_correction: line_type == Some(LineType::Refund),
            is_class_stated: true,
            usage_type: text(c.usage_type),
            operation: text(c.operation),
            description: text(c.description),
            sku: Sku { product: text(c.product_sku), ..Sku::default() },
            pricing: pricing(line_type, row.get(c.usage_type), row.get(c.term)),
            commitment_id: reservation.or_else(|| row.get(c.savings_plan)).map(str::to_owned),
            commitment_status: None,
            currency,
            currency_defaulted: code.is_none(),
            unknown_type: line_type.is_none(),
            invoice: text(c.invoice),
            tags: self.tags(row, &mut noticed),
        };
        let is_priced_in_other_currency = priced_in.is_some_and(|code| !code.eq_ignore_ascii_case(&charge.currency));
        let of_line = OfLine { line_type, has_reservation: reservation.is_some(), is_priced_in_other_currency };
        Ok(KnownCharge::new(charge, noticed, of_line))
    }

    /// Tags that have a column of their own, and those of maps. The same cells come with every thing of a resource.
    fn tags(&mut self, row: Row<'_>, noticed: &mut Vec<Noticed>) -> RowTags {
        let c = &self.columns;
        if self.are_tags_unreadable {
            noticed.push(Noticed::Unreadable("tags"));
            return RowTags::Unknown;
        }
        if !c.has_tags() {
            return RowTags::Unknown;
        }
        let maps = c.tag_maps.map(|column| row.nested(column));
        self.tags_text.clear();
        let columns = c.tag_columns.iter().map(|(number, _)| row.as_it_is(Some(*number)));
        let mut is_plain = true;
        for cell in columns.chain(maps.iter().map(Option::as_deref)) {
            let cell = cell.unwrap_or_default();
            is_plain &= !cell.contains(SEPARATOR);
            self.tags_text.push_str(cell);
            self.tags_text.push(SEPARATOR);
        }
        let tags = match is_plain {
            true => self.tags.of(&self.tags_text, || read_tags(row, &maps, c)),
            // Two rows with such cells could have the same text.
            false => read_tags(row, &maps, c).map_or(RowTags::Unknown, |tags| RowTags::Known(Arc::new(tags))),
        };
        if tags == RowTags::Unknown {
            noticed.push(Noticed::Unreadable("tags"));
        }
        tags
    }
}

/// What the costs of a line depend on.
#[derive(Debug, Clone, Copy)]
struct OfLine {
    line_type: Option<LineType>,
    has_reservation: bool,
    /// True when its price list is in another currency than the bill.
    is_priced_in_other_currency: bool,
}

/// What the row splits off its parent, with the tags of the row. The row itself charges nothing: its cost is in the one of the parent.
fn split(row: Row<'_>, c: &Columns, tags: &RowTags) -> Result<Option<Box<SplitCost>>, Refusal> {
    let (Some(parent_id), Some(resource_id)) = (row.get(c.split_parent), row.get(c.resource)) else { return Ok(None) };
    let of_resource = |amounts: SplitAmounts| {
        Box::new(SplitCost {
            resource_id: resource_id.to_owned(),
            parent_id: Some(parent_id.to_owned()),
            tags: tags.clone(),
            unblended: None,
            net: Some(amounts.net),
            amortized: Some(amounts.amortized),
            blended: None,
        })
    };
    Ok(SplitAmounts::of(row, &c.costs)?.map(of_resource))
}

/// `None` when a map cannot be read.
fn read_tags(row: Row<'_>, maps: &[Option<Cow<'_, str>>], c: &Columns) -> Option<Tags> {
    let of_column = |(number, key): &(usize, String)| Some((key.clone(), row.as_it_is(Some(*number))?.to_owned()));
    let mut all: Tags = c.tag_columns.iter().filter_map(of_column).collect();
    for cell in maps.iter().flatten() {
        all.extend(tags::parse(cell)?);
    }
    Some(all)
}

/// The region: of the product, else the one that its zone lies in.
fn region(
    row: Row<'_>,
    c: &Columns,
    is_product_region: bool,
    known: &mut HashMap<String, Option<String>>,
) -> Option<String> {
    let named = row.first(&c.region).map(str::to_lowercase);
    let of_product = || {
        let cell = row.get(c.product)?;
        if is_product_region {
            return Some(cell.to_lowercase());
        }
        if let Some(region) = known.get(cell) {
            return region.clone();
        }
        if known.len() >= PRODUCTS_MAX {
            known.clear();
        }
        let region =
            tags::parse(cell).and_then(|members| cells::text(members.get(PRODUCT_REGION)?).map(str::to_lowercase));
        known.insert(cell.to_owned(), region.clone());
        region
    };
    named.or_else(of_product).or_else(|| cells::region_of_zone(row.get(c.zone)?))
}

/// How the price of a line came about, as FOCUS says it.
fn pricing(line_type: Option<LineType>, usage_type: Option<&str>, term: Option<&str>) -> Pricing {
    let is_spot = || {
        term.is_some_and(|term| term.eq_ignore_ascii_case("spot"))
            || usage_type.is_some_and(|usage_type| usage_type.contains("SpotUsage"))
    };
    match line_type {
        Some(LineType::DiscountedUsage | LineType::SavingsPlanCoveredUsage) => Pricing::Committed,
        Some(LineType::Usage) if is_spot() => Pricing::Dynamic,
        None => Pricing::Unknown,
        _ => Pricing::Standard,
    }
}

#[cfg(test)]
mod tests;
