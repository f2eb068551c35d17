//! Runs many pieces of work at the same time, never more than a number of them, and keeps their order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use platform::lifecycle::Shutdown;

/// Runs `work` for each item on at most `at_once` threads; the results are in the order of the items, whatever finishes first.
/// `done` is called on this thread after each. Once a stop is requested nothing more is begun: such items have no result.
pub fn run_all<I: Sync, T: Send>(
    items: &[I],
    at_once: usize,
    shutdown: &Shutdown,
    mut done: impl FnMut(),
    work: impl Fn(&I) -> T + Sync,
) -> Vec<Option<T>> {
    let next = AtomicUsize::new(0);
    let (sender, finished) = channel();
    let mut results: Vec<Option<T>> = items.iter().map(|_| None).collect();
    let take = || {
        let index = next.fetch_add(1, Ordering::Relaxed);
        items.get(index).filter(|_| !shutdown.is_requested()).map(|item| (index, item))
    };
    std::thread::scope(|threads| {
        for _ in 0..at_once.min(items.len()) {
            let sender = sender.clone();
            let (take, work) = (&take, &work);
            let worker = move || {
                while let Some((index, item)) = take() {
                    // The receiver lives as long as this scope.
                    drop(sender.send((index, work(item))));
                }
            };
            if let Err(error) = std::thread::Builder::new().spawn_scoped(threads, worker) {
                tracing::warn!(%error, "a thread cannot be started: fewer tasks run at the same time");
            }
        }
        drop(sender);
        for (index, result) in finished {
            results[index] = Some(result);
            done();
        }
        // Nothing is left here, unless not one thread could be started.
        while let Some((index, item)) = take() {
            results[index] = Some(work(item));
            done();
        }
    });
    results
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// Counts those that run at the same time.
    #[derive(Default)]
    struct Gauge {
        now: AtomicUsize,
        most: AtomicUsize,
    }

    impl Gauge {
        fn enter(&self) {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
        }

        fn leave(&self) {
            self.now.fetch_sub(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn as_many_run_as_may_and_no_more() {
        let (gauge, all_run) = (Gauge::default(), Barrier::new(3));
        let items: Vec<usize> = (0..9).collect();
        let mut steps = 0;
        let results = run_all(
            &items,
            3,
            &Shutdown::new(),
            || steps += 1,
            |item| {
                gauge.enter();
                // No three get past here unless three run at the same time.
                all_run.wait();
                gauge.leave();
                item * 2
            },
        );
        assert_eq!(results.into_iter().flatten().collect::<Vec<_>>(), [0, 2, 4, 6, 8, 10, 12, 14, 16]);
        assert_eq!((gauge.most.load(Ordering::SeqCst), steps), (3, 9));
    }

    #[test]
    fn the_order_is_that_of_the_items_whatever_ends_first() {
        let in_time = Barrier::new(2);
        // The first one ends only after the second one has begun, and the second one is through first.
        let (second_done, wait) = (Shutdown::new(), std::time::Duration::from_secs(60));
        let results = run_all(
            &[1, 2],
            2,
            &Shutdown::new(),
            || {},
            |item| {
                in_time.wait();
                match item {
                    1 => assert!(second_done.wait_timeout(wait)),
                    _ => second_done.request("done"),
                }
                *item
            },
        );
        assert_eq!(results, [Some(1), Some(2)]);
    }

    #[test]
    fn nothing_is_begun_after_a_stop() {
        let shutdown = Shutdown::new();
        let stop_at_2 = |item: &i32| {
            if *item == 2 {
                shutdown.request("test");
            }
            *item
        };
        assert_eq!(run_all(&[1, 2, 3, 4], 1, &shutdown, || {}, stop_at_2), [Some(1), Some(2), None, None]);
        assert_eq!(run_all(&[] as &[i32], 1, &Shutdown::new(), || {}, |item| *item), []);
    }
}
