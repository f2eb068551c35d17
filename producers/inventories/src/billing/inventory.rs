//! The recorded inventory of billing rows that checkers run over. Rows are added up into lines while they stream by, so
//! memory grows with the number of distinct things charged, not with the number of rows.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashTable;
use rust_decimal::Decimal;

use super::closed_lists::ChargeCategory;
use super::coverage::{CoverageBuilder, CurrentMonth, Months, end_with_bill, months, payer};
use super::fact::{Charge, CostFact, RowDetail, RowPart};
use super::known_part::{KnownPart, is_negative};
use super::line::{LineKey, LineSums, UsageLine};
use super::meter::{self, Meter};
pub use super::period::hours_of_month;
use super::period::{OFFSET_MAX_MS, utc_start_ms};
use super::reversals::Reversals;
use super::unit_prices::UnitPrices;
use super::usage_totals::{TotalsBuilder, UsageTotals};
use crate::kind::{Extent, Inventory, InventoryKind, Source};

/// Lines kept at most: about 1.5 GB. A bill of ten million hourly rows has some hundred thousand.
pub const LINES_MAX: usize = 2_000_000;
/// Recognised wordings remembered at most; descriptions that name a resource would fill memory otherwise.
const METERS_MAX: usize = 100_000;
/// Spellings of services remembered; no bill has so many.
const SERVICES_MAX: usize = 10_000;
/// Charges whose line is remembered at most; a bill that has more is looked up line by line.
const KNOWN_MAX: usize = 300_000;

/// Lines of all billing months read, in a fixed order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct BillingInventory {
    lines: Vec<UsageLine>,
    pub(super) months: Months,
    /// Where lines of current months lie; there is a range for each paying account, since lines are sorted.
    current_lines: Vec<Range<usize>>,
    unit_prices: UnitPrices,
    usage_totals: UsageTotals,
    reversals: Reversals,
    dropped_rows: u64,
}

impl Inventory for BillingInventory {
    const KIND: InventoryKind = InventoryKind { name: "billing files", source: Source::Billing, extent: Extent::Run };
}

impl BillingInventory {
    /// All lines, sorted by key.
    #[must_use]
    pub fn lines(&self) -> &[UsageLine] {
        &self.lines
    }

    /// Lines of the month findings speak of: the newest of their paying account with a week of usage, else the newest.
    /// Months differ between paying accounts, since providers close their books at different times.
    pub fn current(&self) -> impl Iterator<Item = &UsageLine> {
        self.current_lines.iter().filter_map(|lines| self.lines.get(lines.clone())).flatten()
    }

    /// The current month of the line's paying account, when the line is of that month.
    #[must_use]
    pub fn current_month(&self, line: &UsageLine) -> Option<&CurrentMonth> {
        self.months.current.get(&payer(line)).filter(|month| month.period == line.key.period)
    }

    /// Accounts of which the bill is an extract in the month that findings speak of; some may come more than once.
    pub fn extract_accounts(&self) -> impl Iterator<Item = &str> {
        let is_extract = |line: &&UsageLine| self.current_month(line).is_some_and(|month| !month.tells_ends());
        self.current().filter(is_extract).map(|line| &*line.key.account)
    }

