//! What a billing row meters, derived from its usage type where the export has one, else from its description. Checkers
//! ask for a meter, never for a provider's wording. A row that no recogniser knows is [`Meter::Other`]: silence,
//! not a guess.

use std::sync::Arc;

mod azure;
mod description;
mod details;
mod google;
mod services;
mod usage_type;

/// The thing a row charges for, as far as a checker cares.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meter {
    /// A virtual machine of this type running, per hour, at on-demand rates.
    InstanceHours(Arc<str>),
    /// A node of this type of a database, a cache, a search domain or a warehouse running, per hour, at on-demand rates: `db.r5.large`.
    NodeHours(Arc<str>),
    /// Cores of machines of this family, per hour, where machines are charged by their parts.
    MachineCores(Arc<str>),
    /// Memory of machines of this family, per GiB hour.
    MachineMemory(Arc<str>),
    /// Serverless container capacity, per hour.
    ContainerHours,
    /// Run time of functions, and capacity kept ready for them.
    FunctionTime,
    /// Extra charge for a database engine past its standard support, per vCPU hour.
    ExtendedSupport(Arc<str>),
    /// Extra charge for a Kubernetes version past its standard support, per cluster hour.
    ClusterSupport,
    /// Capacity reserved for machines of this type that none of them uses, per hour.
    CapacityUnused(Arc<str>),
    /// The part of reserved capacity that machines use, per hour: they are charged, it is not.
    CapacityUsed,
    /// Provisioned block storage, per GB-month.
    Volume(VolumeKind),
    /// Provisioned speed of block storage, per IOPS-month.
    VolumeIops(VolumeKind),
    /// Provisioned throughput of gp3 block storage, per GiB/s-month.
    VolumeThroughput,
    /// Snapshots of block storage, per GB-month.
    Snapshot,
    /// A NAT gateway existing, per hour.
    NatHours,
    /// Data through a NAT gateway, per GB.
    NatData,
    /// An endpoint for private access to a service existing, per hour and zone.
    EndpointHours,
    /// Data through such an endpoint, per GB.
    EndpointData,
    /// An attachment to a transit gateway existing, per hour.
    TransitHours,
    /// Data through a transit gateway, per GB.
    TransitData,
    /// A public IPv4 address that nothing uses, per hour.
    PublicIpIdle,
    /// A public IPv4 address in use, per hour.
    PublicIpInUse,
    /// A public IPv4 address, used or not, per hour.
    PublicIp,
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
    /// Objects deleted before the minimum time of their storage class, for the time that is left.
    ObjectEarlyDelete,
    /// Requests to object storage.
    ObjectRequests,
    /// Storage of something that backups are taken of, per GB-month.
    Stored(Stored),
    /// Backups, per GB-month: of databases what is beyond the free allowance.
    Backup(Stored),
    /// Data to the internet, per GB.
    TransferInternet,
    /// Data between zones of one region, per GB.
    TransferCrossZone,
    /// Data to another region, per GB.
    TransferCrossRegion,
    /// Log data taken in, per GB.
    LogIngestion,
    /// Metrics that an account publishes itself, per metric-month.
    CustomMetrics,
    /// Anything else.
    Other,
}

/// What backups are taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stored {
    /// A database of RDS or Aurora.
    Database,
    /// A file system.
    Files,
    /// A table.
    Table,
    /// A bucket; its storage is [`Meter::ObjectStandard`] and [`Meter::ObjectTiered`].
    Object,
    /// A volume; its storage is [`Meter::Volume`].
    Volume,
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
    /// Provisioned IOPS SSD, previous generation.
    Io1,
    /// Provisioned IOPS SSD, current generation.
    Io2,
    /// Magnetic, previous generation.
    Magnetic,
    /// Hard disk, current generation.
    Hdd,
    /// SSD for most work.
    Standard(DiskSize),
    /// SSD for work that needs its speed.
    Premium(DiskSize),
    /// Any other kind.
    Other,
}

/// What a disk of one kind has a price of its own by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiskSize {
    /// Size that is charged as a whole, `10` of `P10`; 0 where each GiB is.
    pub tier: u16,
    /// True when it is kept in several zones.
    pub is_zone_redundant: bool,
}

