//! A dead letter for people: why it was refused, where it came from, what it holds.

use exporter::{DeadLetterDetail, Payload};
use serde_json::Value;

use crate::output::{Page, Rows};

/// Bytes of a value that are shown: a screen or two. `--output json` has all.
const SHOWN_BYTES_MAX: usize = 8 << 10;

/// The page; `next` is a command that sends the record again.
pub fn page(letter: &DeadLetterDetail, next: &str, width: Option<usize>) -> String {
    let row = &letter.row;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let mut page = Page::new(width);
    let field = row.error_field.as_deref().filter(|field| !field.is_empty()).unwrap_or("the message");
    page.text(&format!("Refused: {} at {field}: {}", text(&row.error_code), text(&row.error_detail)));
    if letter.errors.as_array().is_some_and(|all| !all.is_empty()) {
        page.heading("Violations");
        page.rows(&violations(&letter.errors));
    }
    page.heading("Record");
    page.field("source", &text(&row.src));
    page.field("topic", &text(&row.src_topic));
    page.field("received", &text(&row.src_ts));
    page.field("first refused", &text(&row.first_seen_ts));
    page.field("tenant", &row.tenant_shown().unwrap_or_else(|| "it names none".to_owned()));
    page.field("workspace", &text(&row.workspace_id));
    page.field("run", &text(&row.run_id));
    page.field(
        "sent again",
        &row.replays.filter(|times| *times > 0).map(|n| format!("{n} time(s)")).unwrap_or_default(),
    );
    page.field("first source", &text(&row.replay_of));
    page.field("contract", &text(&letter.contract_version));
    page.field("validator", &text(&letter.validator_version));
    if !letter.headers.is_empty() || letter.key.is_some() {
        page.heading("Key and headers");
        page.field("key", &letter.key.as_ref().map(one_line).unwrap_or_default());
        for (name, value) in &letter.headers {
            page.field(name, &value.as_ref().map(one_line).unwrap_or_default());
        }
    }
    value(&mut page, letter);
    page.heading("Next");
    page.block(next);
    page.finish()
}

fn violations(errors: &Value) -> Rows {
    let mut rows = Rows::new(&["field", "code", "message"]);
    for error in errors.as_array().into_iter().flatten() {
        rows.push(["field", "code", "message"].map(|member| error[member].clone()).to_vec());
    }
    rows
}

fn value(page: &mut Page, letter: &DeadLetterDetail) {
    let bytes = letter.row.value_bytes.unwrap_or_default();
    let Some(Payload(kept)) = &letter.value else {
        page.heading("Value: none (a tombstone)");
        return;
    };
    page.heading(&format!("Value: {bytes} bytes"));
    let text = match std::str::from_utf8(kept) {
        // Laid out for reading; how it was spelt is in `--output json`.
        Ok(text) => serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value: Value| format!("{value:#}")),
        Err(_) => hex(kept),
    };
    let shown = text.floor_char_boundary(SHOWN_BYTES_MAX);
    page.block(&text[..shown]);
    if shown < text.len() {
        page.text(&format!("… cut here: {} of {} characters are shown, --output json has all", shown, text.len()));
    } else if (kept.len() as u64) < bytes {
        page.text(&format!("… only the first {} of {bytes} bytes were kept: the record was too large", kept.len()));
    }
}

fn one_line(Payload(bytes): &Payload) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| hex(bytes), str::to_owned)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().take(SHOWN_BYTES_MAX / 2).fold("hex:".to_owned(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use exporter::DeadLetterRow;
    use serde_json::json;

    use super::*;

    fn letter(value: Option<&[u8]>) -> DeadLetterDetail {
        DeadLetterDetail {
            row: DeadLetterRow {
                src: Some("0b0e7a4c-1111-4222-8333-444455556666/0/17".into()),
                src_topic: Some("finops.findings.wire".into()),
                src_ts: Some("2026-01-20T10:00:00.000Z".into()),
                tenant_id: None,
                tenant_unverified: Some("acme".into()),
                workspace_id: None,
                run_id: Some("run-1".into()),
                error_code: Some("required".into()),
                error_field: Some("scope.cloud".into()),
                error_detail: Some("must not be blank".into()),
                first_seen_ts: Some("2026-01-20T10:00:01.500Z".into()),
                replays: Some(0),
                replay_of: None,
                value_bytes: value.map(|bytes| bytes.len() as u64),
                value_is_null: value.is_none(),
            },
            errors: json!([
                { "field": "scope.cloud", "code": "required", "message": "must not be blank" },
                { "field": "status", "code": "enum", "message": "\u{1b}[31mis none of pass, fail, info, unknown" },
            ]),
            contract_version: Some("1".into()),
            validator_version: Some("0.1.0".into()),
            headers: vec![("run_id".into(), Some(Payload(b"run-1".to_vec()))), ("x".into(), Some(Payload(vec![0xff])))],
            key: Some(Payload(b"acme".to_vec())),
            value: value.map(|bytes| Payload(bytes.to_vec())),
            value_sha256: None,
        }
    }

    #[test]
    fn a_dead_letter_fills_a_page() {
        let page =
            page(&letter(Some(br#"{"title":"\u001b[31m","status":"x"}"#)), "finops dlq redrive --src S", Some(80));
        assert!(!page.contains('\u{1b}'), "{page}");
        insta::assert_snapshot!("dead_letter_80", page);
    }

    #[test]
    fn bytes_and_no_value_are_distinguished() {
        let of = |value| page(&letter(value), "", Some(80));
        assert!(of(Some(b"\xff\xfe")).contains("hex:fffe"));
        assert!(of(Some(b"")).contains("Value: 0 bytes"));
        assert!(of(None).contains("tombstone"));
        let long = of(Some("x".repeat(20_000).as_bytes()));
        assert!(long.contains("cut here: 8192 of 20000"), "{}", &long[long.len() - 200..]);
    }
}
