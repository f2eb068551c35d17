//! What becomes of one wire record, over the real embedded log: where it goes, and what travels with it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use contracts::dead_letter::{CONTRACT_VERSION, CUT_VALUE_BYTES, DeadLetter};
use contracts::identity::SaltMode;
use contracts::judge::{Policy, judge};
use contracts::topics;
use platform::broker::RecordValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use validator::ProducerPolicies;

use support::{NOW_MS, World, draft, draft_with, header, own};

fn letter(message: &platform::broker::Message) -> DeadLetter {
    DeadLetter::from_headers(|name| message.header(name)).unwrap()
}

#[test]
fn a_valid_record_is_the_avro_of_its_row_with_all_headers() {
    let world = World::new();
    let wire = draft().to_string();
    let trace: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    world.send(topics::WIRE, wire.clone(), &[("traceparent", trace), ("other", b"is not passed on")]);
    let out = world.one(own(), topics::VALID);

    let finding = judge(wire.as_bytes(), &Policy::default(), NOW_MS).unwrap();
    let row = finding.cast_for_storage().unwrap();
    assert_eq!(out.value, row.encode());
    assert_eq!(out.key.as_deref(), Some(finding.tenant_id().as_bytes()));
    assert_eq!(out.timestamp_ms, 1_768_903_000_000, "the time of the wire record");
    assert_eq!(out.at.partition, platform::broker::partition_for_key(finding.tenant_id().as_bytes(), 2));

    let topic_id = world.topic(topics::WIRE).id;
    let run = format!("{}/{}/{}", finding.tenant_id(), finding.workspace_id(), finding.run_id());
    let mut names: Vec<_> = out.headers.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["run", "run_date", "run_id", "src", "tenant_id", "traceparent", "workspace_id"]);
    assert_eq!(header(&out, "src"), format!("{topic_id}/1/0"));
    assert_eq!(header(&out, "tenant_id"), finding.tenant_id());
    assert_eq!(header(&out, "workspace_id"), finding.workspace_id());
    assert_eq!(header(&out, "run_id"), finding.run_id());
    assert_eq!(header(&out, "run_date"), finding.run_date());
    assert_eq!(header(&out, "run"), run);
    assert_eq!(header(&out, "traceparent").as_bytes(), trace);
}

#[test]
fn a_dead_letter_is_the_record_as_received_with_the_reasons_in_its_headers() {
    let world = World::new();
    let mut wire = draft();
    wire["status"] = json!("no such status, and a secret");
    wire["tenant_id"] = json!("");
    let bytes = format!(" {wire}\n");
    let theirs: &[(&str, &[u8])] =
        &[("theirs", b"\xff\x00"), ("tenant_id", b"acme"), ("dlq.error.code", b"forged"), ("src", b"forged/0/0")];
    world.send(topics::WIRE, bytes.clone(), theirs);
    let out = world.one(own(), topics::DEAD_LETTERS);

    assert_eq!(out.value, bytes.as_bytes(), "bytes as received");
    assert_eq!(out.key.as_deref(), Some(&b"some key"[..]));
    assert_eq!((out.at.partition, out.timestamp_ms), (1, 1_768_903_000_000));
    assert_eq!(out.header("theirs"), Some(&b"\xff\x00"[..]), "headers as received");
    assert_eq!(header(&out, "tenant_id"), "acme");
    let forged = out.headers.iter().filter(|(_, value)| value.starts_with(b"forged")).count();
    assert_eq!(forged, 0, "an envelope that came with the record is not passed on");

    let src = format!("{}/1/0", world.topic(topics::WIRE).id);
    assert_eq!(header(&out, "src"), src);
    let letter = letter(&out);
    assert_eq!(letter.src.to_string(), src);
    assert_eq!((letter.code.as_str(), letter.field.as_str()), ("enum", "status"));
    assert_eq!(letter.detail, "must be one of pass, fail, info, unknown");
    assert_eq!((letter.src_topic.as_str(), letter.src_timestamp_ms), (topics::WIRE, 1_768_903_000_000));
    assert_eq!((letter.contract_version.as_str(), letter.validator_version.as_str()), (CONTRACT_VERSION, "0.1.0"));
    assert_eq!((letter.first_seen_ms, letter.replays, letter.cut, letter.replay_of), (NOW_MS, 0, None, None));
    let errors: Value = serde_json::from_str(&letter.errors).unwrap();
    let found: Vec<_> = errors.as_array().unwrap().iter().map(|e| (e["field"].as_str(), e["code"].as_str())).collect();
    assert_eq!(found, [(Some("status"), Some("enum")), (Some("tenant_id"), Some("required"))]);
    assert_eq!(header(&out, "__connect.errors.topic"), topics::WIRE);
    assert_eq!(header(&out, "__connect.errors.partition"), "1");
    assert_eq!(header(&out, "__connect.errors.offset"), "0");
    assert_eq!(
        header(&out, "__connect.errors.exception.message"),
        "enum at status: must be one of pass, fail, info, unknown"
    );
    let reported = out.headers.iter().any(|(_, value)| String::from_utf8_lossy(value).contains("secret"));
    assert!(!reported, "no header holds a payload value");
}

