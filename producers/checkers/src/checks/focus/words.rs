//! What each cloud calls things: titles and advice name the products of the cloud whose bill it is.

use contracts::resource_type::ResourceType;
use inventories::billing::line::UsageLine;

/// Something that each cloud has its own words for.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByCloud<T> {
    pub(super) aws: T,
    pub(super) azure: T,
    pub(super) google: T,
}

impl<T: Copy> ByCloud<T> {
    /// Those of the line's cloud. Only these three have meters.
    pub(super) fn of(&self, line: &UsageLine) -> T {
        match &*line.key.cloud {
            "azure" => self.azure,
            "gcp" => self.google,
            _ => self.aws,
        }
    }
}

/// Block storage.
pub(super) const DISK: ByCloud<ResourceType> =
    ByCloud { aws: ResourceType::EbsVolume, azure: ResourceType::Disk, google: ResourceType::Disk };
/// A public address of an account.
pub(super) const ADDRESS: ByCloud<ResourceType> =
    ByCloud { aws: ResourceType::ElasticIp, azure: ResourceType::StaticIp, google: ResourceType::StaticIp };
/// What holds objects.
pub(super) const BUCKET: ByCloud<ResourceType> =
    ByCloud { aws: ResourceType::S3Bucket, azure: ResourceType::StorageAccount, google: ResourceType::StorageBucket };
/// What takes in logs.
pub(super) const LOGS: ByCloud<ResourceType> =
    ByCloud { aws: ResourceType::LogGroup, azure: ResourceType::LogWorkspace, google: ResourceType::LogWorkspace };

/// The words of one finding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// What a resource is called, without an article.
    pub(super) noun: &'static str,
    /// Title of the finding.
    pub(super) title: &'static str,
    /// What to do.
    pub(super) advice: &'static str,
}
