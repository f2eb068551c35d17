//! What can be wrong with a record: a closed list of codes, and violations that name field and rule.

use serde::Serialize;

use crate::dead_letter::cut_text;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// Violation codes, one per rule family (contract.md 8.1). Public: names never change meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The public name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

codes! {
    /// Not one JSON object in UTF-8 (R2).
    BadJson = "bad_json",
    /// Over the size limit.
    TooLarge = "too_large",
    /// A required member is blank or absent (R40).
    Required = "required",
    /// Not one of the values (R20).
    Enum = "enum",
    /// Not an integer (R14).
    Integer = "integer",
    /// Not a decimal (R15).
    Decimal = "decimal",
    /// Not a time (R17).
    Timestamp = "timestamp",
    /// Not a date (R19).
    Date = "date",
    /// Not text (R11).
    Text = "text",
    /// Right kind, outside the interval.
    Range = "range",
    /// Must be an object (R45).
    Object = "object",
    /// Must be an object of free keys (R45).
    Map = "map",
    /// Must be an array (R45).
    List = "list",
    /// Status and lifecycle contradict each other (R46).
    LifecycleIncoherent = "lifecycle_incoherent",
    /// An actual cost without a currency (R47).
    CurrencyMissing = "currency_missing",
    /// A nested value in `issue_key` (R35).
    IssueKeyNotFlat = "issue_key_not_flat",
    /// Two issue keys that are one after folding, with different values (R35).
    IssueKeyCollision = "issue_key_collision",
    /// A currency that ISO 4217 does not have.
    CurrencyUnknown = "currency_unknown",
    /// A run that starts further ahead of the clock than is allowed.
    InFuture = "in_future",
    /// A number beyond a 64-bit float where text is expected (R2).
    NumberRange = "number_range",
    /// Not a legal tenant id (R66).
    TenantInvalid = "tenant_invalid",
    /// The producer may not speak for this tenant or check_id.
    TenantForbidden = "tenant_forbidden",
    /// The producer may send drafts only.
    RecordForbidden = "record_forbidden",
    /// A draft brings ids that are not the computed ones.
    IdentityMismatch = "identity_mismatch",
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

/// `value` is cut here.
const VALUE_CHARS_MAX: usize = 120;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Dotted path; empty for the whole message.
    pub field: String,
    /// Code.
    pub code: Code,
    /// The rule in words; never holds a payload value.
    pub message: String,
    /// The offending value, cut at 120 characters. Shown to the producer only, never put in a dead letter's headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Violation {
    /// A violation without a value.
    #[must_use]
    pub fn new(field: impl Into<String>, code: Code, message: impl Into<String>) -> Self {
        Self { field: field.into(), code, message: message.into(), value: None }
    }

    /// Adds the offending value.
    #[must_use]
    pub fn with_value(self, value: &str) -> Self {
        let end = value.char_indices().nth(VALUE_CHARS_MAX).map_or(value.len(), |(at, _)| at);
        Self { value: Some(cut_text(value, end).to_owned()), ..self }
    }
}

/// R49: one per (field, code), `required` alone at its field, ordered by field then code name.
pub fn normalize(violations: &mut Vec<Violation>) {
    let required: std::collections::BTreeSet<String> =
        violations.iter().filter(|v| v.code == Code::Required).map(|v| v.field.clone()).collect();
    violations.retain(|v| v.code == Code::Required || !required.contains(&v.field));
    violations.sort_by(|a, b| (&a.field, a.code.as_str()).cmp(&(&b.field, b.code.as_str())));
    violations.dedup_by(|a, b| a.field == b.field && a.code == b.code);
}
