//! Publishes committed files. A bucket takes several requests for each: those that are next are published with the one that
//! was asked for, and the machine hears of them when it asks.

use std::collections::HashMap;
use std::thread;

use contracts::commit_record::CommittedFile;
use platform::store::{Published, Store, StoreError};

use super::staged_of;

/// Files published at a time: enough to hide the way to the store, few enough not to fill it.
const FILES_MAX: usize = 16;

/// Publishes files, and remembers those that the machine has not asked for yet.
#[derive(Default)]
pub struct Publisher {
    ahead: HashMap<String, Published>,
}

impl Publisher {
    /// Publishes a file, and with it what is next in a store that is far away.
    ///
    /// # Errors
    /// The store cannot publish this one. What went wrong with another is seen when that is asked for.
    pub fn publish(
        &mut self,
        store: &dyn Store,
        file: &CommittedFile,
        next: &[CommittedFile],
    ) -> Result<Published, StoreError> {
        if let Some(published) = self.ahead.remove(&file.path) {
            return Ok(published);
        }
        let is_near = store.local_path(&file.path).is_some();
        let next = if is_near { &[] } else { &next[..next.len().min(FILES_MAX - 1)] };
        // Left by a partition that went to another sink.
        self.ahead.clear();
        thread::scope(|scope| {
            let publish = |file: &CommittedFile| store.publish(&staged_of(file));
            let others: Vec<_> = next.iter().map(|other| (other, scope.spawn(move || publish(other)))).collect();
            let published = publish(file);
            for (other, outcome) in others {
                // One that is missing is looked for again when it is asked for.
                if let Ok(Ok(done @ (Published::Done | Published::Already))) = outcome.join() {
                    self.ahead.insert(other.path.clone(), done);
                }
            }
            published
        })
    }
}
