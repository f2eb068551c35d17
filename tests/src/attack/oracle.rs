//! Counts. What was produced is read from the wire topics and from the producers' acknowledgements, what is there from
//! the data files; no commit record and no service is asked. `finops verify` must then come to the same result.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use contracts::judge::{Policy, judge};
use contracts::source::{Src, SrcPartition};
use contracts::topics;
use platform::broker::{Message, TopicPartition};

use super::load::Load;
use super::parquet::Key;
use super::program;
use super::reader::{Glob, Seen};
use super::site::Site;

/// Source positions by what their row must be.
pub type Produced = HashMap<Key, Vec<Src>>;

/// The result of counting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Count {
    /// Records that were produced.
    pub produced: u64,
    /// Of these, without a row.
    pub lost: u64,
    /// Rows more than records.
    pub duplicated: u64,
    /// Examples, for people.
    pub examples: Vec<String>,
}

/// Everything that was produced: all wire topics hold, and all that was ever acknowledged.
///
/// # Panics
/// When the broker cannot be read.
#[must_use]
pub fn produced(site: &Site, load: Option<&Load<'_>>) -> Produced {
    let mut records: BTreeMap<Src, Bytes> = load.map(Load::acknowledged).unwrap_or_default().into_iter().collect();
    for topic in site.broker.topics().unwrap().into_iter().filter(|topic| topics::is_wire(&topic.name)) {
        for partition in 0..topic.partitions {
            let at = TopicPartition { topic: topic.name.clone(), partition };
            let mut next = site.broker.watermarks(&at).unwrap().low;
            loop {
                let messages = site.broker.read(&at, next, 10_000, 64 << 20).unwrap();
                let Some(last) = messages.last() else { break };
                next = last.offset + 1;
                let partition = SrcPartition { topic_id: topic.id.to_string(), partition };
                records.extend(
                    messages.into_iter().map(|message| (first_src(&message, &partition), message.value.into_bytes())),
                );
            }
        }
    }
    let mut produced = Produced::new();
    for (src, value) in records {
        let key = match judge(&value, &Policy::default(), 0) {
            Ok(finding) => finding.finding_id().to_owned(),
            Err(_) => src.to_string(),
        };
        produced.entry(key).or_default().push(src);
    }
    produced
}

/// A record that was sent again in place of a lost one counts as that one.
fn first_src(message: &Message, own: &SrcPartition) -> Src {
    match message.header(topics::headers::REPLAY_OF) {
        Some(first) => std::str::from_utf8(first).unwrap().parse().unwrap(),
        None => Src { partition: own.clone(), offset: message.offset },
    }
}

/// Compares what is there with what was produced.
#[must_use]
pub fn count(produced: &Produced, rows: &HashMap<Key, u64>) -> Count {
    let mut count = Count { produced: produced.values().map(|srcs| srcs.len() as u64).sum(), ..Count::default() };
    for (key, srcs) in produced {
        let (wanted, found) = (srcs.len() as u64, rows.get(key).copied().unwrap_or(0));
        count.lost += wanted.saturating_sub(found);
        count.duplicated += found.saturating_sub(wanted);
        if wanted != found && count.examples.len() < 10 {
            count.examples.push(format!("{key} of {srcs:?} has {found} rows"));
        }
    }
    for (key, times) in rows.iter().filter(|(key, _)| !produced.contains_key(*key)) {
        count.duplicated += times;
        count.examples.push(format!("{key} has {times} rows and was never produced"));
    }
    count
}

/// Reads all data files once more and compares.
///
/// # Panics
/// When a record is lost or doubled, a file is not what it must be, or `finops verify` finds something else.
#[must_use]
pub fn judge_all(site: &Site, load: Option<&Load<'_>>) -> Count {
    judge_rows(site, &produced(site, load), 0)
}

/// As [`judge_all`], with what was produced as the caller knows it, and as many duplicates as the sink had to drop.
///
/// # Panics
/// As [`judge_all`].
#[must_use]
pub fn judge_rows(site: &Site, produced: &Produced, dropped: u64) -> Count {
    let mut seen = Seen::default();
    seen.look(&Glob::of(site), false);
    assert_eq!(seen.outrages, [""; 0]);
    let count = count(produced, &seen.rows);
    assert_eq!((count.lost, count.duplicated), (0, 0), "lost, duplicated: {:#?}", count.examples);

    let report = program::verify(site);
    assert_eq!(report["problems"], serde_json::json!([]), "{report:#}");
    let on_the_way = &report["in_flight"];
    assert_eq!((&on_the_way["unjudged"], &on_the_way["unwritten"]), (&0.into(), &0.into()), "{report:#}");
    let number = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(number("findings_rows") + number("dead_letter_rows"), count.produced, "verify counts otherwise");
    assert_eq!(number("duplicates"), dropped, "only what was judged twice leaves the sink something to drop");
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The oracle itself must be able to fail.
    #[test]
    fn every_difference_is_counted() {
        let srcs = |n: u64| (0..n).map(|o| format!("t/0/{o}").parse().unwrap()).collect::<Vec<Src>>();
        let produced = Produced::from([("once".to_owned(), srcs(1)), ("twice".to_owned(), srcs(2))]);
        let check = |rows: &[(&str, u64)], lost, duplicated| {
            let rows = rows.iter().map(|(key, n)| ((*key).to_owned(), *n)).collect();
            let found = count(&produced, &rows);
            assert_eq!((found.produced, found.lost, found.duplicated), (3, lost, duplicated), "{rows:?}");
        };
        check(&[("once", 1), ("twice", 2)], 0, 0);
        check(&[("once", 1), ("twice", 1)], 1, 0);
        check(&[("twice", 2)], 1, 0);
        check(&[("once", 2), ("twice", 2)], 0, 1);
        check(&[("once", 1), ("twice", 2), ("foreign", 1)], 0, 1);
    }
}