#[test]
fn what_is_no_message_is_a_dead_letter() {
    let cases: [(&[u8], &str); 6] = [
        (b"", "bad_json"),
        (b"\xff\xfe{", "bad_json"),
        (b"\0\0\0\0\x01", "bad_json"),
        (b"\0\0", "bad_json"),
        (b"[]", "bad_json"),
        (b"{\"tenant_id\":\"\\ud800\"}", "bad_json"),
    ];
    let world = World::new();
    for (value, _) in cases {
        world.send(topics::WIRE, value.to_vec(), &[]);
    }
    let done = world.drain(own());
    assert_eq!((done.read, done.valid, done.dead), (6, 0, 6));
    assert_eq!(done.dead_by_code, [("bad_json".to_owned(), 6)].into());
    for (out, (value, code)) in world.records(topics::DEAD_LETTERS).iter().zip(cases) {
        assert_eq!((&out.value[..], letter(out).code.as_str()), (value, code));
    }
}

#[test]
fn a_confluent_frame_is_taken_off_and_its_schema_id_not_trusted() {
    let world = World::new();
    let framed = [b"\0\xff\xff\xff\xff".as_slice(), draft().to_string().as_bytes()].concat();
    world.send(topics::WIRE, framed, &[("__value_schema_id", b"nonsense")]);
    let _ = world.one(own(), topics::VALID);
}

#[test]
fn a_record_over_the_limit_is_cut_and_its_digest_kept() {
    let limit = 100_000;
    for (length, topic) in [(limit, topics::VALID), (limit + 1, topics::DEAD_LETTERS)] {
        let world = World::new();
        let mut wire = draft().to_string();
        wire.push_str(&" ".repeat(length - wire.len()));
        world.send(topics::WIRE, wire.clone(), &[]);
        let out = world.one(own().with_message_bytes_max(limit), topic);
        if topic == topics::DEAD_LETTERS {
            let letter = letter(&out);
            let cut = letter.cut.unwrap();
            assert_eq!((letter.code.as_str(), letter.field.as_str()), ("too_large", ""));
            assert_eq!((cut.bytes, cut.sha256), (length as u64, hex::encode(Sha256::digest(&wire))));
            assert_eq!(out.value, wire.as_bytes()[..CUT_VALUE_BYTES]);
        }
    }
}

