//! Who may read what this process creates: files and folders of the broker, the store, exports, caches and scratch space, whatever
//! library creates them. One switch for the process, the file mode creation mask, leaves no file out.
#![allow(unsafe_code)]

/// Who may read; only the owner may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Readers {
    /// The user that runs the process: files 0600, folders 0700.
    #[default]
    Owner,
    /// Also its group: files 0640, folders 0750.
    Group,
    /// Every user of the machine: files 0644, folders 0755.
    All,
}

impl Readers {
    /// By the name that a setting has for them.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "owner" => Some(Self::Owner),
            "group" => Some(Self::Group),
            "all" => Some(Self::All),
            _ => None,
        }
    }

    /// Bits that no file or folder gets.
    #[must_use]
    pub fn mask(self) -> u32 {
        match self {
            Self::Owner => 0o077,
            Self::Group => 0o027,
            Self::All => 0o022,
        }
    }

    /// From now on whatever this process creates has these readers. What is there already stays as it is.
    pub fn apply(self) {
        // SAFETY: `umask` takes any value, cannot fail and touches no memory of ours.
        let _before = unsafe { libc::umask(self.mask()) };
    }
}

#[cfg(test)]
mod tests {
    use super::Readers;

    #[test]
    fn no_reader_may_write() {
        for (name, readers) in [("owner", Readers::Owner), ("group", Readers::Group), ("all", Readers::All)] {
            assert_eq!(Readers::named(name), Some(readers));
            assert_eq!(readers.mask() & 0o022, 0o022, "{name}");
        }
        assert_eq!(Readers::named("everybody"), None);
        assert_eq!(Readers::default(), Readers::Owner);
    }
}
