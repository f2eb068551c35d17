//! Meters derived from AWS usage types such as `USW2-BoxUsage:m5.large`.
//!
//! Sources of the spellings, November 2026: AWS price list (EC2, VPC, EKS, RDS, AWS Backup, CloudWatch); Amazon EC2, VPC and S3 user guides,
//! "usage report" pages (`UnusedBox`, `VpcEndpoint-Hours`, `EarlyDelete-*`, `Requests-Tier*`); AWS Data Exports User Guide, "Monitoring your
//! On-Demand capacity reservations".

use super::{Meter, Stored, VolumeKind, Wording, balancer_kind, engine};

/// Usage types that say it all, after the region.
const PLAIN: [(&str, Meter); 21] = [
    ("Lambda-GB-Second", Meter::FunctionTime),
    ("Lambda-GB-Second-ARM", Meter::FunctionTime),
    ("Lambda-Provisioned-GB-Second", Meter::FunctionTime),
    ("Lambda-Provisioned-GB-Second-ARM", Meter::FunctionTime),
    ("Lambda-Provisioned-Concurrency", Meter::FunctionTime),
    ("Lambda-Provisioned-Concurrency-ARM", Meter::FunctionTime),
    ("NatGateway-Hours", Meter::NatHours),
    ("NatGateway-Bytes", Meter::NatData),
    ("VpcEndpoint-Hours", Meter::EndpointHours),
    ("VpcEndpoint-Bytes", Meter::EndpointData),
    ("VpcEndpoint-GWLBE-Hours", Meter::EndpointHours),
    ("VpcEndpoint-GWLBE-Bytes", Meter::EndpointData),
    ("TransitGateway-Hours", Meter::TransitHours),
    ("TransitGateway-Bytes", Meter::TransitData),
    ("LCUUsage", Meter::BalancerCapacity),
    ("DataTransfer-Regional-Bytes", Meter::TransferCrossZone),
    ("AWS-Out-Bytes", Meter::TransferCrossRegion),
    ("VendedLog-Bytes", Meter::LogIngestion),
    ("VendedLogIA-Bytes", Meter::LogIngestion),
    ("DataProcessing-Bytes", Meter::LogIngestion),
    ("DataProcessingIA-Bytes", Meter::LogIngestion),
];

/// Hours of nodes: of databases in one zone and in several, of caches, of search domains and of warehouses.
///
/// Source: usage types of bills and of the AWS price list as public code quotes them (`USW2-Multi-AZUsage:db.m4.large`,
/// `NodeUsage:cache.r6g.large`, `ESInstance:r5.large`, `EU-Node:ra3.4xlarge`), November 2026.
const NODES: [&str; 5] = ["InstanceUsage", "Multi-AZUsage", "NodeUsage", "ESInstance", "Node"];

/// The meter a usage type names; `None` when there is none or it tells nothing.
pub(super) fn meter(row: Wording<'_>) -> Option<Meter> {
    let usage_type = row.usage_type?;
    let (code, detail) = usage_type.split_once(':').unwrap_or((usage_type, ""));
    let is = |name: &str| code == name || code.strip_suffix(name).is_some_and(|prefix| prefix.ends_with('-'));
    if is("BoxUsage") && !detail.is_empty() {
        return Some(Meter::InstanceHours(detail.into()));
    }
    if NODES.iter().any(|name| is(name)) && detail.contains('.') {
        return Some(Meter::NodeHours(detail.into()));
    }
    if let Some(meter) = detailed(is, detail) {
        return Some(meter);
    }
    if is("LoadBalancerUsage") {
        // One usage type for all kinds: operation or description tells them apart.
        let text = format!("{} {}", row.operation.unwrap_or_default(), row.description.unwrap_or_default());
        return Some(Meter::BalancerHours(balancer_kind(&text)));
    }
    if is("DataProcessing-Bytes") && row.service != "AmazonCloudWatch" {
        return Some(Meter::BalancerData);
    }
    if code.split_once("TimedStorage").is_some_and(|(before, _)| !is_region(before)) {
        // Of S3 Tables and the like, which have no storage classes.
        return None;
    }
    if code.contains("TimedStorage-") && code.ends_with("ByteHrs") {
        return Some(match row.service {
            // Storage classes of file systems come before the name, as in `IATimedStorage-ByteHrs`.
            "AmazonEFS" => Meter::Stored(Stored::Files),
            "AmazonDynamoDB" => Meter::Stored(Stored::Table),
            _ if is("TimedStorage-ByteHrs") => Meter::ObjectStandard,
            _ => Meter::ObjectTiered,
        });
    }
    if let Some((_, what)) = code.split_once("WarmStorage-ByteHrs-") {
        return Some(Meter::Backup(backup_of(what)));
    }
    if let Some((_, what)) = named(code, "Requests-") {
        return what.contains("Tier").then_some(Meter::ObjectRequests);
    }
    if named(code, "EarlyDelete-").is_some() {
        return Some(Meter::ObjectEarlyDelete);
    }
    if is("DataTransfer-Out-Bytes") {
        // Moving objects to an archive is no transfer to the internet.
        return (!code.ends_with("S3G-DataTransfer-Out-Bytes")).then_some(Meter::TransferInternet);
    }
    if let Some((_, meter)) = PLAIN.iter().find(|(name, _)| is(name)) {
        return Some(meter.clone());
    }
    let (region, what) = code.split_once("Fargate-")?;
    is_container_capacity(region, what).then_some(Meter::ContainerHours)
}

