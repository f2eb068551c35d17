//! Where the bucket is and how patient the client is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{Config, ConfigProblems, Declaration, Secret, Setting};
use crate::store::path;

const URL: Setting<Option<String>> = Setting::url("store.url", &["s3"])
    .help("object store of all datasets, s3://bucket/prefix, used by nothing else [default: the folder data.out is in]")
    .optional();
const ENDPOINT: Setting<Option<String>> =
    Setting::url("store.s3.endpoint", &["http", "https"]).help("where the S3 API is, when it is not AWS").optional();
const REGION: Setting<Option<String>> = Setting::text("store.s3.region")
    .help("region of the bucket [default: from environment, profile or instance; else us-east-1]")
    .optional();
const PATH_STYLE: Setting<Option<bool>> = Setting::bool("store.s3.path_style")
    .help("bucket in the path of a request, not in its host name [default: true with store.s3.endpoint]")
    .optional();
const ACCESS_KEY: Setting<Option<String>> = Setting::text("store.s3.access_key_id")
    .help("key of a store that has credentials of its own [default: the standard AWS chain]")
    .optional();
const SECRET_KEY: Setting<Option<Secret>> =
    Setting::secret("store.s3.secret_access_key").help("secret of that key").optional();
const ATTEMPTS: Setting<u32> = Setting::integer("store.s3.attempts_max", 1..=20)
    .default("5")
    .help("attempts of one request, further and further apart, before it counts as failed");
const ATTEMPT_TIMEOUT: Setting<Duration> =
    Setting::duration("store.s3.attempt_timeout", Duration::from_millis(100)..=Duration::from_secs(600))
        .default("60s")
        .help("time of one attempt: enough to send 8 MiB");
const CACHE_DIR: Setting<Option<PathBuf>> = Setting::path("store.cache.dir")
    .help("folder for copies of the store's files that have to be opened by path [default: cache in data.dir]")
    .optional();
const CACHE_BYTES: Setting<u64> = Setting::bytes("store.cache.bytes_max", 1 << 20..=1 << 50)
    .default("20GiB")
    .help("size at which copies that no process is reading are removed");

/// Settings of the S3 store.
pub const SETTINGS: &[Declaration] = &[
    URL.declared(),
    ENDPOINT.declared(),
    REGION.declared(),
    PATH_STYLE.declared(),
    ACCESS_KEY.declared(),
    SECRET_KEY.declared(),
    ATTEMPTS.declared(),
    ATTEMPT_TIMEOUT.declared(),
    CACHE_DIR.declared(),
    CACHE_BYTES.declared(),
];

/// Longest prefix: leaves most of a key's 1,024 bytes to the datasets.
const PREFIX_BYTES_MAX: usize = 256;

/// The conditions of writes are proved again at this age of the last proof, before the next conditional write: a service that was
/// exchanged or reconfigured is noticed soon, for two small requests that are refused.
pub const PROVE_EVERY: Duration = Duration::from_secs(300);

/// How to reach one S3 store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// Bucket.
    pub bucket: String,
    /// What every key begins with, without a slash at its ends; may be empty.
    pub prefix: String,
    /// URL of the API; AWS's own when absent.
    pub endpoint: Option<String>,
    /// Region; the standard chain finds it when absent.
    pub region: Option<String>,
    /// Bucket in the path of requests.
    pub path_style: bool,
    /// Key and secret; the standard chain finds them when absent.
    pub credentials: Option<(String, Secret)>,
    /// Attempts of one request.
    pub attempts_max: u32,
    /// Longest attempt.
    pub attempt_timeout: Duration,
    /// Folder for copies of objects.
    pub cache_dir: PathBuf,
    /// Size of that folder.
    pub cache_bytes_max: u64,
    /// Age at which the proof that the service keeps the conditions of writes is repeated.
    pub prove_every: Duration,
}

impl S3Settings {
    /// The settings in force, with copies in `cache_dir` unless they say otherwise; `None` when no store URL is given.
    ///
    /// # Errors
    /// When the URL does not name a bucket and a plain prefix.
    pub fn from_config(config: &Config, cache_dir: &Path) -> Result<Option<Self>, ConfigProblems> {
        config.get(&URL)?.map(|url| Self::at(&url, config, cache_dir)).transpose()
    }

    /// The same for another URL.
    ///
    /// # Errors
    /// When the URL does not name a bucket and a plain prefix.
    pub fn at(url: &str, config: &Config, cache_dir: &Path) -> Result<Self, ConfigProblems> {
        let (bucket, prefix) = parse_url(url).map_err(|reason| config.problem(&URL, reason))?;
        let endpoint = config.get(&ENDPOINT)?;
        Ok(Self {
            bucket,
            prefix,
            path_style: config.get(&PATH_STYLE)?.unwrap_or(endpoint.is_some()),
            endpoint,
            region: config.get(&REGION)?,
            credentials: credentials(config)?,
            attempts_max: config.get(&ATTEMPTS)?,
            attempt_timeout: config.get(&ATTEMPT_TIMEOUT)?,
            cache_dir: config.get(&CACHE_DIR)?.unwrap_or_else(|| cache_dir.to_owned()),
            cache_bytes_max: config.get(&CACHE_BYTES)?,
            prove_every: PROVE_EVERY,
        })
    }
}

