//! README's query over the Parquet files, run by DuckDB as its reader would.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod support;

use std::path::Path;

use support::{FINDING, Finding, World};

#[test]
fn the_query_of_the_readme_answers() {
    let mut world = World::new();
    world.commit("acme", &[Finding { savings: Some("2.25"), ..FINDING }, Finding { finding_id: "id-f2", ..FINDING }]);
    world.commit("globex", &[Finding { savings: None, ..FINDING }]);
    let readme = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).parent().unwrap().join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let query = readme.split("\n```sql\n").nth(1).unwrap().split("\n```").next().unwrap();
    let data = world.folder.path().join("data/finops_findings");
    assert!(query.contains("'data/finops_findings/"), "{query}");
    let query = query.replace("'data/finops_findings", &format!("'{}", data.display()));

    let duck = duckdb::Connection::open_in_memory().unwrap();
    let query = query.trim_end().trim_end_matches(';');
    let mut answer = duck.prepare(&format!("SELECT columns(*)::VARCHAR FROM ({query})")).unwrap();
    let rows =
        answer.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])).unwrap();
    let rows: Vec<[Option<String>; 5]> = rows.map(Result::unwrap).collect();
    let text = |cell: &str| Some(cell.to_owned());
    let check = || text(FINDING.check_id);
    assert_eq!(
        rows,
        [
            [text("acme"), check(), text("USD"), text("2"), text("12.750000")],
            [text("globex"), check(), text("USD"), text("1"), None]
        ]
    );
}
