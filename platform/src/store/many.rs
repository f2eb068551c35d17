//! Reading many small or large things from a store that is far away: several at a time, so that the way to it is paid for
//! once and not for each. A local folder is read one after another.

use std::panic;
use std::thread;

use bytes::Bytes;

use super::{Result, Store};

/// Reads on their way: enough to hide the way to the store, few enough not to fill it.
const READS_AT_A_TIME: usize = 16;

/// Small objects that callers with many of them should ask for at once: keeps all reads busy, and in memory only so many.
pub const OBJECTS_AT_ONCE: usize = 4 * READS_AT_A_TIME;

/// True when reading takes a request.
#[must_use]
pub fn is_remote(store: &dyn Store, path: &str) -> bool {
    store.local_path(path).is_none()
}

/// The bytes of small objects, in order; `None` for missing ones.
///
/// # Errors
/// The store cannot read one of them.
pub fn get_all<P: AsRef<str> + Sync>(store: &dyn Store, paths: &[P]) -> Result<Vec<Option<Bytes>>> {
    let get = |path: &P| store.get(path.as_ref());
    if paths.first().is_some_and(|path| is_remote(store, path.as_ref())) {
        several_at_a_time(paths, get)
    } else {
        paths.iter().map(get).collect()
    }
}

/// What `each` makes of the items, in their order.
///
/// # Errors
/// Of the first item, in their order, that has one.
pub fn several_at_a_time<T: Sync, R: Send, E: Send>(
    items: &[T],
    each: impl Fn(&T) -> std::result::Result<R, E> + Sync,
) -> std::result::Result<Vec<R>, E> {
    let each = &each;
    let share = items.len().div_ceil(READS_AT_A_TIME).max(1);
    thread::scope(|scope| {
        let part = |part: &'_ [T]| part.iter().map(each).collect::<std::result::Result<Vec<R>, E>>();
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
            assert_eq!(several_at_a_time(&items, |n| Ok::<_, ()>(*n)), Ok(items.clone()));
        }
    }
}
