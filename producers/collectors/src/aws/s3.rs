//! What collectors over S3 share: the buckets of an account, clients in their regions, and asking about many of them.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use inventories::collected::{CollectionReport, Unavailable};
use tokio::task::JoinSet;

use super::Aws;
use crate::aws_client::api_error::{Meaning, describe, meaning, unavailable};
use crate::aws_client::s3_client;

/// Buckets looked at; an account with more gets the first ones by name and a gap in its coverage.
const BUCKETS_MAX: usize = 10_000;
/// Buckets asked at once.
const CONCURRENCY: usize = 8;

/// One answer about one bucket: the value, and the operation that was refused or throttled.
pub(super) struct Answer<T> {
    value: T,
    denied: Option<&'static str>,
    throttled: Option<&'static str>,
    /// What else could not be seen, and why.
    gap: Option<String>,
    calls: u64,
}

impl<T> Answer<T> {
    pub(super) fn of(value: T) -> Self {
        Self { value, denied: None, throttled: None, gap: None, calls: 1 }
    }

    pub(super) fn failed(value: T, operation: &'static str, meaning: Meaning) -> Self {
        Self {
            denied: (meaning == Meaning::Denied).then_some(operation),
            throttled: (meaning == Meaning::Throttled).then_some(operation),
            ..Self::of(value)
        }
    }

    pub(super) fn with_gap(self, gap: String) -> Self {
        Self { gap: Some(gap), ..self }
    }

    /// It took this many calls.
    pub(super) fn after(self, calls: u64) -> Self {
        Self { calls, ..self }
    }
}

/// The buckets of an account, by name, with their regions; a region is empty when it is unknown.
pub(super) struct Buckets {
    pub(super) regions: BTreeMap<String, String>,
    home: Client,
    /// By region.
    clients: BTreeMap<String, Client>,
}

impl Buckets {
    /// Lists them.
    ///
    /// # Errors
    /// They cannot be listed.
    pub(super) async fn list(aws: &Aws, report: &mut CollectionReport) -> Result<Self, Unavailable> {
        let home = s3_client(&aws.config, None);
        let listed = list(&home, report).await?;
        let unknown = listed.iter().filter(|(_, region)| region.is_empty()).map(|(name, _)| name.clone());
        let asked = ask_all(unknown.collect(), report, |name| region(home.clone(), name)).await;
        let regions: BTreeMap<String, String> = listed.into_iter().chain(asked).collect();
        let known = regions.values().filter(|region| !region.is_empty());
        let clients = known.map(|region| (region.clone(), s3_client(&aws.config, Some(region)))).collect();
        Ok(Self { regions, home, clients })
    }

    /// Asks about every bucket in its region, some at a time, and notes refusals.
    pub(super) async fn ask<T, F>(
        &self,
        report: &mut CollectionReport,
        ask: impl Fn(Client, String) -> F,
    ) -> BTreeMap<String, T>
    where
        T: Send + 'static,
        F: Future<Output = Answer<T>> + Send + 'static,
    {
        let client = |name: &String| self.regions.get(name).and_then(|region| self.clients.get(region));
        let names = self.regions.keys().cloned().collect();
        ask_all(names, report, |name| ask(client(&name).unwrap_or(&self.home).clone(), name)).await
    }
}

/// Names with regions, as far as the list tells them.
async fn list(client: &Client, report: &mut CollectionReport) -> Result<BTreeMap<String, String>, Unavailable> {
    let mut listed = BTreeMap::new();
    let mut pages = client.list_buckets().max_buckets(1000).into_paginator().send();
    while let Some(page) = pages.next().await {
        report.api_calls += 1;
        let page = page.map_err(|error| unavailable("s3:ListAllMyBuckets", &error))?;
        for bucket in page.buckets() {
            let region = bucket.bucket_region().unwrap_or_default().to_owned();
            listed.extend(bucket.name().map(|name| (name.to_owned(), region)));
        }
        if listed.len() > BUCKETS_MAX {
            report.gaps.push(format!("only the first {BUCKETS_MAX} buckets were looked at"));
            return Ok(listed.into_iter().take(BUCKETS_MAX).collect());
        }
    }
    Ok(listed)
}

async fn ask_all<T, F>(
    names: Vec<String>,
    report: &mut CollectionReport,
    ask: impl Fn(String) -> F,
) -> BTreeMap<String, T>
where
    T: Send + 'static,
    F: Future<Output = Answer<T>> + Send + 'static,
{
    let mut answers = BTreeMap::new();
    let mut waiting = names.into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < CONCURRENCY {
            let Some(name) = waiting.next() else { break };
            let question = ask(name.clone());
            running.spawn(async move { (name, question.await) });
        }
        match running.join_next().await {
            None => return answers,
            Some(Err(error)) => report.gaps.push(format!("asking about a bucket: {error}")),
            Some(Ok((name, answer))) => {
                report.api_calls += answer.calls;
                report.denied_operations.extend(answer.denied.map(str::to_owned));
                report.throttled_operations.extend(answer.throttled.map(str::to_owned));
                report.gaps.extend(answer.gap.map(|gap| format!("bucket {name}: {gap}")));
                answers.insert(name, answer.value);
            }
        }
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
        // What is in an unknown region would be another finding.
        Err(error) => match meaning(error.code()) {
            Meaning::NotFound => Answer::of(String::new()),
            meaning => {
                let answer = Answer::failed(String::new(), "s3:GetBucketLocation", meaning);
                answer.with_gap(format!("its region is unknown: {}", describe(&error)))
            }
        },
    }
}