/// True for the code of a region as usage types begin with, such as `USW2-`, and for none.
fn is_region(before: &str) -> bool {
    !before.contains(|letter: char| letter.is_ascii_lowercase())
}

/// What of Fargate a Savings Plan covers: vCPU and memory, on any processor. Not the licence of an operating system, nor
/// ephemeral storage; and capacity at spot prices is cheaper already.
fn is_container_capacity(region: &str, what: &str) -> bool {
    let what = ["ARM-", "Windows-"].iter().fold(what, |what, kind| what.strip_prefix(kind).unwrap_or(what));
    !region.contains("Spot") && matches!(what, "vCPU-Hours" | "GB-Hours")
}

/// What the text after the colon names, for codes that have one.
fn detailed(is: impl Fn(&str) -> bool, detail: &str) -> Option<Meter> {
    if is("EBS") {
        return ebs(detail);
    }
    if is("UnusedBox") || is("UnusedDed") {
        return (!detail.is_empty()).then(|| Meter::CapacityUnused(detail.into()));
    }
    if is("Reservation") || is("DedicatedRes") {
        return (!detail.is_empty()).then_some(Meter::CapacityUsed);
    }
    if is("AmazonEKS-Hours") {
        return (detail == "extendedSupport").then_some(Meter::ClusterSupport);
    }
    if is("RDS") || is("Aurora") {
        return database(detail);
    }
    if is("CW") {
        return (detail == "MetricMonitorUsage").then_some(Meter::CustomMetrics);
    }
    if is("ExtendedSupport") {
        return detail.rsplit(':').next().map(|named| Meter::ExtendedSupport(engine(named)));
    }
    if is("PublicIPv4") {
        return ip(detail);
    }
    if is("ElasticIP") {
        return (detail == "IdleAddress").then_some(Meter::PublicIpIdle);
    }
    None
}

/// What comes before and after a name that begins a usage type or follows its region.
fn named<'a>(code: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    code.split_once(name).filter(|(region, _)| region.is_empty() || region.ends_with('-'))
}

/// Storage of databases is `GP2-Storage`, `Multi-AZ-GP3-Storage`, `PIOPS-Storage-IO2`, `StorageUsage` and the like; `StorageIOUsage` is I/O.
fn database(detail: &str) -> Option<Meter> {
    match detail {
        "ChargedBackupUsage" | "BackupUsage" => Some(Meter::Backup(Stored::Database)),
        _ if detail.ends_with("-Storage") || detail.contains("-Storage-") || detail.ends_with("StorageUsage") => {
            Some(Meter::Stored(Stored::Database))
        }
        _ => None,
    }
}

/// What a vault keeps backups of: `EFS`, or `EFS-LAGV` in an air-gapped one.
fn backup_of(what: &str) -> Stored {
    match what.split('-').next().unwrap_or_default() {
        "RDS" | "Aurora" => Stored::Database,
        "EFS" => Stored::Files,
        "DynamoDB" => Stored::Table,
        "S3" => Stored::Object,
        "EBS" => Stored::Volume,
        _ => Stored::Other,
    }
}