impl DiskSize {
    /// Charged by the GiB.
    pub const PER_GIB: Self = Self { tier: 0, is_zone_redundant: false };
    /// Charged by the GiB, in several zones.
    pub const PER_GIB_REDUNDANT: Self = Self { tier: 0, is_zone_redundant: true };
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
            | Self::VolumeIops(_)
            | Self::VolumeThroughput
            | Self::Snapshot
            | Self::NatHours
            | Self::EndpointHours
            | Self::TransitHours
            | Self::Stored(_)
            | Self::Backup(_)
            | Self::PublicIp
            | Self::BalancerHours(_)
            | Self::ObjectStandard
            | Self::ObjectTiered => PriceOf::Existence,
            // An address is charged as idle or as in use, and leaves the bill while its instance is stopped.
            Self::InstanceHours(_)
            | Self::NodeHours(_)
            | Self::MachineCores(_)
            | Self::MachineMemory(_)
            | Self::ContainerHours
            | Self::ExtendedSupport(_)
            | Self::ClusterSupport
            | Self::CapacityUnused(_)
            | Self::CapacityUsed
            | Self::PublicIpIdle
            | Self::PublicIpInUse => PriceOf::Runtime,
            Self::NatData
            | Self::EndpointData
            | Self::TransitData
            | Self::ObjectEarlyDelete
            | Self::ObjectRequests
            | Self::TransferInternet
            | Self::CustomMetrics
            | Self::BalancerCapacity
            | Self::BalancerData
            | Self::TransferCrossZone
            | Self::TransferCrossRegion
            | Self::LogIngestion
            | Self::FunctionTime
            | Self::Other => PriceOf::Use,
        }
    }

    /// False where the operation of a row, of which there are many, says nothing about its price.
    #[must_use]
    pub fn is_priced_by_operation(&self) -> bool {
        !matches!(self, Self::ObjectEarlyDelete | Self::ObjectRequests | Self::TransferInternet)
    }
}

/// The columns of a row that say what it meters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wording<'a> {
    /// Service: product code on AWS, its name elsewhere.
    pub service: &'a str,
    /// Usage type, or name of the meter.
    pub usage_type: Option<&'a str>,
    /// Operation.
    pub operation: Option<&'a str>,
    /// Charge description.
    pub description: Option<&'a str>,
    /// Service that the meter is of.
    pub category: Option<&'a str>,
    /// Product that the meter is of.
    pub subcategory: Option<&'a str>,
    /// Kind of the service, of the closed list of FOCUS.
    pub kind: Option<&'a str>,
    /// Unit of the quantity.
    pub unit: Option<&'a str>,
    /// Instance type.
    pub instance_type: Option<&'a str>,
    /// Operating system.
    pub operating_system: Option<&'a str>,
    /// Storage class.
    pub storage_class: Option<&'a str>,
}

impl<'a> Wording<'a> {
    /// All that says it.
    #[must_use]
    pub fn texts(self) -> [&'a str; 11] {
        [
            Some(self.service),
            self.usage_type,
            self.operation,
            self.description,
            self.category,
            self.subcategory,
            self.kind,
            self.unit,
            self.instance_type,
            self.operating_system,
            self.storage_class,
        ]
        .map(Option::unwrap_or_default)
    }
}

/// The meter of a row; other clouds' rows are [`Meter::Other`] until a checker needs them.
#[must_use]
pub fn of(cloud: &str, row: Wording<'_>) -> Meter {
    let meter = match cloud {
        "aws" => aws(row),
        "azure" => azure::meter(row),
        "gcp" => google::meter(row),
        _ => return Meter::Other,
    };
    meter.or_else(|| details::meter(row)).unwrap_or(Meter::Other)
}

fn aws(row: Wording<'_>) -> Option<Meter> {
    let of_service = |meter: &Meter| services::charges_for(row.service, meter);
    let meter = usage_type::meter(row).filter(of_service);
    meter.or_else(|| row.description.and_then(description::meter).filter(of_service))
}

/// Engines of databases by their spelling without spaces, in lower case, and as findings name them. Usage types write `MySQL5.7`,
/// descriptions `MySQL 5.7`: it is part of the fingerprint.
const ENGINES: [(&str, &str); 4] = [
    ("mysql", "MySQL"),
    ("postgresql", "PostgreSQL"),
    ("auroramysql", "Aurora MySQL"),
    ("aurorapostgresql", "Aurora PostgreSQL"),
];

