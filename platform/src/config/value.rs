//! A typed value, and how it is shown: secrets never are.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::units;

/// What is shown for a secret.
const HIDDEN: &str = "***";

/// The value of a setting.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A path as it was given; a relative one is relative to the working folder.
    Path(PathBuf),
    /// A whole number.
    Integer(u64),
    /// A time span.
    Duration(Duration),
    /// A number of bytes.
    Bytes(u64),
    /// Yes or no.
    Bool(bool),
    /// Texts, in order.
    List(Vec<String>),
    /// A URL as it was given; shown without its password.
    Url(String),
    /// A text that is never shown.
    Secret(Secret),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Duration(duration) => f.write_str(&units::show_duration(*duration)),
            Self::Bytes(bytes) => f.write_str(&units::show_bytes(*bytes)),
            Self::Bool(yes) => write!(f, "{yes}"),
            Self::List(items) => f.write_str(&items.join(",")),
            Self::Url(url) => f.write_str(&without_password(url)),
            Self::Secret(_) => f.write_str(HIDDEN),
        }
    }
}

/// As shown to people: a log line must not leak what `config show` hides.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn without_password(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) if url.password().is_some() => match url.set_password(Some(HIDDEN)) {
            Ok(()) => url.into(),
            Err(()) => HIDDEN.to_owned(),
        },
        _ => text.to_owned(),
    }
}

/// A text that must not be shown: a password, a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for code that must present it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}
