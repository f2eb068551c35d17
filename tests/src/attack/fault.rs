//! What is done to the services. A closed list: the matrix of `docs/guarantees.md` has a row for each.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::declared;

/// An attack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Killed at a named crash point.
    Point(String),
    /// One of an open list of deeds.
    Deed(Deed),
}

/// An attack that is no crash point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Services in processes of their own are killed at random.
    ServicesKilled,
    /// `finops up` is killed at random.
    UpKilled,
    /// `finops run` is killed at random.
    RunKilled,
    /// Members come and go.
    RebalanceStorm,
    /// A member is frozen until another has taken over.
    MemberFrozen,
    /// The valid topic is recreated under a running sink.
    ValidTopicRecreated,
    /// The wire topic is recreated under a running validator.
    WireTopicRecreated,
    /// The offsets of the sinks are set back.
    SinkOffsetsSetBack,
    /// The offsets of the sinks are set beyond what is written.
    SinkOffsetsSetAhead,
    /// The offsets of the validators are set back.
    ValidatorOffsetsSetBack,
    /// The offsets of the validators are set ahead.
    ValidatorOffsetsSetAhead,
    /// Records leave the broker before a sink has written them.
    RetentionPassedSink,
    /// Records leave the broker before a validator has judged them.
    RetentionPassedValidator,
    /// Clocks jump.
    ClockJumps,
    /// The store's disk is full for a while.
    StoreFull,
    /// The broker's file may not grow for a while.
    BrokerFull,
    /// The bucket answers 500.
    BucketErrors,
    /// The bucket asks to slow down.
    BucketSlowDown,
    /// Answers to commits are lost: asked again, the bucket says that the record is there.
    BucketCommitAnswersLost,
    /// The bucket says that a commit record is there, which is not.
    BucketCommitsRefused,
    /// Answers to completed uploads are lost.
    BucketPublishAnswersLost,
    /// Requests and answers are lost, cut, delayed and held.
    BucketNetworkBad,
    /// The groups of validators and sinks are deleted.
    GroupsDeleted,
    /// The broker is killed and started again.
    BrokerKilled,
    /// The network before the broker is slow, loses answers, is silent, is cut.
    BrokerNetworkBad,
    /// A validator is frozen with an open transaction for longer than a transaction may take.
    TransactionTimedOut,
    /// The coordinator is killed with an open transaction and started again.
    CoordinatorKilled,
    /// The answer to the commit of a transaction is lost while an open transaction of another producer hides what was committed.
    ForeignTransaction,
    /// Services are added and taken away.
    ScaledOut,
    /// All load is of one tenant, which may use several partitions.
    HotTenant,
    /// There are very many tenants.
    ManyTenants,
    /// Several runs load bills of one tenant and month at once, and some are killed.
    ConcurrentLoads,
    /// Several exporters export one store, and some are killed.
    ExportersMeet,
    /// An exporter is frozen before it publishes until another one has published something newer.
    OlderCut,
    /// Records with huge keys and headers, extreme times, no values.
    HostileRecords,
    /// A producer that is bound to one tenant writes headers of another.
    ForgedHeaders,
    /// A sink is frozen while a replayed root takes the place of the one that it writes to.
    SwapUnderFrozenSink,
    /// A bit of an object, or of a cached copy, is flipped.
    BitsFlipped,
    /// The bucket says that it stored a commit record, and did not; it creates what is there already.
    BucketLies,
    /// A sink is frozen with records of a topic that is deleted, until `repair` has sent them again.
    RepairUnderFrozenSink,
    /// The files of one tenant are removed from a store that others share.
    TenantRemoved,
    /// Settings that decide where records go are changed, and the offsets of the validators are set back.
    SettingsChangedAndSetBack,
    /// The broker is restored from an older copy, and gets other records past its old end.
    BrokerRolledBack,
}

impl Deed {
    /// All there are.
    pub const ALL: &[Self] = &[
        Self::ServicesKilled,
        Self::UpKilled,
        Self::RunKilled,
        Self::RebalanceStorm,
        Self::MemberFrozen,
        Self::ValidTopicRecreated,
        Self::WireTopicRecreated,
        Self::SinkOffsetsSetBack,
        Self::SinkOffsetsSetAhead,
        Self::ValidatorOffsetsSetBack,
        Self::ValidatorOffsetsSetAhead,
        Self::RetentionPassedSink,
        Self::RetentionPassedValidator,
        Self::ClockJumps,
        Self::StoreFull,
        Self::BrokerFull,
        Self::BucketErrors,
        Self::BucketSlowDown,
        Self::BucketCommitAnswersLost,
        Self::BucketCommitsRefused,
        Self::BucketPublishAnswersLost,
        Self::BucketNetworkBad,
        Self::GroupsDeleted,
        Self::BrokerKilled,
        Self::BrokerNetworkBad,
        Self::TransactionTimedOut,
        Self::CoordinatorKilled,
        Self::ForeignTransaction,
        Self::ScaledOut,
        Self::HotTenant,
        Self::ManyTenants,
        Self::ConcurrentLoads,
        Self::ExportersMeet,
        Self::OlderCut,
        Self::HostileRecords,
        Self::ForgedHeaders,
        Self::SwapUnderFrozenSink,
        Self::BitsFlipped,
        Self::BucketLies,
        Self::RepairUnderFrozenSink,
        Self::TenantRemoved,
        Self::SettingsChangedAndSetBack,
        Self::BrokerRolledBack,
    ];
}

