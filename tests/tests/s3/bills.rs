//! Bills that lie in a bucket: read as those of a folder, with what is not needed left there.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tests::attack::program;
use tests::proxy::{Fault, Proxy, s3_error};
use tests::repo;
use tests::s3::S3Server;

/// A user's machine: a workspace, and how a bucket is reached.
struct Place {
    home: tempfile::TempDir,
    url: String,
}

impl Place {
    fn new(url: &str) -> Self {
        Self { home: tempfile::tempdir().unwrap(), url: url.to_owned() }
    }

    /// Ends with this code; standard output and standard error.
    #[track_caller]
    fn finops(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let ended = Command::new(program::path())
            .args(arguments)
            .env_clear()
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "eu-west-3")])
            .envs([("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_ENDPOINT_URL", &self.url)])
            .env("HOME", self.home.path())
            .current_dir(self.home.path())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(ended.stdout), text(ended.stderr));
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        (out, err)
    }

    /// What is live, without the time of the load.
    fn status(&self) -> Value {
        let (out, _) = self.finops(0, &["costs", "status", "--tenant", "acme", "--output", "json"]);
        let mut rows: Value = serde_json::from_str(&out).unwrap();
        for row in rows.as_array_mut().unwrap() {
            row.as_object_mut().unwrap().retain(|name, _| !name.ends_with("_at"));
        }
        rows
    }
}

/// The golden bill of the billing collector as an AWS report: three months, one of them delivered twice.
const REPORT: &str = "producers/collectors/tests/golden/cur/input/legacy_csv";

/// The report below `/bills/exports`, and a prefix beside it with a name that begins alike.
fn bucket() -> S3Server {
    let server = S3Server::start();
    let put = |path: &str, body: &[u8]| {
        assert!(server.request("PUT", path, body).starts_with("HTTP/1.1 200 "), "{path}");
    };
    put("/bills", b"");
    for file in repo::files_below(REPORT) {
        let key = file.strip_prefix(REPORT).unwrap();
        put(&format!("/bills/exports{key}"), &fs::read(repo::root().join(&file)).unwrap());
    }
    put("/bills/exports/", b"");
    put("/bills/exports/20260101-20260201/_SUCCESS", b"");
    put("/bills/exports-old/r.csv", b"another bill");
    server
}

#[test]
fn a_report_in_a_bucket_is_loaded_as_one_in_a_folder() {
    let server = bucket();
    let proxy = Proxy::before(&server.url());
    let (there, here) = (Place::new(&proxy.url()), Place::new(""));
    // A connection that breaks goes on where it was.
    proxy.plan("GET", "asm-202512-2/synthetic-cur-00001.csv.gz", 2, Fault::CutAnswer(1_500));
    there.finops(0, &["costs", "load", "--tenant", "acme", "s3://bills/exports"]);
    here.finops(0, &["costs", "load", "--tenant", "acme", repo::root().join(REPORT).to_str().unwrap()]);
    assert_eq!(there.status(), here.status());
    assert_eq!(there.status().as_array().unwrap().len(), 3);
    assert_eq!(proxy.unmet(), []);
    assert_eq!(proxy.count("GET", "asm-202601-1/"), 0, "the manifest names another delivery");
    assert_eq!(proxy.count("GET", "asm-202511-2/"), 1, "a copy serves both the digest and the rows");
    assert_eq!(proxy.count("GET", "exports-old"), 0);

    // The same bill, by its months, by its manifest, and by a file: nothing is counted twice.
    for path in
        ["s3://bills/exports/20260101-20260201/", "s3://bills/exports/20260101-20260201/synthetic-cur-Manifest.json"]
    {
        there.finops(0, &["costs", "load", "--tenant", "acme", path]);
    }
    there.finops(
        0,
        &[
            "costs",
            "load",
            "--tenant",
            "acme",
            "s3://bills/exports/20251101-20251201/asm-202511-2/synthetic-cur-00001.csv.gz",
        ],
    );
    assert_eq!(there.status(), here.status());
    let (checked, _) = there.finops(0, &["run", "--tenant", "beta", "--bill", "s3://bills/exports/", "--dry-run"]);
    assert!(
        checked.contains("s3://bills/exports/20251101-20251201/asm-202511-2/synthetic-cur-00001.csv.gz"),
        "{checked}"
    );
}

#[test]
fn what_cannot_be_read_is_named_and_nothing_is_loaded() {
    let server = bucket();
    let proxy = Proxy::before(&server.url());
    let place = Place::new(&proxy.url());
    let load = |code: i32, path: &str| place.finops(code, &["costs", "load", "--tenant", "acme", path]).1;
    let missing = load(65, "s3://bills/export");
    assert!(missing.contains("reading s3://bills/export: no object has this key, and none lies below it"), "{missing}");
    let missing = load(74, "s3://no-such-bucket/exports");
    assert!(missing.contains("reading s3://no-such-bucket/exports: s3:ListBucket: NoSuchBucket"), "{missing}");
    proxy.plan("GET", "asm-202512-2/synthetic", u32::MAX, Fault::Answer(403, s3_error("AccessDenied")));
    let denied = load(74, "s3://bills/exports");
    let named = "reading s3://bills/exports/20251201-20260101/asm-202512-2/synthetic-cur-00001.csv.gz: s3:GetObject: AccessDenied";
    assert!(denied.contains(named), "{denied}");
    proxy.clear();
    proxy.plan("GET", "asm-202512-2/synthetic", u32::MAX, Fault::Answer(412, s3_error("PreconditionFailed")));
    let changed = load(74, "s3://bills/exports");
    assert!(changed.contains("it was written while it was read"), "{changed}");
    // A server that does not know ranges would send what is there already once more.
    proxy.clear();
    proxy.plan("GET", "asm-202512-2/synthetic", 1, Fault::CutAnswer(1_500));
    proxy.plan("GET", "asm-202512-2/synthetic", 1, Fault::ForgetHeader("range".to_owned()));
    let whole = load(74, "s3://bills/exports");
    assert!(whole.contains("s3:GetObject: the server does not give a part of an object"), "{whole}");
    assert_eq!(place.status(), Value::Array(Vec::new()));
    assert!(load(65, "s3://").contains("a URL without a bucket: write s3://BUCKET/PREFIX"));
    let nowhere = Place::new("http://127.0.0.1:1").finops(74, &["costs", "load", "--tenant", "acme", "s3://bills/x"]).1;
    assert!(nowhere.contains("s3:ListBucket: the endpoint cannot be reached: "), "{nowhere}");
}