    /// Accounts that are charged, and those that pay; some may come more than once.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        let named = self.lines.iter().flat_map(|line| [&*line.key.account, &*line.key.billing_account]);
        named.filter(|account| !account.is_empty())
    }

    /// Months that findings speak of and of which the bill is an extract: rows are missing, and no sum over them is one of the month.
    pub fn extracts(&self) -> impl Iterator<Item = &str> {
        self.months.current.values().filter(|month| !month.tells_ends()).map(|month| &*month.period)
    }

    /// All lines of the resource of this line, which is one of [`lines`](Self::lines), in its month: same account, region and
    /// service. Nothing is kept for it, since the lines are sorted.
    #[must_use]
    pub fn of_resource(&self, line: &UsageLine) -> &[UsageLine] {
        let Some((before, from)) = self.lines.element_offset(line).and_then(|at| self.lines.split_at_checked(at))
        else {
            return &[];
        };
        let key = line.key.of_resource();
        let is_other = |other: &UsageLine| other.key.of_resource() != key;
        let start = before.iter().rposition(is_other).map_or(0, |at| at + 1);
        let end = before.len() + from.iter().position(is_other).unwrap_or(from.len());
        self.lines.get(start..end).unwrap_or_default()
    }

    /// Unit prices of the months that findings speak of.
    #[must_use]
    pub fn unit_prices(&self) -> &UnitPrices {
        &self.unit_prices
    }

    /// What each usage type cost, in all months.
    #[must_use]
    pub fn usage_totals(&self) -> &UsageTotals {
        &self.usage_totals
    }

    /// What reversals that name no resource left of the charges that the line is one of, as a share of them.
    #[must_use]
    pub fn share_not_reversed(&self, line: &UsageLine) -> Decimal {
        self.reversals.share_left(line)
    }

    /// Rows that found no room, see [`LINES_MAX`].
    #[must_use]
    pub fn dropped_rows(&self) -> u64 {
        self.dropped_rows
    }
}

/// Where the hours of a row's month are counted from: the start of the billing period as the bill has it, which is a
/// month's first midnight somewhere on earth; else that of UTC.
fn period_start_ms(fact: &CostFact, utc_ms: i64) -> i64 {
    fact.billing_period_start_ms.filter(|start| (start - utc_ms).abs() <= OFFSET_MAX_MS).unwrap_or(utc_ms)
}

/// True for an amount below 0 that says of no usage type that it is about it. What unmarked usage describes without one is something
/// that is metered; of anything else a description is prose.
fn is_general(charge: &Charge, part: &RowPart, meter: &Meter) -> bool {
    let is_described = charge.description.is_some() && part.category.is(ChargeCategory::Usage) && !charge.is_correction;
    let lowers = part.is_discount || is_negative(part);
    lowers && *meter == Meter::Other && charge.usage_type.is_none() && !is_described
}

/// Adds rows up.
#[derive(Debug)]
pub struct InventoryBuilder {
    lines: Vec<UsageLine>,
    /// Numbers of lines, by hash of their keys: a key is large, and is held once.
    numbers: HashTable<usize>,
    hasher: RandomState,
    coverage: CoverageBuilder,
    /// Lines with amounts by hour.
    hourly_lines: usize,
    totals: TotalsBuilder,
    /// Lines and totals of charges that came before.
    known: HashMap<KnownPart, (usize, Option<usize>)>,
    /// The month of the last row, and its start.
    month: (String, Option<i64>),
    texts: HashSet<Arc<str>>,
    /// Names of services as the first row spells them, by each spelling and in lower case.
    services: HashMap<String, Arc<str>>,
    /// With the SKU of each.
    meters: HashMap<String, (Meter, Arc<str>)>,
    lines_max: usize,
    dropped_rows: u64,
}

impl Default for InventoryBuilder {
    fn default() -> Self {
        Self::with_limit(LINES_MAX)
    }
}

impl InventoryBuilder {
    /// Keeps at most `lines_max` lines.
    #[must_use]
    pub fn with_limit(lines_max: usize) -> Self {
        Self {
            lines: Vec::new(),
            numbers: HashTable::new(),
            hasher: RandomState::new(),
            coverage: CoverageBuilder::default(),
            hourly_lines: 0,
            totals: TotalsBuilder::default(),
            known: HashMap::new(),
            month: (String::new(), None),
            texts: HashSet::new(),
            services: HashMap::new(),
            meters: HashMap::new(),
            lines_max,
            dropped_rows: 0,
        }
    }

    /// Adds a row to its line, or its parts to theirs.
    pub fn add(&mut self, fact: &CostFact, detail: &RowDetail) {
        match &detail.parts {
            None => self.add_part(fact, detail, &RowPart::whole(fact)),
            Some(parts) => parts.iter().for_each(|part| self.add_part(fact, detail, part)),
        }
    }

