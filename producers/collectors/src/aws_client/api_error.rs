//! What an AWS error means. One table for all operations.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use inventories::collected::{Unavailable, UnavailableKind};

/// What an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The caller may not do this.
    Denied,
    /// The credentials themselves are not accepted.
    Refused,
    /// Too many calls, also after retries.
    Throttled,
    /// The resource does not exist.
    NotFound,
    /// Anything else.
    Other,
}

const DENIED: [&str; 6] = [
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "AllAccessDisabled",
    "OptInRequired",
];
const REFUSED: [&str; 6] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
];

/// Looks an error code up.
pub fn meaning(code: Option<&str>) -> Meaning {
    match code {
        Some(code) if DENIED.contains(&code) => Meaning::Denied,
        Some(code) if REFUSED.contains(&code) => Meaning::Refused,
        Some("SlowDown" | "RequestLimitExceeded") => Meaning::Throttled,
        Some(code) if code.starts_with("Throttling") || code.starts_with("TooManyRequests") => Meaning::Throttled,
        Some("NoSuchBucket") => Meaning::NotFound,
        _ => Meaning::Other,
    }
}

/// Text of an error for people, cut to what fits a reason.
pub fn describe<E, R>(error: &SdkError<E, R>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
    SdkError<E, R>: std::error::Error + ProvideErrorMetadata,
{
    const BYTES_MAX: usize = 500;
    let text = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => {
            let root = std::iter::successors(std::error::Error::source(error), |cause| cause.source()).last();
            match (error, root) {
                (SdkError::DispatchFailure(_), Some(root)) => format!("the endpoint cannot be reached: {root}"),
                (_, Some(root)) => format!("{error}: {root}"),
                (_, None) => error.to_string(),
            }
        }
    };
    text[..text.floor_char_boundary(BYTES_MAX)].to_owned()
}

/// The reason an operation that everything depends on gives.
pub fn unavailable<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> Unavailable
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    SdkError<E, HttpResponse>: std::error::Error + ProvideErrorMetadata,
{
    let reason = format!("{operation}: {}", describe(error));
    match meaning(error.code()) {
        Meaning::Refused => Unavailable::new(UnavailableKind::Refused, reason),
        Meaning::Denied => {
            Unavailable { denied_operations: [operation.to_owned()].into(), ..Unavailable::failed(reason) }
        }
        Meaning::Throttled => {
            Unavailable { throttled_operations: [operation.to_owned()].into(), ..Unavailable::failed(reason) }
        }
        Meaning::NotFound | Meaning::Other => Unavailable::failed(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_a_meaning() {
        let cases = [
            (Some("AccessDenied"), Meaning::Denied),
            (Some("ExpiredToken"), Meaning::Refused),
            (Some("SlowDown"), Meaning::Throttled),
            (Some("ThrottlingException"), Meaning::Throttled),
            (Some("NoSuchBucket"), Meaning::NotFound),
            (Some("InternalError"), Meaning::Other),
            (None, Meaning::Other),
        ];
        for (code, expected) in cases {
            assert_eq!(meaning(code), expected, "{code:?}");
        }
    }
}
