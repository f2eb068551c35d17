//! A second S3 server for tests, with another mind than moto and with signatures that it checks: the bucket named in the
//! environment, else versitygw over a folder, of the version that `docker-compose.yml` ships, built by the Go toolchain
//! into the user's cache folder. Where neither can be had, tests that need it say why and are skipped, unless
//! `FINOPS_TEST_S3=required`.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use platform::config::{ConfigBuilder, Secret};
use platform::store::s3::{S3Settings, SETTINGS};
use tempfile::TempDir;

use super::S3Server;
use crate::{repo, skip};

/// `s3://bucket/prefix` of a bucket that is there already, reached as `FINOPS_STORE_S3_…` and the standard chain say. Tests
/// write below the prefix and leave it there.
pub const BUCKET: &str = "FINOPS_TEST_BUCKET";
/// `required`: no second server is a failure, not a skip.
pub const REQUIRED: &str = "FINOPS_TEST_S3";

/// Key and secret that the server takes, and no others.
const CREDENTIALS: (&str, &str) = ("finops", "finops-in-tests");
const UP_WITHIN: Duration = Duration::from_secs(30);

/// The server, or the bucket.
pub enum Gateway {
    /// Named in the environment.
    Elsewhere(Box<S3Settings>),
    /// Started here.
    Started(GatewayServer),
}

/// A running versitygw; each bucket is a folder below its root.
pub struct GatewayServer {
    child: Child,
    /// It ends when this is closed, also when the test is killed or the value is never dropped.
    _stdin: Option<ChildStdin>,
    port: u16,
    root: TempDir,
}

impl Gateway {
    /// The one that all tests of a program share; `None`, and the reason is said, when there can be none.
    ///
    /// # Panics
    /// When there can be none and there has to be.
    #[must_use]
    pub fn shared() -> Option<&'static Self> {
        static SHARED: LazyLock<Result<Gateway, String>> = LazyLock::new(Gateway::start);
        let missing = |reason: &String| {
            assert!(std::env::var(REQUIRED).as_deref() != Ok("required"), "no second S3 server: {reason}");
            skip::because(format!("no second S3 server: {reason}"));
        };
        SHARED.as_ref().inspect_err(|reason| missing(reason)).ok()
    }

    fn start() -> Result<Self, String> {
        if let Ok(url) = std::env::var(BUCKET) {
            let given = std::env::vars().filter(|(name, _)| name.starts_with("FINOPS_STORE_S3_"));
            let config = ConfigBuilder::new(&[SETTINGS]).env(given).resolve().map_err(|e| e.to_string())?;
            let settings = S3Settings::at(&url, &config, Path::new("")).map_err(|e| e.to_string())?;
            return Ok(Self::Elsewhere(Box::new(settings)));
        }
        GatewayServer::start().map(Self::Started)
    }

    /// How to reach a place for one store that nothing was written to; copies of its objects go below `folder`.
    ///
    /// # Panics
    /// When there can be none.
    #[must_use]
    pub fn bucket(&self, folder: &Path) -> S3Settings {
        static PLACES: AtomicU64 = AtomicU64::new(0);
        let place = PLACES.fetch_add(1, Ordering::Relaxed);
        match self {
            Self::Elsewhere(settings) => {
                let prefix = format!("{}/{}-{place}", settings.prefix, std::process::id());
                let prefix = prefix.trim_start_matches('/').to_owned();
                S3Settings { prefix, cache_dir: folder.join("cache"), ..(**settings).clone() }
            }
            Self::Started(server) => {
                let bucket = format!("bucket-{place}");
                fs::create_dir(server.root.path().join(&bucket)).unwrap();
                let (key, secret) = CREDENTIALS;
                S3Settings {
                    bucket,
                    endpoint: Some(server.url()),
                    credentials: Some((key.to_owned(), Secret::new(secret))),
                    ..S3Server::settings(folder)
                }
            }
        }
    }

    /// The server; `None` when only a bucket of it is known.
    #[must_use]
    pub fn server(&self) -> Option<&GatewayServer> {
        match self {
            Self::Elsewhere(_) => None,
            Self::Started(server) => Some(server),
        }
    }
}

impl GatewayServer {
    fn start() -> Result<Self, String> {
        let program = program()?;
        let root = tempfile::tempdir().map_err(|e| e.to_string())?;
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).map_err(|e| e.to_string())?.port();
        let (key, secret) = CREDENTIALS;
        // The shell ends the server when our end of its input is closed.
        let mut child = Command::new("sh")
            .args(["-c", "\"$@\" & read -r _; kill $!", "sh"])
            .arg(program)
            .args(["--quiet", "--port", &format!("127.0.0.1:{port}"), "posix"])
            .arg(root.path())
            .envs([("ROOT_ACCESS_KEY", key), ("ROOT_SECRET_KEY", secret)])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("versitygw: {e}"))?;
        let server = Self { _stdin: child.stdin.take(), child, port, root };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > UP_WITHIN {
                return Err(format!("versitygw did not listen on port {port} within {UP_WITHIN:?}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// URL of its API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for GatewayServer {
    fn drop(&mut self) {
        drop(self._stdin.take());
        let _ = self.child.wait();
    }
}

/// The program, built unless it is there.
fn program() -> Result<PathBuf, String> {
    let compose = repo::read("docker-compose.yml");
    let version = compose.split("versity/versitygw:").nth(1).and_then(|rest| rest.split_whitespace().next());
    let version = version.ok_or("docker-compose.yml names no version of versitygw")?;
    let cache = repo::cache();
    let folder = cache.join(format!("versitygw-{version}"));
    let program = folder.join("versitygw");
    if program.is_file() {
        return Ok(program);
    }
    fs::create_dir_all(&cache).map_err(|e| format!("{}: {e}", cache.display()))?;
    let fresh = tempfile::tempdir_in(&cache).map_err(|e| e.to_string())?;
    println!("building a second S3 server for tests into {}", folder.display());
    let built = Command::new("go")
        .args(["install", &format!("github.com/versity/versitygw/cmd/versitygw@{version}")])
        .env("GOBIN", fresh.path())
        .output()
        .map_err(|e| format!("go: {e}"))?;
    if !built.status.success() {
        return Err(format!("building versitygw: {}", String::from_utf8_lossy(&built.stderr)));
    }
    // Another test may have been faster: its program is the same.
    match fs::rename(fresh.keep(), &folder) {
        Err(error) if !program.is_file() => Err(format!("{}: {error}", folder.display())),
        _ => Ok(program),
    }
}
