//! What `findings` and `dlq` answer.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod support;

use contracts::run_manifest::RunStatus;
use contracts::tenant_scope::TenantScope;
use exporter::{
    DeadLetterFilter, DeadLetterScope, DuckLimits, FindingFilter, FindingOrder, Population, dead_letter_stats,
    list_dead_letters, list_findings, show_dead_letter, show_finding,
};

use support::{FINDING, Finding, World};

fn scope() -> TenantScope {
    TenantScope::new("acme").unwrap()
}

fn world() -> World {
    let of = |finding_id, fingerprint| Finding { finding_id, fingerprint, ..FINDING };
    let mut world = World::new();
    world.commit(
        "acme",
        &[
            of("aaaaaaaa01", "f1"),
            Finding { savings: Some("99"), service: "AmazonS3", region: "us-east-1", ..of("aaaaaaaa02", "f2") },
            Finding { status: "pass", savings: None, title: "50% off", ..of("bbbbbbbb03", "f3") },
            Finding { level: "critical", account_id: "999988887777", ..of("cccccccc04", "f4") },
        ],
    );
    let older = Finding { run_id: "r0", run_ts: "2026-01-10T10:00:00Z", savings: Some("1"), ..of("aaaaaaaa01", "f1") };
    world.commit("acme", &[older]);
    world.commit("globex", &[Finding { title: "of globex", ..of("dddddddd05", "f5") }]);
    world.run_manifest("acme", "r1", "2026-01-20T10:00:00.000Z", RunStatus::Complete, 4);
    world
}

fn check(filter: FindingFilter, expected: &[&str]) {
    let list = list_findings(&world().cut(), &scope(), &filter, &DuckLimits::default()).unwrap();
    let ids: Vec<_> = list.items.iter().map(|f| f.finding_id.as_deref().unwrap()).collect();
    assert_eq!(ids, expected, "{filter:?}");
    assert_eq!(list.total, expected.len() as u64);
}

#[test]
fn filters_ignore_case_and_combine() {
    let some = |value: &str| vec![value.to_owned()];
    let none = FindingFilter::default;
    // What matters most comes first: severity, then savings; what has none comes last.
    check(none(), &["cccccccc04", "aaaaaaaa02", "aaaaaaaa01", "bbbbbbbb03"]);
    check(FindingFilter { status: some("fail"), ..none() }, &["cccccccc04", "aaaaaaaa02", "aaaaaaaa01"]);
    check(FindingFilter { service: some("AmazonS3"), ..none() }, &["aaaaaaaa02"]);
    check(FindingFilter { service: some("amazons3"), ..none() }, &["aaaaaaaa02"]);
    check(FindingFilter { service: some("amazons"), ..none() }, &[]);
    check(FindingFilter { severity: some("CRITICAL"), ..none() }, &["cccccccc04"]);
    check(FindingFilter { region: some("US-EAST-1"), ..none() }, &["aaaaaaaa02"]);
    check(FindingFilter { workspace_id: some("nowhere"), ..none() }, &[]);
    check(FindingFilter { resource: some("no such"), ..none() }, &[]);
    check(FindingFilter { account_id: some("999988887777"), ..none() }, &["cccccccc04"]);
    let either = vec!["us-east-1".to_owned(), "nowhere".to_owned()];
    check(FindingFilter { region: either, status: some("fail"), ..none() }, &["aaaaaaaa02"]);
    check(FindingFilter { text: "OFF 50%".into(), ..none() }, &["bbbbbbbb03"]);
    check(FindingFilter { text: "_".into(), ..none() }, &[]);
    check(FindingFilter { check_id: some("' OR true --"), ..none() }, &[]);
    let all = FindingFilter { population: Population::All, text: "a title".into(), ..none() };
    check(all, &["cccccccc04", "aaaaaaaa02", "aaaaaaaa01", "aaaaaaaa01"]);
}

