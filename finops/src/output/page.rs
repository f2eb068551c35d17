//! One thing on a page: headings, fields in two columns, paragraphs, blocks. Words are never broken.

use platform::terminal::{escaped, escaped_lines};
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

use super::Rows;

/// What stands below a heading is moved in by so much.
const INDENT: usize = 2;
/// Fields have at most this many characters before their value.
const LABEL_MAX: usize = 24;
/// Paragraphs are no wider, however wide the terminal is: long lines are hard to read.
const PROSE_MAX: usize = 100;

/// A page under way.
pub struct Page {
    out: String,
    width: Option<usize>,
    fields: Vec<(String, String)>,
    indent: usize,
}

impl Page {
    /// For lines of at most this width; `None` for any.
    pub fn new(width: Option<usize>) -> Self {
        Self { out: String::new(), width, fields: Vec::new(), indent: 0 }
    }

    /// Begins a part of the page, after an empty line.
    pub fn heading(&mut self, text: &str) {
        self.flush();
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out += &format!("{}\n", escaped(text));
        self.indent = INDENT;
    }

    /// A name and a value; none without a value.
    pub fn field(&mut self, label: &str, value: &str) {
        if !value.is_empty() {
            self.fields.push((escaped(label).into_owned(), escaped(value).into_owned()));
        }
    }

    /// A paragraph; none without text. Its own line breaks stay.
    pub fn text(&mut self, text: &str) {
        self.flush();
        let width = self.width.map(|width| width.min(PROSE_MAX));
        for line in escaped_lines(text).lines() {
            self.lines("", line, self.indent, width);
        }
    }

    /// Lines as they are, but for control characters.
    pub fn block(&mut self, text: &str) {
        self.flush();
        for line in escaped_lines(text).lines() {
            self.out += format!("{:indent$}{line}", "", indent = self.indent).trim_end();
            self.out.push('\n');
        }
    }

    /// Lines as they are, but a comment behind `#` is wrapped.
    pub fn commented(&mut self, text: &str) {
        self.flush();
        for line in escaped_lines(text).lines() {
            let Some(comment) = line.strip_prefix("# ") else {
                self.out += &format!("{:indent$}{line}\n", "", indent = self.indent);
                continue;
            };
            let lead = format!("{:indent$}# ", "", indent = self.indent);
            let from = self.out.len();
            self.lines(&lead, comment, lead.len(), self.width);
            let wrapped = self.out.split_off(from);
            for (number, line) in wrapped.lines().enumerate() {
                match number {
                    0 => self.out += &format!("{line}\n"),
                    _ => self.out += &format!("{lead}{}\n", line.trim_start()),
                }
            }
        }
    }

    /// A table.
    pub fn rows(&mut self, rows: &Rows) {
        self.flush();
        let room = self.width.map(|width| width.saturating_sub(self.indent));
        for line in rows.table(room).0.lines() {
            // A table has one blank in front already.
            self.out += &format!("{:indent$}{line}\n", "", indent = self.indent.saturating_sub(1));
        }
    }

    /// The text.
    pub fn finish(mut self) -> String {
        self.flush();
        self.out
    }

    fn flush(&mut self) {
        let fields = std::mem::take(&mut self.fields);
        let label = fields.iter().map(|(label, _)| label.width()).max().unwrap_or(0).min(LABEL_MAX);
        for (name, value) in fields {
            let padding = label.saturating_sub(name.width());
            let lead = format!("{:indent$}{name}{:padding$}  ", "", "", indent = self.indent);
            self.lines(&lead, &value, self.indent + label + 2, self.width);
        }
    }

    /// Words behind `lead`, further lines moved in by `indent`.
    fn lines(&mut self, lead: &str, text: &str, indent: usize, width: Option<usize>) {
        let mut line = if lead.is_empty() { " ".repeat(indent) } else { lead.to_owned() };
        let mut is_begun = false;
        let mut blanks = 0;
        for word in text.split(' ') {
            if word.is_empty() {
                blanks += 1;
                continue;
            }
            let gap = std::mem::take(&mut blanks) + 1;
            let is_full = width.is_some_and(|width| line.width() + gap + word.width() > width);
            if is_begun && is_full {
                self.out += &format!("{}\n", line.trim_end());
                line = " ".repeat(indent);
                is_begun = false;
            }
            if is_begun {
                line += &" ".repeat(gap);
            }
            line.push_str(word);
            is_begun = true;
        }
        self.out += &format!("{}\n", line.trim_end());
    }
}

