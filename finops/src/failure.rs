//! How a command fails: what the user reads, and the exit code a script reads.

use platform::broker::BrokerError;
use platform::config::ConfigProblems;
use platform::exit::ExitCode;
use platform::store::StoreError;

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
            eprintln!("error: {}", self.message);
        }
        self.code
    }
}

macro_rules! fails_with {
    ($($error:ty => $code:expr;)+) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new($code, error.to_string())
            }
        })+
    };
}

fails_with! {
    BrokerError => ExitCode::Io;
    StoreError => ExitCode::Io;
    sink::SinkError => ExitCode::Io;
    validator::ValidatorError => ExitCode::Io;
    sink::verify::VerifyError => ExitCode::Io;
    sink::inspect::InspectError => ExitCode::Io;
    ConfigProblems => ExitCode::Configuration;
    validator::PolicyError => ExitCode::Configuration;
    contracts::identity::UnknownSaltMode => ExitCode::Usage;
    producers::registry::RegistryError => ExitCode::Configuration;
    producers::registry::SelectionError => ExitCode::Usage;
    producers::rulepack::RulepackError => ExitCode::Configuration;
    producers::run_context::RunContextError => ExitCode::Usage;
}

impl From<platform::config::Problem> for Failure {
    fn from(problem: platform::config::Problem) -> Self {
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
        let code = match error.code() {
            Some("tenant_invalid") => ExitCode::Usage,
            Some("no_complete_run") => ExitCode::TryAgain,
            Some(_) => ExitCode::BadInput,
            None => ExitCode::Io,
        };
        Self::new(code, error.to_string())
    }
}

impl From<producers::run::RunError> for Failure {
    fn from(error: producers::run::RunError) -> Self {
        use producers::publish::PublishError;
        use producers::run::RunError;
        let code = match &error {
            RunError::Load(load) if load.is_bad_input() => ExitCode::BadInput,
            RunError::Publish(PublishError::File { .. }) => ExitCode::BadInput,
            _ => ExitCode::Io,
        };
        Self::new(code, error.to_string())
    }
}
