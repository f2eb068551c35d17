//! The account of the credentials in use: the provider's entry in the registry.

use std::sync::Arc;

use aws_config::SdkConfig;
use inventories::bootstrap::Bootstrap;
use inventories::collected::Unavailable;
use inventories::kind::{GLOBAL, Source};

use crate::aws_client::api_error::unavailable;
use crate::aws_client::session::{REGION_DEFAULT, Session};
use crate::collector::{Account, ConnectOptions, ProviderRegistration};

inventory::submit! {
    ProviderRegistration { source: Source::Aws, actions: &["sts:GetCallerIdentity"], connect }
}

/// The account of the credentials in use.
fn connect(options: &ConnectOptions) -> Result<Vec<Account>, Unavailable> {
    let session = Session::open(options.deadline)?;
    let mut facts = session.run(options.deadline, identity(&session.config_in(GLOBAL)))?;
    let Some(id) = facts.account_id.clone() else {
        return Err(Unavailable::failed("sts:GetCallerIdentity: the answer names no account"));
    };
    facts.regions.clone_from(&options.regions);
    if facts.regions.is_empty() {
        facts
            .regions
            .push(session.config_in(GLOBAL).region().map_or_else(|| REGION_DEFAULT.to_owned(), ToString::to_string));
    }
    Ok(vec![Account { id, facts, session: Arc::new(session) }])
}

/// Whose credentials they are.
///
/// # Errors
/// The credentials are not accepted (refused), or the API cannot be used (failed).
async fn identity(config: &SdkConfig) -> Result<Bootstrap, Unavailable> {
    let answer = aws_sdk_sts::Client::new(config).get_caller_identity().send().await;
    let identity = answer.map_err(|error| unavailable("sts:GetCallerIdentity", &error))?;
    Ok(Bootstrap::from_caller_arn(identity.arn().unwrap_or_default()))
}
