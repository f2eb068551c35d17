//! What in a FOCUS bill does not keep the FOCUS specification.

use contracts::draft::{Estimated, Scope, Status};
use contracts::resource_type::ResourceType;
use inventories::billing::conformance::{
    CheckedSource, FocusConformance, Keyword, RuleViolation, SourceViolation, ViolationSample,
};
use inventories::kind::Inventory;
use inventories::services::Services;

use crate::checker::{
    CheckInfo, Checked, Checker, CheckerDocs, CheckerError, CheckerRegistration, CheckerScope, MonthRule,
};
use crate::finding::Finding;
use crate::severity;

const CHECK_ID: &str = "billing.data.focus.nonconformant";
/// What a bill does not tell.
const UNKNOWN: &str = "unknown";

const DOCS: CheckerDocs = CheckerDocs {
    what: "requirements of the FOCUS specification that the bill of a billing account does not keep",
    why: "figures over a bill are as good as its columns: a cost that is not price times quantity, a blank service or a \
          status outside its list is wrong in every report that is made of it",
    money: "none",
    month: MonthRule::NoMoney,
    verdict: "fail for what the specification says must be, info for what it says should be; one finding for each source \
              (provider, billing account and --source name) and requirement",
    thresholds: &[],
    data: "all rows and columns of FOCUS cost and usage files",
    limits: "requirements that no single file can be tested for are not tested; docs/focus-conformance.md lists those that are",
};

inventory::submit! {
    CheckerRegistration {
        spec: "checks.focus.conformance:FocusConformanceChecker",
        checker_id: "focus.conformance",
        scope: CheckerScope::Global,
        needs: &[FocusConformance::KIND],
        checks: &[CheckInfo {
            check_id: CHECK_ID,
            name: "Bill does not keep the FOCUS specification",
            category: "governance",
            sub_category: "data quality",
        }],
        docs: &DOCS,
        is_on_request: true,
        together: None,
        factory: |_, _| Ok(Box::new(Conformance)),
    }
}

struct Conformance;

impl Checker for Conformance {
    fn run(&self, services: &Services, _region: &str) -> Result<Checked, CheckerError> {
        let checked: &FocusConformance = services.get()?;
        let mut findings = Vec::new();
        for violation in &checked.violations {
            for of_source in &violation.by_source {
                if let Some(source) = checked.sources.iter().find(|source| source.source == of_source.source) {
                    findings.push(finding(violation, of_source, source));
                }
            }
        }
        // The bills that were not given are not checked: what was found in them is still so.
        let accounts = checked.sources.iter().map(|source| scope(source).account_id).collect();
        Ok(Checked { findings, accounts: Some(accounts), ..Checked::default() })
    }
}

fn finding(violation: &RuleViolation, found: &SourceViolation, source: &CheckedSource) -> Finding {
    let status = match violation.keyword {
        Keyword::Must => Status::Fail,
        Keyword::Should => Status::Info,
    };
    let places: Vec<String> = found.first.iter().map(place).collect();
    let counted = match found.first.first().is_some_and(|first| first.row.is_some()) {
        true => format!("{} of {} rows", found.count, source.rows),
        false => format!("the columns of {} file(s)", found.count),
    };
    let message = format!(
        "{counted} of the bill of {} do not keep {} ({}): {}. First: {}",
        source.source,
        violation.rule,
        violation.section,
        violation.requirement,
        places.join(", ")
    );
    let mut finding = Finding::new(CHECK_ID, scope(source), status, severity::of(status, &Estimated::default(), ""))
        .issue("rule", violation.rule.as_str())
        .dimension("rule", &violation.rule)
        .dimension("section", &violation.section)
        .dimension("requirement", &violation.requirement)
        .dimension("focus_versions", source.versions.join(" "))
        .dimension("violations", found.count)
        .dimension("rows", source.rows)
        .dimension("first", places.join(", "));
    if let Some(name) = &source.source.name {
        finding = finding.issue("source", name).dimension("source", name);
    }
    let advice = "Ask the owner of the export to correct it, or take the column with care. `finops costs check FILE` shows the cells.";
    finding.text(format!("{} does not keep FOCUS", violation.rule), message, advice)
}

