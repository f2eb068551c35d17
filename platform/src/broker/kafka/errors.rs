//! Kafka's errors as those of the seam: by what the caller should do about them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::broker::BrokerError;

/// What is behind a lock is consistent after every statement, so a panic elsewhere does not spoil it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error of the seam.
pub(super) fn of(error: &KafkaError, doing: impl FnOnce() -> String) -> BrokerError {
    let Some(code) = code(error) else {
        return BrokerError::Fatal { doing: doing(), reason: error.to_string() };
    };
    let reason = match error {
        KafkaError::Transaction(inner) => inner.string(),
        _ => error.to_string(),
    };
    of_code(code, doing(), reason)
}

/// The same, when only the code is known.
pub(super) fn of_code(code: RDKafkaErrorCode, doing: String, reason: String) -> BrokerError {
    use RDKafkaErrorCode as C;
    match code {
        C::ProducerFenced
        | C::Fenced
        | C::FencedInstanceId
        | C::FencedMemberEpoch
        | C::UnknownMemberId
        | C::IllegalGeneration
        | C::InvalidProducerEpoch => BrokerError::Fenced { doing },
        C::Authentication
        | C::SaslAuthenticationFailed
        | C::UnsupportedSASLMechanism
        | C::IllegalSASLState
        | C::SSL
        | C::TopicAuthorizationFailed
        | C::GroupAuthorizationFailed
        | C::ClusterAuthorizationFailed
        | C::TransactionalIdAuthorizationFailed => BrokerError::Denied { doing, reason },
        C::InvalidSessionTimeout
        | C::InvalidTransactionTimeout
        | C::UnsupportedVersion
        | C::UnsupportedFeature
        | C::InvalidConfig
        | C::InvalidTopic
        | C::InvalidReplicationFactor
        | C::InvalidPartitions
        | C::PolicyViolation
        | C::InvalidArgument => BrokerError::Fatal { doing, reason },
        _ => BrokerError::Retriable { doing, reason },
    }
}

/// True when librdkafka has given up the client: all its calls fail from now on. A consumer's poll says it by the code alone,
/// because the message of a consumer error has no mark for it.
pub(super) fn is_end_of_client(error: &KafkaError) -> bool {
    matches!(error, KafkaError::MessageConsumptionFatal(_)) || code(error) == Some(RDKafkaErrorCode::Fatal)
}

/// True when a batch came that cannot be read: it does not match its checksum, cannot be unpacked, or has an unknown form.
/// librdkafka resumes after some of these by itself, so the reader has to go back first.
pub(super) fn is_unreadable_batch(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{BadCompression, BadMessage, MessageSizeTooLarge, NotImplemented};
    matches!(code(error), Some(BadMessage | BadCompression | NotImplemented | MessageSizeTooLarge))
}

/// Code of an error, when it has one.
pub(super) fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::Transaction(inner) => Some(inner.code()),
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}
