//! Publishing: findings and other producers' wire findings to the wire topic, the run manifest to its topic and to the
//! store. Knows bytes, topics and headers, not what a finding says.

mod file;
mod manifest;
mod sender;

pub use self::file::{LINE_BYTES_MAX, Line, UnpublishedLine, next_line, publish_file};
pub use self::manifest::publish_manifest;
pub use self::sender::{PublishError, RunHeaders, Sender};