#[test]
fn a_list_can_be_sorted() {
    let sorted = |order, is_reversed, expected: &[&str]| {
        check(FindingFilter { order, is_reversed, ..FindingFilter::default() }, expected);
    };
    sorted(FindingOrder::Region, false, &["aaaaaaaa01", "cccccccc04", "bbbbbbbb03", "aaaaaaaa02"]);
    sorted(FindingOrder::Title, false, &["bbbbbbbb03", "aaaaaaaa02", "aaaaaaaa01", "cccccccc04"]);
    // The one without an amount comes last in both directions.
    sorted(FindingOrder::Savings, true, &["aaaaaaaa01", "cccccccc04", "aaaaaaaa02", "bbbbbbbb03"]);
    let newest = FindingFilter { population: Population::All, order: FindingOrder::RunTs, ..FindingFilter::default() };
    let list = list_findings(&world().cut(), &scope(), &newest, &DuckLimits::default()).unwrap();
    assert_eq!(list.items.last().unwrap().run_id.as_deref(), Some("r0"));
}

#[test]
fn runs_can_be_chosen_by_time() {
    let at = |text: &str| Some(contracts::time::timestamp(text).unwrap());
    let all = || FindingFilter { population: Population::All, ..FindingFilter::default() };
    check(FindingFilter { until_ms: at("2026-01-15T00:00:00Z"), ..all() }, &["aaaaaaaa01"]);
    let since = FindingFilter { since_ms: at("2026-01-15T00:00:00Z"), ..all() };
    check(since, &["cccccccc04", "aaaaaaaa02", "aaaaaaaa01", "bbbbbbbb03"]);
}

#[test]
fn a_limit_cuts_the_list_and_not_the_total() {
    let filter = FindingFilter { limit: Some(1), ..FindingFilter::default() };
    let list = list_findings(&world().cut(), &scope(), &filter, &DuckLimits::default()).unwrap();
    assert_eq!((list.items.len(), list.total), (1, 4));
}

#[test]
fn a_finding_is_shown_whole_with_its_history() {
    let world = world();
    let show = |id: &str| show_finding(&world.cut(), &scope(), id, &DuckLimits::default());
    let detail = show("aaaaaaaa01").unwrap().unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&detail).unwrap());
    assert!(show("bbbbbbbb").unwrap().is_some(), "eight characters are enough");
    assert!(show("bbbbbbb").unwrap().is_none(), "seven are not");
    assert!(show("dddddddd05").unwrap().is_none(), "another tenant's");
    let ambiguous = show("aaaaaaaa").unwrap_err();
    assert_eq!(ambiguous.code(), Some("ambiguous_id"));
    for candidate in ["aaaaaaaa01  finding_id of", "aaaaaaaa02  finding_id of"] {
        assert!(ambiguous.to_string().contains(candidate), "{ambiguous}");
    }
    let by_fingerprint = show("F1").unwrap().unwrap();
    assert_eq!(by_fingerprint.record.get(), detail.record.get());
    assert_eq!(by_fingerprint.sightings, detail.sightings);
    assert!(show("f5").unwrap().is_none(), "another tenant's");
}

#[test]
fn a_stored_row_is_shown_with_every_column_of_the_contract() {
    let dataset =
        format!("{}/tests/golden/dataset/tenant_id=acme/**/*.parquet", std::env::var("CARGO_MANIFEST_DIR").unwrap());
    let cut = exporter::cut_of_files(&[dataset]).unwrap();
    let id = "28b0fde79a9a3a3487a4118cfe43699897be78ba1853c1c144e8d309b1329cbb";
    let detail = show_finding(&cut, &scope(), id, &DuckLimits::default()).unwrap().unwrap();
    insta::assert_snapshot!(detail.record.get().replace(",\"", ",\n\""));
}

