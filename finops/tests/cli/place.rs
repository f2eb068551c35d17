//! A folder to run `finops` in, alone with its files: no settings, credentials or home of the user that runs the tests.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// The program under test.
pub const FINOPS: &str = env!("CARGO_BIN_EXE_finops");

pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file that the program then finds under this name.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), bytes).unwrap();
    }

    /// Program to be run here.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).env_clear().env("HOME", self.path()).env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// Runs `finops` with these arguments, separated by blanks.
    pub fn finops(&self, arguments: &str) -> Ended {
        self.command(FINOPS).args(arguments.split_whitespace()).output().unwrap().into()
    }

    /// Runs a line of shell, in which `$FINOPS` is the program.
    pub fn sh(&self, line: &str) -> Ended {
        self.command("/bin/sh").env("FINOPS", FINOPS).args(["-c", line]).output().unwrap().into()
    }

    /// Names of what is in the folder.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// How a program ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ended {
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// What was printed with `--output json`, after success or a code that is expected.
    pub fn json(&self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{self}");
        serde_json::from_slice(&self.stdout).unwrap_or_else(|e| panic!("{e} in {self}"))
    }

    /// What was printed with `--output ndjson`.
    pub fn lines(&self, code: i32) -> Vec<Value> {
        assert_eq!(self.code, Some(code), "{self}");
        self.text().lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}"))).collect()
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).unwrap();
        Self { code: output.status.code(), stdout: output.stdout, stderr }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit {:?}", self.code)?;
        if !self.stdout.is_empty() {
            writeln!(f, "stdout:\n{}", String::from_utf8_lossy(&self.stdout).trim_end())?;
        }
        if !self.stderr.is_empty() {
            writeln!(f, "stderr:\n{}", self.stderr.trim_end())?;
        }
        Ok(())
    }
}

/// A file of this repository.
pub fn repo(path: &str) -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).parent().unwrap().join(path)
}

/// Real billing data.
pub fn billing() -> PathBuf {
    repo("examples/data/focus-1.0-sample.csv")
}

/// A finding that is fine, on one line without its end.
pub fn good(tenant: &str, resource: &str) -> Vec<u8> {
    let text = std::fs::read(repo("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
    let mut finding: Value = serde_json::from_slice(&text).unwrap();
    finding["tenant_id"] = json!(tenant);
    finding["scope"]["resource_id"] = json!(resource);
    finding.to_string().into_bytes()
}