/// An engine with its version, in one spelling.
fn engine(text: &str) -> Arc<str> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let (name, version) = text.split_at(text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len()));
    let lower = name.to_lowercase();
    let name = ENGINES.iter().find(|(spelling, _)| *spelling == lower).map_or(name, |(_, name)| name);
    format!("{name} {version}").trim().into()
}

/// The kind of load balancer that a text speaks of.
fn balancer_kind(text: &str) -> BalancerKind {
    let text = text.to_lowercase();
    let modern = ["application", "network", "gateway"].iter().any(|kind| text.contains(kind));
    if modern { BalancerKind::Capacity } else { BalancerKind::Classic }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_type_means_something_only_with_its_service() {
        let cases = [
            ("AmazonS3", "TimedStorage-ByteHrs", Meter::ObjectStandard),
            ("AmazonDynamoDB", "TimedStorage-ByteHrs", Meter::Stored(Stored::Table)),
            ("AmazonCloudWatch", "USW2-TimedStorage-ByteHrs", Meter::Other),
            ("AmazonECR", "TimedStorage-ByteHrs", Meter::Other),
            ("AmazonEFS", "USE1-IATimedStorage-ByteHrs", Meter::Stored(Stored::Files)),
            ("", "TimedStorage-ByteHrs", Meter::Other),
            ("AmazonEC2", "BoxUsage:m5.large", Meter::InstanceHours("m5.large".into())),
            ("ElasticMapReduce", "BoxUsage:m5.large", Meter::Other),
            ("AmazonRDS", "InstanceUsage:db.r5.large", Meter::NodeHours("db.r5.large".into())),
            ("AmazonDocDB", "InstanceUsage:db.r5.large", Meter::Other),
            ("AmazonEC2", "EBS:VolumeUsage.gp2", Meter::Volume(VolumeKind::Gp2)),
            ("AmazonRDS", "EBS:VolumeUsage.gp2", Meter::Other),
            ("AmazonEC2", "EBS:VolumeP-IOPS.io2.tier2", Meter::VolumeIops(VolumeKind::Io2)),
            ("AmazonEKS", "USE1-AmazonEKS-Hours:extendedSupport", Meter::ClusterSupport),
            ("AmazonEFS", "USE1-TimedStorage-ByteHrs", Meter::Stored(Stored::Files)),
            ("AmazonDynamoDB", "USE1-TimedStorage-ByteHrs", Meter::Stored(Stored::Table)),
            ("AWSBackup", "EU-WarmStorage-ByteHrs-EFS", Meter::Backup(Stored::Files)),
            ("AmazonS3", "EarlyDelete-SIA", Meter::ObjectEarlyDelete),
            ("AWSBackup", "EarlyDelete-ColdByteHrs-EFS", Meter::Other),
            ("AmazonECR", "USE1-Requests-Tier1", Meter::Other),
            ("AmazonCloudWatch", "DataProcessing-Bytes", Meter::LogIngestion),
            ("AWSELB", "DataProcessing-Bytes", Meter::BalancerData),
            ("AmazonKinesisFirehose", "DataProcessing-Bytes", Meter::Other),
            // Data transfer means the same wherever it is charged.
            ("AmazonRDS", "USE1-USW2-AWS-Out-Bytes", Meter::TransferCrossRegion),
        ];
        for (service, usage_type, expected) in cases {
            let row = Wording { service, usage_type: Some(usage_type), ..Wording::default() };
            assert_eq!(of("aws", row), expected, "{service} {usage_type}");
        }
    }

    #[test]
    fn so_does_a_description() {
        let storage = "$0.25 per GB-Month of storage used beyond first 25 free GB-Months";
        for (service, expected) in [("AmazonDynamoDB", Meter::Other), ("AmazonS3", Meter::ObjectStandard)] {
            assert_eq!(of("aws", Wording { service, description: Some(storage), ..Wording::default() }), expected);
        }
    }

    #[test]
    fn an_engine_has_one_spelling() {
        let cases = [
            ("MySQL5.7", "MySQL 5.7"),
            ("MySQL 5.7", "MySQL 5.7"),
            ("PostgreSQL11", "PostgreSQL 11"),
            ("AuroraPostgreSQL11", "Aurora PostgreSQL 11"),
            ("Aurora MySQL 2", "Aurora MySQL 2"),
            ("Other 9", "Other 9"),
            ("Odd", "Odd"),
        ];
        for (text, expected) in cases {
            assert_eq!(&*engine(text), expected);
        }
    }
}
