//! The S3 collector: lists the buckets of the account and asks each for region and lifecycle rules. Records what the API
//! answered, also when it refused.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};
use inventories::s3::{Bucket, Lifecycle, S3Inventory};
use inventories::services::Unavailable;
use tokio::task::JoinSet;

use super::api_error::{Meaning, describe, meaning, unavailable};

/// Buckets looked at; an account with more gets the first ones by name and a gap in its coverage.
const BUCKETS_MAX: usize = 10_000;
/// Buckets asked at once.
const CONCURRENCY: usize = 8;

/// One answer about one bucket: the value, and the operation that was refused or throttled.
struct Answer<T> {
    value: T,
    denied: Option<&'static str>,
    throttled: Option<&'static str>,
}

impl<T> Answer<T> {
    fn of(value: T) -> Self {
        Self { value, denied: None, throttled: None }
    }

    fn failed(value: T, operation: &'static str, meaning: Meaning) -> Self {
        Self {
            value,
            denied: (meaning == Meaning::Denied).then_some(operation),
            throttled: (meaning == Meaning::Throttled).then_some(operation),
        }
    }
}

/// Fills the inventory.
pub(super) async fn collect(config: &SdkConfig, inventory: &mut S3Inventory) -> Result<(), Unavailable> {
    let home = client(config, None);
    let names = list(&home, inventory).await?;
    let regions = ask_all(&names, inventory, |name| region(home.clone(), name)).await;
    let clients: BTreeMap<&String, Client> =
        regions.values().map(|region| (region, client(config, Some(region).filter(|r| !r.is_empty())))).collect();
    let lifecycles = ask_all(&names, inventory, |name| {
        let client = regions.get(&name).and_then(|region| clients.get(region)).unwrap_or(&home);
        lifecycle(client.clone(), name)
    })
    .await;
    for (name, lifecycle) in lifecycles {
        let Some(lifecycle) = lifecycle else { continue };
        let region = regions.get(&name).cloned().unwrap_or_default();
        inventory.buckets.push(Bucket { name, region, lifecycle });
    }
    Ok(())
}

fn client(config: &SdkConfig, region: Option<&String>) -> Client {
    let mut builder = aws_sdk_s3::config::Builder::from(config);
    if let Some(region) = region {
        builder = builder.region(Region::new(region.clone()));
    }
    // Bucket names cannot be host names of an endpoint that is not Amazon's.
    builder = builder.force_path_style(config.endpoint_url().is_some());
    Client::from_conf(builder.build())
}

async fn list(client: &Client, inventory: &mut S3Inventory) -> Result<BTreeSet<String>, Unavailable> {
    let mut names = BTreeSet::new();
    let mut pages = client.list_buckets().max_buckets(1000).into_paginator().send();
    while let Some(page) = pages.next().await {
        inventory.api_calls += 1;
        let page = page.map_err(|error| unavailable("s3:ListAllMyBuckets", &error))?;
        names.extend(page.buckets().iter().filter_map(|bucket| bucket.name().map(str::to_owned)));
        if names.len() > BUCKETS_MAX {
            inventory.gaps.push(format!("only the first {BUCKETS_MAX} buckets were looked at"));
            names = names.into_iter().take(BUCKETS_MAX).collect();
            break;
        }
    }
    Ok(names)
}

/// Asks about every bucket, some at a time, and notes refusals.
async fn ask_all<T, F>(
    names: &BTreeSet<String>,
    inventory: &mut S3Inventory,
    ask: impl Fn(String) -> F,
) -> BTreeMap<String, T>
where
    T: Send + 'static,
    F: Future<Output = Answer<T>> + Send + 'static,
{
    let mut answers = BTreeMap::new();
    let mut waiting = names.iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < CONCURRENCY {
            let Some(name) = waiting.next().cloned() else { break };
            let question = ask(name.clone());
            running.spawn(async move { (name, question.await) });
        }
        match running.join_next().await {
            None => return answers,
            Some(Err(error)) => inventory.gaps.push(format!("asking about a bucket: {error}")),
            Some(Ok((name, answer))) => {
                inventory.api_calls += 1;
                note(&mut inventory.denied_operations, answer.denied);
                note(&mut inventory.throttled_operations, answer.throttled);
                answers.insert(name, answer.value);
            }
        }
    }
}

fn note(operations: &mut Vec<String>, operation: Option<&'static str>) {
    if let Some(operation) = operation
        && !operations.iter().any(|known| known == operation)
    {
        operations.push(operation.to_owned());
        operations.sort_unstable();
    }
}

/// The bucket's region, empty when it is unknown.
async fn region(client: Client, name: String) -> Answer<String> {
    match client.get_bucket_location().bucket(name).send().await {
        Ok(answer) => Answer::of(match answer.location_constraint().map_or("", |region| region.as_str()) {
            // The oldest regions answer with names of their own.
            "" => "us-east-1".to_owned(),
            "EU" => "eu-west-1".to_owned(),
            region => region.to_owned(),
        }),
        Err(error) => Answer::failed(String::new(), "s3:GetBucketLocation", meaning(error.code())),
    }
}

/// The bucket's lifecycle rules; `None` when the bucket was deleted.
async fn lifecycle(client: Client, name: String) -> Answer<Option<Lifecycle>> {
    match client.get_bucket_lifecycle_configuration().bucket(name).send().await {
        Ok(answer) => {
            let enabled = || answer.rules().iter().filter(|rule| *rule.status() == ExpirationStatus::Enabled);
            let effective = enabled().filter(|rule| is_effective(rule)).count();
            Answer::of(Some(Lifecycle::Rules { enabled: enabled().count(), effective }))
        }
        Err(error) if error.code().is_some_and(|code| code.starts_with("NoSuchLifecycleConfiguration")) => {
            Answer::of(Some(Lifecycle::Missing))
        }
        Err(error) => {
            let meaning = meaning(error.code());
            let value = match meaning {
                Meaning::NotFound => None,
                Meaning::Denied => Some(Lifecycle::Denied),
                _ => Some(Lifecycle::Unknown(describe(&error))),
            };
            Answer::failed(value, "s3:GetLifecycleConfiguration", meaning)
        }
    }
}

/// Clearing up failed uploads neither moves nor expires an object.
fn is_effective(rule: &LifecycleRule) -> bool {
    rule.expiration().is_some()
        || rule.noncurrent_version_expiration().is_some()
        || !rule.transitions().is_empty()
        || !rule.noncurrent_version_transitions().is_empty()
}
