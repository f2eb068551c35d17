//! The matrix of fault × site × result: attacks note how they ended, the long form writes `docs/guarantees.md` from it.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::fault::{Deed, Fault};

/// Where outcomes are noted, one JSON object per line; nothing is noted when it is not set.
const REPORT: &str = "FINOPS_ATTACK_REPORT";

/// How an attack ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttackOutcome {
    /// What was done.
    pub fault: Fault,
    /// To which broker and store.
    pub site: String,
    /// Processes killed.
    pub kills: u64,
    /// Seeds, where chance was involved.
    pub seeds: Vec<u64>,
    /// Records produced.
    pub produced: u64,
    /// Of these, without a row.
    pub lost: u64,
    /// Rows more than records.
    pub duplicated: u64,
    /// In words.
    pub result: String,
}

/// Notes an outcome.
///
/// # Panics
/// When it cannot be written.
pub fn note(outcome: &AttackOutcome) {
    println!("{}: {}: {} produced, {}", outcome.fault, outcome.site, outcome.produced, outcome.result);
    let Some(path) = std::env::var_os(REPORT).map(PathBuf::from) else { return };
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    // One write per line: attacks run side by side.
    file.write_all(format!("{}\n", serde_json::to_string(outcome).unwrap()).as_bytes()).unwrap();
}

/// Outcomes noted so far, attacks of the same kind added up.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn noted() -> Vec<AttackOutcome> {
    let path = std::env::var_os(REPORT).unwrap_or_else(|| panic!("{REPORT} is not set"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut all: Vec<AttackOutcome> = Vec::new();
    for line in text.lines() {
        let next: AttackOutcome = serde_json::from_str(line).unwrap();
        match all.iter_mut().find(|o| (&o.fault, &o.site, &o.result) == (&next.fault, &next.site, &next.result)) {
            Some(outcome) => {
                outcome.kills += next.kills;
                let fresh: Vec<u64> = next.seeds.into_iter().filter(|seed| !outcome.seeds.contains(seed)).collect();
                outcome.seeds.extend(fresh);
                outcome.produced += next.produced;
                outcome.lost += next.lost;
                outcome.duplicated += next.duplicated;
            }
            None => all.push(next),
        }
    }
    let rank = |fault: &Fault| Fault::all().iter().position(|known| known == fault);
    all.sort_by(|a, b| (rank(&a.fault), &a.site).cmp(&(rank(&b.fault), &b.site)));
    all
}

/// The document.
#[must_use]
pub fn document(outcomes: &[AttackOutcome]) -> String {
    let total = |of: fn(&AttackOutcome) -> u64| outcomes.iter().map(of).sum::<u64>();
    let mut text = HEAD.to_owned();
    let let_go = |o: &AttackOutcome| o.fault == Fault::Deed(Deed::RetentionPassedValidator);
    let by_retention: u64 = outcomes.iter().filter(|o| let_go(o)).map(|o| o.lost).sum();
    let _ = writeln!(
        text,
        "In this run {} processes were killed, {} of them at random moments, {} records produced, {} lost, {} duplicated;\n\
         the broker's retention removed {} more before a validator had judged them.\n",
        total(|o| o.kills),
        total(|o| if o.fault.is_random_kill() { o.kills } else { 0 }),
        total(|o| o.produced),
        total(|o| o.lost) - by_retention,
        total(|o| o.duplicated),
        by_retention
    );
    text.push_str(
        "| fault | broker, store | kills | records | lost | duplicated | result |\n|---|---|--:|--:|--:|--:|---|\n",
    );
    for AttackOutcome { fault, site, kills, produced, lost, duplicated, result, .. } in outcomes {
        let _ = writeln!(text, "| {fault} | {site} | {kills} | {produced} | {lost} | {duplicated} | {result} |");
    }
    text.push_str("\n## Seeds\n\n`FINOPS_ATTACK_SEED` repeats an attack.\n\n");
    for AttackOutcome { fault, site, seeds, .. } in outcomes.iter().filter(|o| !o.seeds.is_empty()) {
        let seeds: Vec<_> = seeds.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "- {fault}, {site}: {}", seeds.join(", "));
    }
    text
}

const HEAD: &str = "\
# Guarantees, and how they were attacked

Every record that enters is at the end one row of a data file: a finding or a dead letter, never both, never twice, never
none. The attacks below try to break that. Each runs the program as separate processes (only where clocks jump it runs
inside the attacker, who is its clock), most of them under load, while a reader lists and reads all data files without
pause (where there are many tenants, only at the end); it must never see a torn file, a row twice, or a row in another
tenant's or date's folder. Afterwards an oracle that reads wire topics and data files, and nothing of the program's own
books, compares what is there with what was produced. A dead letter is known by its source position, a finding by its id:
each record of the load is another finding. `finops verify`, which knows the source positions of all, must come to the
same result.

Where a result says that a service *stops*, it does so with an error that says what is lost and what to do, and without
having written anything wrong; \"lost\" then counts what remains missing after doing it. Only one attack loses anything: what
the broker's retention removes before a validator has seen it cannot be had again.

Kafka is Apache Kafka 4.1.0, one broker. At \"Kafka, local\" groups share their partitions by the consumer protocol, at
\"Kafka, S3\" by the classic one.

`cargo xtask attack` makes this file: all attacks in their long form. `cargo xtask test` runs the short form.

";