/// Lines that are too long for the width go on below, moved in as far as what they say: behind the label of a line such as
/// `Written     75 rows`, else as far as the line itself.
pub fn wrapped(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let mut page = Page::new(Some(width));
    for line in text.lines() {
        if line.width() <= width {
            page.out += &format!("{line}\n");
            continue;
        }
        let (lead, rest) = line.split_at(hang(line));
        page.lines(lead, rest, lead.width(), Some(width));
    }
    if !text.ends_with('\n') {
        page.out.pop();
    }
    page.out
}

/// Where the text of a line begins: behind its blanks, or behind a label with two blanks or more.
fn hang(line: &str) -> usize {
    let start = line.len() - line.trim_start().len();
    let label_end = line[start..].find("  ").map(|end| start + end);
    let label_end = label_end.filter(|end| start <= INDENT && *end < start + LABEL_MAX);
    label_end.map_or(start, |end| line.len() - line[end..].trim_start().len())
}

/// Any value as a page: members as fields, objects and lists below their name.
pub fn value_page(value: &Value, width: Option<usize>) -> String {
    let mut page = Page::new(width);
    match value {
        Value::Object(members) => add_members(&mut page, members, ""),
        Value::Array(items) => {
            for (number, item) in (1..).zip(items) {
                add(&mut page, &number.to_string(), item);
            }
        }
        other => page.text(&short(other)),
    }
    page.finish()
}

/// Members with a single value first, then those below a heading.
fn add_members(page: &mut Page, members: &Map<String, Value>, name: &str) {
    let is_short = |value: &Value| match value {
        Value::Object(_) => false,
        Value::Array(items) => items.iter().all(|item| !item.is_object() && !item.is_array()),
        _ => true,
    };
    for (label, value) in members.iter().filter(|(_, value)| is_short(value)) {
        page.field(&label.replace('_', " "), &short(value));
    }
    for (label, value) in members.iter().filter(|(_, value)| !is_short(value)) {
        let label = label.replace('_', " ");
        add(page, &if name.is_empty() { label } else { format!("{name}, {label}") }, value);
    }
}

fn add(page: &mut Page, name: &str, value: &Value) {
    match value {
        Value::Object(members) if members.is_empty() => {}
        Value::Object(members) => {
            page.heading(name);
            add_members(page, members, name);
        }
        Value::Array(items) => {
            for (number, item) in (1..).zip(items) {
                add(page, &format!("{name} {number}"), item);
            }
        }
        other => page.field(name, &short(other)),
    }
}

/// A value on one line; empty for none.
fn short(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(is_so) => if *is_so { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_stand_below_each_other_and_wrap_between_words() {
        let mut page = Page::new(Some(40));
        page.text("A title\u{1b}[31m that is longer than one line of the page");
        page.heading("Where");
        page.field("account", "111122223333");
        page.field("resource id", "arn:aws:s3:::a-bucket-whose-name-is-longer-than-the-page-is-wide");
        page.field("empty", "");
        page.field("about", "several words that do not fit into the line\nforged: line");
        page.heading("As it is");
        page.block("{\n  \"a\": 1\n}");
        insta::assert_snapshot!(page.finish(), @r#"
        A title\u{1b}[31m that is longer than
        one line of the page

        Where
          account      111122223333
          resource id  arn:aws:s3:::a-bucket-whose-name-is-longer-than-the-page-is-wide
          about        several words that do not
                       fit into the
                       line\nforged: line

        As it is
          {
            "a": 1
          }
        "#);
    }

    #[test]
    fn long_lines_go_on_below_what_they_say() {
        let text = "Written     75 rows in 1 file(s)\n            of one tenant\nshort\n  one  two three four five six";
        insta::assert_snapshot!(wrapped(text, Some(20)), @r"
        Written     75 rows
                    in 1
                    file(s)
                    of one
                    tenant
        short
          one  two three
               four five six
        ");
        assert_eq!(wrapped(text, None), text);
        assert_eq!(wrapped("a\n", Some(20)), "a\n");
        let no_break = "  ARN   arn:aws:s3:::a-bucket-with-a-name\n";
        assert_eq!(wrapped(no_break, Some(20)), no_break);
    }

    #[test]
    fn any_value_has_a_page() {
        let value = json!({
            "codes": ["x", "y"],
            "empty": {},
            "plan": { "blocked_by": [], "dry_run": false, "missing": [{ "object": "a", "rows": 1 }, { "object": "b" }] },
            "read": 3,
        });
        insta::assert_snapshot!(value_page(&value, Some(80)), @r"
        codes  x, y
        read   3

        plan
          dry run  no

        plan, missing 1
          object  a
          rows    1

        plan, missing 2
          object  b
        ");
    }
}
