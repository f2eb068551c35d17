//! Which columns a table has at a width, and how wide each is.

use unicode_width::UnicodeWidthStr;

use super::cells::Column;

/// Blanks beside a cell.
const PADDING: usize = 2;

/// A column that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownColumn {
    /// Its place among all columns.
    pub index: usize,
    /// Its characters, without padding.
    pub width: usize,
}

/// Columns that are shown, and those that are not for lack of room.
#[derive(Debug, PartialEq, Eq)]
pub struct Fitted {
    pub shown: Vec<ShownColumn>,
    pub lacking: Vec<usize>,
}

/// Fits columns with these cells into a width: drops what may be dropped until the rest is of use, then spreads the room that
/// is left over the columns that are cut. Columns of rank above 0 without any cell are not shown, and not missed.
pub fn fit(columns: &[Column], rows: &[Vec<String>], width: Option<usize>) -> Fitted {
    let natural: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let cells = rows.iter().map(|row| row[index].width()).max().unwrap_or(0);
            cells.max(column.title().width())
        })
        .collect();
    let is_empty = |index: usize| !rows.is_empty() && rows.iter().all(|row| row[index].is_empty());
    let mut chosen: Vec<usize> =
        (0..columns.len()).filter(|index| columns[*index].rank == 0 || !is_empty(*index)).collect();
    let mut lacking = Vec::new();
    let Some(width) = width else {
        return Fitted {
            shown: chosen.iter().map(|i| ShownColumn { index: *i, width: natural[*i] }).collect(),
            lacking,
        };
    };
    let least = |index: &usize| columns[*index].least(natural[*index]) + PADDING;
    while chosen.iter().map(least).sum::<usize>() > width + 1 {
        let Some(last) = chosen.iter().copied().filter(|i| columns[*i].rank > 0).max_by_key(|i| columns[*i].rank)
        else {
            break;
        };
        chosen.retain(|index| *index != last);
        lacking.push(last);
    }
    // The padding behind the last column is cut off.
    let mut spare = (width + 1).saturating_sub(chosen.iter().map(least).sum());
    let mut shown: Vec<ShownColumn> =
        chosen.iter().map(|i| ShownColumn { index: *i, width: columns[*i].least(natural[*i]) }).collect();
    while spare > 0 {
        let before = spare;
        for column in shown.iter_mut().filter(|column| column.width < natural[column.index]) {
            if spare > 0 {
                column.width += 1;
                spare -= 1;
            }
        }
        if spare == before {
            break;
        }
    }
    lacking.sort_unstable();
    Fitted { shown, lacking }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Kind;

    fn columns() -> Vec<Column> {
        let column = |name, kind, rank| Column { kind, rank, width_min: 8, ..Column::new(name) };
        vec![
            column("id", Kind::Id, 0),
            column("amount", Kind::Number, 0),
            column("region", Kind::Text, 2),
            column("title", Kind::Text, 0),
            column("note", Kind::Text, 1),
        ]
    }

    fn row() -> Vec<String> {
        ["vol-0123456789", "1234567.00 USD", "eu-west-3", "a title of some length", "n"].map(str::to_owned).to_vec()
    }

    #[track_caller]
    fn check(width: Option<usize>, shown: &[(usize, usize)], lacking: &[usize]) {
        let fitted = fit(&columns(), &[row()], width);
        let found: Vec<_> = fitted.shown.iter().map(|column| (column.index, column.width)).collect();
        assert_eq!((found.as_slice(), fitted.lacking.as_slice()), (shown, lacking), "{width:?}");
        if let Some(width) = width {
            assert!(found.iter().map(|(_, w)| w + PADDING).sum::<usize>() <= width + 1, "{found:?} in {width}");
        }
    }

    #[test]
    fn without_a_width_nothing_is_cut() {
        check(None, &[(0, 14), (1, 14), (2, 9), (3, 22), (4, 4)], &[]);
    }

    #[test]
    fn room_is_spread_and_then_columns_go() {
        check(Some(80), &[(0, 14), (1, 14), (2, 9), (3, 22), (4, 4)], &[]);
        check(Some(60), &[(0, 12), (1, 14), (2, 9), (3, 12), (4, 4)], &[]);
        check(Some(50), &[(0, 13), (1, 14), (3, 12), (4, 4)], &[2]);
        check(Some(35), &[(0, 8), (1, 14), (3, 8)], &[2, 4]);
    }

    #[test]
    fn a_column_without_cells_is_not_missed() {
        let mut empty = row();
        empty[4] = String::new();
        let fitted = fit(&columns(), &[empty], None);
        assert_eq!(fitted.shown.len(), 4);
        assert!(fitted.lacking.is_empty());
    }
}
