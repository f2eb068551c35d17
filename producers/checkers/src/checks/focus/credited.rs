//! Credits that pay for the very resource of a finding. Cost and savings stay gross, since credits end; the finding says how much they pay,
//! because until then the invoice is lower by less.

use std::collections::BTreeMap;

use contracts::draft::Scope;
use contracts::resource_type::ResourceType;
use inventories::billing::closed_lists::ChargeCategory;
use inventories::billing::inventory::BillingInventory;
use rust_decimal::Decimal;

use super::subject::named_scope;
use super::text::{figure, is_visible, money, short_id};
use crate::finding::Finding;

/// Cloud, paying account, account, service, resource and currency.
type Credited = [String; 6];

/// Marks findings about money of a resource that credits pay for in the current month.
pub(super) fn mark(bill: &BillingInventory, findings: &mut [Finding]) {
    let mut credits: BTreeMap<Credited, Decimal> = BTreeMap::new();
    for line in bill.current().filter(|line| line.key.category.is(ChargeCategory::Credit) && !line.key.is_earlier) {
        if !line.key.resource.is_empty() {
            let scope = named_scope(line, ResourceType::CostService, &short_id(&line.key.resource));
            *credits.entry(key(&scope, &line.key.currency)).or_default() -= line.sums.billed;
        }
    }
    if credits.is_empty() {
        return;
    }
    for finding in findings.iter_mut().filter(|finding| finding.estimated.monthly_cost.is_some()) {
        let Some(currency) = finding.currency.clone() else { continue };
        let credited = credits.get(&key(&finding.scope, &currency)).copied().unwrap_or_default();
        if is_visible(credited) {
            say(finding, credited, &currency);
        }
    }
}

fn say(finding: &mut Finding, credited: Decimal, currency: &str) {
    let paid = match finding.dimensions.get("billing_period") {
        Some(period) => format!("credits paid {} for it in {period}", money(credited, currency)),
        None => format!("credits paid {} for it", money(credited, currency)),
    };
    finding.dimensions.insert("credited_cost".to_owned(), figure(credited, 12));
    finding.message += &format!("; {paid}: until they end, that much less of it is on the invoice");
    finding.estimated.notes += &format!("; {paid}, which is not taken off cost and savings, since credits end");
}

fn key(scope: &Scope, currency: &str) -> Credited {
    let Scope { cloud, billing_account_id, account_id, service, resource_id, .. } = scope;
    [cloud, billing_account_id, account_id, service, resource_id, currency].map(|text| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};

    fn idle(cost: &str) -> Row {
        row("$0.005 per Idle public IPv4 address per hour").resource("ip-1").cost(cost).hours(720)
    }

    fn credit(cost: &str) -> Row {
        row("Promotional credit").category("Credit").resource("ip-1").cost(cost).hours(720)
    }

    #[test]
    fn a_credit_for_the_resource_is_said_and_not_taken_off() {
        let findings = check_default("focus.ipv4.idle", [idle("3.6"), credit("-1"), credit("-1.5")]);
        let [finding] = &findings[..] else { panic!("one finding expected: {findings:?}") };
        assert_eq!(amounts(finding), money_of("3.6", "3.6"));
        assert_eq!(finding.dimensions["credited_cost"], "2.5");
        assert!(finding.message.contains("credits paid 2.5 USD for it in 2024-09"), "{}", finding.message);
        assert!(finding.estimated.notes.contains("credits paid 2.5 USD for it in 2024-09"), "{:?}", finding.estimated);
    }

    #[test]
    fn credits_for_something_else_are_not_said() {
        let others = [
            credit("-1").resource("ip-2"),
            credit("-1").account("444455556666"),
            credit("-1").payer("444455556666"),
            credit("-1").service("AmazonRDS"),
            credit("-1").currency("EUR"),
            credit("-1").at_hour(-2),
            credit("1"),
        ];
        for other in others {
            let findings = check_default("focus.ipv4.idle", [idle("3.6"), other]);
            assert!(!findings[0].dimensions.contains_key("credited_cost"), "{:?}", findings[0]);
        }
    }

    #[test]
    fn small_findings_add_their_credits_up() {
        let findings = check_default("focus.ipv4.idle", [idle("0.9"), credit("-0.4")]);
        assert_eq!(
            (&*findings[0].scope.resource_id, &*findings[0].dimensions["credited_cost"]),
            ("small-findings", "0.4")
        );
        assert!(findings[0].message.ends_with("; credits paid 0.4 USD of it in 2024-09"), "{}", findings[0].message);
    }
}
