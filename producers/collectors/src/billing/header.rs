//! Column names of AWS reports in one name space, in which the CSV form (`lineItem/UsageStartDate`), the Parquet form
//! (`line_item_usage_start_date`) and copies in capitals meet.

use inventories::billing::tags;

/// The columns of a file by name.
#[derive(Debug)]
pub struct Header {
    names: Vec<String>,
}

impl Header {
    /// Of a file with these columns. A tag that has a column of its own is no name: its key may be any text.
    #[must_use]
    pub fn new(columns: &[String]) -> Self {
        let name = |column: &String| match tags::key_of_column(column) {
            Some(_) => String::new(),
            None => snake(column),
        };
        Self { names: columns.iter().map(name).collect() }
    }

    /// The number of the column.
    #[must_use]
    pub fn at(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|column| column == name)
    }

    /// True when there is such a column.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.at(name).is_some()
    }
}

/// A name with `_` before each capital, and for each character that is neither letter nor digit. Query engines that write all
/// names in capitals mean those of the Parquet form.
fn snake(name: &str) -> String {
    if !name.chars().any(char::is_lowercase) {
        return name.trim().to_lowercase();
    }
    let mut out = String::with_capacity(name.len() + 8);
    for c in name.trim().chars() {
        if c.is_uppercase() && !out.ends_with('_') {
            out.push('_');
        }
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out.trim_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_forms_meet() {
        let cases = [
            ("lineItem/UsageStartDate", "line_item_usage_start_date"),
            ("reservation/ReservationARN", "reservation_reservation_a_r_n"),
            ("product/ProductName", "product_product_name"),
            ("line_item_usage_start_date", "line_item_usage_start_date"),
            ("LINE_ITEM_USAGE_START_DATE", "line_item_usage_start_date"),
            ("a b--c", "a_b_c"),
        ];
        for (name, expected) in cases {
            assert_eq!(snake(name), expected);
        }
    }

    #[test]
    fn a_tag_is_no_column_of_the_report() {
        let header =
            Header::new(&["resourceTags/user:x".to_owned(), "resource_tags_tags".to_owned(), "tags".to_owned()]);
        assert_eq!((header.at("tags"), header.has("resource_tags_user_x")), (Some(2), false));
    }
}
