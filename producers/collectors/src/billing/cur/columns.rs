//! Which columns of an AWS cost and usage report hold what a fact needs.

use inventories::billing::tags;

use crate::billing::header::Header;

/// Column numbers of a report.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "each is the column of its name")]
pub struct Columns {
    pub usage_start: Option<usize>,
    pub usage_end: Option<usize>,
    pub billing_start: Option<usize>,
    pub billing_end: Option<usize>,
    pub invoice: Option<usize>,
    pub payer: Option<usize>,
    pub account: Option<usize>,
    pub line_type: Option<usize>,
    pub currency: Option<usize>,
    pub region: [Option<usize>; 2],
    /// Map of attributes of the product, in version 2.0.
    pub product: Option<usize>,
    pub zone: Option<usize>,
    pub service: [Option<usize>; 2],
    pub resource: Option<usize>,
    pub usage_type: Option<usize>,
    pub operation: Option<usize>,
    pub description: Option<usize>,
    pub term: Option<usize>,
    pub quantity: Option<usize>,
    pub unit_price: Option<usize>,
    pub pricing_currency: Option<usize>,
    pub product_sku: Option<usize>,
    pub reservation: Option<usize>,
    pub savings_plan: Option<usize>,
    pub split_parent: Option<usize>,
    pub costs: Costs,
    /// Tags that have a column of their own, by key.
    pub tag_columns: Vec<(usize, String)>,
    /// Maps of tags, in version 2.0.
    pub tag_maps: [Option<usize>; 2],
}

/// Columns of amounts.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs, reason = "each is the column of its name")]
pub struct Costs {
    pub unblended: Option<usize>,
    pub net: Option<usize>,
    pub blended: Option<usize>,
    pub reservation_effective: Option<usize>,
    pub reservation_unused_upfront: Option<usize>,
    pub reservation_unused_recurring: Option<usize>,
    pub savings_plan_effective: Option<usize>,
    pub savings_plan_commitment: Option<usize>,
    pub savings_plan_used: Option<usize>,
    /// After private discounts; AWS has these columns only where there are some.
    pub net_reservation_effective: Option<usize>,
    pub net_reservation_unused_upfront: Option<usize>,
    pub net_reservation_unused_recurring: Option<usize>,
    pub net_savings_plan_effective: Option<usize>,
    /// At public prices: no cost model needs it.
    pub public_on_demand: Option<usize>,
    pub split: Option<usize>,
    pub split_unused: Option<usize>,
    pub split_net: Option<usize>,
    pub split_net_unused: Option<usize>,
}

impl Costs {
    fn of(header: &Header) -> Self {
        let at = |name: &str| header.at(name);
        Self {
            unblended: at("line_item_unblended_cost"),
            net: at("line_item_net_unblended_cost"),
            blended: at("line_item_blended_cost"),
            reservation_effective: at("reservation_effective_cost"),
            reservation_unused_upfront: at("reservation_unused_amortized_upfront_fee_for_billing_period"),
            reservation_unused_recurring: at("reservation_unused_recurring_fee"),
            savings_plan_effective: at("savings_plan_savings_plan_effective_cost"),
            savings_plan_commitment: at("savings_plan_total_commitment_to_date"),
            savings_plan_used: at("savings_plan_used_commitment"),
            net_reservation_effective: at("reservation_net_effective_cost"),
            net_reservation_unused_upfront: at("reservation_net_unused_amortized_upfront_fee_for_billing_period"),
            net_reservation_unused_recurring: at("reservation_net_unused_recurring_fee"),
            net_savings_plan_effective: at("savings_plan_net_savings_plan_effective_cost"),
            public_on_demand: at("pricing_public_on_demand_cost"),
            split: at("split_line_item_split_cost"),
            split_unused: at("split_line_item_unused_cost"),
            split_net: at("split_line_item_net_split_cost"),
            split_net_unused: at("split_line_item_net_unused_cost"),
        }
    }

    fn all(&self) -> [Option<usize>; 18] {
        [
            self.unblended,
            self.net,
            self.blended,
            self.reservation_effective,
            self.reservation_unused_upfront,
            self.reservation_unused_recurring,
            self.savings_plan_effective,
            self.savings_plan_commitment,
            self.savings_plan_used,
            self.net_reservation_effective,
            self.net_reservation_unused_upfront,
            self.net_reservation_unused_recurring,
            self.net_savings_plan_effective,
            self.public_on_demand,
            self.split,
            self.split_unused,
            self.split_net,
            self.split_net_unused,
        ]
    }
}

