//! The fresh root takes the place of the current one. The folder of commit chains is the pointer: it is taken out first
//! and put in last. While it is away a sink refuses to write (its group has a position, the store no chain) and the
//! exporter has nothing to read, so a swap that was killed in the middle does no harm until it is resumed.
//!
//! Being alone in the groups proves that no running process writes. A frozen one is fenced off before anything moves.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use contracts::topics::PipelineTopics;
use contracts::{datasets, layout, time};
use platform::broker::Broker;
use platform::clock::Clock;
use platform::failpoint;
use platform::store::Store;
use platform::store::local::LocalStore;
use serde::Serialize;

use super::alone::Alone;
use super::{Claim, ReplayError, Swapping, base, cover, delete_pipeline_topics, refused};

/// Folder of the fresh root that the former data go to.
pub const BEFORE: &str = "_before";

/// What the swap did.
#[derive(Debug, Serialize)]
pub struct Swapped {
    /// The replay.
    pub id: String,
    /// Where the former data are.
    pub before: String,
    /// Source positions that were rows of the former root and are none of the new one.
    pub not_covered: u64,
}

/// Swaps, or goes on with a swap that was begun. Waits `wait_max` for services to end: longer than their session.
///
/// # Errors
/// Something must be done first (it says what), the roots are no folders of one file system, or broker or store refuse.
pub fn swap(
    broker: &dyn Broker,
    current: &dyn Store,
    fresh: &dyn Store,
    clock: &dyn Clock,
    allow_partial: bool,
    wait_max: Duration,
    by: &str,
) -> Result<Swapped, ReplayError> {
    let pipeline_topics = PipelineTopics::replay(&Swapping::read(fresh)?.claim.id);
    let (root, new) = folders(current, fresh)?;
    let alone = Alone::wait(broker, wait_max)?;
    // Once more: while this one waited another may have swapped.
    let mut swapping = Swapping::read(fresh)?;
    if swapping.claim.swap_begun_at.is_none() {
        let not_covered = cover::check(broker, current, fresh, &pipeline_topics, allow_partial)?;
        alone.check()?;
        base::write(broker, current, fresh, clock, &swapping.claim.id)?;
        swapping.claim.swap_begins(not_covered, by, clock);
    }
    alone.check()?;
    swapping.write(fresh)?;
    LocalStore::fence(&root, layout::SINK, &new.join(BEFORE))?;
    move_all(&root, &new)?;
    drop(alone);
    swapping.claim.swapped_at = Some(time::format_timestamp(clock.now_ms()));
    swapping.write(fresh)?;
    delete_pipeline_topics(broker, &pipeline_topics);
    let before = new.join(BEFORE).display().to_string();
    let Claim { id, not_covered, .. } = swapping.claim;
    Ok(Swapped { id, before, not_covered })
}

/// The roots as folders of one file system.
fn folders(current: &dyn Store, fresh: &dyn Store) -> Result<(PathBuf, PathBuf), ReplayError> {
    use std::os::unix::fs::MetadataExt;
    let folder = |store: &dyn Store| {
        let inside = store.local_path(layout::REPLAY)?;
        inside.parent().map(Path::to_owned)
    };
    let (Some(root), Some(new)) = (folder(current), folder(fresh)) else {
        let why = "only folders can take each other's place: use `finops replay hand-over`, then give the services the \
                   fresh root as their store";
        return Err(ReplayError::NotYet(why.to_owned()));
    };
    let device = |path: &Path| {
        let found = fs::metadata(path).map_err(failed("looking at", path))?;
        Ok::<_, ReplayError>(found.dev())
    };
    if device(&root)? != device(&new)? {
        return Err(refused(fresh, format!("it lies on another file system than {}", root.display())));
    }
    Ok((root, new))
}

/// Chains out first and in last. Each move is done at most once, whatever happened before.
fn move_all(root: &Path, new: &Path) -> Result<(), ReplayError> {
    let before = new.join(BEFORE);
    let names = datasets::ALL.map(|dataset| dataset.name);
    for name in [layout::CHAIN].into_iter().chain(names) {
        let (from, to) = (root.join(name), before.join(name));
        if to.exists() {
            continue;
        }
        match from.exists() {
            true => rename(&from, &to)?,
            // So that the next try does not take what was put in its place for it.
            false => fs::create_dir_all(&to).map_err(failed("creating", &to))?,
        }
        failpoint::hit!("operator.swap.moved");
    }
    for name in names.into_iter().chain([layout::CHAIN]) {
        let (from, to) = (new.join(name), root.join(name));
        if from.exists() {
            remove_empty(&to).map_err(failed("removing", &to))?;
            rename(&from, &to)?;
            failpoint::hit!("operator.swap.moved");
        }
    }
    Ok(())
}

/// A writer that was frozen may have made the folder that its file was to lie in; the file it cannot make any more.
fn remove_empty(folder: &Path) -> std::io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        remove_empty(&entry?.path())?;
    }
    fs::remove_dir(folder)
}

/// Durable before it returns: the order of moves must hold after a power cut, too.
fn rename(from: &Path, to: &Path) -> Result<(), ReplayError> {
    let parents = [from, to].map(|path| path.parent().unwrap_or(Path::new(".")));
    fs::create_dir_all(parents[1]).map_err(failed("creating", parents[1]))?;
    fs::rename(from, to).map_err(failed("moving", from))?;
    for parent in parents {
        fs::File::open(parent).and_then(|folder| folder.sync_all()).map_err(failed("flushing", parent))?;
    }
    Ok(())
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ReplayError {
    let path = path.display().to_string();
    move |source| ReplayError::Move { doing, path, source }
}
