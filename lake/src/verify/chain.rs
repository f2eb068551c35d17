//! Whether a chain, its checkpoints and its files are what was committed.

use std::collections::BTreeMap;

use contracts::chain::{ChainHead, commit_start};
use contracts::commit_record::{CommitRecord, CommittedFile};
use contracts::datasets;
use contracts::layout;
use contracts::source::{self, OffsetSet, SrcSet};
use platform::store::{Store, StoreError};

use super::file::{self, Checked};
use super::pending::Pending;
use super::{ChainReport, Held, Rule, VerifyReport, ends, rollback};
use crate::chain::{ChainStep, Folder, Walked};

pub(super) fn verify(
    store: &dyn Store,
    folder: &Folder,
    report: &mut VerifyReport,
    held: &mut Held,
    progress: &dyn Fn(),
) -> Result<(), StoreError> {
    let mut heads: BTreeMap<u64, ChainHead> = BTreeMap::new();
    let mut chain = Chain { store, report, held, progress };
    let walked = folder.walk(store, |step| {
        if folder.checkpoints.contains(&step.head.end) {
            heads.insert(step.head.end, step.head.clone());
        }
        chain.check_commit(&step)
    })?;
    chain.checkpoints(folder, &heads, &walked)?;
    chain.rest(folder, &walked)?;
    ends::of_folder(folder, &walked, held);
    let Walked { head, last: Some(last), .. } = walked else { return Ok(()) };
    report.duplicates += head.duplicates;
    held.ends.insert((folder.topic_id.clone(), folder.partition), head.end);
    report.chains.push(ChainReport {
        topic: last.topic,
        topic_id: head.topic_id,
        partition: head.partition,
        commits: head.records,
        end: head.end,
        rows: head.rows,
        duplicates: head.duplicates,
        committed_at: last.committed_at,
    });
    Ok(())
}

struct Chain<'a> {
    store: &'a dyn Store,
    report: &'a mut VerifyReport,
    held: &'a mut Held,
    progress: &'a dyn Fn(),
}

impl Chain<'_> {
    fn check_commit(&mut self, step: &ChainStep<'_>) -> Result<(), StoreError> {
        let ChainStep { path, commit, .. } = step;
        for contradiction in contradictions(commit) {
            self.report.problem(Rule::CommitAddsUp, *path, contradiction);
        }
        for (partition, offsets) in &commit.src {
            let twice = self.held.src.get(partition).map_or(0, |held| held.overlap(offsets));
            if twice > 0 {
                let detail = format!("{twice} source position(s) of {partition} are held by earlier rows already");
                self.report.problem(Rule::SourceTwice, *path, detail);
            }
        }
        source::union(&mut self.held.src, &commit.src);
        self.answer(commit);
        rollback::keep(commit, self.held);
        let mut missing = Vec::new();
        for file in &commit.files {
            if self.file(commit, file, step.is_last)? {
                missing.push(file.clone());
            }
            (self.progress)();
        }
        match (missing.is_empty(), step.is_last) {
            (true, _) => {}
            // Its files become visible after it was committed: now, or by the next sink.
            (false, true) => self.held.pending.push(Pending { commit: (*commit).clone(), files: missing }),
            (false, false) => self.report.commits_with_missing_files.push((*commit).clone()),
        }
        Ok(())
    }

    fn answer(&mut self, commit: &CommitRecord) {
        source::union(&mut self.held.answered, &commit.src);
        for (run, firsts) in &commit.runs {
            source::union(self.held.runs.entry(run.clone()).or_default(), firsts);
        }
    }

    /// True when the file is missing; of the last commit that is reported later.
    fn file(&mut self, commit: &CommitRecord, file: &CommittedFile, is_last: bool) -> Result<bool, StoreError> {
        self.report.files += 1;
        if !self.held.files.insert(file.path.clone()) {
            self.report.problem(Rule::CommitAddsUp, &file.path, "two commit records name this file");
        }
        for (dataset, rows) in [
            (&datasets::FINDINGS, &mut self.report.findings_rows),
            (&datasets::DEAD_LETTERS, &mut self.report.dead_letter_rows),
        ] {
            *rows += if dataset.holds(&file.path) { file.rows } else { 0 };
        }
        let checked = file::check(self.store, commit, file)?;
        if matches!(checked, Checked::Missing) && is_last {
            return Ok(true);
        }
        Ok(file::report(checked, file, self.report))
    }

    /// Checkpoints as far as the chain could be followed: behind that there is nothing to compare them with.
    fn checkpoints(
        &mut self,
        folder: &Folder,
        heads: &BTreeMap<u64, ChainHead>,
        walked: &Walked,
    ) -> Result<(), StoreError> {
        let is_followed = |end: u64| walked.broken.is_none() || end <= walked.head.end;
        for end in folder.checkpoints.iter().copied().filter(|end| is_followed(*end)) {
            let path = layout::chain_checkpoint(&folder.topic_id, folder.partition, end);
            let right = heads.get(&end);
            let kept = self.store.get(&path)?.map(|bytes| ChainHead::from_checkpoint(&path, &bytes));
            let detail = match kept {
                Some(Ok((kept, _))) if right.is_some_and(|right| right.is_of(&kept)) => continue,
                Some(Err(broken)) => broken.problem,
                _ => format!("it is not what the commit records up to {end} add up to"),
            };
            self.report.problem(Rule::CheckpointDiffers, &path, detail);
            // Where the chain is whole up to there it says what the checkpoint must be.
            if end <= walked.head.end {
                self.report.damaged_checkpoints.push((path, right.cloned()));
            }
        }
        Ok(())
    }

    /// Commits that could not be followed. What they say is not verified, but it is not foreign or lost either.
    fn rest(&mut self, folder: &Folder, walked: &Walked) -> Result<(), StoreError> {
        let mut claimed_end = walked.head.end;
        match &walked.broken {
            Some(broken) => {
                let rest = walked.unread.len();
                let detail = format!("{}; {rest} commit record(s) from here on are not verified", broken.problem);
                self.report.problem(Rule::ChainBroken, &broken.path, detail);
            }
            None => {
                for path in &walked.unread {
                    self.report.problem(Rule::ChainBroken, path, "it starts where no other commit record ends");
                }
            }
        }
        for path in &walked.unread {
            let bytes = self.store.get(path)?;
            let Some(commit) = bytes.and_then(|bytes| serde_json::from_slice::<CommitRecord>(&bytes).ok()) else {
                // It was there for whatever it held.
                claimed_end = claimed_end.max(commit_start(path).map_or(0, |start| start + 1));
                continue;
            };
            claimed_end = claimed_end.max(commit.end);
            self.answer(&commit);
            self.held.files.extend(commit.files.into_iter().map(|file| file.path));
        }
        if claimed_end > 0 || !walked.unread.is_empty() {
            self.held.claimed_ends.insert((folder.topic_id.clone(), folder.partition), claimed_end);
        } else if !folder.checkpoints.is_empty() && walked.last.is_none() {
            self.report.problem(Rule::ChainBroken, folder.path(), "there are checkpoints but no commit records");
        }
        Ok(())
    }
}