/// The billing account: a requirement is kept, or not, by a whole export.
fn scope(source: &CheckedSource) -> Scope {
    let text = |text: &Option<String>| text.as_deref().unwrap_or(UNKNOWN).to_owned();
    let (cloud, account) = (text(&source.source.provider), text(&source.source.billing_account));
    Scope {
        provider_partition: if cloud == "aws" { "aws".to_owned() } else { String::new() },
        cloud,
        billing_account_id: account.clone(),
        account_id: account.clone(),
        region: "global".to_owned(),
        service: "billing".to_owned(),
        resource_type: ResourceType::Account.into(),
        resource_id: account,
        ..Scope::default()
    }
}

/// `bill.csv:12` for a line of CSV; no cell: it may hold what does not belong into a finding.
fn place(found: &ViolationSample) -> String {
    let name = found.file.rsplit(['/', '\\']).next().unwrap_or_default();
    match (found.line, found.row) {
        (Some(line), _) => format!("{name}:{line}"),
        (None, Some(row)) => format!("{name} row {row}"),
        (None, None) => format!("{name} {}", found.cell).trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use contracts::cost_manifest::DeliverySource;

    use super::*;

    fn source(name: Option<&str>) -> DeliverySource {
        DeliverySource {
            provider: Some("aws".into()),
            billing_account: Some("111122223333".into()),
            name: name.map(str::to_owned),
        }
    }

    fn sample(row: Option<u64>) -> ViolationSample {
        ViolationSample { file: "/bills/a.csv".into(), row, line: row.map(|row| row + 1), cell: "secret".into() }
    }

    fn violation(rule: &str, keyword: Keyword, count: u64, sources: &[DeliverySource]) -> RuleViolation {
        let first = vec![sample(Some(count))];
        let of = |source: &DeliverySource| SourceViolation { source: source.clone(), count, first: first.clone() };
        RuleViolation {
            rule: rule.into(),
            keyword,
            section: "Columns, List Cost".into(),
            requirement: "ListCost is not null".into(),
            count,
            by_source: sources.iter().map(of).collect(),
            first,
        }
    }

    fn findings(violations: Vec<RuleViolation>) -> Vec<Finding> {
        let sources = [source(None), source(Some("daily"))];
        let checked =
            |source: &DeliverySource| CheckedSource { source: source.clone(), rows: 700, versions: vec!["1.2"] };
        let inventory =
            FocusConformance { violations, sources: sources.iter().map(checked).collect(), ..Default::default() };
        Conformance.run(&Services::of(inventory), "*").unwrap().findings
    }

    #[test]
    fn a_finding_is_of_one_source_and_rule_whatever_was_counted() {
        let sources = [source(None), source(Some("daily"))];
        let first = findings(vec![
            violation("ListCost.not_null", Keyword::Must, 3, &sources),
            violation("ListCost.present", Keyword::Should, 1, &sources[..1]),
        ]);
        let later = findings(vec![violation("ListCost.not_null", Keyword::Must, 99, &sources)]);
        let identity = |finding: &Finding| (finding.check_id, finding.scope.clone(), finding.issue_key.clone());
        assert_eq!(
            first.iter().map(identity).take(2).collect::<Vec<_>>(),
            later.iter().map(identity).collect::<Vec<_>>()
        );
        let all: std::collections::BTreeSet<_> =
            first.iter().map(|finding| format!("{:?}", identity(finding))).collect();
        assert_eq!(all.len(), 3);
        assert_eq!(
            first.iter().map(|finding| finding.status).collect::<Vec<_>>(),
            [Status::Fail, Status::Fail, Status::Info]
        );
    }

    #[test]
    fn it_says_whose_bills_it_looked_at() {
        let sources = [source(None), source(Some("daily")), DeliverySource::default()];
        let checked = |source: &DeliverySource| CheckedSource { source: source.clone(), rows: 1, versions: Vec::new() };
        let inventory = FocusConformance { sources: sources.iter().map(checked).collect(), ..Default::default() };
        let accounts = Conformance.run(&Services::of(inventory), "*").unwrap().accounts.unwrap();
        assert_eq!(accounts.into_iter().collect::<Vec<_>>(), ["111122223333", UNKNOWN]);
    }

    #[test]
    fn a_finding_says_where_and_holds_no_cell() {
        let [finding] = &findings(vec![violation("ListCost.not_null", Keyword::Must, 3, &[source(None)])])[..] else {
            panic!()
        };
        assert_eq!(
            finding.message,
            "3 of 700 rows of the bill of aws/111122223333 do not keep ListCost.not_null (Columns, List Cost): ListCost is not \
             null. First: a.csv:4"
        );
        assert!(!format!("{finding:?}").contains("secret"));
        assert_eq!(finding.scope.account_id, "111122223333");
    }
}
