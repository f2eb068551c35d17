//! `finops config show`.

use clap::Subcommand;
use platform::exit::ExitCode;
use serde_json::json;

use crate::failure::Result;
use crate::output::{Output, Rows};
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Every setting, its value and where it comes from
    Show,
}

pub fn show(settings: &Settings, output: Output) -> Result<ExitCode> {
    let mut rows = Rows::new(&["key", "value", "origin", "variable", "accepts", "help"])
        .may_lack(&["variable", "accepts", "help"]);
    for row in settings.config.rows() {
        rows.push(vec![
            json!(row.key),
            json!(row.value),
            json!(row.origin),
            json!(row.variable),
            json!(row.accepts),
            json!(row.help),
        ]);
    }
    rows.print(output)?;
    Ok(ExitCode::Done)
}
