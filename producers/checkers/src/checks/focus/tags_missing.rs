//! Spend that lacks the tags it is allocated by.

use std::collections::BTreeSet;

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::tags::{canonical_key, is_own};
use rust_decimal::Decimal;

use super::figures::at_run_rate;
use super::group::{Group, by_service};
use super::run_rate::RunRate;
use super::subject::{account_scope, finding, is_worth_telling};
use super::text::{is_visible, money, percent, round, share_of};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.tags.missing";
const CHECK_ID: &str = "billing.tags.missing";

const DOCS: CheckerDocs = CheckerDocs {
    what: "spend of an account on resources of a service that lack required tags",
    why: "cost without an owner is rarely reduced",
    money: "cost = usage charges of resources that lack a required tag (or any tag of one's own, while none is \
            required). Nothing is saved by tagging",
    month: MonthRule::ByBill,
    verdict: "fail when such charges are at least a cent and share_min of those of all resources of the service in the \
              account",
    thresholds: &[
        Threshold {
            key: "required",
            default: DefaultValue::List(&[]),
            meaning: "tag keys every row must have, compared without case and punctuation; empty asks for any tag that is \
                      not the provider's",
        },
        Threshold {
            key: "share_min",
            default: DefaultValue::Number("0.10"),
            meaning: "share of the service's usage charges",
        },
    ],
    data: "usage rows with resource and tags",
    limits: "charges without a resource cannot be tagged and are another check's matter; a tag with a wrong value counts \
             as present; charges whose tags could not be read, or of an export without a column for tags, count as tagged",
};

inventory::submit! {
    over_bill(
        "checks.focus.tags_missing:TagsMissingChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "Spend without required tags",
            category: "governance",
            sub_category: "allocation",
        }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(TagsMissing::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?))),
    )
}

/// Keys of a person's own that name no owner, in canonical form: every console asks for them.
const NAMES_ONLY: [&str; 1] = ["name"];

struct TagsMissing {
    required: Vec<String>,
    share_min: Decimal,
}

impl TagsMissing {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { required: thresholds.list("required")?, share_min: thresholds.number("share_min")? })
    }

    /// Required keys that the line lacks; with none required, `any` when it has no tag of its own. Unknown tags lack none.
    fn missing<'a>(&'a self, line: &UsageLine) -> Vec<&'a str> {
        let Some(tags) = line.key.tags.known() else { return Vec::new() };
        let own = || tags.keys().filter(|key| is_own(key));
        if self.required.is_empty() {
            let tells_owner = |key: &&String| !NAMES_ONLY.contains(&canonical_key(key).as_str());
            return if own().find(tells_owner).is_none() { vec!["any"] } else { Vec::new() };
        }
        let present: BTreeSet<_> = own().map(|key| canonical_key(key)).collect();
        self.required.iter().filter(|key| !present.contains(&canonical_key(key))).map(String::as_str).collect()
    }

    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        let lacking: Vec<_> = group.lines().filter(|line| !self.missing(line).is_empty()).collect();
        let rate = RunRate::of(bill, lacking.iter().copied());
        let share = share_of(rate.charged(), RunRate::of(bill, group.lines()).charged());
        if share < self.share_min || !is_worth_telling(rate.monthly(), group.currency()) {
            return None;
        }
        let figures = at_run_rate(group, &rate, 95)?;
        let keys: BTreeSet<_> = lacking.iter().flat_map(|line| self.missing(line)).collect();
        let keys = keys.into_iter().collect::<Vec<_>>().join(", ");
        let lack = if self.required.is_empty() { "any tag of your own".to_owned() } else { format!("the tags {keys}") };
        let line = group.first();
        let message = format!(
            "resources of {} in account {} cost {} ({} % of the service's resources) without {lack}",
            line.service(),
            line.key.account,
            money(rate.charged(), group.currency()),
            percent(share),
        );
        let unknown = group.lines().filter(|line| line.key.tags.known().is_none());
        let cost_unknown: Decimal = unknown.map(|line| line.sums.billed).sum();
        let scope = account_scope(line, ResourceType::CostService, line.service());
        let mut finding = finding(CHECK_ID, group, scope, Status::Fail, &figures)
            .dimension("missing_keys", keys)
            .dimension("share_pct", percent(share))
            .dimension("rows_lacking", lacking.iter().map(|line| line.sums.rows).sum::<u64>());
        if is_visible(cost_unknown) {
            finding = finding.dimension("cost_tags_unknown", round(cost_unknown));
        }
        Some(finding.text(
            format!("{} resources without required tags", line.service()),
            message,
            "Tag the resources, enforce the keys by policy, and activate them as cost allocation tags.",
        ))
    }
}

impl BillingCheck for TagsMissing {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let taggable = bill.current().filter(|l| l.is_charge() && !l.key.resource.is_empty());
        by_service(taggable).iter().filter_map(|group| self.judge(bill, group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check, check_default, money_of, row};
    use super::*;

    fn bucket(name: &str) -> Row {
        row("x").resource(name).hours(720)
    }

    #[test]
    fn untagged_spend_is_named_from_its_share_on() {
        for (untagged, is_found) in [("0.9", false), ("1", true)] {
            let rows = [bucket("a").cost(untagged), bucket("b").cost("9").tag("team", "x"), row("c").cost("5")];
            let findings = check_default(CHECKER_ID, rows);
            assert_eq!(findings.len(), usize::from(is_found), "{untagged}");
            if let [finding] = findings.as_slice() {
                assert_eq!(amounts(finding), money_of("-", untagged));
                assert_eq!((&*finding.scope.resource_type, &*finding.scope.region), ("cost_service", "global"));
            }
        }
    }

    #[test]
    fn a_tag_of_the_provider_is_not_ones_own() {
        let provider =
            ["aws:createdBy", "goog-gke-node", "aks-managed-poolName", "ms-resource-usage", "kubernetes.io/cluster/a"];
        for key in provider.into_iter().chain(["Name"]) {
            assert_eq!(check_default(CHECKER_ID, [bucket("a").tag(key, "x")]).len(), 1, "{key}");
        }
        // Where the name is what is asked for, it counts.
        let required = TagsMissing { required: vec!["Name".into()], share_min: Decimal::ZERO };
        assert_eq!(check(&required, [bucket("a").tag("Name", "x")]), []);
    }

    #[test]
    fn unknown_tags_are_not_missing() {
        let unknown = || bucket("a").cost("9").unknown_tags();
        assert_eq!(check_default(CHECKER_ID, [unknown()]), []);
        let required = TagsMissing { required: vec!["app".into()], share_min: Decimal::ZERO };
        assert_eq!(check(&required, [unknown()]), []);
        // Nor do they make the others more than they are: 1 of 10.
        let findings = check_default(CHECKER_ID, [unknown(), bucket("b").cost("1")]);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!((amounts(finding), &*finding.dimensions["share_pct"]), (money_of("-", "1"), "10"));
        assert_eq!(finding.dimensions["cost_tags_unknown"], "9");
        assert_eq!(check_default(CHECKER_ID, [unknown(), bucket("b").cost("0.9")]), []);
    }

    #[test]
    fn required_keys_are_compared_in_canonical_form() {
        let required = TagsMissing { required: vec!["CostCenter".into(), "app".into()], share_min: Decimal::ZERO };
        let tagged = bucket("a").tag("cost-center", "1").tag("App", "2");
        assert_eq!(check(&required, [tagged.clone()]), []);
        let findings = check(&required, [tagged, bucket("b").tag("cost_center", "1")]);
        assert_eq!(findings[0].dimensions["missing_keys"], "app");
    }
}
