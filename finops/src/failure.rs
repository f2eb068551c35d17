//! How a command fails: what the user reads, and the exit code a script reads.

use std::error::Error;

use contracts::tenant_scope::IllegalTenant;
use lake::LakeError;
use lake::cut::CutError;
use platform::broker::BrokerError;
use platform::config::ConfigProblems;
use platform::exit::ExitCode;
use platform::store::StoreError;

use crate::output::note;

/// A command failed.
#[derive(Debug)]
pub struct Failure {
    code: ExitCode,
    message: String,
}

pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub fn code(&self) -> ExitCode {
        self.code
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new(ExitCode::BadInput, message)
    }

    /// Says why, on stderr.
    pub fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            note!("error: {}", self.message);
        }
        self.code
    }
}

/// The code of a failure that a refusing store or broker is at the root of; `other` when none is.
fn code_of(error: &(dyn Error + 'static), other: ExitCode) -> ExitCode {
    let refusal = |cause: &(dyn Error + 'static)| match (cause.downcast_ref(), cause.downcast_ref()) {
        (Some(StoreError::Denied { .. }), _) | (_, Some(BrokerError::Denied { .. })) => {
            Some(ExitCode::CredentialsRefused)
        }
        (Some(StoreError::Refused { .. }), _) => Some(ExitCode::Configuration),
        (Some(StoreError::Exchanged { .. }), _) => Some(ExitCode::TryAgain),
        _ => None,
    };
    std::iter::successors(Some(error), |cause| Error::source(*cause)).find_map(refusal).unwrap_or(other)
}

macro_rules! fails_with {
    ($($error:ty => $code:expr;)+) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(code_of(&error, $code), error.to_string())
            }
        })+
    };
}

fails_with! {
    BrokerError => ExitCode::Io;
    StoreError => ExitCode::Io;
    sink::SinkError => ExitCode::Io;
    lake::verify::VerifyError => ExitCode::Io;
    operations::inspect::InspectError => ExitCode::Io;
    ConfigProblems => ExitCode::Configuration;
    validator::PolicyError => ExitCode::Configuration;
    contracts::identity::UnknownSaltMode => ExitCode::Usage;
    runner::publish::InputError => ExitCode::BadInput;
    checkers::registry::RegistryError => ExitCode::Configuration;
    collectors::registry::CollectorRegistryError => ExitCode::Configuration;
    runner::selection::SelectionError => ExitCode::Usage;
    checkers::rulepack::RulepackError => ExitCode::Configuration;
    checkers::run_context::RunContextError => ExitCode::Usage;
}

impl From<validator::ValidatorError> for Failure {
    fn from(error: validator::ValidatorError) -> Self {
        use validator::ValidatorError;
        use validator::register::RegisterError;
        let code = match &error {
            ValidatorError::Register(RegisterError::JudgedOtherwise(_)) => ExitCode::Configuration,
            _ => code_of(&error, ExitCode::Io),
        };
        Self::new(code, error.to_string())
    }
}

impl From<operations::resend::ResendError> for Failure {
    fn from(error: operations::resend::ResendError) -> Self {
        use operations::resend::ResendError;
        let code = match &error {
            ResendError::Held { .. } => ExitCode::TryAgain,
            ResendError::Chain(_) | ResendError::File { .. } | ResendError::Audit { .. } => ExitCode::BadInput,
            ResendError::Store(_) | ResendError::Broker(_) => code_of(&error, ExitCode::Io),
        };
        Self::new(code, error.to_string())
    }
}

impl From<operations::repair::RepairError> for Failure {
    fn from(error: operations::repair::RepairError) -> Self {
        use operations::repair::RepairError;
        match error {
            RepairError::Send(error) => error.into(),
            RepairError::Rebuild(LakeError::CommittedMeanwhile { .. }) => {
                Self::new(ExitCode::TryAgain, error.to_string())
            }
            RepairError::Store(_) | RepairError::Broker(_) | RepairError::Rebuild(_) => {
                Self::new(code_of(&error, ExitCode::Io), error.to_string())
            }
        }
    }
}

impl From<operations::replay::ReplayError> for Failure {
    fn from(error: operations::replay::ReplayError) -> Self {
        use operations::replay::ReplayError;
        let code = match &error {
            ReplayError::NotYet(_) => ExitCode::TryAgain,
            ReplayError::Root { .. } | ReplayError::Chain(_) => ExitCode::BadInput,
            ReplayError::Store(_) | ReplayError::Broker(_) | ReplayError::Move { .. } => code_of(&error, ExitCode::Io),
        };
        Self::new(code, error.to_string())
    }
}