#[test]
fn dead_letters_are_listed_counted_and_shown() {
    let mut world = World::new();
    let letter = |tenant: &str, src: &str, code: &str, value: &str| {
        format!(
            "SELECT {tenant} AS tenant_id, 'r1' AS run_id, '{src}' AS src, 'finops.findings.wire' AS src_topic, \
             TIMESTAMPTZ '2026-01-20 10:00:00+00' AS src_ts, '{code}' AS error_code, 'scope.cloud' AS error_field, \
             'must not be blank' AS error_detail, '[{{\"field\":\"scope.cloud\",\"code\":\"{code}\"}}]' AS errors, \
             TIMESTAMPTZ '2026-01-20 10:00:01.5+00' AS first_seen_ts, CAST(0 AS UINTEGER) AS replays, \
             MAP {{'run_id': 'r1'::BLOB}} AS headers, 'acme'::BLOB AS key, {value} AS value, \
             CAST(NULL AS UBIGINT) AS value_bytes, CAST(NULL AS VARCHAR) AS value_sha256"
        )
    };
    let rows = [
        letter("'acme'", "t/0/1", "required", "'{\"a\":1}'::BLOB"),
        letter("'acme'", "t/0/2", "required", "'{}'::BLOB"),
    ];
    world.commit_dead_letters("acme", 2, &rows.join(" UNION ALL "));
    world.commit_dead_letters(
        "_unknown",
        1,
        &letter("CAST(NULL AS VARCHAR)", "t/0/3", "bad_json", "'\\xFF\\x00'::BLOB"),
    );
    let (cut, limits) = (world.cut(), DuckLimits::default());
    let list_of = |scope: &DeadLetterScope, filter: DeadLetterFilter| {
        let list = list_dead_letters(&cut, scope, &filter, &limits).unwrap();
        list.items.iter().map(|l| l.src.clone().unwrap()).collect::<Vec<_>>()
    };
    let none = DeadLetterFilter::default;
    let all = DeadLetterScope::Operator(Vec::new());
    let list = |filter| list_of(&all, filter);
    let list_of = |tenant: &str| list_of(&DeadLetterScope::Operator(vec![tenant.into()]), none());
    assert_eq!(list(none()), ["t/0/1", "t/0/2", "t/0/3"]);
    assert_eq!(list_of("acme"), ["t/0/1", "t/0/2", "t/0/3"]);
    assert_eq!(list_of("_unknown"), ["t/0/3"]);
    assert_eq!(list(DeadLetterFilter { error_code: vec!["bad_json".into()], ..none() }), ["t/0/3"]);
    assert_eq!(list(DeadLetterFilter { text: "BLANK t/0/2".into(), ..none() }), ["t/0/2"]);
    assert_eq!(list(DeadLetterFilter { limit: Some(1), ..none() }), ["t/0/1"]);
    let stats = dead_letter_stats(&cut, &all, &none(), &limits).unwrap();
    let show = |src| show_dead_letter(&cut, &all, src, &limits).unwrap();
    let shown = (show("t/0/1"), show("t/0/3"));
    assert_eq!(shown.0.as_ref().unwrap().value.as_ref().unwrap().0, b"{\"a\":1}");
    insta::assert_snapshot!(serde_json::to_string_pretty(&(stats, shown)).unwrap());
    assert!(show("t/0/9").is_none());
}

#[test]
fn without_dead_letters_the_list_is_empty() {
    let cut = world().cut();
    for whose in [DeadLetterScope::Operator(Vec::new()), DeadLetterScope::Tenant(scope())] {
        let list = list_dead_letters(&cut, &whose, &DeadLetterFilter::default(), &DuckLimits::default()).unwrap();
        assert_eq!((list.items.len(), list.total), (0, 0));
    }
}

