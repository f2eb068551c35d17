//! Bills for tests: rows with sensible defaults, each test naming only what it is about.

use std::sync::Arc;

use inventories::billing::closed_lists::{ChargeCategory, ListCell, Pricing};
use inventories::billing::fact::{Charge, CostFact, RowDetail, RowPart};
use inventories::billing::inventory::{BillingInventory, InventoryBuilder};
use inventories::billing::sku::Sku;
use inventories::billing::tags::RowTags;
use inventories::bootstrap::Bootstrap;
use inventories::services::Services;
use rust_decimal::Decimal;

use super::BillingCheck;
use crate::finding::Finding;

const HOUR_MS: i64 = 3_600_000;
/// 2024-09-01T00:00:00Z; the month has 720 hours.
const SEPTEMBER_MS: i64 = 1_725_148_800_000;
const AUGUST_MS: i64 = SEPTEMBER_MS - 31 * 24 * HOUR_MS;

/// A row of a bill.
#[derive(Clone)]
pub(super) struct Row {
    fact: CostFact,
    detail: RowDetail,
}

/// On-demand usage of EC2 in us-east-1 that costs 1 USD for the first hour of September 2024.
pub(super) fn row(description: &str) -> Row {
    let charge = Charge {
        cloud: "aws".into(),
        billing_period: "2024-09".into(),
        payer_account_id: Some("999900001111".into()),
        account_id: "111122223333".into(),
        region: Some("us-east-1".into()),
        service_code: Some("AmazonEC2".into()),
        service: None,
        resource_id: None,
        resource_type: None,
        line_item_type: None,
        charge_category: "Usage".into(),
        is_correction: false,
        is_class_stated: true,
        usage_type: None,
        operation: None,
        description: Some(description.to_owned()),
        sku: Sku::default(),
        pricing: Pricing::Standard,
        commitment_id: None,
        commitment_status: None,
        currency: "USD".into(),
        currency_defaulted: false,
        unknown_type: false,
        invoice: None,
        tags: RowTags::default(),
    };
    let fact = CostFact {
        charge: Arc::new(charge),
        billing_period_start_ms: Some(SEPTEMBER_MS),
        billing_period_end_ms: None,
        usage_start_ms: SEPTEMBER_MS,
        usage_end_ms: Some(SEPTEMBER_MS + HOUR_MS),
        cost_unblended: Decimal::ONE,
        cost_net: Decimal::ONE,
        cost_amortized: Decimal::ONE,
        cost_blended: Decimal::ONE,
        model_fallback: false,
        quantity: Some(Decimal::ONE),
        split: None,
        source_ref: "".into(),
    };
    Row { fact, detail: RowDetail::default() }
}

impl Row {
    fn charge(&mut self) -> &mut Charge {
        Arc::make_mut(&mut self.fact.charge)
    }

    pub(super) fn resource(mut self, resource: &str) -> Self {
        self.charge().resource_id = Some(resource.into());
        self
    }

    pub(super) fn account(mut self, account: &str) -> Self {
        self.charge().account_id = account.into();
        self
    }

    pub(super) fn payer(mut self, account: &str) -> Self {
        self.charge().payer_account_id = Some(account.into());
        self
    }

    pub(super) fn description(mut self, description: &str) -> Self {
        self.charge().description = Some(description.to_owned());
        self
    }

    pub(super) fn pricing(mut self, pricing: Pricing) -> Self {
        self.charge().pricing = pricing;
        self
    }

    /// The bill does not tell its amortized cost.
    pub(super) fn fallback(mut self) -> Self {
        self.fact.model_fallback = true;
        self
    }

    /// Empty: not stated.
    pub(super) fn region(mut self, region: &str) -> Self {
        self.charge().region = Some(region.to_owned()).filter(|region| !region.is_empty());
        self
    }

    pub(super) fn service(mut self, service: &str) -> Self {
        self.charge().service_code = Some(service.into());
        self.charge().service = Some(contracts::service_family::family_of(service));
        self
    }

    pub(super) fn usage_type(mut self, usage_type: &str, operation: &str) -> Self {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        self.charge().usage_type = text(usage_type);
        self.charge().operation = text(operation);
        self.charge().description = None;
        self
    }

    /// Of a product, and a meter of it, as Azure names them.
    pub(super) fn product(mut self, product: &str, meter: &str) -> Self {
        let charge = self.charge();
        charge.sku.subcategory = Some(product.to_owned());
        charge.usage_type = Some(meter.to_owned());
        charge.description = None;
        self
    }

    /// With the instance type that its SKU names, by the hour.
    pub(super) fn instance_type(mut self, instance_type: &str) -> Self {
        self.charge().sku.instance_type = Some(instance_type.to_owned());
        self.charge().sku.unit = Some("Hours".to_owned());
        self
    }

    pub(super) fn currency(mut self, currency: &str) -> Self {
        self.charge().currency = currency.into();
        self
    }

    pub(super) fn correction(mut self) -> Self {
        self.charge().is_correction = true;
        self
    }

