//! Publishing: findings and other producers' wire findings to the wire topic, the run manifest to its topic and to the
//! store. Knows bytes, topics and headers, not what a finding says.

mod file;
mod form;
mod input;
mod line;
mod manifest;
mod sender;

pub use self::file::{FileReport, RECORD_BYTES_MAX, UnpublishedLine, publish_file};
pub use self::form::WrongForm;
pub use self::input::{FindingsInput, InputError, is_standard_input};
pub use self::line::{Line, next_line};
pub use self::manifest::publish_manifest;
pub use self::sender::{PublishError, RunHeaders, Sender};
