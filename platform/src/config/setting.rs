//! The declaration of a setting: its key, type, limits, default and help.

use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::VARIABLE_PREFIX;
use super::kind::Kind;
use super::value::{Secret, Value};

/// A setting whose value has the type `T`. Required unless it has a default or is optional.
#[derive(Debug)]
pub struct Setting<T> {
    declaration: Declaration,
    value: PhantomData<fn() -> T>,
}

/// A setting as a row of a service's table.
#[derive(Debug, Clone, Copy)]
pub struct Declaration {
    /// Dotted key: `writer.batch_rows_max`.
    pub key: &'static str,
    /// What it is for.
    pub help: &'static str,
    pub(super) kind: Kind,
    pub(super) default: Option<&'static str>,
    pub(super) optional: bool,
    /// A standard variable that sets it when ours does not.
    pub(super) also: Option<&'static str>,
}

impl Declaration {
    /// The environment variable: `FINOPS_WRITER_BATCH_ROWS_MAX`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.key.replace('.', "_").to_ascii_uppercase())
    }

    /// What it accepts, for people.
    #[must_use]
    pub fn accepts(&self) -> String {
        self.kind.describe()
    }
}

impl<T> Setting<T> {
    const fn of(key: &'static str, kind: Kind) -> Self {
        let declaration = Declaration { key, help: "", kind, default: None, optional: false, also: None };
        Self { declaration, value: PhantomData }
    }

    /// The value when none is set, written as in the environment.
    #[must_use]
    pub const fn default(mut self, text: &'static str) -> Self {
        self.declaration.default = Some(text);
        self
    }

    /// What it is for, in one line.
    #[must_use]
    pub const fn help(mut self, text: &'static str) -> Self {
        self.declaration.help = text;
        self
    }

    /// A standard variable, without our prefix, that sets it when ours does not.
    #[must_use]
    pub const fn also(mut self, variable: &'static str) -> Self {
        self.declaration.also = Some(variable);
        self
    }

    /// Makes it one that may be absent.
    #[must_use]
    pub const fn optional(self) -> Setting<Option<T>> {
        let mut declaration = self.declaration;
        declaration.optional = true;
        Setting { declaration, value: PhantomData }
    }

    /// Its row for the table.
    #[must_use]
    pub const fn declared(&self) -> Declaration {
        self.declaration
    }
}

impl Setting<String> {
    /// Any text but the empty one.
    #[must_use]
    pub const fn text(key: &'static str) -> Self {
        Self::of(key, Kind::Text)
    }

    /// One of a closed list.
    #[must_use]
    pub const fn one_of(key: &'static str, choices: &'static [&'static str]) -> Self {
        Self::of(key, Kind::OneOf(choices))
    }

    /// A URL with a host and one of these schemes.
    #[must_use]
    pub const fn url(key: &'static str, schemes: &'static [&'static str]) -> Self {
        Self::of(key, Kind::Url(schemes))
    }
}

impl Setting<Secret> {
    /// A text that is never shown.
    #[must_use]
    pub const fn secret(key: &'static str) -> Self {
        Self::of(key, Kind::Secret)
    }
}

impl Setting<PathBuf> {
    /// A path.
    #[must_use]
    pub const fn path(key: &'static str) -> Self {
        Self::of(key, Kind::Path)
    }
}

impl Setting<bool> {
    /// True or false.
    #[must_use]
    pub const fn bool(key: &'static str) -> Self {
        Self::of(key, Kind::Bool)
    }
}

impl Setting<Vec<String>> {
    /// A list of texts.
    #[must_use]
    pub const fn list(key: &'static str) -> Self {
        Self::of(key, Kind::List)
    }
}

impl Setting<Duration> {
    /// A time span such as `30s`, within limits.
    #[must_use]
    pub const fn duration(key: &'static str, limits: RangeInclusive<Duration>) -> Self {
        Self::of(key, Kind::Duration { min: *limits.start(), max: *limits.end() })
    }
}

impl<T: Integer> Setting<T> {
    /// A whole number within limits, which must fit `T`.
    #[must_use]
    pub const fn integer(key: &'static str, limits: RangeInclusive<u64>) -> Self {
        Self::of(key, Kind::Integer { min: *limits.start(), max: *limits.end() })
    }

    /// A size such as `128MB`, within limits, which must fit `T`.
    #[must_use]
    pub const fn bytes(key: &'static str, limits: RangeInclusive<u64>) -> Self {
        Self::of(key, Kind::Bytes { min: *limits.start(), max: *limits.end() })
    }
}

/// Types of whole numbers a setting may have.
pub trait Integer: FromValue {}

/// Types a setting may have.
pub trait FromValue: Sized {
    /// The value as this type; `None` when it is of another kind. `None` comes in when nothing is set.
    fn from_value(value: Option<&Value>) -> Option<Self>;
}

macro_rules! from_value {
    ($($type:ty: $($pattern:pat => $result:expr),+;)+) => {
        $(impl FromValue for $type {
            fn from_value(value: Option<&Value>) -> Option<Self> {
                match value? {
                    $($pattern => $result,)+
                    _ => None,
                }
            }
        })+
    };
}

from_value! {
    String: Value::Text(text) | Value::Url(text) => Some(text.clone());
    PathBuf: Value::Path(path) => Some(path.clone());
    Secret: Value::Secret(secret) => Some(secret.clone());
    bool: Value::Bool(yes) => Some(*yes);
    Vec<String>: Value::List(items) => Some(items.clone());
    Duration: Value::Duration(duration) => Some(*duration);
    u16: Value::Integer(n) | Value::Bytes(n) => Self::try_from(*n).ok();
    u32: Value::Integer(n) | Value::Bytes(n) => Self::try_from(*n).ok();
    u64: Value::Integer(n) | Value::Bytes(n) => Some(*n);
    usize: Value::Integer(n) | Value::Bytes(n) => Self::try_from(*n).ok();
}

impl Integer for u16 {}
impl Integer for u32 {}
impl Integer for u64 {}
impl Integer for usize {}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Option<&Value>) -> Option<Self> {
        match value {
            None => Some(None),
            some => T::from_value(some).map(Some),
        }
    }
}
