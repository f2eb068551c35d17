//! Who may read the data folder. What an earlier version, another setting or another program created keeps its permissions.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use platform::permissions::Readers;

use super::Check;

const NAME: &str = "permissions";

/// Of a data folder that is there.
pub fn of(data: &Path, readers: Readers) -> Option<Check> {
    let mode = std::fs::metadata(data).ok()?.permissions().mode() & 0o777;
    let too_many = mode & readers.mask();
    let shown = data.display();
    if too_many == 0 {
        return Some(Check::ok(NAME, format!("{shown} has mode {mode:04o}, as data.permissions wants it")));
    }
    let found = format!("{shown} has mode {mode:04o}: more users may use it than data.permissions says");
    let (group, others) = match readers {
        Readers::Owner => ("g-rwx", "o-rwx"),
        Readers::Group => ("g-w", "o-rwx"),
        Readers::All => ("g-w", "o-w"),
    };
    Some(Check::warn(NAME, found, format!("chmod -R {group},{others} {shown}, or set data.permissions")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_folder_that_is_open_to_more_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let check = |mode, readers, expected: Option<&str>| {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let found = of(folder.path(), readers).unwrap();
            assert_eq!(found.state == State::Warn, expected.is_some(), "{found:?}");
            assert!(found.advice.contains(expected.unwrap_or_default()), "{found:?}");
        };
        check(0o700, Readers::Owner, None);
        check(0o755, Readers::Owner, Some("chmod -R g-rwx,o-rwx "));
        check(0o750, Readers::Group, None);
        check(0o770, Readers::Group, Some("chmod -R g-w,o-rwx "));
        check(0o755, Readers::All, None);
        check(0o500, Readers::All, None);
        assert_eq!(of(&folder.path().join("absent"), Readers::Owner), None);
    }
}
