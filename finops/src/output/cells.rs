//! Columns of a table: what they hold decides how a cell is cut when there is no room.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Stands for what was cut.
const CUT: char = '…';

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Words: cut at the end.
    Text,
    /// Something whose both ends matter, such as a resource id or a path: cut in the middle.
    Id,
    /// Never cut, on the right side of its column.
    Number,
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name for programs.
    pub name: &'static str,
    /// Name for people, when it is another one.
    pub heading: Option<&'static str>,
    pub kind: Kind,
    /// 0 is always shown; of the others the highest goes first.
    pub rank: usize,
    /// Characters it needs to be of use.
    pub width_min: usize,
}

/// Columns whose cells are ids, wherever they occur.
const IDS: [&str; 16] = [
    "src",
    "run_id",
    "run",
    "finding_id",
    "fingerprint",
    "resource_id",
    "topic",
    "object",
    "spec",
    "checker_id",
    "folder",
    "key",
    "variable",
    "origin",
    "written",
    "position",
];

/// Columns whose cells are points in time: half of one says nothing.
const TIMES: [&str; 5] = ["last commit", "first_seen", "last_seen", "run_ts", "run started"];
/// Characters of a point in time with milliseconds.
const TIME_WIDTH: usize = 24;

impl Column {
    pub fn new(name: &'static str) -> Self {
        let kind = if IDS.contains(&name) { Kind::Id } else { Kind::Text };
        Self::sized(name, kind, if TIMES.contains(&name) { TIME_WIDTH } else { 16 }, 0)
    }

    /// Of this kind, with this many characters at least, and a rank.
    pub fn sized(name: &'static str, kind: Kind, width_min: usize, rank: usize) -> Self {
        Self { name, heading: None, kind, rank, width_min }
    }

    /// The heading, in capital letters.
    pub fn title(&self) -> String {
        self.heading.unwrap_or(self.name).to_uppercase()
    }

    /// Characters below which the column is of no use, given those it would like to have.
    pub fn least(&self, natural: usize) -> usize {
        if self.kind == Kind::Number { natural } else { natural.min(self.width_min.max(self.title().width())) }
    }

    /// The cell in at most `width` characters.
    pub fn cut(&self, cell: &str, width: usize) -> String {
        if cell.width() <= width {
            return cell.to_owned();
        }
        let room = width.saturating_sub(1);
        // Both ends of an id matter, and a little more of its end: what is alike comes first.
        let tail = if self.kind == Kind::Id { room / 2 } else { 0 };
        let mut out = head(cell, room - tail).to_owned();
        out.push(CUT);
        out.push_str(end(cell, tail));
        out
    }
}

/// The first characters that fit.
fn head(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (index, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width {
            return text[..index].trim_end();
        }
    }
    text
}

/// The last characters that fit.
fn end(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (index, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > width {
            return &text[index + c.len_utf8()..];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &'static str, cell: &str, width: usize, expected: &str) {
        let cut = Column::new(name).cut(cell, width);
        assert_eq!(cut, expected);
        assert!(cut.width() <= width.max(1), "{cut} is wider than {width}");
    }

    #[test]
    fn ids_are_cut_in_the_middle_and_words_at_their_end() {
        check("resource_id", "vol-0a1b2c3d4e5f60718", 11, "vol-0…60718");
        check("resource_id", "vol-1", 11, "vol-1");
        check("title", "Volume still on gp2", 14, "Volume still…");
        check("title", "Volume still on gp2", 1, "…");
        check("title", "日本語のタイトル", 7, "日本語…");
        check("resource_id", "日本語のタイトル", 8, "日本…ル");
    }

    #[test]
    fn a_column_keeps_room_for_its_heading() {
        let column = Column { heading: Some("monthly savings of it"), ..Column::new("x") };
        assert_eq!(column.least(100), 21);
        assert_eq!(column.least(5), 5);
        assert_eq!(Column { kind: Kind::Number, ..column }.least(100), 100);
    }
}
