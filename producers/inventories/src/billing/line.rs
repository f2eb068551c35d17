//! A line of the inventory: all rows of a billing month that charge the same thing, added up.

use std::sync::Arc;

use contracts::service_family::product_code;
use rust_decimal::Decimal;

use super::closed_lists::{ChargeCategory, ListCell, Pricing};
use super::hours::{HOUR_MS, HOURS, HourSet};
use super::meter::{Meter, PriceOf};
use super::tags::RowTags;

/// What makes rows one line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineKey {
    /// Cloud.
    pub cloud: Arc<str>,
    /// Paying account, empty when not stated.
    pub billing_account: Arc<str>,
    /// Billing month, `YYYY-MM`.
    pub period: Arc<str>,
    /// Account.
    pub account: Arc<str>,
    /// Region, empty when not stated.
    pub region: Arc<str>,
    /// Service as the export names it, empty when not stated.
    pub service: Arc<str>,
    /// Resource, empty when not stated.
    pub resource: Arc<str>,
    /// Resource type as the export names it, empty when not stated.
    pub resource_type: Arc<str>,
    /// What is metered.
    pub meter: Meter,
    /// What has a price of its own, within service and region; empty where no checker knows the meter.
    pub sku: Arc<str>,
    /// Product of AWS that it is of, where the bill names it; empty elsewhere. It has a price of its own too.
    pub product: Arc<str>,
    /// Charge category.
    pub category: ListCell<ChargeCategory>,
    /// True when it corrects an earlier charge.
    pub is_correction: bool,
    /// True when what it charges ended before its billing month began: it settles an earlier month, marked or not.
    pub is_earlier: bool,
    /// True when the amount of the row is below 0.
    pub is_negative: bool,
    /// True for an amount below 0 that names no usage type: it is about all that is charged in its place.
    pub is_general: bool,
    /// How the price came about.
    pub pricing: Pricing,
    /// Commitment, empty when none.
    pub commitment: Arc<str>,
    /// True for the part of a commitment that nothing used.
    pub is_unused: bool,
    /// Billing currency.
    pub currency: Arc<str>,
    /// Tags.
    pub tags: RowTags,
}

impl LineKey {
    /// True for usage of the billing month, as against purchases, taxes, credits, adjustments, corrections and what settles an
    /// earlier month.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        self.category.is(ChargeCategory::Usage) && !self.is_correction && !self.is_earlier
    }

    /// True for usage of compute of which only the amount tells what runs in an hour: functions, and what the bill does not name.
    #[must_use]
    pub fn runs_by_amount(&self) -> bool {
        let is_compute = matches!(
            self.meter,
            Meter::InstanceHours(_)
                | Meter::NodeHours(_)
                | Meter::ContainerHours
                | Meter::MachineCores(_)
                | Meter::MachineMemory(_)
        );
        let by_amount = self.meter == Meter::FunctionTime || (is_compute && self.resource.is_empty());
        by_amount && self.is_usage()
    }

    /// Cloud, paying account and month, by which an inventory is sorted first.
    #[must_use]
    pub fn of_month(&self) -> [&str; 3] {
        [&self.cloud, &self.billing_account, &self.period]
    }

    /// True for what makes up the cost of what was used in the month: usage with its corrections, and adjustments. Not
    /// purchases, which are spread over what they pay for, nor taxes, nor credits, nor what settles an earlier month.
    #[must_use]
    pub fn is_cost_of_use(&self) -> bool {
        !self.is_earlier
            && [ChargeCategory::Usage, ChargeCategory::Adjustment].iter().any(|category| self.category.is(*category))
    }

    /// What makes a resource one: lines that agree in it lie together in a sorted inventory.
    #[must_use]
    pub fn of_resource(&self) -> [&str; 7] {
        [&self.cloud, &self.billing_account, &self.period, &self.account, &self.region, &self.service, &self.resource]
    }
}

