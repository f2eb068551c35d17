//! Meters of Google Cloud, from the descriptions of its SKUs. Its FOCUS export and its detailed export have them as description of the
//! charge; some exports as `SkuMeter`. A description may end with a place: `Storage PD Snapshot in US`.
//!
//! Sources: docs/meters.md.

use super::{BalancerKind, DiskSize, Meter, VolumeKind, Wording, details};

const COMPUTE: &[&str] = &["Compute Engine"];
/// Addresses, NAT and load balancing are charged by either, by their age.
const NETWORK: &[&str] = &["Compute Engine", "Networking", "Cloud NAT", "Cloud Load Balancing"];
const STORAGE: &[&str] = &["Cloud Storage"];
const LOGGING: &[&str] = &["Cloud Logging", "Stackdriver Logging"];
/// Data transfer means the same wherever it is charged.
const ANY: &[&str] = &[];

/// Services, how the description of the SKU begins, and the meter; the first that fits counts.
const SKUS: &[(&[&str], &str, Meter)] = &[
    (NETWORK, "Static Ip Charge", Meter::PublicIpIdle),
    (NETWORK, "External IP Charge on a ", Meter::PublicIpInUse),
    (COMPUTE, "Storage PD Snapshot", Meter::Snapshot),
    (COMPUTE, "Storage PD Capacity", Meter::Volume(VolumeKind::Hdd)),
    (COMPUTE, "Regional Storage PD Capacity", Meter::Volume(VolumeKind::Hdd)),
    (COMPUTE, "SSD backed PD Capacity", Meter::Volume(VolumeKind::Premium(DiskSize::PER_GIB))),
    (COMPUTE, "Regional SSD backed PD Capacity", Meter::Volume(VolumeKind::Premium(DiskSize::PER_GIB_REDUNDANT))),
    (COMPUTE, "Balanced PD Capacity", Meter::Volume(VolumeKind::Standard(DiskSize::PER_GIB))),
    (COMPUTE, "Regional Balanced PD Capacity", Meter::Volume(VolumeKind::Standard(DiskSize::PER_GIB_REDUNDANT))),
    (COMPUTE, "Extreme PD Capacity", Meter::Volume(VolumeKind::Other)),
    (COMPUTE, "Hyperdisk ", Meter::Volume(VolumeKind::Other)),
    (NETWORK, "Networking Cloud Nat Data Processing", Meter::NatData),
    (NETWORK, "NAT Gateway: Data processing charge", Meter::NatData),
    (NETWORK, "Networking Cloud Nat Gateway Uptime", Meter::NatHours),
    (NETWORK, "NAT Gateway: Uptime charge", Meter::NatHours),
    (NETWORK, "Network Load Balancing: Forwarding Rule", Meter::BalancerHours(BalancerKind::Capacity)),
    (NETWORK, "Cloud Load Balancer Forwarding Rule", Meter::BalancerHours(BalancerKind::Capacity)),
    (LOGGING, "Log Storage cost", Meter::LogIngestion),
    (LOGGING, "Log Volume", Meter::LogIngestion),
    (STORAGE, "Standard Storage", Meter::ObjectStandard),
    (STORAGE, "Nearline Storage", Meter::ObjectTiered),
    (STORAGE, "Coldline Storage", Meter::ObjectTiered),
    (STORAGE, "Archive Storage", Meter::ObjectTiered),
    (ANY, "Network Inter Zone Data Transfer Out", Meter::TransferCrossZone),
    (ANY, "Network Inter Zone Egress", Meter::TransferCrossZone),
    (ANY, "Network Inter Region Data Transfer Out", Meter::TransferCrossRegion),
    (ANY, "Network Inter Region Egress", Meter::TransferCrossRegion),
    (ANY, "Network Data Transfer GCP Inter Region", Meter::TransferCrossRegion),
];

/// The meter of a row; `None` when no SKU is known.
pub(super) fn meter(row: Wording<'_>) -> Option<Meter> {
    [row.description, row.usage_type].into_iter().flatten().find_map(|text| of_sku(row, text))
}

fn of_sku(row: Wording<'_>, text: &str) -> Option<Meter> {
    // What was deleted before its time is charged as storage, too.
    if text.contains("Early Delete") {
        return None;
    }
    let begins = |start: &str| text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    let is_of = |services: &[&str]| services.is_empty() || services.contains(&row.service);
    let known = SKUS.iter().find(|(services, start, _)| is_of(services) && begins(start));
    if let Some((.., meter)) = known {
        // Hyperdisks are charged for speed as well.
        let is_speed = begins("Hyperdisk ") && !text.contains("Capacity");
        return (!is_speed).then(|| meter.clone());
    }
    if is_of(NETWORK) && text.contains("Load Balanc") && text.contains("Data Processing") {
        return Some(Meter::BalancerData);
    }
    if is_of(COMPUTE) { machine(row, text) } else { None }
}