/// What the bytes of a record say of its tenant finds it, whatever is wrong with them, and is marked as what it is.
#[test]
fn a_dead_letter_is_found_by_the_tenant_it_names() {
    let mut world = World::new();
    let letter = |tenant: &str, src: u32, key: &str, value: &str| {
        format!(
            "SELECT {tenant} AS tenant_id, CAST(NULL AS VARCHAR) AS workspace_id, CAST(NULL AS VARCHAR) AS run_id, \
             't/0/{src}' AS src, CAST(NULL AS VARCHAR) AS replay_of, 'finops.findings.wire' AS src_topic, \
             TIMESTAMPTZ '2026-01-20 10:00:00+00' AS src_ts, 'bad_json' AS error_code, '' AS error_field, 'd' AS error_detail, \
             '[]' AS errors, '1' AS contract_version, '0.1.0' AS validator_version, \
             TIMESTAMPTZ '2026-01-20 10:00:00+00' AS first_seen_ts, 0::UINTEGER AS replays, \
             MAP {{'h': 'v'::BLOB}} AS headers, {key} AS key, {value} AS value, CAST(NULL AS UBIGINT) AS value_bytes, \
             CAST(NULL AS VARCHAR) AS value_sha256"
        )
    };
    let blob = |text: &str| format!("'{text}'::BLOB");
    let of_a_producer = letter("CAST(NULL AS VARCHAR)", 8, &blob("globex"), &blob(r#"{"tenant_id":"globex"}"#));
    let of_a_producer = of_a_producer.replace("'finops.findings.wire'", "'finops.findings.wire.evil'");
    let (no_key, unknown) = ("CAST(NULL AS BLOB)", "CAST(NULL AS VARCHAR)");
    let rows = [
        letter(unknown, 1, no_key, &blob(r#"{"tenant_id":"globex","cut off"#)),
        letter(unknown, 2, no_key, &blob(r#"\xFF\xFE {"tenant_id" : " Globex ", }"#)),
        letter(unknown, 3, &blob("globex"), "CAST(NULL AS BLOB)"),
        letter(unknown, 4, &blob("globex"), &blob("")),
        letter(unknown, 5, no_key, &blob(r#"{"name":"globex","tenant_id":5}"#)),
        letter(unknown, 6, &blob("../globex"), &blob(r#"{"tenant_id":"glob/ex"}"#)),
    ];
    let rows = [&rows[..], &[of_a_producer]].concat();
    world.commit_dead_letters("_unknown", 7, &rows.join(" UNION ALL "));
    world.commit_dead_letters("acme", 1, &letter("'acme'", 7, &blob("acme"), &blob(r#"{"tenant_id":"globex"}"#)));
    let (cut, limits) = (world.cut(), DuckLimits::default());
    let list_of =
        |scope: &DeadLetterScope| list_dead_letters(&cut, scope, &DeadLetterFilter::default(), &limits).unwrap().items;
    let operator = |tenant: &str| DeadLetterScope::Operator(vec![tenant.into()]);
    let list = |tenant: &str| list_of(&operator(tenant));
    let found: Vec<_> = list("globex").iter().map(|l| (l.src.clone().unwrap(), l.tenant_shown().unwrap())).collect();
    let alone = |src: &str| (src.to_owned(), "globex (unverified)".to_owned());
    let both = ("t/0/7".to_owned(), "acme; names globex (unverified)".to_owned());
    assert_eq!(found, [alone("t/0/1"), alone("t/0/2"), alone("t/0/3"), alone("t/0/4"), both]);
    let acme: Vec<_> = list("acme").iter().map(|l| l.tenant_unverified.clone()).collect();
    assert_eq!(acme, [Some("globex".to_owned())]);
    let nulls: Vec<_> = list("_unknown").iter().map(|l| (l.value_is_null, l.value_bytes)).collect();
    assert_eq!(nulls[2..4], [(true, None), (false, Some(0))], "a tombstone is no empty value");
    assert_eq!(list("_unknown").len(), 7, "a bound producer's bytes name no tenant");
    let stats = |scope: &DeadLetterScope| {
        let stats = dead_letter_stats(&cut, scope, &DeadLetterFilter::default(), &limits).unwrap();
        stats.iter().map(|s| (s.count, s.tenant_shown().unwrap())).collect::<Vec<_>>()
    };
    let both = "acme; names globex (unverified)";
    assert_eq!(stats(&operator("globex")), [(4, "globex (unverified)".to_owned()), (1, both.to_owned())]);

    // A tenant has what is its own, and nothing that only names it.
    let of = |tenant: &str| DeadLetterScope::Tenant(TenantScope::new(tenant).unwrap());
    let own: Vec<_> =
        list_of(&of("acme")).iter().map(|l| (l.src.clone().unwrap(), l.tenant_shown().unwrap())).collect();
    assert_eq!(own, [("t/0/7".to_owned(), "acme".to_owned())]);
    assert_eq!(stats(&of("acme")), [(1, "acme".to_owned())]);
    assert!(list_of(&of("globex")).is_empty() && stats(&of("globex")).is_empty());
    let shown = |scope, src| show_dead_letter(&cut, &scope, src, &limits).unwrap().is_some();
    let found = [shown(of("acme"), "t/0/7"), shown(of("globex"), "t/0/7"), shown(of("acme"), "t/0/1")];
    assert_eq!(found, [true, false, false]);
    world.commit_dead_letters("acme", 1, &letter("'globex'", 9, no_key, &blob("{}")));
    let error = list_dead_letters(&world.cut(), &of("acme"), &DeadLetterFilter::default(), &limits).unwrap_err();
    assert_eq!(error.code(), Some("tenant_mismatch"));
}
