//! Meters derived from AWS usage types such as `USW2-BoxUsage:m5.large`.

use super::{Meter, VolumeKind, Wording, balancer_kind, engine};

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
    if is("EBS") {
        return ebs(detail);
    }
    if is("ExtendedSupport") {
        return Some(Meter::ExtendedSupport(engine(detail.rsplit(':').next()?)));
    }
    if is("PublicIPv4") {
        return ip(detail);
    }
    if is("ElasticIP") {
        return (detail == "IdleAddress").then_some(Meter::PublicIpIdle);
    }
    if is("LoadBalancerUsage") {
        // One usage type for all kinds: operation or description tells them apart.
        let text = format!("{} {}", row.operation.unwrap_or_default(), row.description.unwrap_or_default());
        return Some(Meter::BalancerHours(balancer_kind(&text)));
    }
    if is("DataProcessing-Bytes") && row.service != "AmazonCloudWatch" {
        return Some(Meter::BalancerData);
    }
    let plain = [
        ("NatGateway-Hours", Meter::NatHours),
        ("NatGateway-Bytes", Meter::NatData),
        ("LCUUsage", Meter::BalancerCapacity),
        ("DataTransfer-Regional-Bytes", Meter::TransferCrossZone),
        ("AWS-Out-Bytes", Meter::TransferCrossRegion),
        ("TimedStorage-ByteHrs", Meter::ObjectStandard),
        ("VendedLog-Bytes", Meter::LogIngestion),
        ("VendedLogIA-Bytes", Meter::LogIngestion),
        ("DataProcessing-Bytes", Meter::LogIngestion),
        ("DataProcessingIA-Bytes", Meter::LogIngestion),
    ];
    if let Some((_, meter)) = plain.into_iter().find(|(name, _)| is(name)) {
        return Some(meter);
    }
    if let Some((region, what)) = code.split_once("Fargate-") {
        return is_container_capacity(region, what).then_some(Meter::ContainerHours);
    }
    (code.contains("TimedStorage-") && code.ends_with("ByteHrs")).then_some(Meter::ObjectTiered)
}

/// What of Fargate a Savings Plan covers: vCPU and memory, on any processor. Not the licence of an operating system, nor
/// ephemeral storage; and capacity at spot prices is cheaper already.
fn is_container_capacity(region: &str, what: &str) -> bool {
    let what = ["ARM-", "Windows-"].iter().fold(what, |what, kind| what.strip_prefix(kind).unwrap_or(what));
    !region.contains("Spot") && matches!(what, "vCPU-Hours" | "GB-Hours")
}

fn ebs(detail: &str) -> Option<Meter> {
    Some(match detail {
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
    fn usage_types_name_their_meter() {
        let cases = [
            ("USW2-BoxUsage:m5.large", Some(Meter::InstanceHours("m5.large".into()))),
            ("BoxUsage:t2.micro", Some(Meter::InstanceHours("t2.micro".into()))),
            ("SpotUsage:m5.large", None),
            ("InstanceUsage:db.r5.large", Some(Meter::NodeHours("db.r5.large".into()))),
            ("USW2-Multi-AZUsage:db.m4.large", Some(Meter::NodeHours("db.m4.large".into()))),
            ("NodeUsage:cache.r6g.large", Some(Meter::NodeHours("cache.r6g.large".into()))),
            ("USE2-ESInstance:r5.large", Some(Meter::NodeHours("r5.large".into()))),
            ("EU-Node:ra3.4xlarge", Some(Meter::NodeHours("ra3.4xlarge".into()))),
            ("EU-OtherNode:ra3.4xlarge", None),
            ("USW2-HeavyUsage:t3.large", None),
            ("EBS:VolumeUsage.gp2", Some(Meter::Volume(VolumeKind::Gp2))),
            ("APS2-EBS:VolumeUsage.gp3", Some(Meter::Volume(VolumeKind::Gp3))),
            ("EBS:VolumeUsage", Some(Meter::Volume(VolumeKind::Magnetic))),
            ("EBS:VolumeUsage.piops", Some(Meter::Volume(VolumeKind::Other))),
            ("EBS:VolumeP-IOPS.gp3", None),
            ("USW2-EBS:SnapshotUsage", Some(Meter::Snapshot)),
            ("USW2-NatGateway-Hours", Some(Meter::NatHours)),
            ("NatGateway-Bytes", Some(Meter::NatData)),
            ("PublicIPv4:IdleAddress", Some(Meter::PublicIpIdle)),
            ("EUC1-PublicIPv4:InUseAddress", Some(Meter::PublicIpInUse)),
            ("ElasticIP:IdleAddress", Some(Meter::PublicIpIdle)),
            ("USW2-LCUUsage", Some(Meter::BalancerCapacity)),
            ("USW2-TimedStorage-ByteHrs", Some(Meter::ObjectStandard)),
            ("TimedStorage-SIA-ByteHrs", Some(Meter::ObjectTiered)),
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
            ("USW2-Lambda-GB-Second", None),
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
