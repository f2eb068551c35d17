//! Checkers over inventories collected from the AWS API.

use contracts::draft::Scope;
use contracts::resource_type::ResourceType;
use inventories::bootstrap::Bootstrap;

pub mod s3_lifecycle_missing;
pub mod s3_uploads_incomplete;

/// What findings about any resource of the account say of it.
fn account_scope(account: &Bootstrap) -> Scope {
    let Bootstrap { account_id, billing_account_id, .. } = account;
    let account_id = account_id.clone().unwrap_or_default();
    Scope {
        cloud: "aws".into(),
        provider_partition: partition(account).to_owned(),
        billing_account_id: billing_account_id.clone().unwrap_or_else(|| account_id.clone()),
        account_id,
        ..Scope::default()
    }
}

fn partition(account: &Bootstrap) -> &str {
    account.partition.as_deref().unwrap_or("aws")
}

fn bucket_scope(account: &Bootstrap, region: &str, name: &str) -> Scope {
    Scope {
        region: region.to_owned(),
        service: "AmazonS3".into(),
        resource_type: ResourceType::S3Bucket.into(),
        resource_id: name.to_owned(),
        resource_arn: format!("arn:{}:s3:::{name}", partition(account)),
        ..account_scope(account)
    }
}
