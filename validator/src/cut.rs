//! A dead letter that its topic takes, however large what arrived is: value, key, headers and violations are cut, each with the
//! size and the digest of the whole. Pure.

use bytes::Bytes;
use contracts::dead_letter::{self, CUT_VALUE_BYTES, header};
use contracts::topics::headers;
use platform::broker::{Headers, Message, OutRecord};
use sha2::{Digest, Sha256};

/// What a batch has around one record, with room to spare. Limits of topics are limits of batches.
const FRAME_BYTES: usize = 128;

/// Bytes that are kept of the parts of a record.
struct Room {
    value: usize,
    key: usize,
    headers: usize,
    errors: usize,
    detail: usize,
}

/// Tried in this order, when the whole does not fit. A key is a tenant, headers are short texts: what is cut here is no use of them
/// that we know.
const ROOMS: [Room; 3] = [
    Room { value: CUT_VALUE_BYTES, key: 1 << 10, headers: 64 << 10, errors: 64 << 10, detail: 1 << 10 },
    Room { value: 4 << 10, key: 256, headers: 4 << 10, errors: 4 << 10, detail: 1 << 10 },
    Room { value: 0, key: 64, headers: 256, errors: 0, detail: 128 },
];

/// Headers that say whose a record is and what it stands for: kept before all others.
const KEPT_FIRST: &[&str] =
    &[headers::TENANT_ID, headers::WORKSPACE_ID, headers::RUN_ID, headers::REPLAY_OF, headers::TRACEPARENT];

/// In place of violations for which there is no room.
const NO_ROOM_FOR_ERRORS: &[u8] =
    br#"[{"field":"","code":"more","message":"the violations are not listed: there is no room for them"}]"#;

/// True when a topic that takes batches of this size takes the record.
pub(crate) fn fits(record: &OutRecord, limit: usize) -> bool {
    record.bytes().saturating_add(FRAME_BYTES) <= limit
}

/// The letter, cut as little as it takes to fit; the smallest there is when nothing fits.
pub(crate) fn fit(letter: OutRecord, received: &Message, limit: usize) -> OutRecord {
    if fits(&letter, limit) {
        return letter;
    }
    let mut cuts = ROOMS.iter().map(|room| cut(&letter, received, room));
    cuts.find(|cut| fits(cut, limit)).unwrap_or_else(|| cut(&letter, received, &ROOMS[ROOMS.len() - 1]))
}

fn cut(letter: &OutRecord, received: &Message, room: &Room) -> OutRecord {
    let mut out = Headers::new();
    let kept = kept_headers(&letter.headers, room.headers);
    for ((name, value), is_kept) in letter.headers.iter().zip(&kept) {
        match name {
            header::ERRORS if value.len() > room.errors => out.push(name, NO_ROOM_FOR_ERRORS),
            header::ERROR_DETAIL | header::CONNECT_MESSAGE => {
                let text = std::str::from_utf8(value).unwrap_or_default();
                out.push(name, dead_letter::cut_text(text, room.detail).as_bytes());
            }
            _ if *is_kept => out.push(name, value),
            _ => {}
        }
    }
    let mut mark = |[bytes, sha256]: [&str; 2], whole: &[u8]| {
        if out.get(bytes).is_none() {
            out.push(bytes, whole.len().to_string().as_bytes());
            out.push(sha256, hex::encode(Sha256::digest(whole)).as_bytes());
        }
    };
    if kept.contains(&false) {
        mark([header::HEADERS_BYTES, header::HEADERS_SHA256], received.headers.packed());
    }
    let first = |bytes: &Bytes, room: usize| bytes.slice(..bytes.len().min(room));
    if let Some(key) = received.key.as_ref().filter(|key| key.len() > room.key) {
        mark([header::KEY_BYTES, header::KEY_SHA256], key);
    }
    if let Some(value) = received.value.as_bytes().filter(|value| value.len() > room.value) {
        mark([header::VALUE_BYTES, header::VALUE_SHA256], value);
    }
    OutRecord {
        key: letter.key.as_ref().map(|key| first(key, room.key)),
        value: letter.value.as_bytes().map(|value| first(value, room.value)).into(),
        headers: out,
        ..letter.clone()
    }
}

/// Which headers are kept: the envelope, then those that say whose the record is, then others in their order, while there is room.
fn kept_headers(all: &Headers, room: usize) -> Vec<bool> {
    let all: Vec<(&str, usize)> = all.iter().map(|(name, value)| (name, name.len() + value.len())).collect();
    let mut kept: Vec<bool> = all.iter().map(|(name, _)| dead_letter::is_envelope_header(name)).collect();
    let mut left = room;
    let mut keep = |index: usize| {
        if !kept[index] && all[index].1 <= left {
            left -= all[index].1;
            kept[index] = true;
        }
    };
    // Of a name that repeats the last one counts.
    let is_first = |index: &usize| KEPT_FIRST.contains(&all[*index].0);
    (0..all.len()).rev().filter(is_first).for_each(&mut keep);
    (0..all.len()).for_each(keep);
    kept
}

