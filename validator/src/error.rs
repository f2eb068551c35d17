//! What a validator cannot go on from.

use platform::broker::BrokerError;

use crate::register::RegisterError;

/// The validator cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ValidatorError {
    /// The broker refused for good.
    #[error("validator: {0}")]
    Broker(#[from] BrokerError),
    /// Records would be judged again and go another way, or what is known of that cannot be read.
    #[error("validator: {0}")]
    Register(#[from] RegisterError),
    /// The broker has removed records that no validator had judged.
    #[error(
        "validator: records {from} to {low} (exclusive) of {topic}/{partition} expired on the broker before they were \
         judged: they are lost, unless their producers send them again. To skip them run `finops validator run \
         --drain --skip-expired` once; `finops verify` names what is lost"
    )]
    RecordsExpired {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// First one that expired.
        from: u64,
        /// Oldest one still there.
        low: u64,
    },
    /// The wire topic holds another record than the one that was judged: it was rolled back and has grown again.
    #[error(
        "validator: the broker of {topic}/{partition} was rolled back (restored from a backup, or a copy that lacked records became \
         its leader): at offset {offset} the validators judged {judged}, and the topic now holds {found}. Nothing more is judged: \
         records that came since would be taken for judged ones. `finops verify` names what differs; docs/backup.md (\"A broker \
         that was rolled back\") says how to go on without losing what is still there"
    )]
    RolledBack {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Offset of the record.
        offset: u64,
        /// What was judged.
        judged: String,
        /// What is there.
        found: String,
    },
    /// The last judged record lies behind the end of the topic.
    #[error(
        "validator: the group's offset in {topic}/{partition} is {position}, the topic ends at {high}: the broker has lost records \
         that are judged already. Give the validators their broker back; if it was rolled back, \
         docs/backup.md (\"A broker that was rolled back\") says how to go on without losing what is still there"
    )]
    TopicBehind {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Offset of the group.
        position: u64,
        /// End of the topic.
        high: u64,
    },
    /// The group has no offset for a partition whose first records the broker has removed: were they judged?
    #[error(
        "validator: where to begin in {topic}/{partition} is not known (its group has no offset there), and records 0 to \
         {low} (exclusive) expired on the broker: they may never have been judged. To begin at {low} run `finops \
         validator run --drain --skip-expired` once; `finops verify` names what has no row"
    )]
    NoPosition {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Oldest record still there.
        low: u64,
    },
}
