//! What was committed, and is it there? Lists are compared with the commit chains, as every exporter does first; no data file is
//! opened.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use contracts::datasets;
use lake::cut::Cut;
use platform::store::Store;

use super::{Check, within};

const NAME: &str = "data files";
const ADVICE: &str =
    "`finops repair` brings back what the topics still hold; until then the exports of these tenants stay as they were";

pub fn check(store: Arc<dyn Store>, timeout: Duration) -> Check {
    match within(NAME, timeout, move || Cut::committed(store)) {
        Ok(Ok(cut)) => of_cut(&cut),
        Ok(Err(error)) => Check::fail(NAME, error.to_string(), "`finops verify` names all that is wrong"),
        // A large store takes longer to list than an operator waits; that is no fault of it.
        Err(_) => Check::warn(
            NAME,
            format!("not compared within {} s", timeout.as_secs()),
            "--timeout waits longer; `finops verify` compares all of them",
        ),
    }
}

fn of_cut(cut: &Cut) -> Check {
    let problems: Vec<_> = cut.unreadable().collect();
    let Some((_, first)) = problems.first() else {
        let files = datasets::ALL.map(|dataset| cut.files(dataset).len()).iter().sum::<usize>();
        return Check::ok(NAME, format!("{files} are committed and there"));
    };
    let tenants: BTreeSet<&str> = problems.iter().map(|(tenant, _)| *tenant).collect();
    let tenants = tenants.into_iter().collect::<Vec<_>>().join(", ");
    Check::fail(NAME, format!("{} cannot be read, of {tenants}; the first: {first}", problems.len()), ADVICE)
}
