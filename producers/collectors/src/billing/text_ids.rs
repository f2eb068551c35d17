//! Numbers for the texts of a column, so that rows are compared by numbers: Parquet has most texts once, in a dictionary.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, StringArray};
use foldhash::fast::RandomState;

/// Texts remembered per column; what comes later gets new numbers.
const TEXTS_MAX: usize = 1_000_000;

/// The numbers of a column, and of the columns inside it.
#[derive(Debug, Default)]
pub struct ColumnIds {
    /// Of its own texts.
    pub texts: TextIds,
    items: Vec<ColumnIds>,
}

impl ColumnIds {
    /// Those of a column inside it.
    pub fn item(&mut self, number: usize) -> &mut Self {
        if self.items.len() <= number {
            self.items.resize_with(number + 1, Self::default);
        }
        &mut self.items[number]
    }
}

/// Equal texts have equal numbers and others have others, in all batches of a file.
#[derive(Debug, Default)]
pub struct TextIds {
    known: HashMap<Box<str>, u32, RandomState>,
    next: u32,
    /// The last dictionary: it comes with every batch of a row group.
    last: Option<(StringArray, Arc<[u32]>)>,
}

impl TextIds {
    /// The numbers of these texts.
    pub fn of(&mut self, texts: &StringArray) -> Arc<[u32]> {
        if let Some((last, ids)) = &self.last
            && last.to_data().ptr_eq(&texts.to_data())
        {
            return Arc::clone(ids);
        }
        if self.known.len() > TEXTS_MAX {
            self.known.clear();
        }
        let ids: Arc<[u32]> = (0..texts.len()).map(|at| self.id(texts.value(at))).collect();
        self.last = Some((texts.clone(), Arc::clone(&ids)));
        ids
    }

    fn id(&mut self, text: &str) -> u32 {
        if let Some(id) = self.known.get(text) {
            return *id;
        }
        self.next = self.next.wrapping_add(1);
        self.known.insert(text.into(), self.next);
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_its_number_in_all_batches() {
        let mut ids = TextIds::default();
        let texts = |texts: [&str; 2]| StringArray::from(texts.to_vec());
        let (first, second) = (ids.of(&texts(["a", "b"])), ids.of(&texts(["b", "c"])));
        assert_eq!((first[1], first.len()), (second[0], 2));
        assert!(first[0] != first[1] && second[1] != first[0] && second[1] != second[0]);
        let sliced = texts(["b", "a"]).slice(1, 1);
        assert_eq!(*ids.of(&sliced), [first[0]], "a part of a dictionary is another one");
    }
}
