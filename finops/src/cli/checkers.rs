//! `finops checkers list|explain`.

use checkers::registry::{Registration, Registry};
use checkers::rulepack::{DefaultValue, table_text};
use clap::Subcommand;
use collectors::registry::CollectorRegistry;
use platform::exit::ExitCode;
use runner::selection::closest;
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::output::{Column, Kind, Output, Page, Rows, print_text, print_value, width};

#[derive(Debug, Subcommand)]
pub enum CheckersVerb {
    /// All checkers, by SPEC
    List,
    /// What a checker looks for, its formula and thresholds
    Explain {
        /// SPEC, checker id or check_id
        spec: String,
    },
}

pub fn run(verb: &CheckersVerb, output: Output) -> Result<ExitCode> {
    let (registry, collectors) = (Registry::linked()?, CollectorRegistry::linked()?);
    match verb {
        CheckersVerb::List => list(&registry, output)?,
        CheckersVerb::Explain { spec } => {
            let Some(checker) = registry.find(spec) else {
                let known = closest(&registry, spec).join(", ");
                return Err(Failure::usage(format!("unknown checker {spec:?}; closest: {known}")));
            };
            match output {
                Output::Table => print_text(&page(checker, &collectors, width()))?,
                _ => print_value(&value(checker, &collectors), output)?,
            }
        }
    }
    Ok(ExitCode::Done)
}

fn list(registry: &Registry, output: Output) -> Result<()> {
    let mut rows = Rows::of(vec![
        Column::sized("checker_id", Kind::Id, 36, 0),
        Column::sized("what", Kind::Text, 36, 0),
        Column::sized("source", Kind::Text, 13, 1),
        Column::sized("checks", Kind::Id, 24, 2),
        Column::sized("spec", Kind::Id, 32, 3),
    ]);
    for checker in registry.all() {
        let checks: Vec<_> = checker.checks.iter().map(|check| check.check_id).collect();
        rows.push(vec![
            json!(checker.checker_id),
            json!(checker.docs.what),
            json!(checker.sources_text()),
            json!(checks.join(" ")),
            json!(checker.spec),
        ]);
    }
    Ok(rows.print(output)?)
}

fn default_value(default: DefaultValue) -> Value {
    match default {
        DefaultValue::Number(number) => json!(number),
        DefaultValue::List(items) => json!(items),
    }
}

fn page(checker: Registration, collectors: &CollectorRegistry, width: Option<usize>) -> String {
    let docs = checker.docs;
    let mut page = Page::new(width);
    page.text(checker.spec);
    let request = if checker.is_on_request { ", runs only where it is named" } else { "" };
    page.text(&format!("checker_id {}, reads {}{request}", checker.checker_id, checker.sources_text()));
    for (heading, body) in [
        ("What it looks for", docs.what),
        ("Why it matters", docs.why),
        ("Money", docs.money),
        ("Monthly figures", docs.month.explained()),
        ("Verdict", docs.verdict),
        ("Data", docs.data),
        ("Limits", docs.limits),
    ] {
        page.heading(heading);
        page.text(body);
    }
    page.heading("Checks");
    for check in checker.checks {
        page.field(check.check_id, &format!("{} ({}/{})", check.name, check.category, check.sub_category));
    }
    if !docs.thresholds.is_empty() {
        page.heading("Thresholds, as a rulepack.toml for --rulepack has them");
        page.commented(&table_text(checker.checker_id, docs.thresholds));
    }
    if let Some(together) = checker.together {
        page.heading("Thresholds of small findings, in the same file");
        page.commented(&table_text(together.table, together.thresholds));
    }
    let permissions = permissions(checker, collectors);
    if !permissions.is_empty() {
        page.heading("Permissions");
        page.block(&permissions.join("\n"));
    }
    page.finish()
}

/// What its collectors may do.
fn permissions(checker: Registration, collectors: &CollectorRegistry) -> Vec<&'static str> {
    collectors.actions(checker.needs).into_iter().collect()
}

fn value(checker: Registration, collectors: &CollectorRegistry) -> Value {
    let docs = checker.docs;
    let checks: Vec<_> = checker
        .checks
        .iter()
        .map(|c| json!({ "check_id": c.check_id, "name": c.name, "category": c.category, "sub_category": c.sub_category }))
        .collect();
    let thresholds: Vec<_> = docs
        .thresholds
        .iter()
        .map(|t| json!({ "key": t.key, "default": default_value(t.default), "meaning": t.meaning }))
        .collect();
    json!({
        "spec": checker.spec,
        "checker_id": checker.checker_id,
        "source": checker.sources_text(),
        "on_request": checker.is_on_request,
        "what": docs.what,
        "why": docs.why,
        "money": docs.money,
        "month": docs.month.explained(),
        "verdict": docs.verdict,
        "data": docs.data,
        "limits": docs.limits,
        "checks": checks,
        "thresholds": thresholds,
        "rulepack": table_text(checker.checker_id, docs.thresholds),
        "rulepack_together": checker.together.map(|together| table_text(together.table, together.thresholds)),
        "permissions": permissions(checker, collectors),
    })
}