impl Fault {
    /// All there are.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let points = declared::crash_points().into_iter().map(|name| Self::Point(name.to_owned()));
        points.chain(Deed::ALL.iter().map(|deed| Self::Deed(*deed))).collect()
    }

    /// Processes are killed at random moments.
    #[must_use]
    pub fn is_random_kill(&self) -> bool {
        use Deed::{ConcurrentLoads, ExportersMeet, RebalanceStorm, RunKilled, ServicesKilled, UpKilled};
        let at_random =
            [ServicesKilled, UpKilled, RunKilled, RebalanceStorm, ConcurrentLoads, ExportersMeet].map(Self::Deed);
        at_random.contains(self)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Point(name) => return write!(f, "killed at `{name}`"),
            Self::Deed(deed) => match deed {
                Deed::ServicesKilled => "`kill -9` of services at random",
                Deed::UpKilled => "`kill -9` of `finops up` at random",
                Deed::RunKilled => "`kill -9` of `finops run` at random",
                Deed::RebalanceStorm => "members come and go every few hundred milliseconds",
                Deed::MemberFrozen => "a member frozen beyond its session, woken after another took over",
                Deed::ValidTopicRecreated => "valid topic recreated under a running sink",
                Deed::WireTopicRecreated => "wire topic recreated under a running validator",
                Deed::SinkOffsetsSetBack => "offsets of the sinks set back",
                Deed::SinkOffsetsSetAhead => "offsets of the sinks set beyond what is written",
                Deed::SettingsChangedAndSetBack => "settings changed, and offsets of the validators set back",
                Deed::ValidatorOffsetsSetBack => "offsets of the validators set back",
                Deed::ValidatorOffsetsSetAhead => "offsets of the validators set ahead",
                Deed::RetentionPassedSink => "retention passes the position of the sink",
                Deed::RetentionPassedValidator => "retention passes the position of the validator",
                Deed::ClockJumps => "clocks jump",
                Deed::StoreFull => "disk of the store full for a while",
                Deed::BrokerFull => "broker without room for a while",
                Deed::BucketErrors => "bucket answers 500",
                Deed::BucketSlowDown => "bucket answers 503, slow down",
                Deed::BucketCommitAnswersLost => "answers to commits lost: 412 for the own earlier request",
                Deed::BucketCommitsRefused => "412 for a commit record that is not there",
                Deed::BucketPublishAnswersLost => "answers to completed uploads lost",
                Deed::BucketNetworkBad => "requests and answers lost, cut, delayed, held",
                Deed::GroupsDeleted => "groups of validators and sinks deleted",
                Deed::BrokerNetworkBad => "network before the broker slow, without answers, silent, cut",
                Deed::TransactionTimedOut => "a validator frozen with an open transaction until that has timed out",
                Deed::CoordinatorKilled => "`kill -9` of the coordinator of an open transaction",
                Deed::ForeignTransaction => "answers to commits lost behind an open transaction of another producer",
                Deed::BrokerKilled => "`kill -9` of the broker, started again",
                Deed::ScaledOut => "two and four sinks and validators, added and removed",
                Deed::HotTenant => "one hot tenant spread over all partitions",
                Deed::ManyTenants => "many small tenants",
                Deed::ConcurrentLoads => "two, four and eight runs load bills of one month at once, some killed",
                Deed::ExportersMeet => "`kill -9` of one of two exporters at random",
                Deed::BitsFlipped => "bits flipped in every kind of object and cached copy",
                Deed::BucketLies => "bucket answers 200 for a commit that it does not keep, and creates what is there",
                Deed::RepairUnderFrozenSink => "a sink frozen with records of a deleted topic, woken after `repair`",
                Deed::TenantRemoved => "files of one tenant removed from partitions that others share",
                Deed::BrokerRolledBack => "broker restored from an older copy, with other records past its old end",
                Deed::OlderCut => "an exporter frozen before it publishes, woken after another has published more",
                Deed::HostileRecords => "records with huge keys and headers, extreme times, no values",
                Deed::ForgedHeaders => "a producer bound to one tenant writes headers of another",
                Deed::SwapUnderFrozenSink => "a sink frozen before a write, woken after `replay swap`",
            },
        })
    }
}
