//! What an answer other than success means: try again, credentials, configuration. One table for all operations.

use std::error::Error;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;

use crate::store::StoreError;
use crate::terminal;

/// Letters of a message that are kept.
const TEXT_BYTES_MAX: usize = 500;

/// The request was signed too long ago: the machine's clock is wrong, or it was asleep between signing and sending.
pub(super) const SIGNED_TOO_LONG_AGO: &str = "RequestTimeTooSkewed";

const NO_CREDENTIALS: &str = "no credentials were found in environment, profile, container or instance; give them there, \
                              or as store.s3.access_key_id and store.s3.secret_access_key";

const WEB_PAGE: &str = "it answered with a web page and not as S3 does: is store.s3.endpoint the address of the S3 API, \
                        and not of a console or a proxy's login?";

/// A failed request.
#[derive(Debug)]
pub(super) struct Failure {
    /// HTTP status; 0 without an answer.
    pub status: u16,
    /// S3's error code; empty without one (answers to HEAD have no body).
    pub code: String,
    text: String,
    meaning: Meaning,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Denied,
    Refused,
    Later,
}

impl Failure {
    /// Nothing of that name is there.
    pub(super) fn is_absent(&self) -> bool {
        self.code == "NoSuchKey" || self.code == "NotFound" || (self.status == 404 && self.code.is_empty())
    }

    /// The condition of a conditional write does not hold.
    pub(super) fn is_taken(&self) -> bool {
        self.status == 412
    }

    /// Two conditional writes met; S3 asks to try again.
    pub(super) fn is_conflict(&self) -> bool {
        self.status == 409 && (self.code == "ConditionalRequestConflict" || self.code == "OperationAborted")
    }

    pub(super) fn into_error(self, doing: &'static str, path: String) -> StoreError {
        match self.meaning {
            Meaning::Denied => StoreError::Denied { doing, path, reason: self.text },
            Meaning::Refused => StoreError::Refused { doing, path, reason: self.text },
            Meaning::Later => StoreError::Io { doing, path, source: io::Error::other(self.text) },
        }
    }
}

impl<E> From<SdkError<E, HttpResponse>> for Failure
where
    E: Error + ProvideErrorMetadata + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default().to_owned();
        let request = error.raw_response().and_then(RequestId::request_id).map(str::to_owned);
        let is_page = error.raw_response().is_some_and(is_web_page) && code.is_empty();
        let meaning = match status {
            0 => meaning_without_answer(&error),
            200 if is_page => Meaning::Refused,
            _ => meaning(status, &code),
        };
        let described = describe(&error, status, &code);
        let mut text = match (status, meaning) {
            (0, Meaning::Denied) => format!("{NO_CREDENTIALS} ({described})"),
            (200, Meaning::Refused) if is_page => WEB_PAGE.to_owned(),
            _ if code == SIGNED_TOO_LONG_AGO => format!("{described} Is the clock of this machine right?"),
            _ => described,
        };
        text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        if let Some(request) = request {
            text.push_str(&format!(" (request {request})"));
        }
        // The service's words, or those of something that stands in its place.
        let text = terminal::escaped(&text).into_owned();
        Self { status, code, text, meaning }
    }
}

/// True when the answer is a page for people, as consoles, portals of networks and proxies give.
pub(super) fn is_web_page(response: &HttpResponse) -> bool {
    response.headers().get("content-type").is_some_and(|kind| kind.trim_start().starts_with("text/html"))
}

fn meaning(status: u16, code: &str) -> Meaning {
    match code {
        "RequestTimeout"
        | "RequestTimeoutException"
        | "OperationAborted"
        | "ConditionalRequestConflict"
        | SIGNED_TOO_LONG_AGO => Meaning::Later,
        "NotImplemented" => Meaning::Refused,
        // Expired credentials are 400 here and there.
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "InvalidAccessKeyId" => Meaning::Denied,
        _ => match status {
            401 | 403 => Meaning::Denied,
            // A failure with status 200 is reported in the body, when the work took long, or could not be read.
            ..300 | 408 | 429 | 500.. => Meaning::Later,
            _ => Meaning::Refused,
        },
    }
}

/// Nothing was answered: the network, a time-out, or no credentials to sign with.
fn meaning_without_answer(error: &(dyn Error + 'static)) -> Meaning {
    let of_credentials = causes(error).find_map(|cause| cause.downcast_ref::<CredentialsError>());
    match of_credentials {
        None | Some(CredentialsError::ProviderTimedOut(_)) => Meaning::Later,
        Some(_) => Meaning::Denied,
    }
}

fn describe<E>(error: &SdkError<E, HttpResponse>, status: u16, code: &str) -> String
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let message = error.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default();
    match (status, code, message) {
        (..300, "", _) => {
            let all = causes(error).map(ToString::to_string);
            let mut texts: Vec<_> = all.map(|text| text.lines().next().unwrap_or_default().to_owned()).collect();
            // Many layers repeat what is below them.
            texts.dedup_by(|next, kept| kept.contains(next.as_str()));
            texts.join(": ")
        }
        (_, "", "") => format!("the service answered with status {status}"),
        (_, code, "") => format!("{code} (status {status})"),
        (_, code, message) => format!("{code}: {message}"),
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| Error::source(*cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_a_meaning() {
        let cases = [
            (500, "InternalError", Meaning::Later),
            (503, "SlowDown", Meaning::Later),
            (503, "", Meaning::Later),
            (200, "InternalError", Meaning::Later),
            (429, "TooManyRequests", Meaning::Later),
            (400, "RequestTimeout", Meaning::Later),
            (409, "OperationAborted", Meaning::Later),
            (403, "AccessDenied", Meaning::Denied),
            (403, "", Meaning::Denied),
            (403, "RequestTimeTooSkewed", Meaning::Later),
            (400, "ExpiredToken", Meaning::Denied),
            (404, "NoSuchBucket", Meaning::Refused),
            (301, "PermanentRedirect", Meaning::Refused),
            (400, "InvalidBucketName", Meaning::Refused),
            (501, "NotImplemented", Meaning::Refused),
        ];
        for (status, code, expected) in cases {
            assert_eq!(meaning(status, code), expected, "{status} {code}");
        }
    }
}
