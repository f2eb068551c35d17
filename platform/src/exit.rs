//! How a process tells its caller what became of it. These codes are public: scripts depend on them, so
//! they never change meaning. Most follow BSD's `sysexits.h`.

/// Exit code of every `finops` command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done, completely.
    Done = 0,
    /// A bug of ours: a panic, a broken invariant.
    Bug = 1,
    /// Done: what was compared differs.
    Different = 3,
    /// Done: what could be compared is as it must be, but not everything could be compared.
    Incomplete = 4,
    /// The command line is wrong.
    Usage = 64,
    /// The input data is wrong: unreadable file, records that break the contract.
    BadInput = 65,
    /// Reading or writing failed: disk, broker, store.
    Io = 74,
    /// Only part was done, or nothing yet; the same command may be tried again.
    TryAgain = 75,
    /// Credentials were refused or are missing.
    CredentialsRefused = 77,
    /// The configuration is wrong.
    Configuration = 78,
    /// A second signal stopped the process at once, without a clean end.
    Interrupted = 130,
}

impl ExitCode {
    /// Every code, in rising order.
    pub const ALL: [Self; 11] = [
        Self::Done,
        Self::Bug,
        Self::Different,
        Self::Incomplete,
        Self::Usage,
        Self::BadInput,
        Self::Io,
        Self::TryAgain,
        Self::CredentialsRefused,
        Self::Configuration,
        Self::Interrupted,
    ];

    /// One line for help and documentation.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Bug => "a bug of this program",
            Self::Different => "done; what was compared differs",
            Self::Incomplete => "done; not everything could be compared",
            Self::Usage => "wrong command line",
            Self::BadInput => "bad input data",
            Self::Io => "reading or writing failed",
            Self::TryAgain => "done in part; try again",
            Self::CredentialsRefused => "credentials refused or missing",
            Self::Configuration => "wrong configuration",
            Self::Interrupted => "stopped at once by a second signal",
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode;

    #[test]
    fn the_public_codes_never_change() {
        let table: Vec<_> = ExitCode::ALL.iter().map(|code| format!("{:>3} {}", *code as u8, code.meaning())).collect();
        insta::assert_snapshot!(table.join("\n"), @r"
          0 done
          1 a bug of this program
          3 done; what was compared differs
          4 done; not everything could be compared
         64 wrong command line
         65 bad input data
         74 reading or writing failed
         75 done in part; try again
         77 credentials refused or missing
         78 wrong configuration
        130 stopped at once by a second signal
        ");
    }
}
