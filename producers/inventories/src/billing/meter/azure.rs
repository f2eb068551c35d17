//! Meters of Azure. An export names the service of a meter, its product and itself (`x_SkuMeterCategory`, `x_SkuMeterSubcategory`,
//! `SkuMeter` or `x_SkuMeterName`); where it has none of these, its description has product, meter and place: `Premium SSD Managed
//! Disks - P4 LRS - US East`.
//!
//! Sources: docs/meters.md.

use super::{BalancerKind, DiskSize, Meter, VolumeKind, Wording, details};

const MACHINES: &[&str] = &["Virtual Machines", "Virtual Machine Scale Sets"];
/// `Storage` is the category of the meter, which the native export has as service.
const DISKS: &[&str] = &["Virtual Machines", "Virtual Machine Scale Sets", "Storage"];
const BLOBS: &[&str] = &["Storage Accounts", "Storage"];
const NETWORK: &[&str] = &["Virtual Network", "Virtual Machine Scale Sets", "Virtual Machines", "Load Balancer"];
const NAT: &[&str] = &["Azure NAT Gateway", "NAT Gateway", "Virtual Network"];
const BALANCER: &[&str] = &["Load Balancer"];
const GATEWAY: &[&str] = &["Application Gateway"];
const LOGS: &[&str] = &["Azure Monitor", "Log Analytics"];

/// Between the parts of a description.
const SEPARATOR: &str = " - ";

/// What a meter is called, in lower case.
struct Named {
    product: String,
    meter: String,
}

/// The meter of a row; `None` when it is unknown.
pub(super) fn meter(row: Wording<'_>) -> Option<Meter> {
    readings(row).into_iter().flatten().find_map(|named| of_name(row, &named))
}

/// Where product and meter may stand, in the order in which they are believed.
fn readings(row: Wording<'_>) -> [Option<Named>; 3] {
    let named = |product: &str, meter: &str| Named {
        product: product.to_lowercase(),
        meter: meter.to_lowercase().replace(SEPARATOR, " "),
    };
    let described = row.description.map(|text| text.split_once(SEPARATOR).unwrap_or(("", text)));
    [
        row.subcategory.zip(row.usage_type).map(|(product, meter)| named(product, meter)),
        described.map(|(product, meter)| named(product, meter)),
        row.usage_type.map(|meter| named("", meter)),
    ]
}

fn of_name(row: Wording<'_>, named: &Named) -> Option<Meter> {
    let service = if row.service.is_empty() { row.category.unwrap_or_default() } else { row.service };
    let is_of = |services: &[&str]| services.contains(&service);
    let Named { product, meter } = named;
    let has = |words: &str| meter.contains(words);
    // The same wherever it is charged.
    if has("inter-availability zone data transfer") {
        return Some(Meter::TransferCrossZone);
    }
    if product.contains("inter-region") && has("data transfer out") {
        return Some(Meter::TransferCrossRegion);
    }
    if is_of(DISKS) && product.contains("managed disks") {
        return disk(meter);
    }
    if is_of(MACHINES) && product.contains(" series") {
        return machine(row, meter);
    }
    if is_of(NETWORK) && has("public ip") && (has("static") || has("dynamic")) {
        return Some(Meter::PublicIp);
    }
    if is_of(NAT) && (product.contains("nat gateway") || service != "Virtual Network") {
        let is_data = has("data processed");
        return if is_data { Some(Meter::NatData) } else { has("gateway").then_some(Meter::NatHours) };
    }
    if is_of(LOGS) {
        // The second is how the sample files of FOCUS 1.2 to 1.4 have it.
        return (has("data ingestion") || has("log data ingested")).then_some(Meter::LogIngestion);
    }
    if is_of(BLOBS) && has("data stored") {
        return blob(product, meter);
    }
    if is_of(BALANCER) || is_of(GATEWAY) { balancer(is_of(GATEWAY), meter) } else { None }
}