#[test]
fn a_producer_speaks_only_for_its_tenants_and_checks_and_sends_drafts_only() {
    let policy = "[[producer]]\ntopic = \"finops.findings.wire.x\"\ntenants = [\"acme\"]\ncheck_prefixes = [\"aws.\"]";
    let mut theirs = draft();
    theirs["tenant_id"] = json!("ACME ");
    let record = std::str::from_utf8(include_bytes!("../../schemas/examples/valid/aws_rds_record.json")).unwrap();
    let mut record: Value = serde_json::from_str(record).unwrap();
    record["tenant_id"] = json!("acme");
    let with = |key: &str, value: &str| {
        let mut wire = theirs.clone();
        wire[key] = json!(value);
        wire
    };
    for (topic, wire, verdict) in [
        ("finops.findings.wire.x", theirs.clone(), None),
        ("finops.findings.wire.x", with("tenant_id", "other"), Some(("tenant_forbidden", "tenant_id"))),
        ("finops.findings.wire.x", with("check_id", "gcp.a.b"), Some(("tenant_forbidden", "check_id"))),
        ("finops.findings.wire.x", record.clone(), Some(("record_forbidden", "finding_id"))),
        ("finops.findings.wire.stranger", theirs.clone(), Some(("tenant_forbidden", "tenant_id"))),
        (topics::WIRE, record, None),
    ] {
        let world = World::new();
        world.topic(topic);
        world.send(topic, wire.to_string(), &[]);
        let policies = ProducerPolicies::parse(policy, SaltMode::Stable).unwrap();
        let out = world.one(policies, if verdict.is_some() { topics::DEAD_LETTERS } else { topics::VALID });
        if let Some(verdict) = verdict {
            let letter = letter(&out);
            assert_eq!((letter.code.as_str(), letter.field.as_str()), verdict, "{topic}");
            assert_eq!(letter.src_topic, topic);
        }
    }
}

#[test]
fn the_finding_id_mode_is_a_header_and_must_be_one() {
    let value_with = |mode: &[u8]| {
        let world = World::new();
        world.send(topics::WIRE, draft().to_string(), &[("finding_id_mode", mode)]);
        world.one(own(), topics::VALID).value
    };
    assert_eq!(value_with(b"stable"), value_with(b"stable"));
    assert_ne!(value_with(b"stable"), value_with(b"per_run"));
    assert_ne!(value_with(b"per_day"), value_with(b"per_run"));
    for mode in [&b"hourly"[..], b"", b"\xff"] {
        let world = World::new();
        world.send(topics::WIRE, draft().to_string(), &[("finding_id_mode", mode)]);
        let letter = letter(&world.one(own(), topics::DEAD_LETTERS));
        assert_eq!((letter.code.as_str(), letter.field.as_str()), ("enum", "headers[finding_id_mode]"));
    }
}

#[test]
fn the_first_source_of_a_record_sent_again_is_kept() {
    let envelope: [(&str, &[u8]); 3] = [("dlq.first_seen", b"17"), ("dlq.replays", b"2"), ("dlq.src", b"old/0/1")];
    for is_refused in [false, true] {
        let world = World::new();
        let wire = if is_refused { draft_with("check_id", json!("")) } else { draft().to_string().into_bytes() };
        let first = format!("{}/1/0", world.topic(topics::WIRE).id);
        let again = [&envelope[..], &[("replay.of", first.as_bytes())]].concat();
        world.send(topics::WIRE, wire.clone(), &[]);
        world.send(topics::WIRE, wire, &again);
        let _ = world.drain(own());
        let out = world.records(if is_refused { topics::DEAD_LETTERS } else { topics::VALID }).pop().unwrap();
        assert_eq!(header(&out, "replay.of"), first);
        if is_refused {
            let letter = letter(&out);
            assert_eq!(letter.replay_of, Some(first.parse().unwrap()));
            assert_eq!((letter.first_seen_ms, letter.replays), (17, 2));
            assert_eq!(letter.src.to_string(), format!("{}/1/1", world.topic(topics::WIRE).id), "a new source");
        } else {
            assert!(out.headers.iter().all(|(name, _)| !name.starts_with("dlq.")));
        }
    }
}