impl From<operations::recreate::RecreateError> for Failure {
    fn from(error: operations::recreate::RecreateError) -> Self {
        use operations::recreate::RecreateError;
        match error {
            RecreateError::Resend(error) => error.into(),
            RecreateError::Running(error) => error.into(),
            RecreateError::Grown { .. } | RecreateError::Stuck { .. } | RecreateError::Stopped => {
                Self::new(ExitCode::TryAgain, error.to_string())
            }
            RecreateError::ForeignStore { .. } => Self::new(ExitCode::Configuration, error.to_string()),
            RecreateError::Close(LakeError::Chain(_))
            | RecreateError::Chain(_)
            | RecreateError::File { .. }
            | RecreateError::Audit { .. } => Self::new(ExitCode::BadInput, error.to_string()),
            RecreateError::Store(_) | RecreateError::Broker(_) | RecreateError::Close(_) => {
                Self::new(code_of(&error, ExitCode::Io), error.to_string())
            }
        }
    }
}

impl From<platform::config::ConfigProblem> for Failure {
    fn from(problem: platform::config::ConfigProblem) -> Self {
        ConfigProblems(vec![problem]).into()
    }
}

/// A reader that went away (`finops … | head`) ends a command quietly.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::new(ExitCode::Done, ""),
            _ => Self::new(ExitCode::Io, format!("writing the output: {error}")),
        }
    }
}

impl From<exporter::ExportError> for Failure {
    fn from(error: exporter::ExportError) -> Self {
        Self::new(export_code(&error), error.to_string())
    }
}

impl From<IllegalTenant> for Failure {
    fn from(error: IllegalTenant) -> Self {
        Self::new(ExitCode::Usage, error.to_string())
    }
}

impl From<CutError> for Failure {
    fn from(error: CutError) -> Self {
        exporter::ExportError::from(error).into()
    }
}

/// The code of a failed export: by what would cure it.
pub fn export_code(error: &exporter::ExportError) -> ExitCode {
    use exporter::ExportError;
    match error {
        ExportError::TenantInvalid(_) => ExitCode::Usage,
        ExportError::NoCompleteRun { .. } => ExitCode::TryAgain,
        ExportError::OutOfMemory { .. } => ExitCode::Configuration,
        ExportError::DuplicateRow { .. } => ExitCode::Bug,
        ExportError::Store(store) => code_of(store, ExitCode::Io),
        _ if error.code().is_some() => ExitCode::BadInput,
        _ => ExitCode::Io,
    }
}

impl From<runner::run::RunError> for Failure {
    fn from(error: runner::run::RunError) -> Self {
        use runner::publish::PublishError;
        use runner::run::RunError;
        let code = match &error {
            RunError::Stopped(_) => ExitCode::TryAgain,
            RunError::Load(load) if load.is_bad_input() => ExitCode::BadInput,
            RunError::Load(load) if load.is_contention() => ExitCode::TryAgain,
            RunError::Publish(PublishError::Input(_)) => ExitCode::BadInput,
            _ => code_of(&error, ExitCode::Io),
        };
        let next = match &error {
            RunError::Stopped(so_far) if so_far.published() > 0 => {
                ". The next `finops run`, or `finops up`, judges and writes what is published; for a complete run give the \
                 same command again"
            }
            RunError::Stopped(_) => ". Give the same command again for a complete run",
            _ => "",
        };
        Self::new(code, format!("{error}{next}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_broker_refused_tells_the_code_in_every_service() {
        let denied = || BrokerError::Denied { doing: "asking".to_owned(), reason: "not authorized".to_owned() };
        let failures: [Failure; 4] = [
            denied().into(),
            validator::ValidatorError::from(denied()).into(),
            sink::SinkError::from(denied()).into(),
            operations::resend::ResendError::from(denied()).into(),
        ];
        for failure in failures {
            assert_eq!(failure.code, ExitCode::CredentialsRefused, "{}", failure.message);
        }
    }

    #[test]
    fn what_a_store_refused_tells_the_code_in_every_service() {
        let (doing, path, reason) = ("writing", "s3://data/a".to_owned(), "AccessDenied".to_owned());
        let denied = || StoreError::Denied { doing, path: path.clone(), reason: reason.clone() };
        let refused = || StoreError::Refused { doing, path: path.clone(), reason: "NoSuchBucket".to_owned() };
        let failed = || StoreError::io("writing", "a", std::io::Error::other("disk"));
        for (store, code) in [
            (&denied as &dyn Fn() -> StoreError, ExitCode::CredentialsRefused),
            (&refused, ExitCode::Configuration),
            (&failed, ExitCode::Io),
        ] {
            let load = collectors::billing::LoadError::Store { period: "2026-01".into(), source: store() };
            let failures = [
                Failure::from(store()),
                sink::SinkError::from(store()).into(),
                lake::verify::VerifyError::from(store()).into(),
                operations::repair::RepairError::from(LakeError::from(store())).into(),
                exporter::ExportError::from(store()).into(),
                runner::run::RunError::from(load).into(),
            ];
            for failure in failures {
                assert_eq!(failure.code, code, "{}", failure.message);
            }
        }
    }
}
