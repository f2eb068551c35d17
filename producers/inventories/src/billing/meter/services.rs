//! Which services charge for what: a usage type means something only with its service. `TimedStorage-ByteHrs` is a bucket of S3, a
//! table of DynamoDB, a log group of CloudWatch and a file system of EFS; `BoxUsage:m5.xlarge` is an instance of EC2 and the surcharge
//! of EMR on one.
//!
//! Source: product codes (`line_item_product_code`) and usage types of the AWS price list, September 2024, and of the bills in
//! `examples`.

use super::{Meter, Stored};

/// Block storage, instances and gateways. `AmazonVPC` charges for addresses and for gateways since 2024.
const COMPUTE: &[&str] = &["AmazonEC2"];
const NETWORK: &[&str] = &["AmazonEC2", "AmazonVPC"];
/// Load balancers are charged by a product of their own, those of long ago by EC2.
const BALANCERS: &[&str] = &["AWSELB", "AmazonEC2"];

/// Databases, caches, search and warehouses, which are reserved by the node.
const NODES: &[&str] = &["AmazonRDS", "AmazonElastiCache", "AmazonMemoryDB", "AmazonES", "AmazonRedshift"];

/// Product codes of the services that charge for a meter; `None` where every service does.
fn services(meter: &Meter) -> Option<&'static [&'static str]> {
    Some(match meter {
        Meter::InstanceHours(_) | Meter::Volume(_) | Meter::Snapshot => COMPUTE,
        Meter::VolumeIops(_) | Meter::VolumeThroughput | Meter::CapacityUnused(_) | Meter::CapacityUsed => COMPUTE,
        Meter::NatHours | Meter::NatData | Meter::PublicIpIdle | Meter::PublicIpInUse => NETWORK,
        Meter::EndpointHours | Meter::EndpointData | Meter::TransitHours | Meter::TransitData => NETWORK,
        Meter::BalancerHours(_) | Meter::BalancerCapacity | Meter::BalancerData => BALANCERS,
        Meter::ContainerHours => &["AmazonECS", "AmazonEKS"],
        Meter::FunctionTime => &["AWSLambda"],
        Meter::ExtendedSupport(_) => &["AmazonRDS"],
        Meter::NodeHours(_) => NODES,
        Meter::ClusterSupport => &["AmazonEKS"],
        Meter::Stored(Stored::Files) => &["AmazonEFS"],
        Meter::Stored(Stored::Table) => &["AmazonDynamoDB"],
        Meter::Stored(_) => &["AmazonRDS"],
        // A vault charges for all that it keeps.
        Meter::Backup(Stored::Database) => &["AmazonRDS", "AWSBackup"],
        Meter::Backup(_) => &["AWSBackup"],
        Meter::ObjectStandard | Meter::ObjectEarlyDelete | Meter::ObjectRequests => &["AmazonS3"],
        Meter::ObjectTiered => &["AmazonS3", "AmazonGlacier", "AmazonS3GlacierDeepArchive"],
        Meter::LogIngestion | Meter::CustomMetrics => &["AmazonCloudWatch"],
        // Other clouds' only.
        Meter::MachineCores(_) | Meter::MachineMemory(_) | Meter::PublicIp => &[],
        Meter::TransferCrossZone | Meter::TransferCrossRegion | Meter::TransferInternet | Meter::Other => return None,
    })
}

/// True when the service, by its product code, charges for the meter. A service that is not stated charges for none.
pub(super) fn charges_for(service: &str, meter: &Meter) -> bool {
    services(meter).is_none_or(|services| services.contains(&service))
}
