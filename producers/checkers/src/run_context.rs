//! Facts of one run, fixed before it starts. Checkers read time and identity here and nowhere else, so that the
//! same input gives the same findings.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use contracts::identity::SaltMode;
use contracts::layout::{NAME_BYTES_MAX, encode_segment};
use contracts::tenant_scope::TenantScope;

use crate::rulepack::Rulepack;

/// Facts that make a run.
#[derive(Clone)]
pub struct RunFacts {
    /// Tenant as given; trimmed and lower-cased by [`RunContext::new`].
    pub tenant_id: String,
    /// Workspace.
    pub workspace_id: String,
    /// Run.
    pub run_id: String,
    /// Start of the run.
    pub run_ts: DateTime<Utc>,
    /// Engine.
    pub engine_name: String,
    /// Engine version.
    pub engine_version: String,
    /// Version of the findings' schema.
    pub schema_version: u16,
    /// Currency of findings that do not name one.
    pub default_currency: String,
    /// Salt of finding ids.
    pub finding_id_mode: SaltMode,
    /// Thresholds.
    pub rulepack: Arc<Rulepack>,
}

/// Facts of one run, checked. Immutable: there is no way to change one.
#[derive(Clone)]
pub struct RunContext(RunFacts);

/// A run cannot have these facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunContextError {
    /// The tenant is not a slug.
    #[error(
        "tenant {0:?} is not allowed: it must start with a letter or digit and hold at most 63 letters, digits, dots, underscores or hyphens"
    )]
    Tenant(String),
    /// A fact that must not be blank is.
    #[error("{0} must not be blank")]
    Blank(&'static str),
    /// A fact that becomes a name in the store is too long for one.
    #[error(
        "{fact} is too long: {bytes} bytes as a name in the store (each byte but letters, digits, dots, underscores and hyphens \
         counts three times), at most {} are allowed",
        NAME_BYTES_MAX
    )]
    Long {
        /// The fact.
        fact: &'static str,
        /// Bytes of its name.
        bytes: usize,
    },
}

impl RunContext {
    /// Checks the facts and makes the tenant canonical.
    ///
    /// # Errors
    /// The tenant is not a slug, or workspace or run is blank or too long.
    pub fn new(mut facts: RunFacts) -> Result<Self, RunContextError> {
        match TenantScope::new(&facts.tenant_id) {
            Ok(scope) => scope.as_str().clone_into(&mut facts.tenant_id),
            Err(_) => return Err(RunContextError::Tenant(facts.tenant_id)),
        }
        for (name, value) in [("workspace", &mut facts.workspace_id), ("run id", &mut facts.run_id)] {
            *value = value.trim().to_owned();
            if value.is_empty() {
                return Err(RunContextError::Blank(name));
            }
            let bytes = encode_segment(value).len();
            if bytes > NAME_BYTES_MAX {
                return Err(RunContextError::Long { fact: name, bytes });
            }
        }
        Ok(Self(facts))
    }

    /// Start of the run as written everywhere: `…Z` with milliseconds.
    #[must_use]
    pub fn run_ts_text(&self) -> String {
        self.0.run_ts.to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

impl std::ops::Deref for RunContext {
    type Target = RunFacts;

    fn deref(&self) -> &RunFacts {
        &self.0
    }
}

impl fmt::Debug for RunContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} of {}/{}", self.0.run_id, self.0.tenant_id, self.0.workspace_id)
    }
}

/// A run id: `run-<start>-<suffix>`; the suffix keeps two runs of one millisecond apart.
#[must_use]
pub fn run_id(run_ts: DateTime<Utc>, suffix: &str) -> String {
    format!("run-{}-{suffix}", run_ts.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn facts() -> RunFacts {
        let run_ts = DateTime::from_timestamp_millis(1_727_740_800_000).unwrap();
        RunFacts {
            tenant_id: "acme".into(),
            workspace_id: "prod".into(),
            run_id: "run-1".into(),
            run_ts,
            engine_name: "finops".into(),
            engine_version: "0.1.0".into(),
            schema_version: 1,
            default_currency: "USD".into(),
            finding_id_mode: SaltMode::Stable,
            rulepack: Arc::default(),
        }
    }

    pub(crate) fn context() -> RunContext {
        context_with(Rulepack::default())
    }

    pub(crate) fn context_with(rulepack: Rulepack) -> RunContext {
        RunContext::new(RunFacts { rulepack: rulepack.into(), ..facts() }).unwrap()
    }

    #[test]
    fn a_tenant_is_a_slug() {
        let of = |tenant: &str| RunContext::new(RunFacts { tenant_id: tenant.into(), ..facts() });
        assert_eq!(of(" ACME ").unwrap().tenant_id, "acme");
        for tenant in ["../x", "", "a/b", "-a", "ünï"] {
            assert_eq!(of(tenant).unwrap_err(), RunContextError::Tenant(tenant.into()));
        }
    }

    #[test]
    fn blank_facts_are_refused() {
        let error = RunContext::new(RunFacts { run_id: " ".into(), ..facts() }).unwrap_err();
        assert_eq!(error, RunContextError::Blank("run id"));
    }

    #[test]
    fn run_ids_hold_start_and_suffix() {
        assert_eq!(run_id(facts().run_ts, "7f3a"), "run-2024-10-01T00:00:00.000Z-7f3a");
    }

    #[test]
    fn what_becomes_a_name_is_not_too_long_for_one() {
        let of = |workspace: &str| RunContext::new(RunFacts { workspace_id: workspace.into(), ..facts() });
        assert!(of(&"w".repeat(250)).is_ok());
        assert_eq!(of(&"w".repeat(251)).unwrap_err(), RunContextError::Long { fact: "workspace", bytes: 251 });
        let error = of(&"é".repeat(42)).unwrap_err().to_string();
        assert!(error.starts_with("workspace is too long: 252 bytes as a name in the store"), "{error}");
    }
}
