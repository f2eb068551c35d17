//! What the AWS API tells of an account. The only place that builds AWS clients; the async runtime lives and ends here.

use std::time::Duration;

use inventories::bootstrap::Bootstrap;
use inventories::s3::S3Inventory;
use inventories::services::Unavailable;

mod api_error;
mod s3;
mod session;

use self::api_error::failed;

/// Identity of the credentials and the buckets of their account.
///
/// # Errors
/// There are no credentials (skipped), they are not accepted (refused), or the API cannot be used (failed).
pub fn collect(deadline: Duration) -> Result<(Bootstrap, S3Inventory), Unavailable> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| failed(format!("starting the AWS client: {e}")))?;
    let outcome = runtime.block_on(async { tokio::time::timeout(deadline, collect_all()).await });
    outcome.unwrap_or_else(|_| Err(failed(format!("not done within {} s", deadline.as_secs()))))
}

async fn collect_all() -> Result<(Bootstrap, S3Inventory), Unavailable> {
    let config = session::configure().await?;
    let bootstrap = session::identity(&config).await?;
    let mut inventory = S3Inventory {
        account_id: bootstrap.aws_account_id.clone().unwrap_or_default(),
        partition: bootstrap.aws_partition.clone().unwrap_or_else(|| "aws".to_owned()),
        api_calls: 1,
        ..S3Inventory::default()
    };
    s3::collect(&config, &mut inventory).await?;
    Ok((bootstrap, inventory))
}