/// What in a commit does not go together.
fn contradictions(commit: &CommitRecord) -> Vec<String> {
    let CommitRecord { rows, start, end, duplicates, .. } = commit;
    let mut all = Vec::new();
    let in_files: u64 = commit.files.iter().map(|file| file.rows).sum();
    let sources = count(&commit.src);
    if in_files != *rows || sources != *rows {
        all.push(format!("{rows} rows, {in_files} in its files, {sources} source positions"));
    }
    let answered = rows.saturating_add(*duplicates);
    // Not every offset of a broker is a record, so there may be fewer.
    if answered > end.saturating_sub(*start) {
        all.push(format!("{rows} rows and {duplicates} duplicates of [{start}, {end})"));
    }
    let in_runs: u64 = commit.runs.values().map(count).sum();
    if in_runs > *rows {
        all.push(format!("{rows} rows, {in_runs} of them belong to runs"));
    }
    if datasets::of_topic(&commit.topic).is_none_or(|dataset| dataset.name != commit.dataset) {
        all.push(format!("records of topic {} do not make dataset {}", commit.topic, commit.dataset));
    }
    all
}

fn count(set: &SrcSet) -> u64 {
    set.values().map(OffsetSet::count).sum()
}

#[cfg(test)]
mod tests {
    use contracts::commit_record::FORMAT_VERSION;
    use contracts::topics;

    use super::*;

    #[test]
    fn a_commit_that_contradicts_itself_is_found() {
        let set = |offsets: std::ops::Range<u64>| {
            let mut all = OffsetSet::default();
            assert!(offsets.into_iter().all(|o| all.insert(o)));
            SrcSet::from([("wire/0".parse().unwrap(), all)])
        };
        let file = |rows| CommittedFile {
            path: "p".into(),
            tenant_id: "acme".into(),
            run_date: "2026-01-20".into(),
            rows,
            bytes: 1,
            sha256: String::new(),
            schema_version: 1,
            staged: serde_json::Value::Null,
        };
        let right = CommitRecord {
            format_version: FORMAT_VERSION,
            code_version: "0".into(),
            dataset: layout::FINDINGS.into(),
            topic: topics::VALID.into(),
            topic_id: "id".into(),
            partition: 0,
            start: 10,
            end: 14,
            rows: 3,
            duplicates: 1,
            files: vec![file(1), file(2)],
            src: set(0..3),
            runs: BTreeMap::from([("a/b/c".into(), set(0..3))]),
            source_watermarks: BTreeMap::new(),
            last_record: None,
            writer_id: "w".into(),
            nonce: "n".into(),
            previous_sha256: String::new(),
            committed_at: String::new(),
        };
        let check = |change: &dyn Fn(&mut CommitRecord), expected: &[&str]| {
            let mut commit = right.clone();
            change(&mut commit);
            assert_eq!(contradictions(&commit), expected);
        };
        check(&|_| {}, &[]);
        check(&|l| l.end = 20, &[]);
        check(&|l| l.rows = 2, &["2 rows, 3 in its files, 3 source positions", "2 rows, 3 of them belong to runs"]);
        check(&|l| l.src = set(0..2), &["3 rows, 3 in its files, 2 source positions"]);
        check(&|l| l.files = vec![file(4)], &["3 rows, 4 in its files, 3 source positions"]);
        check(&|l| l.duplicates = 2, &["3 rows and 2 duplicates of [10, 14)"]);
        check(&|l| l.duplicates = u64::MAX, &[&format!("3 rows and {} duplicates of [10, 14)", u64::MAX)]);
        check(&|l| l.runs = BTreeMap::from([("r".into(), set(0..4))]), &["3 rows, 4 of them belong to runs"]);
        check(
            &|l| l.topic = topics::DEAD_LETTERS.into(),
            &["records of topic finops.findings.dlq do not make dataset finops_findings"],
        );
    }
}
