//! Which columns of a FOCUS file hold what a fact needs: the names of all versions, first match wins.

use super::dialect::{CATEGORY, CURRENCY, EFFECTIVE_COST, PROVIDER, SELLER};

/// Properties of a SKU: those of FOCUS 1.1 and later, and those of Azure.
const SKU_DETAILS: &[&str] = &["skupricedetails", "x_skudetails"];
/// Columns of a FOCUS file that may hold the same thing, at most.
const NAMES_MAX: usize = 4;

/// Column numbers by name, in the order in which they are asked.
pub type Numbers = [Option<usize>; NAMES_MAX];

/// Column numbers of a FOCUS file.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs, reason = "each is the FOCUS column of its name")]
pub struct Columns {
    pub billed_cost: Option<usize>,
    pub effective_cost: Numbers,
    pub currency: Numbers,
    pub billing_account: Option<usize>,
    pub sub_account: Option<usize>,
    pub billing_start: Option<usize>,
    pub billing_end: Option<usize>,
    pub charge_start: Option<usize>,
    pub charge_end: Option<usize>,
    pub category: Numbers,
    pub class: Option<usize>,
    pub subcategory: Option<usize>,
    pub frequency: Option<usize>,
    pub description: Option<usize>,
    pub region: Numbers,
    pub zone: Option<usize>,
    pub service: Numbers,
    pub resource: Option<usize>,
    pub resource_type: Option<usize>,
    pub usage_type: Numbers,
    pub operation: Option<usize>,
    pub sku: Option<usize>,
    pub sku_category: Option<usize>,
    pub sku_subcategory: Option<usize>,
    pub sku_details: Numbers,
    pub pricing_unit: Option<usize>,
    pub service_kind: Option<usize>,
    pub commitment: Option<usize>,
    pub commitment_category: Option<usize>,
    pub commitment_status: Option<usize>,
    pub pricing_category: Numbers,
    pub pricing_quantity: Option<usize>,
    pub list_unit_price: Option<usize>,
    pub list_cost: Option<usize>,
    pub contracted_cost: Option<usize>,
    pub pricing_currency: Option<usize>,
    pub priced_list_unit_price: Option<usize>,
    pub provider: Numbers,
    pub seller: Numbers,
    pub invoice: Option<usize>,
    pub tags: Option<usize>,
    pub allocated_resource: Option<usize>,
    pub allocated_tags: Option<usize>,
}

impl Columns {
    /// Of a file with these columns.
    #[must_use]
    pub fn of(columns: &[String]) -> Self {
        let lower: Vec<String> = columns.iter().map(|name| name.trim().to_lowercase()).collect();
        let at = |name: &str| lower.iter().position(|column| *column == name);
        let any = |names: &[&str]| {
            let mut numbers = Numbers::default();
            for (number, name) in numbers.iter_mut().zip(names) {
                *number = at(name);
            }
            numbers
        };
        // A usage type says all that these do.
        let has_usage_types = at("x_usagetype").is_some();
        Self {
            billed_cost: at("billedcost"),
            effective_cost: any(EFFECTIVE_COST),
            currency: any(CURRENCY),
            billing_account: at("billingaccountid"),
            sub_account: at("subaccountid"),
            billing_start: at("billingperiodstart"),
            billing_end: at("billingperiodend"),
            charge_start: at("chargeperiodstart"),
            charge_end: at("chargeperiodend"),
            category: any(CATEGORY),
            class: at("chargeclass"),
            subcategory: at("chargesubcategory"),
            frequency: at("chargefrequency"),
            description: at("chargedescription"),
            region: any(&["regionid", "region"]),
            zone: at("availabilityzone"),
            service: any(&["x_servicecode", "servicename"]),
            resource: at("resourceid"),
            resource_type: at("resourcetype"),
            usage_type: any(&["x_usagetype", "skumeter", "x_skumetername"]),
            operation: at("x_operation"),
            sku: at("skuid"),
            sku_category: at("x_skumetercategory"),
            sku_subcategory: at("x_skumetersubcategory"),
            sku_details: if has_usage_types { Numbers::default() } else { any(SKU_DETAILS) },
            pricing_unit: at("pricingunit").filter(|_| !has_usage_types),
            service_kind: at("servicesubcategory").filter(|_| !has_usage_types),
            commitment: at("commitmentdiscountid"),
            commitment_category: at("commitmentdiscountcategory"),
            commitment_status: at("commitmentdiscountstatus"),
            pricing_category: any(&["pricingcategory"]),
            pricing_quantity: at("pricingquantity"),
            list_unit_price: at("listunitprice"),
            list_cost: at("listcost"),
            contracted_cost: at("contractedcost"),
            pricing_currency: at("pricingcurrency").or_else(|| at("x_pricingcurrency")),
            priced_list_unit_price: at("pricingcurrencylistunitprice"),
            provider: any(PROVIDER),
            seller: any(SELLER),
            invoice: at("invoiceid"),
            tags: at("tags"),
            allocated_resource: at("allocatedresourceid"),
            allocated_tags: at("allocatedtags"),
        }
    }

    /// All that the file has.
    pub fn all(&self) -> impl Iterator<Item = usize> {
        let numbers = [
            self.effective_cost,
            self.currency,
            self.category,
            self.region,
            self.service,
            self.usage_type,
            self.pricing_category,
            self.provider,
            self.seller,
            self.sku_details,
            [self.sku_category, self.sku_subcategory, self.pricing_unit, self.service_kind],
            [self.billed_cost, self.billing_account, self.sub_account, self.billing_start],
            [self.billing_end, self.charge_start, self.charge_end, self.class],
            [self.subcategory, self.frequency, self.description, self.zone],
            [self.resource, self.resource_type, self.operation, self.commitment],
            [self.commitment_category, self.commitment_status, self.pricing_quantity, self.list_unit_price],
            [self.tags, self.invoice, self.allocated_resource, self.allocated_tags],
            [self.list_cost, self.contracted_cost, self.pricing_currency, self.priced_list_unit_price],
            [self.sku, None, None, None],
        ];
        numbers.into_iter().flatten().flatten()
    }

    /// Those that say what is charged: all but times and numbers.
    #[must_use]
    pub fn of_charge(&self) -> Vec<usize> {
        let times = [self.billing_start, self.billing_end, self.charge_start, self.charge_end];
        let numbers = [self.billed_cost, self.pricing_quantity, self.list_unit_price];
        let list = [self.list_cost, self.contracted_cost, self.priced_list_unit_price];
        let split = [self.allocated_resource, self.allocated_tags];
        let costs = self.effective_cost.into_iter().chain(numbers);
        let others: Vec<_> = times.into_iter().chain(costs).chain(list).chain(split).flatten().collect();
        let mut columns: Vec<_> = self.all().filter(|column| !others.contains(column)).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// What a column must hold for figures to be right; `None` for all others.
    #[must_use]
    pub fn wanted(&self, column: usize) -> Option<&'static str> {
        let is_in = |numbers: &[Option<usize>]| numbers.contains(&Some(column));
        if is_in(&[self.billed_cost]) || is_in(&self.effective_cost) {
            Some("decimal numbers")
        } else if is_in(&[self.charge_start, self.charge_end, self.billing_start, self.billing_end]) {
            Some("times or dates")
        } else if is_in(&self.currency) || is_in(&self.category) {
            Some("text")
        } else if is_in(&[self.sub_account, self.billing_account]) {
            Some("account ids as text")
        } else {
            None
        }
    }
}