impl Columns {
    /// Of a file with these columns.
    #[must_use]
    pub fn of(columns: &[String]) -> Self {
        let header = Header::new(columns);
        let at = |name: &str| header.at(name);
        let tag = |(number, column): (usize, &String)| Some((number, tags::key_of_column(column)?));
        Self {
            usage_start: at("line_item_usage_start_date"),
            usage_end: at("line_item_usage_end_date"),
            billing_start: at("bill_billing_period_start_date"),
            billing_end: at("bill_billing_period_end_date"),
            invoice: at("bill_invoice_id"),
            payer: at("bill_payer_account_id"),
            account: at("line_item_usage_account_id"),
            line_type: at("line_item_line_item_type"),
            currency: at("line_item_currency_code"),
            region: [at("product_region_code"), at("product_region")],
            product: at("product"),
            zone: at("line_item_availability_zone"),
            service: [at("line_item_product_code"), at("product_servicecode")],
            resource: at("line_item_resource_id"),
            usage_type: at("line_item_usage_type"),
            operation: at("line_item_operation"),
            description: at("line_item_line_item_description"),
            term: at("pricing_term"),
            quantity: at("line_item_usage_amount"),
            unit_price: at("pricing_public_on_demand_rate"),
            pricing_currency: at("pricing_currency"),
            product_sku: at("product_sku"),
            reservation: at("reservation_reservation_a_r_n"),
            savings_plan: at("savings_plan_savings_plan_a_r_n"),
            split_parent: at("split_line_item_parent_resource_id"),
            costs: Costs::of(&header),
            tag_columns: columns.iter().enumerate().filter_map(tag).collect(),
            tag_maps: [at("resource_tags"), at("tags")],
        }
    }

    /// All that the file has.
    #[must_use]
    pub fn all(&self) -> Vec<usize> {
        let single = [
            [self.usage_start, self.usage_end, self.billing_start, self.billing_end],
            [self.payer, self.account, self.line_type, self.currency],
            [self.region[0], self.region[1], self.product, self.zone],
            [self.service[0], self.service[1], self.resource, self.usage_type],
            [self.operation, self.description, self.term, self.quantity],
            [self.unit_price, self.reservation, self.savings_plan, self.invoice],
            [self.tag_maps[0], self.tag_maps[1], self.split_parent, self.pricing_currency],
            [self.product_sku, None, None, None],
        ];
        let tags = self.tag_columns.iter().map(|(number, _)| *number);
        single.into_iter().flatten().chain(self.costs.all()).flatten().chain(tags).collect()
    }

    /// Those that say what is charged: all but times and numbers.
    #[must_use]
    pub fn of_charge(&self) -> Vec<usize> {
        let times = [self.usage_start, self.usage_end, self.billing_start, self.billing_end];
        let others = [self.quantity, self.unit_price, self.split_parent];
        let others: Vec<_> = times.into_iter().chain(others).chain(self.costs.all()).flatten().collect();
        let mut columns = self.all();
        columns.retain(|column| !others.contains(column));
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// True when the file tells tags.
    #[must_use]
    pub fn has_tags(&self) -> bool {
        !self.tag_columns.is_empty() || self.tag_maps.iter().any(Option::is_some)
    }

    /// True for a column of tags.
    #[must_use]
    pub fn is_of_tags(&self, column: usize) -> bool {
        self.tag_maps.contains(&Some(column)) || self.tag_columns.iter().any(|(number, _)| *number == column)
    }

    /// What a column must hold for figures to be right; `None` for all others.
    #[must_use]
    pub fn wanted(&self, column: usize) -> Option<&'static str> {
        let is_in = |numbers: &[Option<usize>]| numbers.contains(&Some(column));
        if is_in(&self.costs.all()) && !is_in(&[self.costs.public_on_demand]) {
            Some("decimal numbers")
        } else if is_in(&[self.usage_start, self.usage_end, self.billing_start, self.billing_end]) {
            Some("times or dates")
        } else if is_in(&[self.currency, self.line_type, self.reservation]) {
            Some("text")
        } else if is_in(&[self.account, self.payer]) {
            Some("account ids as text")
        } else {
            None
        }
    }
}
