//! Errors of the system as people read them.

use std::io;

/// An error of the system without its number.
#[must_use]
pub fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder; name its files".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or_default().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_the_system_is_left_out() {
        let check = |error: io::Error, expected: &str| assert_eq!(plain(&error), expected);
        check(io::Error::from_raw_os_error(2), "there is no such file");
        check(io::Error::from_raw_os_error(28), "No space left on device");
        check(io::Error::other("the pipe broke"), "the pipe broke");
    }
}