fn ebs(detail: &str) -> Option<Meter> {
    Some(match detail {
        "VolumeUsage.piops" => Meter::Volume(VolumeKind::Io1),
        "VolumeUsage.io2" => Meter::Volume(VolumeKind::Io2),
        "VolumeP-IOPS.piops" => Meter::VolumeIops(VolumeKind::Io1),
        // The IOPS of one volume are charged in up to three tiers.
        "VolumeP-IOPS.io2" | "VolumeP-IOPS.io2.tier2" | "VolumeP-IOPS.io2.tier3" => Meter::VolumeIops(VolumeKind::Io2),
        "VolumeP-IOPS.gp3" => Meter::VolumeIops(VolumeKind::Gp3),
        "VolumeP-Throughput.gp3" => Meter::VolumeThroughput,
        "VolumeUsage.gp2" => Meter::Volume(VolumeKind::Gp2),
        "VolumeUsage.gp3" => Meter::Volume(VolumeKind::Gp3),
        "VolumeUsage" => Meter::Volume(VolumeKind::Magnetic),
        "SnapshotUsage" | "SnapshotUsageUnderBilling" => Meter::Snapshot,
        _ if detail.starts_with("VolumeUsage.") => Meter::Volume(VolumeKind::Other),
        _ => return None,
    })
}