#[cfg(test)]
mod tests {
    use platform::broker::TopicPartition;

    use super::*;

    const VALUE: usize = 100_000;

    fn received(key: usize, value: usize, header: usize) -> Message {
        let mut headers = Headers::from_iter([("tenant_id", b"globex".to_vec()), ("big", vec![b'h'; header])]);
        headers.push("tenant_id", b"acme");
        Message {
            at: TopicPartition { topic: "wire".into(), partition: 0 },
            offset: 7,
            timestamp_ms: 0,
            key: Some(vec![b'k'; key].into()),
            value: vec![b'v'; value].into(),
            headers,
        }
    }

    /// As the validator makes it, with much to say.
    fn letter(of: &Message) -> OutRecord {
        let mut headers = of.headers.clone();
        headers.extend([(header::ERROR_CODE, "bad_json"), (header::SRC, "id/0/7")]);
        headers.extend([(header::ERRORS, "e".repeat(3_000)), (header::ERROR_DETAIL, "é".repeat(400))]);
        OutRecord {
            topic: "dead".into(),
            partition: Some(0),
            key: of.key.clone(),
            value: of.value.clone(),
            headers,
            timestamp_ms: None,
        }
    }

    fn text<'r>(record: &'r OutRecord, name: &str) -> Option<&'r str> {
        record.headers.get(name).map(|value| std::str::from_utf8(value).unwrap())
    }

    #[test]
    fn what_fits_is_kept_whole() {
        let message = received(10, VALUE, 10);
        let whole = letter(&message);
        let limit = whole.bytes() + FRAME_BYTES;
        assert_eq!(fit(whole.clone(), &message, limit), whole);
        assert_ne!(fit(whole.clone(), &message, limit - 1), whole);
    }

    #[test]
    fn every_part_is_cut_as_little_as_it_takes_and_says_what_it_was() {
        // Key, value and header as received; limit; what is kept of them.
        let check = |sizes: (usize, usize, usize), limit: usize, expected: (usize, usize, Option<usize>)| {
            let message = received(sizes.0, sizes.1, sizes.2);
            let cut = fit(letter(&message), &message, limit);
            let case = format!("{sizes:?} in {limit}");
            assert!(fits(&cut, limit), "{case}: {}", cut.bytes());
            let found = (cut.key.as_ref().unwrap().len(), cut.value.len(), cut.headers.get("big").map(<[u8]>::len));
            assert_eq!(found, expected, "{case}");
            assert_eq!(text(&cut, "tenant_id"), Some("acme"), "{case}: the last one counts");
            assert_eq!(text(&cut, header::ERROR_CODE), Some("bad_json"), "{case}");
            let whole = [
                (header::KEY_BYTES, header::KEY_SHA256, &message.key.as_ref().unwrap()[..], found.0),
                (header::VALUE_BYTES, header::VALUE_SHA256, &message.value[..], found.1),
            ];
            for (bytes, sha256, whole, kept) in whole {
                let said = (kept < whole.len()).then(|| (whole.len().to_string(), hex::encode(Sha256::digest(whole))));
                let said = said.as_ref().map(|(bytes, sha256)| (bytes.as_str(), sha256.as_str()));
                assert_eq!(text(&cut, bytes).zip(text(&cut, sha256)), said, "{case}: {bytes}");
            }
            let digest = hex::encode(Sha256::digest(message.headers.packed()));
            let said = found.2.is_none().then_some(digest.as_str());
            assert_eq!(text(&cut, header::HEADERS_SHA256), said, "{case}");
            assert!(std::str::from_utf8(cut.headers.get(header::ERROR_DETAIL).unwrap()).is_ok());
        };
        let large = 10 << 20;
        check((10, 10, large), large, (10, 10, None));
        check((large, 10, 10), large, (1 << 10, 10, Some(10)));
        check((10, large, 10), large, (10, CUT_VALUE_BYTES, Some(10)));
        check((large, large, large), large, (1 << 10, CUT_VALUE_BYTES, None));
        check((10, 10, 60_000), 20_000, (10, 10, None));
        check((1_000, VALUE, 1_000), 20_000, (256, 4 << 10, Some(1_000)));
        check((1_000, VALUE, 1_000), 2_048, (64, 0, None));
    }

    #[test]
    fn nothing_smaller_than_the_smallest_is_made() {
        let message = received(10, VALUE, 10);
        let smallest = fit(letter(&message), &message, 0);
        assert!((smallest.value.len(), smallest.bytes() < 2_000) == (0, true), "{}", smallest.bytes());
        assert_eq!(text(&smallest, header::ERRORS), std::str::from_utf8(NO_ROOM_FOR_ERRORS).ok());
        let null = Message { value: None::<Bytes>.into(), ..message };
        assert!(fit(letter(&null), &null, 0).value.is_null());
    }
}
