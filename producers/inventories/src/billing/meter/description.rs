//! Meters derived from the wording of AWS charge descriptions, for exports without usage types (plain FOCUS).

use super::{Meter, VolumeKind, balancer_kind, engine};

/// The meter of a description; `None` when the wording is unknown.
pub(super) fn meter(description: &str) -> Option<Meter> {
    let has = |words: &str| description.contains(words);
    if has(" per On Demand ") && has("Instance Hour") {
        return instance(description);
    }
    if has("provisioned storage") {
        return Some(Meter::Volume(volume_kind(description)));
    }
    if has("IOPS-month") {
        return iops(description);
    }
    if has("Extended Support for ") {
        let named = description.split("Extended Support for ").nth(1)?;
        return Some(Meter::ExtendedSupport(engine(named.split(" in ").next()?)));
    }
    let worded = [
        ("provisioned MiBps-month of gp3", Meter::VolumeThroughput),
        ("snapshot data stored", Meter::Snapshot),
        ("EBS:SnapshotUsage", Meter::Snapshot),
        ("per NAT Gateway Hour", Meter::NatHours),
        ("Data Processed by NAT Gateways", Meter::NatData),
        ("Idle public IPv4 address", Meter::PublicIpIdle),
        ("In-use public IPv4 address", Meter::PublicIpInUse),
        ("balancer capacity unit-hour", Meter::BalancerCapacity),
        ("regional data transfer - in/out/between", Meter::TransferCrossZone),
        ("log data ingested", Meter::LogIngestion),
        ("per metric-month", Meter::CustomMetrics),
        ("per 1,000 PUT, COPY, POST, or LIST requests", Meter::ObjectRequests),
        ("per 10,000 GET and all other requests", Meter::ObjectRequests),
        ("/ month data transfer out", Meter::TransferInternet),
        ("vended logs ingested", Meter::LogIngestion),
        ("AWS Lambda - Total Compute", Meter::FunctionTime),
        // As the sample files of FOCUS 1.2 to 1.4 have them.
        ("Lambda function duration", Meter::FunctionTime),
        ("NAT gateway data processed", Meter::NatData),
        ("Custom metrics", Meter::CustomMetrics),
    ];
    if let Some((_, meter)) = worded.into_iter().find(|(words, _)| has(words)) {
        return Some(meter);
    }
    if has("AWS Fargate - ") {
        // Neither capacity at spot prices nor what no commitment covers.
        return (!["Spot", "Ephemeral", "OS"].iter().any(|word| has(word))).then_some(Meter::ContainerHours);
    }
    if has("LoadBalancer-hour") {
        return Some(Meter::BalancerHours(balancer_kind(description)));
    }
    if has("Data Processed by the LoadBalancer") {
        return Some(Meter::BalancerData);
    }
    if has(" data transfer to ") || has("AWS-Out-Bytes") {
        return Some(Meter::TransferCrossRegion);
    }
    object_storage(description)
}

/// `$0.065 per IOPS-month provisioned` is io1, `$0.072 per IOPS-month provisioned (io2)` names its kind, and so does `$0.005 per provisioned
/// IOPS-month of gp3`.
fn iops(description: &str) -> Option<Meter> {
    let has = |words: &str| description.contains(words);
    let kind = match () {
        () if has("of gp3") => VolumeKind::Gp3,
        () if has("(io2)") => VolumeKind::Io2,
        () if has("per IOPS-month provisioned") => VolumeKind::Io1,
        () => return None,
    };
    Some(Meter::VolumeIops(kind))
}

/// `$2.00 per On Demand Linux m4.10xlarge Instance Hour`: the word before `Instance Hour`.
fn instance(description: &str) -> Option<Meter> {
    let before = description.split(" Instance Hour").next()?;
    let instance_type = before.rsplit(' ').next().filter(|word| word.contains('.'))?;
    Some(Meter::InstanceHours(instance_type.into()))
}

fn volume_kind(description: &str) -> VolumeKind {
    let kinds = [
        ("(gp2)", VolumeKind::Gp2),
        ("(gp3)", VolumeKind::Gp3),
        ("(io2)", VolumeKind::Io2),
        ("(io1)", VolumeKind::Io1),
        ("PIOPS (SSD)", VolumeKind::Io1),
        ("Magnetic", VolumeKind::Magnetic),
    ];
    kinds.into_iter().find(|(word, _)| description.contains(word)).map_or(VolumeKind::Other, |(_, kind)| kind)
}

fn object_storage(description: &str) -> Option<Meter> {
    if !description.contains("per GB") || !description.contains("storage used") {
        return None;
    }
    let tiered = ["Infrequent Access", "Glacier", "Archive", "Intelligent-Tiering", "One Zone"];
    let is_tiered = tiered.iter().any(|class| description.contains(class));
    Some(if is_tiered { Meter::ObjectTiered } else { Meter::ObjectStandard })
}

#[cfg(test)]
mod tests {
    use super::super::BalancerKind;
    use super::*;