fn ip(detail: &str) -> Option<Meter> {
    match detail {
        "IdleAddress" => Some(Meter::PublicIpIdle),
        "InUseAddress" => Some(Meter::PublicIpInUse),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::BalancerKind;
    use super::*;

    #[test]
    fn nodes_are_named_by_their_type() {
        let node = |node: &str| Some(Meter::NodeHours(node.into()));
        let cases = [
            ("InstanceUsage:db.r5.large", node("db.r5.large")),
            ("USW2-Multi-AZUsage:db.m4.large", node("db.m4.large")),
            ("NodeUsage:cache.r6g.large", node("cache.r6g.large")),
            ("USE2-ESInstance:r5.large", node("r5.large")),
            ("EU-Node:ra3.4xlarge", node("ra3.4xlarge")),
            ("EU-OtherNode:ra3.4xlarge", None),
        ];
        for (usage_type, expected) in cases {
            let row = Wording { usage_type: Some(usage_type), ..Wording::default() };
            assert_eq!(meter(row), expected, "{usage_type}");
        }
    }

    #[test]
    fn usage_types_name_their_meter() {
        let cases = [
            ("USW2-BoxUsage:m5.large", Some(Meter::InstanceHours("m5.large".into()))),
            ("BoxUsage:t2.micro", Some(Meter::InstanceHours("t2.micro".into()))),
            ("SpotUsage:m5.large", None),
            ("USW2-HeavyUsage:t3.large", None),
            ("EBS:VolumeUsage.gp2", Some(Meter::Volume(VolumeKind::Gp2))),
            ("APS2-EBS:VolumeUsage.gp3", Some(Meter::Volume(VolumeKind::Gp3))),
            ("EBS:VolumeUsage", Some(Meter::Volume(VolumeKind::Magnetic))),
            ("EBS:VolumeUsage.piops", Some(Meter::Volume(VolumeKind::Io1))),
            ("EUC1-EBS:VolumeUsage.io2", Some(Meter::Volume(VolumeKind::Io2))),
            ("EBS:VolumeUsage.st1", Some(Meter::Volume(VolumeKind::Other))),
            ("EBS:VolumeP-IOPS.gp3", Some(Meter::VolumeIops(VolumeKind::Gp3))),
            ("EBS:VolumeP-IOPS.piops", Some(Meter::VolumeIops(VolumeKind::Io1))),
            ("APN1-EBS:VolumeP-IOPS.io2.tier3", Some(Meter::VolumeIops(VolumeKind::Io2))),
            ("APN1-EBS:VolumeP-Throughput.gp3", Some(Meter::VolumeThroughput)),
            ("EUC1-UnusedBox:m5.large", Some(Meter::CapacityUnused("m5.large".into()))),
            ("UnusedDed:m5.large", Some(Meter::CapacityUnused("m5.large".into()))),
            ("Reservation:m5.large", Some(Meter::CapacityUsed)),
            ("USE1-DedicatedRes:m5.large", Some(Meter::CapacityUsed)),
            ("USE1-AmazonEKS-Hours:perCluster", None),
            ("RDS:ChargedBackupUsage", Some(Meter::Backup(Stored::Database))),
            ("USW2-Aurora:BackupUsage", Some(Meter::Backup(Stored::Database))),
            ("EU-RDS:Multi-AZ-GP3-Storage", Some(Meter::Stored(Stored::Database))),
            ("RDS:PIOPS-Storage-IO2", Some(Meter::Stored(Stored::Database))),
            ("Aurora:IO-OptimizedStorageUsage", Some(Meter::Stored(Stored::Database))),
            ("Aurora:StorageIOUsage", None),
            ("USE1-WarmStorage-ByteHrs-EBS-LAGV", Some(Meter::Backup(Stored::Volume))),
            ("USE1-WarmStorage-ByteHrs-VirtualMachine", Some(Meter::Backup(Stored::Other))),
            ("USW2-VpcEndpoint-Hours", Some(Meter::EndpointHours)),
            ("VpcEndpoint-GWLBE-Bytes", Some(Meter::EndpointData)),
            ("USE1-VpcEndpoint-Resource-Hours", None),
            ("USE1-TransitGateway-Hours", Some(Meter::TransitHours)),
            ("TransitGateway-Bytes", Some(Meter::TransitData)),
            ("EUW1-EarlyDelete-GIR-SmObjects", Some(Meter::ObjectEarlyDelete)),
            ("USE1-Requests-SIA-Tier1", Some(Meter::ObjectRequests)),
            ("Tables-Requests-Tier1", Some(Meter::ObjectRequests)),
            ("DataTransfer-Out-Bytes", Some(Meter::TransferInternet)),
            ("USE1-S3G-DataTransfer-Out-Bytes", None),
            ("USE1-CW:MetricMonitorUsage", Some(Meter::CustomMetrics)),
            ("CW:AlarmMonitorUsage", None),
            ("USW2-EBS:SnapshotUsage", Some(Meter::Snapshot)),
            ("USW2-NatGateway-Hours", Some(Meter::NatHours)),
            ("NatGateway-Bytes", Some(Meter::NatData)),
            ("PublicIPv4:IdleAddress", Some(Meter::PublicIpIdle)),
            ("EUC1-PublicIPv4:InUseAddress", Some(Meter::PublicIpInUse)),
            ("ElasticIP:IdleAddress", Some(Meter::PublicIpIdle)),
            ("USW2-LCUUsage", Some(Meter::BalancerCapacity)),
            ("USW2-TimedStorage-ByteHrs", Some(Meter::ObjectStandard)),
            ("TimedStorage-SIA-ByteHrs", Some(Meter::ObjectTiered)),
            ("Tables-TimedStorage-ByteHrs", None),
            ("USE1-Tables-TimedStorage-INT-FA-ByteHrs", None),
            ("USW2-TimedStorage-GlacierByteHrs", Some(Meter::ObjectTiered)),
            ("USW2-USE1-AWS-Out-Bytes", Some(Meter::TransferCrossRegion)),
            ("USW2-DataTransfer-Regional-Bytes", Some(Meter::TransferCrossZone)),
            ("APS2-Fargate-vCPU-Hours:perCPU", Some(Meter::ContainerHours)),
            ("USE1-Fargate-ARM-GB-Hours", Some(Meter::ContainerHours)),
            ("Fargate-EphemeralStorage-GB-Hours", None),
            ("USE1-Fargate-Windows-OS-Hours:perCPU", None),
            ("USE1-SpotUsage-Fargate-vCPU-Hours:perCPU", None),
            ("USW2-DataProcessing-Bytes", Some(Meter::BalancerData)),
            ("USE2-ExtendedSupport:Yr1-Yr2:MySQL5.7", Some(Meter::ExtendedSupport("MySQL 5.7".into()))),
        ];
        for (usage_type, expected) in cases {
            let row = Wording { usage_type: Some(usage_type), ..Wording::default() };
            assert_eq!(meter(row), expected, "{usage_type}");
        }
    }

    #[test]
    fn functions_are_charged_for_their_time_and_more() {
        let cases = [
            ("USE1-Lambda-GB-Second-ARM", Some(Meter::FunctionTime)),
            ("EU-Lambda-Provisioned-Concurrency", Some(Meter::FunctionTime)),
            ("Lambda-Storage-GB-Second", None),
            ("Lambda-Edge-GB-Second", None),
            ("Request", None),
        ];
        for (usage_type, expected) in cases {
            let row = Wording { usage_type: Some(usage_type), ..Wording::default() };
            assert_eq!(meter(row), expected, "{usage_type}");
        }
    }

    #[test]
    fn load_balancers_are_distinguished_by_operation() {
        let kind =
            |operation| meter(Wording { usage_type: Some("USW2-LoadBalancerUsage"), operation, ..Wording::default() });
        assert_eq!(kind(Some("LoadBalancing:Application")), Some(Meter::BalancerHours(BalancerKind::Capacity)));
        assert_eq!(kind(Some("LoadBalancing")), Some(Meter::BalancerHours(BalancerKind::Classic)));
    }

    #[test]
    fn processed_data_belongs_to_its_service() {
        let of =
            |service| meter(Wording { service, usage_type: Some("USW2-DataProcessing-Bytes"), ..Wording::default() });
        assert_eq!(of("AWSELB"), Some(Meter::BalancerData));
        assert_eq!(of("AmazonCloudWatch"), Some(Meter::LogIngestion));
    }
}
