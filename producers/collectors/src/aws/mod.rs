//! Collectors over the AWS API, one file each. The async runtime lives and ends with the session.

use aws_config::SdkConfig;
use inventories::collected::{Collected, Unavailable};

use crate::aws_client::session::Session;
use crate::collector::AccountTask;

mod account;
mod s3;

mod s3_buckets;
mod s3_uploads;

/// What a collector asks with: an account, in a region.
struct Aws {
    /// Credentials, region, retries and time-outs, for the client of any service.
    config: SdkConfig,
}

/// Runs a collector until it is done, at most until the task's deadline.
fn ask<F>(task: &AccountTask, collect: impl FnOnce(Aws) -> F) -> Result<Collected, Unavailable>
where
    F: Future<Output = Result<Collected, Unavailable>>,
{
    let Some(session) = task.account.session.downcast_ref::<Session>() else {
        return Err(Unavailable::failed("bug: the account is not one of AWS"));
    };
    let aws = Aws { config: session.config_in(&task.region) };
    session.run(task.deadline, collect(aws))
}