/// Only a redriven record brings the history of a dead letter, and no time is one that a data file cannot hold.
#[test]
fn an_envelope_from_outside_counts_for_nothing() {
    let check = |first: &str, first_seen: &str, expected: (i64, u32)| {
        let world = World::new();
        let first = first.replace("ID", &world.topic(topics::WIRE).id);
        let headers: [(&str, &[u8]); 3] =
            [("replay.of", first.as_bytes()), ("dlq.first_seen", first_seen.as_bytes()), ("dlq.replays", b"9")];
        world.send(topics::WIRE, "{", &[]);
        world.send(topics::WIRE, "{", if first.is_empty() { &headers[1..] } else { &headers });
        let _ = world.drain(own());
        let letter = letter(&world.records(topics::DEAD_LETTERS).pop().unwrap());
        assert_eq!((letter.first_seen_ms, letter.replays), expected, "{first} {first_seen}");
    };
    check("ID/1/0", "17", (17, 9));
    for first in ["", "ID/0/0", "ID/1/1", "ID/1/7", "other/1/0"] {
        check(first, "17", (NOW_MS, 0));
    }
    let later = (NOW_MS + 1).to_string();
    for never in ["9300000000000000", "-9300000000000000", "9223372036854775808", "0", "x", &later] {
        check("ID/1/0", never, (NOW_MS, 9));
    }
}

#[test]
fn extreme_times_of_records_are_clamped_to_what_files_hold() {
    for (ms, expected) in
        [(i64::MAX, 253_402_300_799_999), (9_300_000_000_000_000, 253_402_300_799_999), (i64::MIN, -62_135_596_800_000)]
    {
        let world = World::new();
        world.send_at(ms, "{");
        assert_eq!(letter(&world.one(own(), topics::DEAD_LETTERS)).src_timestamp_ms, expected);
    }
}

/// Else a broker that refuses such times stops all validators for good, and dead letters lie under the year 9999.
#[test]
fn what_is_made_of_a_record_has_the_time_of_its_arrival() {
    let check = |value: &str, topic: &str| {
        let day = 86_400_000;
        for (ms, expected) in [
            (NOW_MS - day, NOW_MS - day),
            (1, 1),
            (NOW_MS + day, NOW_MS),
            (i64::MAX, NOW_MS),
            (0, NOW_MS),
            (-1, NOW_MS),
            (i64::MIN, NOW_MS),
        ] {
            let world = World::new();
            world.send_at(ms, value.to_owned());
            assert_eq!(world.one(own(), topic).timestamp_ms, expected, "{topic} {ms}");
        }
    };
    check("{", topics::DEAD_LETTERS);
    let old = draft_with("run_ts", json!("1970-01-01T00:00:00Z"));
    check(std::str::from_utf8(&old).unwrap(), topics::VALID);
}

