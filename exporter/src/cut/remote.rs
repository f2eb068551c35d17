//! Reading many small or large things from a store that is far away: several at a time, so that the way to it is paid for
//! once and not for each. A local folder is read one after another.

use std::panic;
use std::thread;

use bytes::Bytes;
use platform::store::Store;

use crate::error::Result;

/// Reads on their way: enough to hide the way to the store, few enough not to fill it.
const READS_AT_A_TIME: usize = 16;

/// True when reading takes a request.
pub(super) fn is_remote(store: &dyn Store, path: &str) -> bool {
    store.local_path(path).is_none()
}

/// The bytes of small objects, in order; `None` for those that are gone.
pub(super) fn get_all(store: &dyn Store, paths: &[String]) -> Result<Vec<Option<Bytes>>> {
    let get = |path: &String| Ok(store.get(path)?);
    if paths.first().is_some_and(|path| is_remote(store, path)) {
        several_at_a_time(paths, get)
    } else {
        paths.iter().map(get).collect()
    }
}

/// What `each` makes of the items, in their order.
pub(super) fn several_at_a_time<T: Sync, R: Send>(
    items: &[T],
    each: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let each = &each;
    let share = items.len().div_ceil(READS_AT_A_TIME).max(1);
    thread::scope(|scope| {
        let part = |part: &'_ [T]| part.iter().map(each).collect::<Result<Vec<R>>>();
        let parts: Vec<_> = items.chunks(share).map(|items| scope.spawn(move || part(items))).collect();
        let mut all = Vec::with_capacity(items.len());
        for part in parts {
            all.extend(part.join().unwrap_or_else(|payload| panic::resume_unwind(payload))?);
        }
        Ok(all)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_stays() {
        for len in [0, 1, 15, 16, 17, 1_000] {
            let items: Vec<usize> = (0..len).collect();
            assert_eq!(several_at_a_time(&items, |n| Ok(*n)).unwrap(), items);
        }
    }
}