    /// A discount that is a line of its own, as AWS reports have them. Its cost must be known.
    pub(super) fn discount(mut self) -> Self {
        self.charge().charge_category = ListCell::Known(ChargeCategory::Credit);
        let off = RowPart { category: ListCell::Known(ChargeCategory::Usage), ..RowPart::whole(&self.fact) };
        self.detail.parts = Some(vec![RowPart { is_discount: true, ..off }]);
        self
    }

    pub(super) fn unknown_quantity(mut self) -> Self {
        self.fact.quantity = None;
        self
    }

    pub(super) fn cloud(mut self, cloud: &str) -> Self {
        self.charge().cloud = cloud.into();
        self
    }

    pub(super) fn cost(mut self, cost: &str) -> Self {
        self.fact.cost_unblended = cost.parse().unwrap();
        self.fact.cost_amortized = self.fact.cost_unblended;
        self
    }

    pub(super) fn amortized(mut self, cost: &str) -> Self {
        self.fact.cost_amortized = cost.parse().unwrap();
        self
    }

    pub(super) fn quantity(mut self, quantity: &str) -> Self {
        self.fact.quantity = Some(quantity.parse().unwrap());
        self
    }

    pub(super) fn unit_price(mut self, price: &str) -> Self {
        self.detail.unit_price = Some(price.parse().unwrap());
        self
    }

    pub(super) fn category(mut self, category: &str) -> Self {
        self.charge().charge_category = category.into();
        self
    }

    pub(super) fn committed(mut self, id: &str, status: &str) -> Self {
        self.charge().commitment_id = Some(id.into());
        self.charge().commitment_status = Some(status.into());
        self.charge().pricing = Pricing::Committed;
        self
    }

    /// Charged for so many hours from its first one.
    pub(super) fn hours(mut self, hours: i64) -> Self {
        self.fact.usage_end_ms = Some(self.fact.usage_start_ms + hours * HOUR_MS);
        self
    }

    /// Charged from that hour of the month on, for one hour.
    pub(super) fn at_hour(mut self, hour: i64) -> Self {
        self.fact.usage_start_ms = SEPTEMBER_MS + hour * HOUR_MS;
        self.hours(1)
    }

    /// From an export that does not tell corrections from other charges.
    pub(super) fn class_unstated(mut self) -> Self {
        self.charge().is_class_stated = false;
        self
    }

    /// With tags that could not be read.
    pub(super) fn unknown_tags(mut self) -> Self {
        self.charge().tags = RowTags::Unknown;
        self
    }

    pub(super) fn tag(mut self, key: &str, value: &str) -> Self {
        let mut tags = self.charge().tags.known().cloned().unwrap_or_default();
        tags.insert(key.into(), value.into());
        self.charge().tags = RowTags::Known(Arc::new(tags));
        self
    }

    /// Moved from September to August, or from August to July, keeping its length.
    pub(super) fn in_august(mut self) -> Self {
        let is_august = self.fact.charge.billing_period == "2024-08";
        self.charge().billing_period = if is_august { "2024-07" } else { "2024-08" }.into();
        for time in [Some(&mut self.fact.usage_start_ms), self.fact.usage_end_ms.as_mut()].into_iter().flatten() {
            *time += AUGUST_MS - SEPTEMBER_MS;
        }
        self
    }
}

/// The bill these rows make.
pub(super) fn bill(rows: impl IntoIterator<Item = Row>) -> BillingInventory {
    let mut builder = InventoryBuilder::default();
    for Row { fact, detail } in rows {
        builder.add(&fact, &detail);
    }
    builder.finish()
}

/// What a check says about a bill.
pub(super) fn check(check: &dyn BillingCheck, rows: impl IntoIterator<Item = Row>) -> Vec<Finding> {
    check.check(&bill(rows))
}

/// What a registered checker says about a bill, with default thresholds.
pub(super) fn check_default(spec: &str, rows: impl IntoIterator<Item = Row>) -> Vec<Finding> {
    check_with("", spec, rows)
}

/// What a registered checker says about a bill, with the thresholds of a rulepack.
pub(super) fn check_with(rulepack: &str, spec: &str, rows: impl IntoIterator<Item = Row>) -> Vec<Finding> {
    let registry = crate::registry::Registry::linked().unwrap();
    let registration = registry.find(spec).unwrap();
    let rulepack = crate::rulepack::Rulepack::parse(rulepack, &registry.thresholds()).unwrap();
    let context = crate::run_context::tests::context_with(rulepack);
    let services = Services::of(bill(rows));
    let findings = registration.run(&context, &Bootstrap::default(), &services, "*").unwrap().findings;
    for finding in &findings {
        assert!(registration.check(finding.check_id).is_some(), "{} is not declared", finding.check_id);
    }
    findings
}

/// Savings and cost of a finding, as text.
pub(super) fn amounts(finding: &Finding) -> (Option<String>, Option<String>) {
    let text = |amount: Option<Decimal>| amount.map(|amount| amount.normalize().to_string());
    (text(finding.estimated.monthly_savings), text(finding.estimated.monthly_cost))
}

/// `(Some(savings), Some(cost))`, `-` for none.
pub(super) fn money_of(savings: &str, cost: &str) -> (Option<String>, Option<String>) {
    let text = |amount: &str| (amount != "-").then(|| amount.to_owned());
    (text(savings), text(cost))
}
