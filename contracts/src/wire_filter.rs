//! Which wire records an operator means: by what the record says of itself, and by what its producer's headers say where
//! it cannot be read. Judges nothing.

use serde::{Deserialize, Serialize};

use crate::claims::Claims;
use crate::text::Scalar;
use crate::topics::headers;
use crate::{frame, wire};

/// Tenants, checks and runs. Empty lists ask for nothing; within a list any value matches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireFilter {
    /// Tenants.
    pub tenant_id: Vec<String>,
    /// Checks.
    pub check_id: Vec<String>,
    /// Runs.
    pub run_id: Vec<String>,
}

impl WireFilter {
    /// It asks for nothing, so everything matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The record is meant. One that does not tell its check is of none, and one of a tenant for which its producer may not
    /// speak is of no tenant.
    #[must_use]
    pub fn matches(&self, value: &[u8], claims: &Claims<'_>) -> bool {
        if self.is_empty() {
            return true;
        }
        let message = wire::parse(frame::payload(value)).unwrap_or_default();
        let of_producer = |name: &str| claims.header(name).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let tenant = Scalar::of(message.tenant_id);
        (self.tenant_id.is_empty() || may_be_its_own(claims, &tenant))
            && is_one_of(&self.tenant_id, &tenant, of_producer(headers::TENANT_ID))
            && is_one_of(&self.check_id, &Scalar::of(message.check_id), None)
            // The run that is named beside the record is the one it is counted for.
            && match of_producer(headers::RUN_ID) {
                Some(run) => is_one_of(&self.run_id, &Scalar::Null, Some(run)),
                None => is_one_of(&self.run_id, &Scalar::of(message.run_id), None),
            }
    }
}

fn may_be_its_own(claims: &Claims<'_>, tenant: &Scalar<'_>) -> bool {
    match tenant {
        Scalar::Text(text) => claims.may_be_of(&text.trim().to_ascii_lowercase()),
        Scalar::Number(text) => claims.may_be_of(text),
        _ => true,
    }
}

fn is_one_of(wanted: &[String], said: &Scalar<'_>, otherwise: Option<&str>) -> bool {
    let found = match said {
        Scalar::Text(text) => Some(text.as_ref()),
        Scalar::Number(text) => Some(*text),
        _ => otherwise,
    };
    wanted.is_empty() || found.is_some_and(|found| wanted.iter().any(|w| w.eq_ignore_ascii_case(found.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::OwnProducers;
    use crate::topics;

    #[test]
    fn a_record_is_of_no_tenant_that_its_producer_may_not_speak_for() {
        let acme = br#"{"tenant_id":" Acme ","check_id":"a.b","run_id":"r1"}"#;
        let filter = |tenants: &[&str]| WireFilter {
            tenant_id: tenants.iter().map(|tenant| (*tenant).to_owned()).collect(),
            ..WireFilter::default()
        };
        let check = |topic: &str, value: &[u8], tenants: &[&str], expected: bool| {
            let header = |name: &str| Some(&b"acme"[..]).filter(|_| name == headers::TENANT_ID);
            let found = filter(tenants).matches(value, &Claims::of(topic, header, &OwnProducers));
            assert_eq!(found, expected, "{topic} {tenants:?}");
        };
        for value in [&acme[..], b"{"] {
            check(topics::WIRE, value, &["acme"], true);
            check("finops.findings.wire.evil", value, &["acme"], false);
            check("finops.findings.wire.evil", value, &[], true);
        }
    }

    #[test]
    fn the_record_counts_before_its_headers() {
        let check = |filter: [&str; 3], value: &str, headers: &[(&str, &str)], expected: bool| {
            let list = |text: &str| text.split_whitespace().map(str::to_owned).collect();
            let [tenant, check, run] = filter;
            let filter = WireFilter { tenant_id: list(tenant), check_id: list(check), run_id: list(run) };
            let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_bytes());
            let claims = Claims::of(topics::WIRE, header, &OwnProducers);
            assert_eq!(filter.matches(value.as_bytes(), &claims), expected, "{filter:?} {value} {headers:?}");
        };
        let acme = r#"{"tenant_id":" Acme ","check_id":"a.b","run_id":"r1"}"#;
        check(["", "", ""], "{", &[], true);
        check(["acme globex", "", ""], acme, &[("tenant_id", "other")], true);
        check(["other", "", ""], acme, &[("tenant_id", "other")], false);
        check(["acme", "", ""], "{", &[("tenant_id", "acme")], true);
        check(["acme", "", ""], "{", &[], false);
        check(["acme", "a.b", ""], acme, &[], true);
        check(["", "a.c", ""], acme, &[], false);
        check(["", "a.b", ""], "{", &[], false);
        check(["", "", "r1"], acme, &[], true);
        check(["", "", "r1"], acme, &[("run_id", "r2")], false);
        check(["", "", "r2"], acme, &[("run_id", "r2")], true);
        check(["acme", "a.b", ""], &format!("\0\0\0\0\u{7}{acme}"), &[], true);
    }
}
