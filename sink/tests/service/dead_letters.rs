//! Dead letters as a sink writes them.

use operations::resend::{letters, redrive};

use super::*;

/// One such value, and no engine that counts microseconds answers a query over the dataset any more.
#[test]
fn every_time_of_a_dead_letter_is_one_that_readers_hold() {
    let extremes = [i64::MIN, -9_300_000_000_000_000, -1, 0, 9_300_000_000_000_000, i64::MAX];
    let world = World::new();
    let forged = |src: u64, ms: i64| {
        let mut record = dead(src, b"{", &[]);
        record.headers.retain(|name| !["dlq.first_seen", "dlq.src.timestamp"].contains(&name));
        record.headers.extend([("dlq.first_seen", ms.to_string()), ("dlq.src.timestamp", ms.to_string())]);
        OutRecord { timestamp_ms: Some(ms), ..record }
    };
    // And those that are none, so that the sink makes the envelope itself.
    let bare = |ms: i64| OutRecord { headers: Headers::new(), ..forged(0, ms) };
    let records: Vec<_> = extremes.iter().zip(0..).map(|(ms, src)| forged(src, *ms)).collect();
    world.append(&records);
    world.append(&extremes.map(bare));
    assert_eq!(world.drain().unwrap().dead_letter_rows, 2 * extremes.len() as u64);
    let mut seen = 0;
    for batch in world.rows(layout::DEAD_LETTERS) {
        for name in ["src_ts", "first_seen_ts"] {
            for ms in batch.column_by_name(name).unwrap().as_primitive::<TimestampMillisecondType>().values() {
                assert!(ms.checked_mul(1_000).is_some(), "{name}: {ms}");
                assert!((-62_135_596_800_000..=253_402_300_799_999).contains(ms), "{name}: {ms}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 4 * extremes.len());
    for entry in world.store.list(layout::DEAD_LETTERS).unwrap() {
        let day = entry.path.split("run_date=").nth(1).and_then(|rest| rest.split('/').next()).unwrap().to_owned();
        assert_eq!(contracts::time::date(&day).map(contracts::time::format_date), Ok(day));
    }
}

#[test]
fn dead_letters_keep_bytes_and_headers() {
    let world = World::new();
    let more: [(&str, &[u8]); 5] = [
        (headers::TENANT_ID, b"acme"),
        (headers::WORKSPACE_ID, b"prod"),
        (headers::RUN_ID, b"run-1"),
        ("x", b"first"),
        ("x", b"last"),
    ];
    world.append(&[dead(1, b"{\xff\x00", &more), dead(2, b"", &[(headers::TENANT_ID, b"../x")])]);
    let done = world.drain().unwrap();
    assert_eq!((done.dead_letter_rows, done.files), (2, 2));
    let rows = world.rows(layout::DEAD_LETTERS);
    assert_eq!(rows[0].schema().fields(), dead_letter::arrow_schema().fields());
    let known = rows.iter().find(|b| b.column_by_name("tenant_id").unwrap().is_valid(0)).unwrap();
    assert_eq!(known.column_by_name("value").unwrap().as_binary::<i32>().value(0), b"{\xff\x00");
    let map = known.column_by_name("headers").unwrap().as_map().value(0);
    let names: Vec<_> = map.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect();
    assert_eq!(names, ["tenant_id", "workspace_id", "run_id", "x"]);
    assert_eq!(map.column(1).as_binary::<i32>().value(3), b"last");
    let paths: Vec<_> = world.store.list(layout::DEAD_LETTERS).unwrap().into_iter().map(|e| e.path).collect();
    assert!(paths.iter().any(|p| p.contains("tenant_id=_unknown/run_date=2026-01-20")), "{paths:?}");
}

/// Whatever the record says: it stands for none of another partition, and for none behind it.
#[test]
fn what_a_record_claims_to_stand_for_counts_for_its_run_only_in_its_partition() {
    for (claim, counted) in [("wire-id/0/2", 2), ("wire-id/1/2", 5), ("wire-id/0/9", 5), ("other/0/2", 5)] {
        let world = World::new();
        let mut record = valid("acme", "2026-01-20", 5);
        record.headers.push(headers::REPLAY_OF, claim.as_bytes());
        world.append(&[record]);
        world.drain().unwrap();
        let path = world.store.list(layout::CHAIN).unwrap().remove(0).path;
        let link: CommitRecord = serde_json::from_slice(&world.store.get(&path).unwrap().unwrap()).unwrap();
        let [firsts] = &link.runs.values().collect::<Vec<_>>()[..] else { panic!("{:?}", link.runs) };
        let firsts: Vec<(String, u64)> =
            firsts.iter().map(|(partition, offsets)| (partition.to_string(), offsets.max().unwrap())).collect();
        assert_eq!(firsts, [("wire-id/0".to_owned(), counted)], "{claim}");
    }
}

#[test]
fn a_tombstone_is_stored_as_null_and_an_empty_value_as_empty() {
    let world = World::new();
    let null = OutRecord { value: platform::broker::RecordValue::NULL, ..dead(1, b"", &[]) };
    // A bridge that has no nulls keeps the header.
    let known = dead(3, b"", &[(dead_letter::header::VALUE_NULL, b"true")]);
    world.append(&[null, dead(2, b"", &[]), known]);
    world.drain().unwrap();
    let rows = world.rows(layout::DEAD_LETTERS).remove(0);
    let value = rows.column_by_name("value").unwrap();
    let bytes = rows.column_by_name("value_bytes").unwrap();
    let kept: Vec<_> = (0..3)
        .map(|row| (value.is_valid(row).then(|| value.as_binary::<i32>().value(row)), bytes.is_valid(row)))
        .collect();
    assert_eq!(kept, [(None, false), (Some(&b""[..]), true), (None, false)]);
}

#[test]
fn what_is_no_storage_record_is_kept_apart() {
    let world = World::new();
    let day = "2026-01-20";
    let change = |n: u64, change: fn(&mut OutRecord)| {
        let mut record = valid("acme", day, n);
        change(&mut record);
        record
    };
    world.append(&[
        valid("acme", day, 1),
        change(2, |r| r.headers = Headers::new()),
        change(3, |r| r.value = b"\0\0\0\0\x01garbage"[..].into()),
        change(4, |r| r.value = r.value[..r.value.len() - 3].to_vec().into()),
        change(5, |r| r.headers.push(headers::TENANT_ID, b"globex")),
        change(6, |r| r.headers.push(headers::RUN_DATE, b"2026-01-22")),
        change(7, |r| r.headers.push(headers::RUN_DATE, b"2026-1-22")),
        change(8, |r| r.value = [&r.value[..], b"more"].concat().into()),
        valid("acme", day, 9),
    ]);
    let done = world.drain().unwrap();
    assert_eq!((done.findings_rows, done.dead_letter_rows), (2, 7));
    let mut details = Vec::new();
    for batch in world.rows(layout::DEAD_LETTERS) {
        let text = |name: &str, row| batch.column_by_name(name).unwrap().as_string::<i32>().value(row).to_owned();
        assert!((0..batch.num_rows()).all(|row| text("error_code", row) == "not_a_storage_record"));
        details.extend((0..batch.num_rows()).map(|row| format!("{}: {}", text("src", row), text("error_detail", row))));
    }
    let topic_id = world.broker.topics().unwrap().into_iter().find(|t| &*t.name == topics::VALID).unwrap().id;
    let details = details.join("\n").replace(&*topic_id, "valid-id");
    insta::assert_snapshot!(details);
}

#[test]
fn a_letter_whose_key_or_headers_were_cut_says_so_and_is_not_redriven() {
    let world = World::new();
    let wire = TopicSpec {
        name: topics::WIRE.into(),
        partitions: 1,
        compacted: false,
        retention_ms: None,
        retention_bytes: None,
    };
    world.broker.ensure_topic(&wire).unwrap();
    let (key, headers) = (dead_letter::header::KEY_BYTES, dead_letter::header::HEADERS_BYTES);
    world.append(&[dead(0, b"{", &[]), dead(1, b"{", &[(key, b"5000")]), dead(2, b"{", &[(headers, b"70000")])]);
    world.drain().unwrap();
    let request = redrive::RedriveRequest {
        filter: letters::Filter::default(),
        patch: None,
        rate: None,
        max: None,
        replays_max: 5,
        by: "a test".to_owned(),
    };
    let report = redrive::plan(&request, &world.broker, &world.store).unwrap();
    let details: Vec<(&str, u64)> = report.refusals.iter().map(|r| (r.detail.as_str(), r.src.offset)).collect();
    assert_eq!(report.sent, 1);
    assert_eq!(
        details,
        [
            ("only the first bytes of its key were kept, of 5000 bytes: its source must send it", 1),
            ("some of its headers were left out, of 70000 bytes: its source must send it", 2),
        ]
    );
}
