//! An S3 server for tests: moto from the Python package index, in an environment of its own in the user's cache folder,
//! on a free port. Ends with the value. What matters most is tested against another one, too: [`gateway`].

pub mod gateway;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contracts::layout;
use platform::config::Secret;
use platform::store::s3::{PROVE_EVERY, S3Settings, S3Store};
use sha2::{Digest, Sha256};

use crate::repo;

const REQUIREMENTS: &str = include_str!("s3/requirements.txt");
const SERVER: &str = include_str!("s3/serve.py");

/// A running server without buckets.
pub struct S3Server {
    child: Child,
    /// The server ends when this is closed, also when the test is killed or the value is never dropped.
    _stdin: Option<ChildStdin>,
    port: u16,
}

impl S3Server {
    /// Starts one; the first time its packages are installed.
    ///
    /// # Panics
    /// When Python 3 is not there, the packages cannot be had, or the server does not start.
    #[must_use]
    pub fn start() -> Self {
        let python = environment().join("bin/python");
        let mut child = Command::new(python)
            .args(["-c", SERVER])
            // Moto asks for no credentials, but its client library would look for a configuration.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("the S3 server did not start: {line:?}"));
        let stdin = child.stdin.take();
        Self { child, _stdin: stdin, port }
    }

    /// The one that all tests of a program share; it ends with the program.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<S3Server> = LazyLock::new(S3Server::start);
        &SHARED
    }

    /// URL of its API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket and returns how to reach `prefix` in it; copies of its objects go below `folder`.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn bucket(&self, prefix: &str, folder: &Path) -> S3Settings {
        static BUCKETS: AtomicU64 = AtomicU64::new(0);
        let name = format!("bucket-{}", BUCKETS.fetch_add(1, Ordering::Relaxed));
        let answer = self.request("PUT", &format!("/{name}"), b"");
        assert!(answer.starts_with("HTTP/1.1 200 "), "making bucket {name}: {answer}");
        let (bucket, prefix, endpoint) = (name, prefix.to_owned(), Some(self.url()));
        S3Settings { bucket, prefix, endpoint, ..Self::settings(folder) }
    }

    /// How to reach a server of this kind, without saying which.
    #[must_use]
    pub fn settings(folder: &Path) -> S3Settings {
        S3Settings {
            bucket: String::new(),
            prefix: "finops".to_owned(),
            endpoint: None,
            region: Some("us-east-1".to_owned()),
            path_style: true,
            credentials: Some(("test".to_owned(), Secret::new("test"))),
            attempts_max: 5,
            attempt_timeout: Duration::from_secs(10),
            cache_dir: folder.join("cache"),
            cache_bytes_max: 1 << 30,
            prove_every: PROVE_EVERY,
        }
    }

    /// A store in a bucket of its own.
    ///
    /// # Panics
    /// When it cannot be opened.
    #[must_use]
    pub fn store(&self, folder: &Path) -> S3Store {
        S3Store::open(self.bucket("finops/prod", folder), layout::SINK).unwrap()
    }

    /// Sends one unsigned request and returns the answer.
    ///
    /// # Panics
    /// When the server does not answer.
    #[must_use]
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        connection.write_all(head.as_bytes()).unwrap();
        connection.write_all(body).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The settings as environment variables, for a `finops` of its own.
#[must_use]
pub fn variables(settings: &S3Settings) -> Vec<(&'static str, String)> {
    let (key, secret) = settings.credentials.clone().unwrap_or(("test".to_owned(), Secret::new("test")));
    vec![
        ("FINOPS_STORE_URL", format!("s3://{}/{}", settings.bucket, settings.prefix)),
        ("FINOPS_STORE_S3_ENDPOINT", settings.endpoint.clone().unwrap_or_default()),
        ("FINOPS_STORE_S3_REGION", settings.region.clone().unwrap_or_default()),
        ("FINOPS_STORE_S3_PATH_STYLE", settings.path_style.to_string()),
        ("FINOPS_STORE_S3_ACCESS_KEY_ID", key),
        ("FINOPS_STORE_S3_SECRET_ACCESS_KEY", secret.expose().to_owned()),
        ("FINOPS_STORE_S3_ATTEMPTS_MAX", settings.attempts_max.to_string()),
        ("FINOPS_STORE_S3_ATTEMPT_TIMEOUT", format!("{}ms", settings.attempt_timeout.as_millis())),
        ("FINOPS_STORE_CACHE_DIR", settings.cache_dir.display().to_string()),
        ("FINOPS_STORE_CACHE_BYTES_MAX", settings.cache_bytes_max.to_string()),
    ]
}

/// What [`variables`] left in the environment of this process; others with our prefix are of other tests.
pub fn own_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars().filter(|(name, _)| name.starts_with("FINOPS_STORE_"))
}

/// The Python environment with the pinned packages; made once for each set of them, also when many tests ask at once.
fn environment() -> PathBuf {
    let pins = hex::encode(Sha256::digest(REQUIREMENTS));
    let folder = repo::cache().join(format!("moto-{}", &pins[..12]));
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let (venv, made) = (folder.join("venv"), folder.join("made"));
    if made.is_file() {
        return venv;
    }
    println!("installing an S3 server for tests into {}", folder.display());
    let list = folder.join("requirements.txt");
    fs::write(&list, REQUIREMENTS).unwrap();
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    run(Command::new(venv.join("bin/python")).args(pip).arg(&list));
    fs::write(made, "").unwrap();
    venv
}

fn run(command: &mut Command) {
    let ended = command.stdin(Stdio::null()).output();
    let ended = ended.unwrap_or_else(|e| panic!("the S3 server for tests needs python3 with venv: {command:?}: {e}"));
    assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
}
