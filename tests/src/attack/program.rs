//! The built program as child processes, and the signals they get. Children end with the attack, also when it fails.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use platform::broker::embedded::Holder;
use serde_json::Value;

use super::site::Site;

/// By number, as the system tells it: what a crash point ends a process with.
pub const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
/// At the locks of the system, before it is believed that a process has none.
const LOOKS: u32 = 5;

/// How long a process may take for what it is waited for: only a failure takes that long, also where twenty others want the two cores.
pub const WAIT_MAX: Duration = Duration::from_secs(300);

/// A role of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `finops validator run`
    Validator,
    /// `finops sink run`
    Sink,
    /// `finops exporter run`
    Exporter,
    /// `finops up`
    Up,
}

impl Role {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Validator => &["validator", "run"],
            Self::Sink => &["sink", "run"],
            Self::Exporter => &["exporter", "run"],
            Self::Up => &["up"],
        }
    }
}

/// The program, as cargo built it beside the tests.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn path() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().and_then(|deps| deps.parent()).unwrap().join("finops");
    assert!(
        path.is_file(),
        "{} is not there: the attacks run the built program; `cargo build --workspace --bin finops` makes it, as does \
         `cargo test --workspace`",
        path.display()
    );
    path
}

/// The program with these arguments, at that site.
#[must_use]
pub fn command(site: &Site, arguments: &[&str]) -> Command {
    let mut command = Command::new(path());
    command.args(arguments).args(&site.arguments).stdin(Stdio::null());
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_PROFILE");
    // What steers the attacks is no setting of the program.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FINOPS_")) {
        command.env_remove(name);
    }
    command.envs(site.environment.iter().map(|(name, value)| (name, value)));
    command
}

