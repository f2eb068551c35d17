//! Objects of S3 as input: which ones there are, and their bytes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use aws_sdk_s3::types::Object;
use inventories::collected::Unavailable;
use inventories::kind::GLOBAL;
use platform::lifecycle::{Shutdown, Stopped};
use platform::progress::Progress;

use super::api_error::unavailable;
use super::s3_client;
use super::session::Session;

/// Credentials are found and a list of objects is complete within this time.
const ANSWER_DEADLINE: Duration = Duration::from_secs(600);
/// Times that a request is sent; a user waits for it.
const ATTEMPTS_MAX: u32 = 5;
/// Connections may break this often while an object is fetched.
const BREAKS_MAX: u32 = 10;
const LIST: &str = "s3:ListBucket";
const GET: &str = "s3:GetObject";
/// Where answers of S3 name the region of a bucket, refusals included.
const REGION_HEADER: &str = "x-amz-bucket-region";

/// Reads objects of any bucket with the credentials in use.
pub struct Objects {
    session: Session,
    /// By bucket: each is asked in its own region.
    clients: RefCell<BTreeMap<String, Client>>,
}

/// An object, as a list tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    pub bucket: String,
    pub key: String,
    pub bytes: u64,
    etag: Option<String>,
}

/// Why an object could not be fetched.
#[derive(Debug)]
pub enum FetchError {
    /// S3 did not give it.
    Object(Unavailable),
    /// Its copy could not be written, or a stop was requested.
    Copy(io::Error),
}

impl From<Unavailable> for FetchError {
    fn from(reason: Unavailable) -> Self {
        Self::Object(reason)
    }
}

impl Objects {
    /// With the credentials in use; no bucket is asked yet.
    ///
    /// # Errors
    /// There are no credentials, or they cannot be used.
    pub fn connect() -> Result<Self, Unavailable> {
        Ok(Self { session: Session::open(ANSWER_DEADLINE)?, clients: RefCell::default() })
    }

