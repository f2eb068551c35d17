//! `finops checkers list|explain`.

use platform::exit::ExitCode;
use producers::registry::{Registration, Registry};
use producers::rulepack::DefaultValue;
use serde_json::{Value, json};

use crate::cli::{CheckersVerb, Output};
use crate::failure::{Failure, Result};
use crate::output::{Rows, print_text, print_value};

pub fn run(verb: &CheckersVerb, output: Output) -> Result<ExitCode> {
    let registry = Registry::linked()?;
    match verb {
        CheckersVerb::List => list(&registry, output)?,
        CheckersVerb::Explain { spec } => {
            let Some(checker) = registry.find(spec) else {
                let closest = registry.closest(spec).join(", ");
                return Err(Failure::usage(format!("unknown checker {spec:?}; closest: {closest}")));
            };
            match output {
                Output::Table => print_text(&text(checker))?,
                _ => print_value(&value(checker), output)?,
            }
        }
    }
    Ok(ExitCode::Done)
}

fn list(registry: &Registry, output: Output) -> Result<()> {
    let mut rows = Rows::new(&["spec", "checker_id", "source", "checks", "what"]);
    for checker in registry.all() {
        let checks: Vec<_> = checker.checks.iter().map(|check| check.check_id).collect();
        rows.push(vec![
            json!(checker.spec),
            json!(checker.checker_id),
            json!(checker.source.as_str()),
            json!(checks.join(" ")),
            json!(checker.docs.what),
        ]);
    }
    Ok(rows.print(output)?)
}

fn default_text(default: DefaultValue) -> String {
    match default {
        DefaultValue::Number(number) => number.to_owned(),
        DefaultValue::List(items) => items.join(", "),
    }
}

fn text(checker: Registration) -> String {
    let docs = checker.docs;
    let mut out =
        format!("{}\n  checker_id {}, reads {}\n\n", checker.spec, checker.checker_id, checker.source.as_str());
    for (heading, body) in [
        ("What it looks for", docs.what),
        ("Why it matters", docs.why),
        ("Money", docs.money),
        ("Monthly figures", docs.month.explained()),
        ("Verdict", docs.verdict),
        ("Data", docs.data),
        ("Limits", docs.limits),
    ] {
        out += &format!("{heading}\n  {body}\n\n");
    }
    out += "Checks\n";
    for check in checker.checks {
        out += &format!("  {}  {} ({}/{})\n", check.check_id, check.name, check.category, check.sub_category);
    }
    if !docs.thresholds.is_empty() {
        out += &format!("\nThresholds, in the table [{}] of a rulepack\n", checker.checker_id);
        for threshold in docs.thresholds {
            out += &format!("  {} = {}  {}\n", threshold.key, default_text(threshold.default), threshold.meaning);
        }
    }
    if !checker.actions.is_empty() {
        out += &format!("\nPermissions\n  {}\n", checker.actions.join("\n  "));
    }
    out
}

fn value(checker: Registration) -> Value {
    let docs = checker.docs;
    let checks: Vec<_> = checker
        .checks
        .iter()
        .map(|c| json!({ "check_id": c.check_id, "name": c.name, "category": c.category, "sub_category": c.sub_category }))
        .collect();
    let thresholds: Vec<_> = docs
        .thresholds
        .iter()
        .map(|t| json!({ "key": t.key, "default": default_text(t.default), "meaning": t.meaning }))
        .collect();
    json!({
        "spec": checker.spec,
        "checker_id": checker.checker_id,
        "source": checker.source.as_str(),
        "what": docs.what,
        "why": docs.why,
        "money": docs.money,
        "month": docs.month.explained(),
        "verdict": docs.verdict,
        "data": docs.data,
        "limits": docs.limits,
        "checks": checks,
        "thresholds": thresholds,
        "permissions": checker.actions,
    })
}