/// Machines are charged by core and by GiB of memory: `N1 Predefined Instance Core running in Americas`. Those at spot prices, of a
/// commitment or on a host of one's own are other SKUs.
fn machine(row: Wording<'_>, text: &str) -> Option<Meter> {
    if ["Spot ", "Preemptible ", "Commitment ", "Sole Tenancy"].iter().any(|other| text.contains(other)) {
        return None;
    }
    let shared = [("Micro Instance with burstable CPU", "f1-micro"), ("Small Instance with 1 VCPU", "g1-small")];
    if let Some((_, name)) = shared.iter().find(|(start, _)| text.starts_with(start)) {
        return Some(Meter::InstanceHours(details::name(row.instance_type.unwrap_or(name))));
    }
    let family = |part: &str| {
        let (series, rest) = text.split_once(part)?;
        let first = series.split(' ').next().filter(|_| rest.starts_with(" running"))?;
        // `Custom Instance Core` is N1; custom machines of other families have its name in front.
        Some(if first == "Custom" || series.is_empty() { "N1".into() } else { first.into() })
    };
    let cores = family("Instance Core").map(Meter::MachineCores);
    cores.or_else(|| family("Instance Ram").map(Meter::MachineMemory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_of_skus_name_their_meter() {
        let volume = |kind| Some(Meter::Volume(kind));
        let cases = [
            ("Compute Engine", "Static Ip Charge", Some(Meter::PublicIpIdle)),
            ("Compute Engine", "Static Ip Charge in Iowa", Some(Meter::PublicIpIdle)),
            ("Networking", "Static Ip Charge", Some(Meter::PublicIpIdle)),
            ("Compute Engine", "External IP Charge on a Standard VM", Some(Meter::PublicIpInUse)),
            ("Compute Engine", "External IP Charge on a Spot Preemptible VM", Some(Meter::PublicIpInUse)),
            ("Compute Engine", "Storage PD Snapshot in US", Some(Meter::Snapshot)),
            ("Compute Engine", "Storage PD Capacity in Iowa", volume(VolumeKind::Hdd)),
            ("Compute Engine", "SSD backed PD Capacity", volume(VolumeKind::Premium(DiskSize::PER_GIB))),
            ("Compute Engine", "Balanced PD Capacity in Iowa", volume(VolumeKind::Standard(DiskSize::PER_GIB))),
            ("Compute Engine", "Hyperdisk Balanced Capacity in Iowa", volume(VolumeKind::Other)),
            ("Compute Engine", "Hyperdisk Balanced IOPS in Iowa", None),
            ("Compute Engine", "SSD backed Local Storage", None),
            ("Cloud SQL", "Storage PD Snapshot", None),
            ("Networking", "Networking Cloud Nat Data Processing", Some(Meter::NatData)),
            ("Networking", "Networking Cloud Nat Gateway Uptime", Some(Meter::NatHours)),
            ("Networking", "Networking Cloud NAT IP Usage", None),
            (
                "Compute Engine",
                "Network Load Balancing: Forwarding Rule Minimum Service Charge in EMEA",
                Some(Meter::BalancerHours(BalancerKind::Capacity)),
            ),
            ("Compute Engine", "Network Load Balancing: Data Processing Charge in EMEA", Some(Meter::BalancerData)),
            ("Cloud Logging", "Log Storage cost", Some(Meter::LogIngestion)),
            ("Cloud Logging", "Log Retention cost", None),
            ("Cloud Storage", "Standard Storage US Multi-region", Some(Meter::ObjectStandard)),
            ("Cloud Storage", "Nearline Storage Iowa", Some(Meter::ObjectTiered)),
            ("Cloud Storage", "Nearline Storage Iowa (Early Delete)", None),
            ("BigQuery", "Standard Storage", None),
            ("Compute Engine", "Network Inter Zone Data Transfer Out", Some(Meter::TransferCrossZone)),
            (
                "Compute Engine",
                "Network Inter Region Data Transfer Out from Americas to EMEA",
                Some(Meter::TransferCrossRegion),
            ),
            ("Cloud Storage", "Network Data Transfer GCP Inter Region within Europe", Some(Meter::TransferCrossRegion)),
            ("Compute Engine", "Network Inter Region Data Transfer In from APAC to Americas", None),
            ("Compute Engine", "Network Internet Data Transfer Out from Americas to EMEA", None),
        ];
        for (service, description, expected) in cases {
            let row = Wording { service, description: Some(description), ..Wording::default() };
            assert_eq!(meter(row), expected, "{service} {description}");
            let row = Wording { service, usage_type: Some(description), ..Wording::default() };
            assert_eq!(meter(row), expected, "{service} {description}");
        }
    }

    #[test]
    fn machines_are_charged_by_core_and_memory() {
        let cases = [
            ("N1 Predefined Instance Core running in Americas", Some(Meter::MachineCores("N1".into()))),
            ("N1 Predefined Instance Ram running in Americas", Some(Meter::MachineMemory("N1".into()))),
            ("E2 Instance Core running in Belgium", Some(Meter::MachineCores("E2".into()))),
            ("N2D AMD Instance Ram running in Belgium", Some(Meter::MachineMemory("N2D".into()))),
            ("Custom Instance Core running in Americas", Some(Meter::MachineCores("N1".into()))),
            ("N2 Custom Instance Core running in Americas", Some(Meter::MachineCores("N2".into()))),
            ("Spot Preemptible E2 Instance Core running in Belgium", None),
            ("Preemptible N1 Predefined Instance Core running in Americas", None),
            ("Commitment v1: N2 Cpu in Americas for 1 Year", None),
            ("N1 Predefined Sole Tenancy Instance Core running in Americas", None),
            ("Micro Instance with burstable CPU running in Americas", Some(Meter::InstanceHours("f1-micro".into()))),
            ("Small Instance with 1 VCPU running in Americas", Some(Meter::InstanceHours("g1-small".into()))),
        ];
        for (description, expected) in cases {
            let row = Wording { service: "Compute Engine", description: Some(description), ..Wording::default() };
            assert_eq!(meter(row), expected, "{description}");
        }
    }
}