    fn add_part(&mut self, fact: &CostFact, detail: &RowDetail, part: &RowPart) {
        let month_start_ms = self.month_start_ms(fact);
        let is_earlier = month_start_ms.zip(fact.usage_end_ms).is_some_and(|(start_ms, end_ms)| end_ms <= start_ms);
        let Some((line, total)) = self.line(fact, part, is_earlier) else {
            self.dropped_rows += 1;
            return;
        };
        let Some(UsageLine { key, sums }) = self.lines.get_mut(line) else { return };
        if part.is_discount {
            sums.billed += part.billed;
            sums.amortized += part.amortized;
            return;
        }
        // A price of 0 beside a charge tells that the price is not known.
        let unit_price = detail.unit_price.filter(|price| !price.is_zero() || part.billed.is_zero());
        let list = part.quantity.zip(unit_price).and_then(|(quantity, price)| quantity.checked_mul(price));
        sums.list = sums.list.zip(list).and_then(|(sum, more)| sum.checked_add(more));
        sums.is_effective_known &= !fact.model_fallback;
        sums.billed = sums.billed.saturating_add(part.billed);
        sums.amortized = sums.amortized.saturating_add(part.amortized);
        sums.quantity = sums.quantity.zip(part.quantity).and_then(|(sum, more)| sum.checked_add(more));
        sums.unit_price = unit_price.or(sums.unit_price);
        sums.rows += 1;
        sums.is_class_stated &= fact.charge.is_class_stated;
        self.totals.add_row(total, fact, part, month_start_ms);
        if let (Some(start_ms), Some(end)) = (month_start_ms, fact.usage_end_ms) {
            sums.hours.add(start_ms, fact.usage_start_ms, end);
            if key.runs_by_amount() {
                self.hourly_lines +=
                    sums.add_hour(part.billed, (start_ms, fact.usage_start_ms, end), self.hourly_lines);
            }
            self.coverage.add_row(line, start_ms, fact.usage_start_ms, end);
        }
    }

    /// The numbers of the line and the total that the part belongs to; `None` when it is a new line and there is no room.
    fn line(&mut self, fact: &CostFact, part: &RowPart, is_earlier: bool) -> Option<(usize, Option<usize>)> {
        let known = KnownPart::of(fact, part, is_earlier);
        if let Some(line) = known.as_ref().and_then(|known| self.known.get(known)) {
            return Some(*line);
        }
        let key = LineKey { is_earlier, ..self.key(&fact.charge, part) };
        let usage_type = self.share_or_empty(fact.charge.usage_type.as_deref());
        let total = self.totals.slot(&key, usage_type);
        let hash = self.hasher.hash_one(&key);
        let is_it = |line: &usize| self.lines.get(*line).is_some_and(|line| line.key == key);
        let line = match self.numbers.find(hash, is_it) {
            Some(line) => *line,
            None if self.lines.len() >= self.lines_max => return None,
            None => {
                let description = self.share(fact.charge.description.as_deref().unwrap_or_default());
                self.coverage.add_line(&key);
                let line = self.lines.len();
                self.lines.push(UsageLine { key, sums: LineSums::empty(description) });
                let (lines, hasher) = (&self.lines, &self.hasher);
                let hash_of = |line: &usize| lines.get(*line).map_or(0, |line| hasher.hash_one(&line.key));
                self.numbers.insert_unique(hash, line, hash_of);
                line
            }
        };
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.extend(known.map(|known| (known, (line, total))));
        Some((line, total))
    }

    fn month_start_ms(&mut self, fact: &CostFact) -> Option<i64> {
        let period = &fact.charge.billing_period;
        if self.month.0 != *period {
            self.month = (period.clone(), utc_start_ms(period));
        }
        self.month.1.map(|utc_ms| period_start_ms(fact, utc_ms))
    }

