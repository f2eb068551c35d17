//! No amount of money ever is a binary float: the only uses of one are those listed here, and none is an amount.

use std::fs;
use std::path::Path;

/// Lines that may name a float, by file and a piece of the line.
const ALLOWED: &[(&str, &str)] = &[
    // Asks only whether an integer's token is a finite number (R14).
    ("number.rs", "is_ok_and(f64::is_finite)"),
    // A number where text is expected, spelled as R12 says.
    ("text.rs", "let value: f64 = token.parse().ok()?;"),
];

#[test]
fn no_float_beyond_the_listed_lines() {
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("src");
    let mut unlisted = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|e| e.path().is_file()) {
        let name = entry.file_name().into_string().unwrap();
        let text = fs::read_to_string(entry.path()).unwrap();
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            let names_float = ["f64", "f32", "Float64", "as_f64"].iter().any(|float| line.contains(float));
            if names_float && !ALLOWED.iter().any(|(file, piece)| *file == name && line.contains(piece)) {
                unlisted.push(format!("{name}: {line}"));
            }
        }
    }
    assert!(unlisted.is_empty(), "{unlisted:#?}");
}
