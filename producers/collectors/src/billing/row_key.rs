//! Cells as bytes, so that rows are compared without reading what their cells say.

/// Writes a text, or that there is none, so that what follows cannot be taken for a part of it.
pub fn write_text(text: Option<&str>, key: &mut Vec<u8>) {
    let bytes = text.map_or(u32::MAX, |text| u32::try_from(text.len()).unwrap_or(u32::MAX - 1));
    key.extend_from_slice(&bytes.to_le_bytes());
    key.extend_from_slice(text.unwrap_or_default().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_cells_have_other_bytes() {
        let key = |cells: &[Option<&str>]| {
            let mut key = Vec::new();
            cells.iter().for_each(|cell| write_text(*cell, &mut key));
            key
        };
        let rows: [&[_]; 6] = [
            &[Some("a"), Some("b")],
            &[Some("ab"), Some("")],
            &[Some(""), Some("ab")],
            &[Some("ab"), None],
            &[None, Some("ab")],
            &[None, None],
        ];
        let keys: std::collections::BTreeSet<_> = rows.into_iter().map(key).collect();
        assert_eq!(keys.len(), rows.len());
    }
}