/// The sums of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineSums {
    /// Cost as invoiced.
    pub billed: Decimal,
    /// Cost with commitments spread over their term.
    pub amortized: Decimal,
    /// Quantity in pricing units; `None` when any row does not tell.
    pub quantity: Option<Decimal>,
    /// Public price of one unit, of the last row that tells.
    pub unit_price: Option<Decimal>,
    /// Cost at public prices; `None` when any row does not tell it.
    pub list: Option<Decimal>,
    /// False when a row does not tell its cost with commitments spread over their term.
    pub is_effective_known: bool,
    /// Hours charged for.
    pub hours: HourSet,
    /// Amounts by hour of the month, where only they tell what runs in an hour and the bill charges by the hour; `None` for all else.
    pub hourly: Option<Box<[Decimal]>>,
    /// Rows.
    pub rows: u64,
    /// False when a row comes from an export that does not tell corrections from other charges.
    pub is_class_stated: bool,
    /// Description of the first row.
    pub description: Arc<str>,
}

impl LineSums {
    /// Before the first row.
    #[must_use]
    pub fn empty(description: Arc<str>) -> Self {
        Self {
            billed: Decimal::ZERO,
            amortized: Decimal::ZERO,
            quantity: Some(Decimal::ZERO),
            unit_price: None,
            list: Some(Decimal::ZERO),
            is_effective_known: true,
            hours: HourSet::default(),
            hourly: None,
            rows: 0,
            is_class_stated: true,
            description,
        }
    }
}

/// Lines with amounts by hour at most: 12 KB each. A bill has one for each account, region and instance type.
const HOURLY_LINES_MAX: usize = 5_000;

impl LineSums {
    /// Adds an amount to its hour; `times` are the starts of the month and of what is charged, and its end. A row of more than an hour
    /// tells of no hour, so the line has none from then on. Returns 1 when the line is the first time one with hours, of which there are
    /// `lines` already.
    pub(super) fn add_hour(&mut self, amount: Decimal, times: (i64, i64, i64), lines: usize) -> usize {
        let (month_start_ms, start_ms, end_ms) = times;
        let is_first = self.rows == 1 && lines < HOURLY_LINES_MAX;
        let is_hour = end_ms - start_ms <= HOUR_MS;
        match (&mut self.hourly, is_hour) {
            (hourly, false) => *hourly = None,
            (hourly @ None, true) if is_first => *hourly = Some(vec![Decimal::ZERO; HOURS].into()),
            _ => {}
        }
        let hour = usize::try_from((start_ms - month_start_ms).div_euclid(HOUR_MS)).ok();
        if let Some(sum) = self.hourly.as_mut().zip(hour).and_then(|(hourly, hour)| hourly.get_mut(hour)) {
            *sum = sum.saturating_add(amount);
        }
        usize::from(is_first && self.hourly.is_some())
    }

    /// Takes discounts off the hours, in proportion: a discount tells the charge that it is for, not the hour.
    pub(super) fn discount_hours(&mut self) {
        let Some(hourly) = &mut self.hourly else { return };
        let sum: Decimal = hourly.iter().sum();
        let left = self.billed.max(Decimal::ZERO);
        if let Some(share) = left.checked_div(sum).filter(|share| *share < Decimal::ONE) {
            hourly.iter_mut().for_each(|cost| *cost *= share);
        }
    }
}

/// A line: key and sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageLine {
    /// What makes it one line.
    pub key: LineKey,
    /// What it adds up to.
    pub sums: LineSums,
}

impl UsageLine {
    /// The service as findings name it: the product code on AWS, the service's name elsewhere.
    #[must_use]
    pub fn service(&self) -> &str {
        if &*self.key.cloud == "aws" { product_code(&self.key.service) } else { &self.key.service }
    }

    /// True for on-demand usage that no commitment covers.
    #[must_use]
    pub fn is_on_demand(&self) -> bool {
        self.is_usage() && self.key.pricing == Pricing::Standard && self.key.commitment.is_empty()
    }

    /// True for usage that is priced by time.
    #[must_use]
    pub fn is_priced_by_time(&self) -> bool {
        self.is_usage() && self.key.meter.price_of() != PriceOf::Use
    }

    /// As [`LineKey::is_cost_of_use`].
    #[must_use]
    pub fn is_cost_of_use(&self) -> bool {
        self.key.is_cost_of_use()
    }

    /// True for usage that costs something.
    #[must_use]
    pub fn is_charge(&self) -> bool {
        self.is_usage() && self.sums.billed > Decimal::ZERO
    }

    /// As [`LineKey::is_usage`].
    #[must_use]
    pub fn is_usage(&self) -> bool {
        self.key.is_usage()
    }
}
