//! What a billing row meters, derived from its usage type where the export has one, else from its description. Checkers
//! ask for a meter, never for a provider's wording. A row that no recogniser knows is [`Meter::Other`]: silence,
//! not a guess.

use std::sync::Arc;

mod description;
mod usage_type;

/// The thing a row charges for, as far as a checker cares.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meter {
    /// A virtual machine of this type running, per hour, at on-demand rates.
    InstanceHours(Arc<str>),
    /// Serverless container capacity, per hour.
    ContainerHours,
    /// Extra charge for a database engine past its standard support, per vCPU hour.
    ExtendedSupport(Arc<str>),
    /// Provisioned block storage, per GB-month.
    Volume(VolumeKind),
    /// Snapshots of block storage, per GB-month.
    Snapshot,
    /// A NAT gateway existing, per hour.
    NatHours,
    /// Data through a NAT gateway, per GB.
    NatData,
    /// A public IPv4 address that nothing uses, per hour.
    PublicIpIdle,
    /// A public IPv4 address in use, per hour.
    PublicIpInUse,
    /// A load balancer existing, per hour.
    BalancerHours(BalancerKind),
    /// Work a load balancer did, per capacity unit hour.
    BalancerCapacity,
    /// Work a classic load balancer did, per GB.
    BalancerData,
    /// Object storage in the class for frequent access, per GB-month.
    ObjectStandard,
    /// Object storage in any other class, per GB-month.
    ObjectTiered,
    /// Data between zones of one region, per GB.
    TransferCrossZone,
    /// Data to another region, per GB.
    TransferCrossRegion,
    /// Log data taken in, per GB.
    LogIngestion,
    /// Anything else.
    Other,
}

/// Kind of block storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VolumeKind {
    /// General purpose SSD, previous generation.
    Gp2,
    /// General purpose SSD, current generation.
    Gp3,
    /// Magnetic, previous generation.
    Magnetic,
    /// Any other kind.
    Other,
}

/// Kind of load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BalancerKind {
    /// Application, network or gateway: bills capacity units.
    Capacity,
    /// Classic: bills processed data.
    Classic,
}

/// What a charge is the price of. Only a price of time tells what a whole month costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PriceOf {
    /// Each hour that the thing exists: it does not pause, so hours without a row are not in the bill.
    Existence,
    /// Each hour that the thing runs or stays in a state: it may pause, and hours without a row are free.
    Runtime,
    /// An amount of use, or nothing known: time does not tell it.
    Use,
}

impl Meter {
    /// What its charge is the price of.
    #[must_use]
    pub fn price_of(&self) -> PriceOf {
        match self {
            Self::Volume(_)
            | Self::Snapshot
            | Self::NatHours
            | Self::BalancerHours(_)
            | Self::ObjectStandard
            | Self::ObjectTiered => PriceOf::Existence,
            // An address is charged as idle or as in use, and leaves the bill while its instance is stopped.
            Self::InstanceHours(_)
            | Self::ContainerHours
            | Self::ExtendedSupport(_)
            | Self::PublicIpIdle
            | Self::PublicIpInUse => PriceOf::Runtime,
            Self::NatData
            | Self::BalancerCapacity
            | Self::BalancerData
            | Self::TransferCrossZone
            | Self::TransferCrossRegion
            | Self::LogIngestion
            | Self::Other => PriceOf::Use,
        }
    }
}

/// The columns of a row that say what it meters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wording<'a> {
    /// Product code of the service.
    pub service: &'a str,
    /// Usage type.
    pub usage_type: Option<&'a str>,
    /// Operation.
    pub operation: Option<&'a str>,
    /// Charge description.
    pub description: Option<&'a str>,
}

/// The meter of an AWS row; other providers' rows are [`Meter::Other`] until a checker needs them.
#[must_use]
pub fn of(cloud: &str, row: Wording<'_>) -> Meter {
    if cloud != "aws" {
        return Meter::Other;
    }
    usage_type::meter(row).or_else(|| row.description.and_then(description::meter)).unwrap_or(Meter::Other)
}

/// The kind of load balancer that a text speaks of.
fn balancer_kind(text: &str) -> BalancerKind {
    let text = text.to_lowercase();
    let modern = ["application", "network", "gateway"].iter().any(|kind| text.contains(kind));
    if modern { BalancerKind::Capacity } else { BalancerKind::Classic }
}
