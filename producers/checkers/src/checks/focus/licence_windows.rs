//! Licences of Windows that virtual machines of Azure pay for by the hour.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::figures::monthly_of_many;
use super::group::{Group, by_region};
use super::prices::ListPrices;
use super::software::Software;
use super::subject::{finding, is_worth_telling, named_scope, place};
use super::text::{counted, figure, percent, share_of};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.licence.windows";
const CHECK_ID: &str = "billing.licence.windows";

const DOCS: CheckerDocs = CheckerDocs {
    what: "virtual machines of Azure whose price has a licence of Windows Server in it, by account and region",
    why: "with Azure Hybrid Benefit they cost as much as Linux, where the company has licences with Software Assurance already",
    money: "cost = charges of these machines. Their licences are charges − quantity × list price of the same type without Windows, less \
            the discount that they have, where this bill shows that price in the same region. Savings are unknown: a bill does not tell \
            which licences the company has",
    month: MonthRule::ByTime,
    verdict: "info for each account and region, from a cent on",
    thresholds: &[],
    data: "rows of machine hours with their product, resource, quantity and list price",
    limits: "machines under a reservation pay for their licence in rows of their own, which are not looked at",
};

inventory::submit! {
    over_bill(
        "checks.focus.licence_windows:LicenceWindowsChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "Windows machines without Azure Hybrid Benefit",
            category: "cost",
            sub_category: "licences",
        }],
        &DOCS,
        |_, _| Ok(Box::new(OverBill(LicenceWindows))),
    )
}

struct LicenceWindows;

impl BillingCheck for LicenceWindows {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let prices = ListPrices::new(bill);
        let windows = bill.current().filter(|line| line.is_charge() && pays_for_windows(line));
        by_region(windows).iter().filter_map(|group| judge(bill, &prices, group)).collect()
    }
}

fn pays_for_windows(line: &UsageLine) -> bool {
    let is_machine = &*line.key.cloud == "azure" && matches!(line.key.meter, Meter::InstanceHours(_));
    is_machine && Software::of(line).is_some_and(Software::has_windows)
}

fn judge(bill: &BillingInventory, prices: &ListPrices<'_>, group: &Group<'_>) -> Option<Finding> {
    if !is_worth_telling(group.billed(), group.currency()) {
        return None;
    }
    let line = group.first();
    let figures = monthly_of_many(bill, group, 90)?;
    let machines = match group.resources() {
        Some(count) => counted(count, "virtual machine", "virtual machines"),
        None => "virtual machines".to_owned(),
    };
    let licences: Option<Decimal> = group.lines().map(|line| licence(prices, line)).sum();
    let share = licences.map(|licences| percent(share_of(licences, group.billed())));
    let of_which = share.as_ref().map_or_else(String::new, |share| format!(", {share} % of it for licences"));
    let message = format!("{machines} with Windows in {} {}{of_which}", place(line), figures.cost_text());
    let scope = named_scope(line, ResourceType::InstancePortfolio, "windows-machines");
    let mut finding = finding(CHECK_ID, group, scope, Status::Info, &figures)
        .dimension("machines", group.resources_text())
        .dimension("top_resources", group.top_resources(3));
    if let Some((licences, share)) = licences.zip(share) {
        finding = finding.dimension("charged_licences", figure(licences, 12)).dimension("licence_share_pct", share);
    }
    Some(finding.text(
        "Windows machines without Azure Hybrid Benefit",
        message,
        "Count the Windows Server licences with Software Assurance and subscriptions of the company; turn on Azure Hybrid Benefit for as many \
         cores, the largest machines that always run first.",
    ))
}

/// What of the charge pays for the licence; `None` where the bill does not show the price without it.
fn licence(prices: &ListPrices<'_>, line: &UsageLine) -> Option<Decimal> {
    let list = line.sums.list.filter(|list| *list > Decimal::ZERO)?;
    let without = prices.without_licence(line)?.checked_mul(line.sums.quantity?)?;
    let share = (list - without).checked_div(list).filter(|share| *share > Decimal::ZERO)?;
    line.sums.billed.checked_mul(share)
}
