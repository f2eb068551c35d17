//! `finops replay compare`.

use contracts::tenant_scope::TenantScope;
use exporter::{Comparison, compare};
use lake::cut::Cut;
use lake::verify::{VerifyProblem, verify};
use platform::exit::ExitCode;
use platform::progress::Unit;
use platform::store::Store;
use platform::terminal::escaped;
use serde_json::json;

use crate::failure::{Failure, Result};
use crate::output::{Output, Rows, print_text, print_value};
use crate::ports::{self, OpenPorts};
use crate::progress;
use crate::settings::Settings;

/// Findings that a person is shown; programs get more.
const SHOWN_MAX: usize = 10;

pub fn run(with: &str, tenant: Option<&str>, limit: u64, settings: &Settings, output: Output) -> Result<ExitCode> {
    let (store, fresh) = (OpenPorts::store_only(settings)?, ports::existing_root(with, settings)?);
    verified(&*fresh)?;
    let scope = tenant.map(TenantScope::new).transpose()?;
    let (here, there) = (Cut::committed(store)?, Cut::committed(fresh)?);
    let found = compare(&here, &there, scope.as_ref(), limit, &settings.duck)?;
    match output {
        Output::Table => print_table(&found)?,
        Output::Csv => differing(&found).print(output)?,
        _ => print_value(&serde_json::to_value(&found).unwrap_or_default(), output)?,
    }
    Ok(if found.is_same { ExitCode::Done } else { ExitCode::Different })
}

/// What is to take the place of the current root must be whole.
fn verified(fresh: &dyn Store) -> Result<()> {
    let bar = progress::bar("verifying", Unit::Things("files"), None);
    let report = verify(fresh, None, &|| bar.inc(1))?;
    bar.finish_and_clear();
    match report.problems.first() {
        None => Ok(()),
        Some(VerifyProblem { object, detail, .. }) => {
            let count = report.problems.len();
            let why = format!("{} is not whole, {count} problem(s): {object}: {detail}", fresh.location());
            Err(Failure::bad_input(why))
        }
    }
}

fn differing(found: &Comparison) -> Rows {
    let mut rows = Rows::new(&[
        "tenant",
        "check",
        "severity",
        "currency",
        "rows",
        "rows fresh",
        "findings",
        "findings fresh",
        "savings",
        "savings fresh",
    ]);
    for sums in found.sums.iter().filter(|sums| !sums.is_same()) {
        rows.push(vec![
            json!(sums.tenant_id),
            json!(sums.check_id),
            json!(sums.severity_level),
            json!(sums.currency),
            json!(sums.rows_current),
            json!(sums.rows_fresh),
            json!(sums.findings_current),
            json!(sums.findings_fresh),
            json!(sums.savings_current),
            json!(sums.savings_fresh),
        ]);
    }
    rows
}

fn print_table(found: &Comparison) -> Result<()> {
    let rows: u64 = found.sums.iter().map(|sums| sums.rows_fresh).sum();
    if found.is_same {
        return Ok(print_text(&format!("nothing differs in {rows} rows\n"))?);
    }
    differing(found).print(Output::Table)?;
    let mut dead = Rows::new(&["tenant", "code", "dead letters", "dead letters fresh"]);
    for count in found.dead_letters.iter().filter(|count| count.current != count.fresh) {
        dead.push(vec![json!(count.tenant_id), json!(count.error_code), json!(count.current), json!(count.fresh)]);
    }
    if dead.len() > 0 {
        print_text("\n")?;
        dead.print(Output::Table)?;
    }
    for (total, list, what) in [
        (found.only_current_total, &found.only_current, "only in the current root"),
        (found.only_fresh_total, &found.only_fresh, "only in the fresh root"),
    ] {
        print_text(&format!("\n{total} finding(s) {what}\n"))?;
        for finding in list.iter().take(SHOWN_MAX) {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let line = [text(&finding.tenant_id), text(&finding.finding_id), text(&finding.check_id)].join("  ");
            print_text(&format!("  {}\n", escaped(&line)))?;
        }
        cut_line(list.len(), total)?;
    }
    print_text(&format!("\n{} finding(s) changed\n", found.changed_total))?;
    for changed in found.changed.iter().take(SHOWN_MAX) {
        let id = changed.finding.finding_id.as_deref().unwrap_or_default();
        print_text(&format!("  {}: {}\n", escaped(id), changed.columns.join(", ")))?;
    }
    cut_line(found.changed.len(), found.changed_total)
}

/// Says how many of a list are shown, unless all are.
fn cut_line(listed: usize, total: u64) -> Result<()> {
    let shown = listed.min(SHOWN_MAX);
    if (shown as u64) < total {
        print_text(&format!("  showing {shown} of {total}; --output json --limit N lists up to N\n"))?;
    }
    Ok(())
}