fn credentials(config: &Config) -> Result<Option<(String, Secret)>, ConfigProblems> {
    match (config.get(&ACCESS_KEY)?, config.get(&SECRET_KEY)?) {
        (None, None) => Ok(None),
        (Some(key), Some(secret)) => Ok(Some((key, secret))),
        (Some(_), None) => Err(config.problem(&SECRET_KEY, "required with store.s3.access_key_id").into()),
        (None, Some(_)) => Err(config.problem(&ACCESS_KEY, "required with store.s3.secret_access_key").into()),
    }
}

/// Bucket and prefix of `s3://bucket/prefix`.
fn parse_url(url: &str) -> Result<(String, String), String> {
    let rest = url.strip_prefix("s3://").ok_or("must begin with s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(is_plain) {
        return Err(format!("{bucket:?} is no name of a bucket: 3 to 63 of a-z, 0-9, dot, dash and underscore"));
    }
    if prefix.len() > PREFIX_BYTES_MAX {
        return Err(format!("the prefix is longer than {PREFIX_BYTES_MAX} bytes"));
    }
    if prefix.contains(['?', '#', '%']) {
        return Err("the prefix must be plain: no ?, # or %".to_owned());
    }
    if !prefix.is_empty() {
        path::check(prefix).map_err(|e| e.to_string())?;
    }
    Ok((bucket.to_owned(), prefix.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigBuilder;

    #[test]
    fn a_url_names_bucket_and_prefix() {
        let check = |url: &str, expected: Result<(&str, &str), &str>| match (parse_url(url), expected) {
            (Ok((bucket, prefix)), Ok(expected)) => assert_eq!((bucket.as_str(), prefix.as_str()), expected, "{url}"),
            (Err(reason), Err(expected)) => assert!(reason.contains(expected), "{url}: {reason}"),
            (found, expected) => panic!("{url}: {found:?}, expected {expected:?}"),
        };
        check("s3://data", Ok(("data", "")));
        check("s3://data/", Ok(("data", "")));
        check("s3://my-data.eu/finops/prod/", Ok(("my-data.eu", "finops/prod")));
        check("s3://Data/x", Err("no name of a bucket"));
        check("s3://user@data/x", Err("no name of a bucket"));
        check("s3://da", Err("no name of a bucket"));
        check("s3://data//x", Err("not allowed"));
        check("s3://data/a/../b", Err("not allowed"));
        check("s3://data/a?x=1", Err("must be plain"));
        check("s3://data/a%20b", Err("must be plain"));
        check(&format!("s3://data/{}", "x".repeat(PREFIX_BYTES_MAX + 1)), Err("longer than 256"));
    }

    #[test]
    fn settings_come_from_the_configuration() {
        let resolve = |env: &[(&str, &str)]| {
            let config = ConfigBuilder::new(&[SETTINGS]).env(env.iter().copied()).resolve().unwrap();
            S3Settings::from_config(&config, Path::new("data/cache"))
        };
        assert_eq!(resolve(&[]).unwrap(), None);
        let url = ("FINOPS_STORE_URL", "s3://data/finops");
        let aws = resolve(&[url]).unwrap().unwrap();
        assert_eq!((aws.bucket.as_str(), aws.prefix.as_str(), aws.path_style), ("data", "finops", false));
        let endpoint = ("FINOPS_STORE_S3_ENDPOINT", "http://localhost:9000");
        assert!(resolve(&[url, endpoint]).unwrap().unwrap().path_style);
        let style = ("FINOPS_STORE_S3_PATH_STYLE", "false");
        assert!(!resolve(&[url, endpoint, style]).unwrap().unwrap().path_style);
        let key = ("FINOPS_STORE_S3_ACCESS_KEY_ID", "key");
        let secret = ("FINOPS_STORE_S3_SECRET_ACCESS_KEY", "hunter2");
        assert!(resolve(&[url, key, secret]).unwrap().unwrap().credentials.is_some());
        let problem = resolve(&[url, key]).unwrap_err().to_string();
        assert!(problem.contains("store.s3.secret_access_key: required with store.s3.access_key_id"), "{problem}");
        let problem = resolve(&[url, secret]).unwrap_err().to_string();
        assert!(problem.contains("required with") && !problem.contains("hunter2"), "{problem}");
        let problem = resolve(&[("FINOPS_STORE_URL", "s3://Data")]).unwrap_err().to_string();
        assert!(problem.contains("FINOPS_STORE_URL: store.url: \"Data\" is no name of a bucket"), "{problem}");
    }
}
