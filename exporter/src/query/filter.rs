//! A WHERE clause with its parameters. Values never become SQL text.

/// Conditions that must all hold.
#[derive(Default)]
pub(super) struct Conditions {
    sql: Vec<String>,
    pub params: Vec<String>,
}

impl Conditions {
    /// `column` equals one of `values`; no values, no condition.
    pub fn one_of(&mut self, column: &str, values: &[String]) {
        if !values.is_empty() {
            self.sql.push(format!("{column} IN ({})", vec!["?"; values.len()].join(", ")));
            self.params.extend_from_slice(values);
        }
    }

    /// One of `columns` equals one of `values`; no values, no condition.
    pub fn any_of(&mut self, columns: &[&str], values: &[String]) {
        if !values.is_empty() {
            let list = vec!["?"; values.len()].join(", ");
            let any: Vec<String> = columns.iter().map(|column| format!("{column} IN ({list})")).collect();
            self.sql.push(format!("({})", any.join(" OR ")));
            columns.iter().for_each(|_| self.params.extend_from_slice(values));
        }
    }

    /// As [`Self::one_of`], ignoring case: what a person types need not be spelt as it is stored.
    pub fn one_of_ignoring_case(&mut self, column: &str, values: &[String]) {
        if !values.is_empty() {
            self.sql.push(format!("lower({column}) IN ({})", vec!["lower(?)"; values.len()].join(", ")));
            self.params.extend_from_slice(values);
        }
    }

    /// One of `values` occurs, ignoring case, in one of `columns`; no values, no condition.
    pub fn any_part(&mut self, columns: &[&str], values: &[String]) {
        let occurs = |column: &&str| format!("contains(lower(coalesce({column}, '')), lower(?))");
        let all: Vec<String> = values.iter().flat_map(|_| columns.iter().map(occurs)).collect();
        if !all.is_empty() {
            self.sql.push(format!("({})", all.join(" OR ")));
            self.params.extend(values.iter().flat_map(|value| std::iter::repeat_n(value.clone(), columns.len())));
        }
    }

    /// The instant in `column` is at or after `ms`; `None`, no condition.
    pub fn at_or_after(&mut self, column: &str, ms: Option<i64>) {
        self.compare(column, ">=", ms);
    }

    /// The instant in `column` is before `ms`; `None`, no condition.
    pub fn before(&mut self, column: &str, ms: Option<i64>) {
        self.compare(column, "<", ms);
    }

    fn compare(&mut self, column: &str, operator: &str, ms: Option<i64>) {
        if let Some(ms) = ms {
            self.sql.push(format!("{column} {operator} epoch_ms(CAST(? AS BIGINT))"));
            self.params.push(ms.to_string());
        }
    }

    /// Every word of `text` occurs, ignoring case, in one of `columns`.
    pub fn words(&mut self, columns: &[&str], text: &str) {
        for word in text.split_whitespace() {
            let any: Vec<String> =
                columns.iter().map(|c| format!("contains(lower(coalesce({c}, '')), lower(?))")).collect();
            self.sql.push(format!("({})", any.join(" OR ")));
            self.params.extend(std::iter::repeat_n(word.to_owned(), columns.len()));
        }
    }

    /// The clause; `true` without conditions.
    pub fn clause(&self) -> String {
        if self.sql.is_empty() { "true".to_owned() } else { self.sql.join(" AND ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_out_of_the_text() {
        let mut conditions = Conditions::default();
        conditions.one_of("status", &["fail".into(), "x' OR 1=1".into()]);
        conditions.one_of("region", &[]);
        conditions.words(&["title", "message"], " gp2 100% ");
        assert_eq!(
            conditions.clause(),
            "status IN (?, ?) AND (contains(lower(coalesce(title, '')), lower(?)) OR \
             contains(lower(coalesce(message, '')), lower(?))) AND (contains(lower(coalesce(title, '')), lower(?)) OR \
             contains(lower(coalesce(message, '')), lower(?)))"
        );
        assert_eq!(conditions.params, ["fail", "x' OR 1=1", "gp2", "gp2", "100%", "100%"]);
        assert_eq!(Conditions::default().clause(), "true");
    }

    #[test]
    fn case_may_be_ignored() {
        let mut conditions = Conditions::default();
        conditions.one_of_ignoring_case("service", &["AmazonS3".into(), "amazonec2".into()]);
        conditions.any_part(&["resource_id", "resource_arn"], &["VOL-1".into()]);
        conditions.any_part(&["resource_id"], &[]);
        assert_eq!(
            conditions.clause(),
            "lower(service) IN (lower(?), lower(?)) AND (contains(lower(coalesce(resource_id, '')), lower(?)) OR \
             contains(lower(coalesce(resource_arn, '')), lower(?)))"
        );
        assert_eq!(conditions.params, ["AmazonS3", "amazonec2", "VOL-1", "VOL-1"]);
    }
}