/// Runs the program to its end and returns what it printed.
///
/// # Panics
/// When it does not end well.
#[must_use]
pub fn done(site: &Site, arguments: &[&str]) -> String {
    let output = command(site, arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "finops {}: {}: {errors}", arguments.join(" "), output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Lets a validator and a sink take in all that is there.
///
/// # Panics
/// When one of them does not end well.
pub fn drain(site: &Site) {
    for role in ["validator", "sink"] {
        let _ = done(site, &[role, "run", "--drain"]);
    }
}

/// Runs the program to its end, which must be a bad one, and returns its exit code and what it said.
///
/// # Panics
/// When it ends well.
#[must_use]
pub fn refused(site: &Site, arguments: &[&str]) -> (i32, String) {
    let output = command(site, arguments).env("FINOPS_LOG_FILTER", "error").output().unwrap();
    assert!(!output.status.success(), "finops {} ended well", arguments.join(" "));
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// What `finops verify` reports, clean or not.
///
/// # Panics
/// When it reports nothing.
#[must_use]
pub fn verify(site: &Site) -> Value {
    let output = command(site, &["verify", "--output", "json"]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("finops verify: {}: {e}: {errors}", output.status))
}

/// A service that runs until it is stopped, killed or dropped.
pub struct Service {
    /// What it is.
    pub role: Role,
    child: Child,
    /// Without ending: `.log` for what it logs, `.out` for what it prints.
    files: PathBuf,
}

impl Service {
    /// Starts it.
    #[must_use]
    pub fn start(site: &Site, role: Role) -> Self {
        Self::start_with(site, role, &[], &[])
    }

    /// Starts it with more arguments and environment.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_with(site: &Site, role: Role, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let files = site.folder().join(format!("{role:?}-{}", STARTED.fetch_add(1, Ordering::Relaxed)));
        let file = |ending: &str| File::create(files.with_extension(ending)).unwrap();
        let mut command = command(site, &[role.arguments(), &["--output", "json"], arguments].concat());
        command.envs(environment.iter().copied()).stdout(file("out")).stderr(file("log"));
        Self { role, child: command.spawn().unwrap(), files }
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.files.with_extension("log")).unwrap_or_default()
    }

    /// Waits until it has logged this.
    ///
    /// # Panics
    /// When it does not within [`WAIT_MAX`].
    pub fn wait_for_log(&self, text: &str) {
        let deadline = Instant::now() + WAIT_MAX;
        while !self.log().contains(text) {
            assert!(Instant::now() < deadline, "{:?} never logs {text:?}: {}", self.role, self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When it had ended by itself: that is not what was to happen to it.
    pub fn kill(mut self) {
        self.assert_runs();
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(SIGKILL), "{}", self.log());
    }

    /// Asks it to stop, and expects it to do so in good order; returns what it printed.
    ///
    /// # Panics
    /// When it does not.
    pub fn stop(mut self) -> String {
        self.wait_until_asked();
        self.signal("TERM");
        let status = self.wait(WAIT_MAX);
        assert!(status.success(), "{:?} ended with {status}: {}", self.role, self.log());
        std::fs::read_to_string(self.files.with_extension("out")).unwrap()
    }

    /// Waits until it takes SIGTERM as a question, and no more as its end: one that has only begun has nothing to put in
    /// order.
    fn wait_until_asked(&mut self) {
        let deadline = Instant::now() + WAIT_MAX;
        let is_caught = |service: &Self| {
            let mask = service.status("SigCgt:").unwrap_or_default();
            u64::from_str_radix(&mask, 16).is_ok_and(|mask| mask & 1 << (SIGTERM - 1) != 0)
        };
        while !is_caught(self) {
            self.assert_runs();
            assert!(Instant::now() < deadline, "{:?} does not mind SIGTERM: {}", self.role, self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the system tells of the process under this name; `None` when it does not.
    fn status(&self, name: &str) -> Option<String> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next().map(str::to_owned)
    }

    /// Sends a signal, by its name without `SIG`.
    ///
    /// # Panics
    /// When it cannot be sent.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success(), "SIG{name} could not be sent to {:?}", self.role);
    }

    /// Waits until a signal has frozen it.
    ///
    /// # Panics
    /// When none does, or it ends.
    pub fn wait_until_frozen(&mut self) {
        let deadline = Instant::now() + WAIT_MAX;
        let state = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The state is the word behind the name, which is in parentheses.
        while !state(self.child.id()).rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")) {
            self.assert_runs();
            assert!(Instant::now() < deadline, "{:?} is never frozen: {}", self.role, self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Freezes it, but not in the middle of a write to the file of an embedded broker: there it would keep all others waiting.
    ///
    /// # Panics
    /// When it cannot be frozen elsewhere, or ends.
    pub fn freeze(&mut self, site: &Site) {
        let file = site.folder().join("data/broker.sqlite");
        for _ in 0..100 {
            self.signal("STOP");
            self.wait_until_frozen();
            // The system's list of locks is no snapshot: on a busy machine one look at it may miss a lock. A frozen process keeps its own.
            let is_writing = || Holder::of(&file).is_some_and(|holder| holder.process == self.child.id());
            if !(0..LOOKS).any(|_| is_writing()) {
                return;
            }
            self.signal("CONT");
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{:?} is always in the middle of a write", self.role);
    }

    /// Waits for it to end by itself.
    ///
    /// # Panics
    /// When it does not in that time.
    pub fn wait(&mut self, at_most: Duration) -> ExitStatus {
        let deadline = Instant::now() + at_most;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "{:?} has not ended in {at_most:?}: {}", self.role, self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for it to die at a crash point.
    ///
    /// # Panics
    /// When it ends otherwise or not at all.
    pub fn wait_for_kill(mut self, why: &str) {
        let status = self.wait(WAIT_MAX);
        assert_eq!(status.signal(), Some(SIGKILL), "{why}: {:?} ended with {status}: {}", self.role, self.log());
    }

    /// # Panics
    /// When it has ended.
    pub fn assert_runs(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "{:?} ended by itself with {}: {}", self.role, ended.unwrap(), self.log());
    }

    /// Runs until it has ended, well, by itself; returns the most memory it had, in bytes.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn resident_until_end(mut self, at_most: Duration) -> u64 {
        let deadline = Instant::now() + at_most;
        let mut most = 0;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{:?} ended with {status}: {}", self.role, self.log());
                return most;
            }
            assert!(Instant::now() < deadline, "{:?} has not ended in {at_most:?}: {}", self.role, self.log());
            most = most.max(self.resident_bytes().unwrap_or_default());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Most resident memory so far, in bytes; `None` when the system does not tell.
    fn resident_bytes(&self) -> Option<u64> {
        Some(self.status("VmHWM:")?.parse::<u64>().ok()? * 1024)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