    #[test]
    fn descriptions_name_their_meter() {
        let volume = |kind| Some(Meter::Volume(kind));
        let cases = [
            ("$2.00 per On Demand Linux m4.10xlarge Instance Hour", Some(Meter::InstanceHours("m4.10xlarge".into()))),
            ("$0.00 for 175 Mbps per t3a.small instance-hour (or partial hour)", None),
            ("AWS Marketplace hourly software usage|us-east-1|m5.2xlarge", None),
            (
                "$0.10 per GB-month of General Purpose SSD (gp2) provisioned storage - US East (Ohio)",
                volume(VolumeKind::Gp2),
            ),
            (
                "$0.08 per GB-month of General Purpose (gp3) provisioned storage - US East (Ohio)",
                volume(VolumeKind::Gp3),
            ),
            ("$0.05 per GB-month of Magnetic provisioned storage - US West (Oregon)", volume(VolumeKind::Magnetic)),
            (
                "$0.005 per provisioned IOPS-month of gp3 - US East (N. Virginia)",
                Some(Meter::VolumeIops(VolumeKind::Gp3)),
            ),
            ("$0.04 per provisioned MiBps-month of gp3 - US East (N. Virginia)", Some(Meter::VolumeThroughput)),
            ("$0.138 per GB-month of PIOPS (SSD) provisioned storage - EU (Ireland)", volume(VolumeKind::Io1)),
            ("$0.072 per IOPS-month provisioned - EU (Ireland)", Some(Meter::VolumeIops(VolumeKind::Io1))),
            (
                "$0.072 per IOPS-month provisioned (io2) - US West (Northern California)",
                Some(Meter::VolumeIops(VolumeKind::Io2)),
            ),
            ("$0.30 per metric-month for the first 10,000 metrics - US West (Oregon)", Some(Meter::CustomMetrics)),
            ("$0.005 per 1,000 PUT, COPY, POST, or LIST requests", Some(Meter::ObjectRequests)),
            ("$0.05 per GB-Month of snapshot data stored - US West (Oregon)", Some(Meter::Snapshot)),
            ("USD0.0595 per GB-Mo for EBS:SnapshotUsage in Africa (Cape Town)", Some(Meter::Snapshot)),
            ("$0.045 per NAT Gateway Hour", Some(Meter::NatHours)),
            ("$0.045 per GB Data Processed by NAT Gateways", Some(Meter::NatData)),
            ("$0.005 per Idle public IPv4 address per hour", Some(Meter::PublicIpIdle)),
            ("$0.005 per In-use public IPv4 address per hour", Some(Meter::PublicIpInUse)),
            (
                "$0.0225 per Application LoadBalancer-hour (or partial hour)",
                Some(Meter::BalancerHours(BalancerKind::Capacity)),
            ),
            ("$0.025 per LoadBalancer-hour (or partial hour)", Some(Meter::BalancerHours(BalancerKind::Classic))),
            (
                "$0.008 per used Application load balancer capacity unit-hour (or partial hour)",
                Some(Meter::BalancerCapacity),
            ),
            (
                "$0.010 per GB - regional data transfer - in/out/between EC2 AZs or using elastic IPs or ELB",
                Some(Meter::TransferCrossZone),
            ),
            ("$0.02 per GB - EU (London) data transfer to EU (Ireland)", Some(Meter::TransferCrossRegion)),
            ("$0.00 per GB - US West (Oregon) data transfer from EU (Germany)", None),
            (
                "$0.090 per GB - first 10 TB / month data transfer out beyond the global free tier",
                Some(Meter::TransferInternet),
            ),
            ("$0.00 per GB data transfer out of US West (Oregon) to CloudFront", None),
            ("$0.023 per GB - first 50 TB / month of storage used", Some(Meter::ObjectStandard)),
            ("$0.0125 per GB-Month of storage used in Standard-Infrequent Access", Some(Meter::ObjectTiered)),
            (
                "USD 0.10 per hour per vCPU running RDS Extended Support for MySQL 5.7 in Year 1, Year 2",
                Some(Meter::ExtendedSupport("MySQL 5.7".into())),
            ),
            ("$0.50 per GB custom log data ingested in Standard log class - US East (Ohio)", Some(Meter::LogIngestion)),
            ("$0.03 per GB-mo of log storage - US West (Oregon)", None),
            ("AWS Fargate - vCPU  - US West 2 (Oregon)", Some(Meter::ContainerHours)),
            ("AWS Lambda - Total Compute (Provisioned) - US West (Oregon)", Some(Meter::FunctionTime)),
            ("AWS Lambda - Total Requests - US West (Oregon)", None),
            ("NAT gateway data processed", Some(Meter::NatData)),
            ("AWS Fargate - Ephemeral Storage - US West 2 (Oregon)", None),
        ];
        for (description, expected) in cases {
            assert_eq!(meter(description), expected, "{description}");
        }
    }
}