/// `P10 LRS Disk`, `P10 LRS`: P is Premium SSD, E Standard SSD, S Standard HDD, the number is the size.
fn disk(meter: &str) -> Option<Meter> {
    if meter.contains("snapshot") {
        return Some(Meter::Snapshot);
    }
    if ["operations", "mount", "burst"].iter().any(|other| meter.contains(other)) {
        return None;
    }
    let (series, tier) = meter.split(' ').next()?.split_at_checked(1)?;
    let size = DiskSize { tier: tier.parse().ok()?, is_zone_redundant: meter.contains("zrs") };
    Some(Meter::Volume(match series {
        "p" => VolumeKind::Premium(size),
        "e" => VolumeKind::Standard(size),
        "s" => VolumeKind::Hdd,
        _ => return None,
    }))
}

/// `D2 v3/D2s v3`: one meter for the types with and without premium storage. Those at spot prices have meters of their own.
fn machine(row: Wording<'_>, meter: &str) -> Option<Meter> {
    if ["spot", "low priority", "expired"].iter().any(|other| meter.contains(other)) {
        return None;
    }
    if let Some(instance_type) = row.instance_type {
        return Some(Meter::InstanceHours(details::name(instance_type)));
    }
    // As the export spells it, without the place.
    let texts = [row.usage_type, row.description.and_then(|text| text.split(SEPARATOR).nth(1))];
    let spelled = texts.into_iter().flatten().find(|text| meter.starts_with(&text.to_lowercase()))?;
    Some(Meter::InstanceHours(spelled.into()))
}

/// `Hot LRS Data Stored` of block blobs; files and tables have no tiers that move by themselves.
fn blob(product: &str, meter: &str) -> Option<Meter> {
    if !["block blob", "blob storage", "data lake storage"].iter().any(|kind| product.contains(kind)) {
        return None;
    }
    match meter.split(' ').next()? {
        "hot" => Some(Meter::ObjectStandard),
        "cool" | "cold" | "archive" => Some(Meter::ObjectTiered),
        _ => None,
    }
}

