//! SQLite errors by what the caller should do about them.

use std::path::Path;

use rusqlite::{Error, ErrorCode};

use super::BrokerError;
use super::holder::Holder;

/// Another connection has what is needed.
pub(super) fn is_busy(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// The file, or what SQLite keeps beside it, cannot be opened.
pub(super) fn is_unopened(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied))
}

pub(super) fn of(error: &Error, doing: &str, path: &Path) -> BrokerError {
    let doing = doing.to_owned();
    let mut reason = format!("{error} ({})", path.display());
    if is_busy(error)
        && let Some(holder) = Holder::of(path)
    {
        reason = format!("{reason}: {}", holder.advice());
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => BrokerError::NoSpace { doing, path: path.display().to_string() },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::SystemIoFailure) => {
            BrokerError::Retriable { doing, reason }
        }
        _ => BrokerError::Fatal { doing, reason },
    }
}
