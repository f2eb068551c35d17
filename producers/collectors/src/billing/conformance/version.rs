//! Versions of the FOCUS specification that have requirements.

/// A version of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "their names say it")]
pub enum FocusVersion {
    V1_0,
    V1_1,
    V1_2,
    V1_3,
    V1_4,
}

impl FocusVersion {
    /// All, the oldest first.
    pub const ALL: [Self; 5] = [Self::V1_0, Self::V1_1, Self::V1_2, Self::V1_3, Self::V1_4];
    /// Their names, in the same order.
    pub const NAMES: [&'static str; 5] = ["1.0", "1.1", "1.2", "1.3", "1.4"];

    /// As the specification writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
            Self::V1_4 => "1.4",
        }
    }

    /// The version with that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == name)
    }
}
