//! The resource types of our own checkers: a closed list with one spelling, `snake_case`. A resource type is part of the
//! fingerprint, so a spelling is frozen once findings have been published with it. Other producers may send any text.

/// Declares the types with their spelling.
macro_rules! resource_types {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What kind of resource a finding is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ResourceType {
            $($(#[$doc])* $name,)+
        }

        impl ResourceType {
            /// All there are, by spelling.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// As `scope.resource_type` has it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

resource_types!(
    /// A cloud account, subscription or project.
    Account = "account",
    /// Backups of one kind of storage in an account and region.
    BackupPortfolio = "backup_portfolio",
    /// All buckets of an account and region together.
    BucketPortfolio = "bucket_portfolio",
    /// Capacity reserved for virtual machines, used or not.
    CapacityReservation = "capacity_reservation",
    /// A reservation or a savings plan.
    Commitment = "commitment",
    /// All compute of a paying account.
    ComputePortfolio = "compute_portfolio",
    /// What a provider's bill calls a service.
    CostService = "cost_service",
    /// Metrics that an account publishes itself, in a region.
    CustomMetrics = "custom_metrics",
    /// Data transfer of an account and region.
    DataTransfer = "data_transfer",
    /// A database instance.
    DbInstance = "db_instance",
    /// A managed or persistent disk of a cloud other than AWS.
    Disk = "disk",
    /// All disks of a kind, account and region.
    DiskPortfolio = "disk_portfolio",
    /// A block storage volume.
    EbsVolume = "ebs_volume",
    /// A public IPv4 address that an account holds.
    ElasticIp = "elastic_ip",
    /// A virtual machine.
    Instance = "instance",
    /// All virtual machines of one family, account and region.
    InstanceFamily = "instance_family",
    /// All virtual machines of a kind, account and region.
    InstancePortfolio = "instance_portfolio",
    /// A Kubernetes cluster.
    KubernetesCluster = "kubernetes_cluster",
    /// A load balancer.
    LoadBalancer = "load_balancer",
    /// A group of log streams.
    LogGroup = "log_group",
    /// What takes in logs on a cloud other than AWS: a workspace, or the log buckets of a project.
    LogWorkspace = "log_workspace",
    /// A gateway for outgoing connections.
    NatGateway = "nat_gateway",
    /// Public IPv4 addresses of an account and region.
    PublicIpv4 = "public_ipv4",
    /// All resources of one kind of an account and region, where a bill does not name them.
    ResourcePortfolio = "resource_portfolio",
    /// An object storage bucket.
    S3Bucket = "s3_bucket",
    /// Findings of one check and account that are too small for a line of their own, together.
    SmallFindings = "small_findings",
    /// All snapshots of an account and region.
    SnapshotPortfolio = "snapshot_portfolio",
    /// A static external address of a cloud other than AWS.
    StaticIp = "static_ip",
    /// A storage account.
    StorageAccount = "storage_account",
    /// An object storage bucket of a cloud other than AWS.
    StorageBucket = "storage_bucket",
    /// A support plan of the provider.
    SupportPlan = "support_plan",
    /// Transit gateways of an account and region.
    TransitGateway = "transit_gateway",
    /// What a provider's bill charges under one usage type in an account.
    UsageType = "usage_type",
    /// An endpoint for private access to a service.
    VpcEndpoint = "vpc_endpoint",
);

impl ResourceType {
    /// True for what an account or region has of a kind, together: no line of a bill is of it alone.
    #[must_use]
    pub fn is_aggregate(self) -> bool {
        matches!(
            self,
            Self::BackupPortfolio
                | Self::BucketPortfolio
                | Self::ComputePortfolio
                | Self::CustomMetrics
                | Self::DataTransfer
                | Self::DiskPortfolio
                | Self::InstanceFamily
                | Self::InstancePortfolio
                | Self::PublicIpv4
                | Self::ResourcePortfolio
                | Self::SmallFindings
                | Self::SnapshotPortfolio
                | Self::SupportPlan
                | Self::TransitGateway
                | Self::UsageType
        )
    }
}

impl From<ResourceType> for String {
    fn from(resource_type: ResourceType) -> Self {
        resource_type.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_a_spelling_of_its_own_in_snake_case() {
        let all: Vec<&str> = ResourceType::ALL.iter().map(|resource_type| resource_type.as_str()).collect();
        assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
        let is_snake = |text: &&str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        assert!(all.iter().all(is_snake), "{all:?}");
    }
}