    /// Objects whose keys begin with `prefix`, by key; at most one more than `objects_max`.
    ///
    /// # Errors
    /// They cannot be listed.
    pub fn list(&self, bucket: &str, prefix: &str, objects_max: usize) -> Result<Vec<ListedObject>, Unavailable> {
        self.session.run(ANSWER_DEADLINE, async {
            let client = self.client(bucket).await?;
            let mut pages = client.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
            let mut objects = Vec::new();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| unavailable(LIST, &error))?;
                for object in page.contents() {
                    objects.push(listed(bucket, object)?);
                }
                if objects.len() > objects_max {
                    break;
                }
            }
            objects.truncate(objects_max.saturating_add(1));
            Ok(objects)
        })
    }

    /// Its first bytes, at most `bytes_max`.
    ///
    /// # Errors
    /// S3 does not give them.
    pub fn first_bytes(&self, object: &ListedObject, bytes_max: u64) -> Result<Vec<u8>, Unavailable> {
        let wanted = bytes_max.min(object.bytes);
        self.session.run(ANSWER_DEADLINE, async {
            let mut bytes = Vec::new();
            if wanted > 0 {
                let mut body = self.body(object, 0, wanted).await?;
                while (bytes.len() as u64) < wanted
                    && let Some(chunk) = body.try_next().await.map_err(|error| broken(&error))?
                {
                    bytes.extend_from_slice(&chunk);
                }
            }
            bytes.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
            Ok(bytes)
        })
    }

    /// Copies it into a file. Where a connection breaks, the next one goes on.
    ///
    /// # Errors
    /// S3 does not give it, it is another one than was listed, the copy cannot be written, or a stop is requested.
    pub fn fetch(
        &self,
        object: &ListedObject,
        into: &mut File,
        progress: &dyn Progress,
        shutdown: &Shutdown,
    ) -> Result<(), FetchError> {
        // A large object takes its time; the client itself gives up a connection that brings nothing.
        self.session.run(Duration::MAX, async {
            let mut done = 0;
            let mut breaks = 0;
            while done < object.bytes {
                let mut body = self.body(object, done, object.bytes).await?;
                let ended = loop {
                    if shutdown.is_requested() {
                        return Err(FetchError::Copy(Stopped.into()));
                    }
                    match body.try_next().await {
                        Ok(Some(chunk)) => {
                            into.write_all(&chunk).map_err(FetchError::Copy)?;
                            done += chunk.len() as u64;
                            progress.advance(chunk.len() as u64);
                        }
                        Ok(None) => break None,
                        Err(error) => break Some(error),
                    }
                };
                if done > object.bytes {
                    let reason = format!("{GET}: {done} bytes came of an object of {}", object.bytes);
                    return Err(Unavailable::failed(reason).into());
                }
                if done < object.bytes {
                    breaks += 1;
                    let reason =
                        ended.map_or_else(|| format!("{GET}: the answer is short"), |error| broken(&error).reason);
                    if breaks > BREAKS_MAX {
                        return Err(Unavailable::failed(format!("{reason}, {breaks} times")).into());
                    }
                    tracing::warn!(key = object.key, reason, "an object came in part; the rest is fetched");
                }
            }
            Ok(())
        })
    }

    /// The bytes from `from` to before `to` of the object that was listed, and of no other one.
    async fn body(&self, object: &ListedObject, from: u64, to: u64) -> Result<ByteStream, Unavailable> {
        let client = self.client(&object.bucket).await?;
        let request = client.get_object().bucket(&object.bucket).key(&object.key);
        let request = request.range(format!("bytes={from}-{}", to.saturating_sub(1)));
        let answer = request.set_if_match(object.etag.clone()).send().await.map_err(|error| match error.code() {
            Some("PreconditionFailed") => {
                Unavailable::failed("it was written while it was read: load it when its delivery is complete")
            }
            _ => unavailable(GET, &error),
        })?;
        // Without it the server has sent the whole object.
        let begins = answer.content_range().map_or(from == 0, |range| range.starts_with(&format!("bytes {from}-")));
        if !begins {
            return Err(Unavailable::failed(format!("{GET}: the server does not give a part of an object")));
        }
        Ok(answer.body)
    }

    /// Asks in which region the bucket is, once.
    async fn client(&self, bucket: &str) -> Result<Client, Unavailable> {
        if let Some(client) = self.clients.borrow().get(bucket) {
            return Ok(client.clone());
        }
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX);
        let config = self.session.config_in(GLOBAL).to_builder().retry_config(retries).build();
        let home = s3_client(&config, None);
        let region = match home.head_bucket().bucket(bucket).send().await {
            Ok(answer) => answer.bucket_region().map(str::to_owned),
            Err(error) => match error.raw_response() {
                Some(answer) => answer.headers().get(REGION_HEADER).map(str::to_owned),
                None => return Err(unavailable(LIST, &error)),
            },
        };
        let client = region.map_or(home, |region| s3_client(&config, Some(&region)));
        self.clients.borrow_mut().insert(bucket.to_owned(), client.clone());
        Ok(client)
    }
}

fn listed(bucket: &str, object: &Object) -> Result<ListedObject, Unavailable> {
    let key = object.key().unwrap_or_default();
    let bytes = object.size().and_then(|bytes| u64::try_from(bytes).ok());
    let bytes = bytes.ok_or_else(|| Unavailable::failed(format!("{LIST}: the answer has no size of {key:?}")))?;
    Ok(ListedObject { bucket: bucket.to_owned(), key: key.to_owned(), bytes, etag: object.e_tag().map(str::to_owned) })
}

fn broken(error: &ByteStreamError) -> Unavailable {
    let root = std::iter::successors(error.source(), |cause: &&(dyn Error + 'static)| (**cause).source()).last();
    Unavailable::failed(match root {
        Some(root) => format!("{GET}: the connection broke: {root}"),
        None => format!("{GET}: the connection broke: {error}"),
    })
}
