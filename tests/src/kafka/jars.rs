//! Kafka from its jars: downloaded once by Maven, kept outside the repository, run on the JDK.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{SETTINGS, free_port};
use crate::repo;

/// Any cluster id will do.
const CLUSTER_ID: &str = "ZmlucC1vcHMtdGVzdC0xMg";

/// Where clients come in.
pub(super) struct Listener {
    pub name: &'static str,
    /// `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
    pub protocol: &'static str,
    pub port: u16,
    /// The port that clients are sent to.
    pub advertised: u16,
}

impl Listener {
    /// One on a free port, without anything before it.
    pub fn new(name: &'static str, protocol: &'static str) -> Self {
        let port = free_port();
        Self { name, protocol, port, advertised: port }
    }
}

pub(super) struct Server {
    child: Child,
    folder: TempDir,
    jars: PathBuf,
    options: Vec<String>,
}

impl Server {
    /// Where it keeps the records of a partition.
    pub fn folder_of(&self, topic: &str, partition: u32) -> PathBuf {
        self.folder.path().join("log").join(format!("{topic}-{partition}"))
    }

    /// Starts one with these listeners and settings, one a line, and arguments for the tool that formats its log and for
    /// its JVM. Brokers find each other by the first listener.
    pub fn start(
        listeners: &[Listener],
        settings: &str,
        format: &[String],
        options: Vec<String>,
    ) -> Result<Self, String> {
        let jars = jars()?;
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let controller = free_port();
        let all = |show: &dyn Fn(&Listener) -> String| listeners.iter().map(show).collect::<Vec<_>>().join(",");
        let mut text = String::new();
        for (key, value) in SETTINGS {
            let _ = writeln!(text, "{key}={value}");
        }
        let _ = write!(
            text,
            "listeners={},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners={}\n\
             listener.security.protocol.map={},CONTROLLER:PLAINTEXT\n\
             inter.broker.listener.name={}\n\
             controller.quorum.bootstrap.servers=127.0.0.1:{controller}\n\
             log.dirs={}\n\
             {settings}",
            all(&|one| format!("{}://127.0.0.1:{}", one.name, one.port)),
            all(&|one| format!("{}://127.0.0.1:{}", one.name, one.advertised)),
            all(&|one| format!("{}:{}", one.name, one.protocol)),
            listeners[0].name,
            folder.path().join("log").display()
        );
        fs::write(folder.path().join("server.properties"), text).map_err(|e| e.to_string())?;
        let format = java(&jars, folder.path(), &[], "kafka.tools.StorageTool")
            .args(["format", "--standalone", "--cluster-id", CLUSTER_ID, "--config", "server.properties"])
            .args(format)
            .output()
            .map_err(|e| format!("java: {e}"))?;
        if !format.status.success() {
            return Err(format!("formatting Kafka's log: {}", String::from_utf8_lossy(&format.stderr)));
        }
        let child = spawn(&jars, folder.path(), &options)?;
        Ok(Self { child, folder, jars, options })
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn run(&mut self) -> Result<(), String> {
        self.child = spawn(&self.jars, self.folder.path(), &self.options)?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs one of Kafka's own tools.
pub(super) fn tool(class: &str, arguments: &[&str]) -> Result<(), String> {
    let output =
        java(&jars()?, Path::new("."), &[], class).args(arguments).output().map_err(|e| format!("java: {e}"))?;
    let said = [output.stdout, output.stderr].concat();
    if output.status.success() { Ok(()) } else { Err(format!("{class}: {}", String::from_utf8_lossy(&said))) }
}

fn java(jars: &Path, folder: &Path, options: &[String], class: &str) -> Command {
    let mut command = Command::new("java");
    command
        .current_dir(folder)
        .args(["-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN"])
        .args(options)
        .arg("-cp")
        .arg(jars.join("*"))
        .arg(class);
    command
}

fn spawn(jars: &Path, folder: &Path, options: &[String]) -> Result<Child, String> {
    let log = || File::options().create(true).append(true).open(folder.join("kafka.log"));
    let (out, err) = (log().map_err(|e| e.to_string())?, log().map_err(|e| e.to_string())?);
    java(jars, folder, options, "kafka.Kafka")
        .arg("server.properties")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(|e| format!("java: {e}"))
}

/// Folder of the jars that the project file names, downloaded if it is not there.
fn jars() -> Result<PathBuf, String> {
    let project = repo::root().join("tests/kafka/pom.xml");
    let text = fs::read_to_string(&project).map_err(|e| e.to_string())?;
    let version = text.split("<version>").nth(2).and_then(|rest| rest.split('<').next()).unwrap_or("unknown");
    let cache = repo::cache();
    let folder = cache.join(format!("kafka-{version}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(&cache).map_err(|e| format!("{}: {e}", cache.display()))?;
    let fresh = tempfile::tempdir_in(&cache).map_err(|e| e.to_string())?;
    let download = Command::new("mvn")
        .args(["--quiet", "--batch-mode", "--file"])
        .arg(&project)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", fresh.path().display()))
        .output()
        .map_err(|e| format!("mvn: {e}"))?;
    if !download.status.success() {
        return Err(format!("downloading Kafka: {}", String::from_utf8_lossy(&download.stdout)));
    }
    // Another test may have been faster: its jars are the same.
    match fs::rename(fresh.path(), &folder) {
        Err(error) if !folder.is_dir() => Err(format!("{}: {error}", folder.display())),
        _ => Ok(folder),
    }
}