    /// The finished inventory.
    #[must_use]
    pub fn finish(self) -> BillingInventory {
        let Self { mut lines, coverage, totals, dropped_rows, known, numbers, texts, services, meters, .. } = self;
        // They are large, and not needed any more.
        drop((known, numbers, texts, services, meters));
        lines.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        lines.iter_mut().for_each(|line| line.sums.discount_hours());
        let covered = coverage.finish();
        lines.iter_mut().for_each(|line| end_with_bill(line, &covered));
        let months = months(&lines, covered);
        let usage_totals = totals.finish();
        let reversals = Reversals::of(&lines);
        let inventory = BillingInventory { months, lines, usage_totals, reversals, dropped_rows, ..Default::default() };
        let mut end = 0;
        let months = inventory.lines.chunk_by(|a, b| a.key.of_month() == b.key.of_month()).filter_map(|lines| {
            let start = end;
            end += lines.len();
            inventory.current_month(lines.first()?).map(|_| start..end)
        });
        let current_lines = months.collect();
        let inventory = BillingInventory { current_lines, ..inventory };
        BillingInventory { unit_prices: UnitPrices::of(inventory.current()), ..inventory }
    }

    fn key(&mut self, charge: &Charge, part: &RowPart) -> LineKey {
        let (meter, sku) = self.meter(charge);
        LineKey {
            cloud: Arc::clone(&charge.cloud),
            billing_account: self.share_or_empty(charge.payer_account_id.as_deref()),
            period: self.share(&charge.billing_period),
            account: self.share(&charge.account_id),
            region: self.share_or_empty(charge.region.as_deref()),
            service: self.service(charge.service_code.as_deref().unwrap_or_default()),
            resource: self.share(&charge.resource()),
            resource_type: self.share_or_empty(charge.resource_type.as_deref()),
            sku,
            product: self.share_or_empty(charge.sku.product.as_deref()),
            category: part.category.clone(),
            is_correction: charge.is_correction,
            is_earlier: false,
            is_negative: is_negative(part),
            is_general: is_general(charge, part, &meter),
            meter,
            pricing: part.pricing,
            commitment: self.share_or_empty(charge.commitment_id.as_deref()),
            is_unused: part.is_unused,
            currency: self.share(&charge.currency),
            tags: charge.tags.clone(),
        }
    }

    /// Few wordings make up millions of rows: each is recognised once.
    fn meter(&mut self, charge: &Charge) -> (Meter, Arc<str>) {
        let row = charge.wording();
        let wording = format!("{}\u{1f}{}", charge.cloud, row.texts().join("\u{1f}"));
        if let Some(known) = self.meters.get(&wording) {
            return known.clone();
        }
        if self.meters.len() >= METERS_MAX {
            self.meters.clear();
        }
        let meter = meter::of(&charge.cloud, row);
        let sku = match (&meter, row.usage_type) {
            (Meter::Other, _) => String::new(),
            // Where a bill names no operation, descriptions distinguish what has a price of its own.
            (meter, usage_type) => {
                let operation = row.operation.filter(|_| meter.is_priced_by_operation());
                let more = operation.or(row.subcategory).or(row.description);
                [usage_type, more, row.operating_system].into_iter().flatten().collect::<Vec<_>>().join("/")
            }
        };
        let sku = self.share(&sku);
        self.meters.insert(wording, (meter.clone(), Arc::clone(&sku)));
        (meter, sku)
    }

    fn share_or_empty(&mut self, text: Option<&str>) -> Arc<str> {
        self.share(text.unwrap_or_default())
    }

    /// A service as the first row spells it: names that differ by case are one service.
    fn service(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.services.get(name) {
            return Arc::clone(known);
        }
        let folded = name.to_lowercase();
        let spelled = self.services.get(folded.as_str()).cloned().unwrap_or_else(|| self.share(name));
        if self.services.len() < SERVICES_MAX {
            self.services.entry(folded).or_insert_with(|| Arc::clone(&spelled));
            self.services.insert(name.to_owned(), Arc::clone(&spelled));
        }
        spelled
    }

    /// One copy of each text, however many lines hold it.
    fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(shared) = self.texts.get(text) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = text.into();
        if self.lines.len() < self.lines_max {
            self.texts.insert(Arc::clone(&shared));
        }
        shared
    }
}

#[cfg(test)]
mod tests;