/// Every header that says whose a record is, from a producer of one tenant: none of them lets it speak for another one.
#[test]
fn headers_do_not_cross_the_boundary_of_a_bound_topic() {
    const EVIL: &str = "finops.findings.wire.evil";
    const STRANGER: &str = "finops.findings.wire.stranger";
    let policy = format!("[[producer]]\ntopic = \"{EVIL}\"\ntenants = [\"evil\"]");
    let judged = |topic: &str, wire: &[u8], headers: &[(&str, &[u8])], to: &str| {
        let world = World::new();
        world.topic(topic);
        world.send(topic, wire.to_vec(), headers);
        world.one(ProducerPolicies::parse(&policy, SaltMode::Stable).unwrap(), to)
    };
    let text = |message: &platform::broker::Message, name: &str| {
        message.header(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    let tenants: [Option<&[u8]>; 6] = [None, Some(b"acme"), Some(b"evil"), Some(b""), Some(b"\xff"), Some(b"EVIL")];
    let workspaces: [Option<&[u8]>; 3] = [None, Some(b"prod"), Some(b"\xff")];
    let own = draft_with("tenant_id", json!("evil"));
    let finding = judge(&own, &Policy::default(), NOW_MS).unwrap();
    let of_finding = format!("evil/{}/{}", finding.workspace_id(), finding.run_id());
    for (tenant, workspace) in tenants.iter().flat_map(|tenant| workspaces.map(|workspace| (*tenant, workspace))) {
        let mut headers: Vec<(&str, &[u8])> =
            vec![("run_id", b"run-of-acme"), ("run", b"acme/prod/run-of-acme"), ("run_date", b"2026-01-01")];
        headers.extend(tenant.map(|tenant| ("tenant_id", tenant)));
        headers.extend(workspace.map(|workspace| ("workspace_id", workspace)));

        let valid = judged(EVIL, &own, &headers, topics::VALID);
        let is_of_run = tenant == Some(b"evil") && workspace == Some(b"prod");
        let run = if is_of_run { "evil/prod/run-of-acme" } else { &of_finding };
        assert_eq!((header(&valid, "run"), header(&valid, "tenant_id")), (run, "evil"), "{headers:?}");

        for topic in [EVIL, STRANGER] {
            let dead = judged(topic, b"{", &headers, topics::DEAD_LETTERS);
            let is_believed = topic == EVIL && tenant == Some(b"evil");
            // A topic of one tenant says whose its records are.
            let tenant_id = (topic == EVIL).then(|| "evil".to_owned());
            assert_eq!(text(&dead, "tenant_id"), tenant_id, "{topic} {headers:?}");
            let run_id = (is_believed && is_of_run).then(|| "run-of-acme".to_owned());
            assert_eq!(text(&dead, "run_id"), run_id, "{topic} {headers:?}");
            assert_eq!(text(&dead, "workspace_id"), run_id.map(|_| "prod".to_owned()), "{topic} {headers:?}");
            assert_eq!((dead.header("run"), dead.header("run_date")), (None, None), "only validators say so");
            assert_eq!(text(&dead, "refused.run").as_deref(), Some("acme/prod/run-of-acme"), "kept as evidence");
            if !is_believed {
                assert_eq!(dead.header("refused.tenant_id"), tenant, "kept as evidence");
            }
        }
    }
    // The last of a repeated header counts, and the first does not come back through it.
    let twice: &[(&str, &[u8])] = &[("tenant_id", b"evil"), ("tenant_id", b"acme")];
    let dead = judged(EVIL, b"{", twice, topics::DEAD_LETTERS);
    let tenants: Vec<&[u8]> = dead.headers.iter().filter(|(name, _)| *name == "tenant_id").map(|(_, v)| v).collect();
    assert_eq!(tenants, [b"evil"], "as the policy says");
}

#[test]
fn a_topic_of_several_tenants_does_not_say_whose_a_record_is() {
    const BOTH: &str = "finops.findings.wire.both";
    let policy = format!("[[producer]]\ntopic = \"{BOTH}\"\ntenants = [\"evil\", \"mallory\"]");
    for (said, expected) in [("acme", None), ("mallory", Some(&b"mallory"[..]))] {
        let world = World::new();
        world.topic(BOTH);
        world.send(BOTH, "{", &[("tenant_id", said.as_bytes())]);
        let dead = world.one(ProducerPolicies::parse(&policy, SaltMode::Stable).unwrap(), topics::DEAD_LETTERS);
        assert_eq!(dead.header("tenant_id"), expected, "{said}");
    }
}

/// A record goes back where it came from, so it stands for no record of another partition, and for none behind it.
#[test]
fn a_claim_to_stand_for_another_place_is_not_passed_on() {
    for first in ["ID/0/0", "ID/1/1", "ID/1/7", "other/1/0"] {
        for value in [draft().to_string().into_bytes(), b"{".to_vec()] {
            let world = World::new();
            let first = first.replace("ID", &world.topic(topics::WIRE).id);
            world.send(topics::WIRE, draft().to_string(), &[]);
            world.send(topics::WIRE, value.clone(), &[("replay.of", first.as_bytes())]);
            let _ = world.drain(own());
            let is_valid = value != b"{";
            let out = world.records(if is_valid { topics::VALID } else { topics::DEAD_LETTERS }).pop().unwrap();
            assert_eq!(out.header("replay.of"), None, "{first}");
            if !is_valid {
                assert_eq!(header(&out, "refused.replay.of"), first, "kept as evidence");
            }
        }
    }
}

#[test]
fn an_unreadable_replay_header_makes_a_dead_letter_that_can_be_read() {
    for bad in [&b"nowhere"[..], b"", b"\xff/0/1"] {
        let world = World::new();
        world.send(topics::WIRE, draft().to_string(), &[("replay.of", bad)]);
        let letter = letter(&world.one(own(), topics::DEAD_LETTERS));
        assert_eq!((letter.code.as_str(), letter.field.as_str()), ("text", "headers[replay.of]"));
        assert_eq!(letter.replay_of, None);
    }
}

#[test]
fn a_flood_of_violations_is_listed_up_to_a_limit_and_the_rest_counted() {
    let world = World::new();
    world.send(topics::WIRE, draft_with("frameworks", (0..250).map(|_| json!([])).collect()), &[]);
    let letter = letter(&world.one(own(), topics::DEAD_LETTERS));
    let errors: Vec<Value> = serde_json::from_str(&letter.errors).unwrap();
    assert_eq!(errors.len(), 101);
    assert_eq!(errors[100]["message"], "150 more violations are not listed");
}

/// The record's time decides, so that a replay gives the verdict of the first time; one ahead of the validator's clock is not
/// believed, and one that is not set is none.
#[test]
fn a_run_far_ahead_of_the_clock_is_refused() {
    const DAY_MS: i64 = 86_400_000;
    let check = |run_ts_ms: i64, sent_ms: i64, policies: ProducerPolicies, is_refused: bool| {
        let world = World::new();
        let wire = draft_with("run_ts", json!(contracts::time::format_timestamp(run_ts_ms)));
        world.send_at(sent_ms, wire);
        let out = world.one(policies, if is_refused { topics::DEAD_LETTERS } else { topics::VALID });
        if is_refused {
            let letter = letter(&out);
            assert_eq!((letter.code.as_str(), letter.field.as_str()), ("in_future", "run_ts"));
            let why = "must not be later than 20";
            assert!(letter.detail.starts_with(why), "{}", letter.detail);
        }
    };
    check(NOW_MS + DAY_MS, NOW_MS, own(), false);
    check(NOW_MS + DAY_MS + 1, NOW_MS, own(), true);
    check(NOW_MS - 10 * DAY_MS, NOW_MS - 11 * DAY_MS, own(), false);
    check(NOW_MS - 10 * DAY_MS, NOW_MS - 12 * DAY_MS, own(), true);
    check(NOW_MS + 50 * 365 * DAY_MS, NOW_MS + 50 * 365 * DAY_MS, own(), true);
    for unset in [0, -1] {
        check(NOW_MS, unset, own(), false);
    }
    let wide = own().with_run_ts_ahead_max(std::time::Duration::from_secs(3 * 86_400));
    check(NOW_MS + 3 * DAY_MS, NOW_MS, wide.clone(), false);
    check(NOW_MS + 3 * DAY_MS + 1, NOW_MS, wide, true);
}

#[test]
fn a_tombstone_is_distinguished_from_an_empty_value() {
    let world = World::new();
    world.send(topics::WIRE, RecordValue::NULL, &[]);
    world.send(topics::WIRE, Vec::new(), &[]);
    let done = world.drain(own());
    assert_eq!((done.valid, done.dead), (0, 2));
    let dead = world.records(topics::DEAD_LETTERS);
    let reported = |n: usize| {
        let letter = letter(&dead[n]);
        (dead[n].value.is_null(), letter.value_is_null, letter.code, letter.detail)
    };
    let tombstone = "no value (a tombstone): a finding is one JSON object";
    assert_eq!(reported(0), (true, true, "bad_json".to_owned(), tombstone.to_owned()));
    assert_eq!(reported(1), (false, false, "bad_json".to_owned(), "empty message".to_owned()));
}
