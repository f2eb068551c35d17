//! Where a command that only looks keeps copies of a bucket's files: in the data folder if it may write there, as the services do,
//! else in the cache folder of its user.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// The folder for copies.
pub fn cache(data: &Path) -> PathBuf {
    let usual = data.join("cache");
    if is_writable(&usual) {
        return usual;
    }
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let of_user = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    of_user.filter(|folder| is_writable(folder)).unwrap_or_else(std::env::temp_dir).join("finops")
}

/// True when this user may write to the folder or, when there is none, create it.
pub fn is_writable(folder: &Path) -> bool {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let there = folder.ancestors().find(|path| path.exists());
    there.is_some_and(|there| there.is_dir() && access(there, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}

/// True when this user may write to the file, which is there.
pub fn is_writable_file(file: &Path) -> bool {
    access(file, Access::WRITE_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_created_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_writable(folder.path()) && is_writable(&folder.path().join("not/there/yet")));
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(!is_writable(&file) && !is_writable(&file.join("below")));
        assert_eq!(cache(folder.path()), folder.path().join("cache"));
    }
}
