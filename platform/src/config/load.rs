//! The one place that reads the file and the environment.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::FILE_VARIABLE;
use super::builder::{ConfigBuilder, Flag};
use super::problem::{ConfigProblem, ConfigProblems, Origin};
use super::resolved::Config;
use super::setting::Declaration;

/// The file read when none is named.
const FILE_NAME: &str = "finops.toml";
/// Largest file that is read: a thousand times a large one; more is a mistake such as a device.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Resolves the settings of these tables from defaults, file, environment of this process and flags. The
/// file is `file`, else the one named by [`FILE_VARIABLE`], else `finops.toml` if there is one.
///
/// # Errors
/// All problems at once, also those of reading the file.
pub fn load(tables: &[&[Declaration]], file: Option<&Path>, flags: Vec<Flag>) -> Result<Config, ConfigProblems> {
    load_from(tables, file, flags, std::env::vars_os().collect())
}

fn load_from(
    tables: &[&[Declaration]],
    file: Option<&Path>,
    flags: Vec<Flag>,
    env: Vec<(OsString, OsString)>,
) -> Result<Config, ConfigProblems> {
    let named = env.iter().find(|(name, value)| name == FILE_VARIABLE && !value.is_empty());
    let named = file.map(Path::to_owned).or_else(|| named.map(|(_, path)| PathBuf::from(path)));
    let path = named.clone().unwrap_or_else(|| PathBuf::from(FILE_NAME));
    let name = path.to_string_lossy().into_owned();
    let mut builder = ConfigBuilder::new(tables).env(env).flags(flags);
    match read(&path) {
        Ok(text) => builder = builder.file(name, text),
        Err(Unreadable { error, .. }) if error.kind() == ErrorKind::NotFound && named.is_none() => {}
        Err(Unreadable { error, line }) => {
            let reason = format!("reading the configuration file: {error}");
            builder.problems.push(ConfigProblem { origin: Some(Origin::File { name, line }), key: None, reason });
        }
    }
    builder.resolve()
}

struct Unreadable {
    error: io::Error,
    line: usize,
}

fn read(path: &Path) -> Result<String, Unreadable> {
    let first_line = |error| Unreadable { error, line: 1 };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(first_line)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(first_line)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(first_line(io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes"))));
    }
    String::from_utf8(bytes).map_err(|e| {
        let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        Unreadable { error: io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"), line }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;

    const TARGET: Setting<String> = Setting::text("run.target").default("acme");
    const SETTINGS: &[Declaration] = &[TARGET.declared()];

    fn target(file: Option<&Path>, env: &[(&str, &Path)]) -> Result<String, String> {
        let env = env.iter().map(|(name, value)| (OsString::from(name), value.as_os_str().to_owned())).collect();
        let config = load_from(&[SETTINGS], file, Vec::new(), env).map_err(|e| e.to_string())?;
        Ok(config.get(&TARGET).unwrap())
    }

    #[test]
    fn the_file_is_named_by_flag_or_variable_or_absent() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.toml"), folder.path().join("b.toml"));
        std::fs::write(&a, "run.target = 'from-a'").unwrap();
        std::fs::write(&b, "run.target = 'from-b'").unwrap();
        assert_eq!(target(Some(&a), &[(FILE_VARIABLE, &b)]).unwrap(), "from-a");
        assert_eq!(target(None, &[(FILE_VARIABLE, &b)]).unwrap(), "from-b");
        assert_eq!(target(None, &[]).unwrap(), "acme");
        assert_eq!(target(None, &[(FILE_VARIABLE, Path::new(""))]).unwrap(), "acme");
    }

    #[test]
    fn a_named_file_that_cannot_be_read_is_a_problem_among_others() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.toml");
        let problems = target(Some(&missing), &[("FINOPS_RUN_TARGT", Path::new("x"))]).unwrap_err();
        assert!(problems.starts_with("2 problems"), "{problems}");
        assert!(problems.contains("missing.toml:1: reading the configuration file: No such file"), "{problems}");
        assert!(target(Some(folder.path()), &[]).unwrap_err().contains("Is a directory"));
    }

    #[test]
    fn a_file_that_is_no_text_or_too_large_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.toml");
        std::fs::write(&path, b"# fine\n\n# \xff").unwrap();
        assert!(
            target(Some(&path), &[]).unwrap_err().contains("f.toml:3: reading the configuration file: it is not UTF-8")
        );
        std::fs::write(&path, vec![b'#'; 1 + FILE_BYTES_MAX as usize]).unwrap();
        assert!(target(Some(&path), &[]).unwrap_err().contains("larger than 1048576 bytes"));
    }
}