fn balancer(is_gateway: bool, meter: &str) -> Option<Meter> {
    let hours = Some(Meter::BalancerHours(BalancerKind::Capacity));
    match meter {
        _ if meter.contains("data processed") => Some(Meter::BalancerData),
        _ if meter.contains("capacity units") => Some(Meter::BalancerCapacity),
        _ if meter.contains("lb rules and outbound rules") => hours,
        _ if is_gateway && (meter.contains("fixed cost") || meter.ends_with("gateway")) => hours,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(series: fn(DiskSize) -> VolumeKind, tier: u16) -> Option<Meter> {
        Some(Meter::Volume(series(DiskSize { tier, is_zone_redundant: false })))
    }

    /// Descriptions of the sample of Microsoft's export in the FOCUS sample data, and of its price list.
    #[test]
    fn descriptions_name_product_and_meter() {
        let hours = |name: &str| Some(Meter::InstanceHours(name.into()));
        let balancer = Some(Meter::BalancerHours(BalancerKind::Capacity));
        let cases = [
            ("Virtual Machines", "Premium SSD Managed Disks - P4 LRS - US East", disk(VolumeKind::Premium, 4)),
            ("Virtual Machines", "Standard SSD Managed Disks - E10 LRS - US East", disk(VolumeKind::Standard, 10)),
            (
                "Virtual Machines",
                "Standard HDD Managed Disks - S20 LRS - US East",
                Some(Meter::Volume(VolumeKind::Hdd)),
            ),
            ("Virtual Machines", "Standard HDD Managed Disks - Snapshots LRS - US East", Some(Meter::Snapshot)),
            ("Azure Machine Learning", "Premium SSD Managed Disks - P6 LRS - US East 2", None),
            (
                "Virtual Machines",
                "Virtual Machines Dv2/DSv2 Series - D11 v2/DS11 v2 - US East 2",
                hours("D11 v2/DS11 v2"),
            ),
            ("Virtual Machines", "Virtual Machines Dv3/DSv3 Series - D2 v3/D2s v3 Spot - US East", None),
            ("Virtual Network", "IP Addresses - Standard IPv4 Static Public IP - Dev/Test", Some(Meter::PublicIp)),
            ("Load Balancer", "Load Balancer - Standard Data Processed", Some(Meter::BalancerData)),
            ("Load Balancer", "Load Balancer - Standard Included LB Rules and Outbound Rules", balancer),
            ("Azure NAT Gateway", "NAT Gateway - Standard Gateway", Some(Meter::NatHours)),
            ("Azure NAT Gateway", "NAT Gateway - Standard Data Processed", Some(Meter::NatData)),
            ("Storage Accounts", "Tiered Block Blob - Hot LRS - Data Stored - US West", Some(Meter::ObjectStandard)),
            ("Storage Accounts", "Tiered Block Blob - Hot LRS - Write Operations - US West", None),
            ("Storage Accounts", "Tables - LRS Data Stored", None),
            ("Storage Accounts", "Files v2 - Hot LRS - Data Stored", None),
            ("Azure Monitor", "Log Analytics - Analytics Logs Data Ingestion", Some(Meter::LogIngestion)),
            (
                "Azure Machine Learning",
                "Bandwidth Inter-Region - Intra Continent Data Transfer Out - North America",
                Some(Meter::TransferCrossRegion),
            ),
            ("Virtual Machines", "Rtn Preference: MGN - Standard Data Transfer Out", None),
            (
                "Virtual Machines",
                "Rtn Preference: MGN - Standard Inter-Availability Zone Data Transfer Out",
                Some(Meter::TransferCrossZone),
            ),
            ("Virtual Network", "Virtual Network Peering - Intra-Region Egress", None),
        ];
        for (service, description, expected) in cases {
            let row = Wording { service, description: Some(description), ..Wording::default() };
            assert_eq!(meter(row), expected, "{service} {description}");
        }
    }

    #[test]
    fn so_do_columns() {
        let cases = [
            ("Storage", "Premium SSD Managed Disks", "P10 LRS Disk", disk(VolumeKind::Premium, 10)),
            ("Storage", "Premium SSD Managed Disks", "P10 LRS Disk Mount", None),
            ("Storage", "Standard SSD Managed Disks", "E10 LRS Disk Operations", None),
            ("Storage", "Standard HDD Managed Disks", "LRS Snapshots", Some(Meter::Snapshot)),
            ("Storage", "General Block Blob v2", "Cool LRS Data Stored", Some(Meter::ObjectTiered)),
            ("Virtual Machines", "Dv3/DSv3 Series", "D2 v3/D2s v3", Some(Meter::InstanceHours("D2 v3/D2s v3".into()))),
            ("Virtual Machines", "Dv3/DSv3 Series", "D2 v3/D2s v3 Low Priority", None),
            ("Virtual Network", "IP Addresses", "Standard IPv4 Static Public IP", Some(Meter::PublicIp)),
            ("Log Analytics", "Log Analytics", "Pay-as-you-go Data Ingestion", Some(Meter::LogIngestion)),
            ("Azure Monitor", "", "Log data ingested", Some(Meter::LogIngestion)),
            (
                "Application Gateway",
                "Application Gateway Standard v2",
                "Standard Capacity Units",
                Some(Meter::BalancerCapacity),
            ),
            (
                "Application Gateway",
                "Application Gateway Standard v2",
                "Standard Fixed Cost",
                Some(Meter::BalancerHours(BalancerKind::Capacity)),
            ),
        ];
        for (category, subcategory, name, expected) in cases {
            let row = Wording {
                category: Some(category),
                subcategory: Some(subcategory),
                usage_type: Some(name),
                ..Wording::default()
            };
            assert_eq!(meter(row), expected, "{category} {name}");
        }
    }

    #[test]
    fn the_instance_type_names_a_machine() {
        let row = Wording {
            service: "Virtual Machines",
            description: Some("Virtual Machines Dv3/DSv3 Series Windows - D2 v3/D2s v3 - US East"),
            instance_type: Some("Standard_D2s_v3"),
            ..Wording::default()
        };
        assert_eq!(meter(row), Some(Meter::InstanceHours("D2s v3".into())));
    }
}
