//! Services that are at work while others look.

use std::sync::atomic::{AtomicBool, Ordering};

use contracts::layout;
use contracts::topics::headers;
use platform::broker::Headers;
use tests::pipeline::{Pipeline, run_manifest};

use super::world::{Filled, commits, fill, good};

#[test]
fn services_that_are_running_are_no_problem() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    fill(&pipeline);
    let done = AtomicBool::new(false);
    let verified = std::thread::scope(|scope| {
        scope.spawn(|| {
            let other = Pipeline::open(folder.path());
            for n in 0..40 {
                let path = layout::run_manifest("acme", "prod", &format!("run-{n}"));
                let run = format!("run-{n}");
                let own = |value: Vec<u8>| {
                    let all = [(headers::TENANT_ID, "acme"), (headers::WORKSPACE_ID, "prod"), (headers::RUN_ID, &run)];
                    (Some("acme"), value, Headers::from_iter(all))
                };
                other.publish([own(good("acme", n)), own(b"{".to_vec())]);
                other.store.put(&path, &serde_json::to_vec(&run_manifest(&run, 2)).unwrap()).unwrap();
                other.drain();
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut verified = 0;
        while !done.load(Ordering::Relaxed) {
            assert_eq!(pipeline.verify().problems, []);
            verified += 1;
        }
        verified
    });
    assert!(verified > 3, "verified {verified} times only");
    let report = pipeline.verify();
    assert_eq!((report.problems.len(), report.findings_rows), (0, 15 + 40));
}

#[test]
fn inspecting_tells_what_is_written_and_what_is_not() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    pipeline.publish([(Some("globex"), good("globex", 1), Headers::new())]);
    pipeline.drain();
    pipeline.publish([(Some("acme"), good("acme", 90), Headers::new())]);
    let _ = pipeline.validate();
    let inspect = |tenant| operations::inspect::inspect(&*pipeline.store, Some(&pipeline.broker), tenant).unwrap();
    let all = inspect(None);
    let sum = |of: fn(&operations::inspect::ChainView) -> u64| all.chains.iter().map(of).sum::<u64>();
    assert_eq!((sum(|c| c.rows), sum(|c| c.lag.unwrap())), (19, 1));
    assert!(all.chains.iter().all(|c| c.broken.is_none() && c.group_position == Some(c.end)), "{:#?}", all.chains);
    let folders = |found: &operations::inspect::Inspection| -> Vec<_> {
        found.folders.iter().map(|f| (f.dataset.clone(), f.tenant_id.clone(), f.files, f.rows)).collect()
    };
    let letters = (layout::DEAD_LETTERS.to_owned(), layout::UNKNOWN_TENANT.to_owned(), 3, 3);
    let acme = (layout::FINDINGS.to_owned(), "acme".to_owned(), 3, 15);
    let globex = (layout::FINDINGS.to_owned(), "globex".to_owned(), 1, 1);
    assert_eq!(folders(&all), [letters, acme.clone(), globex]);
    assert_eq!(folders(&inspect(Some("acme"))), [acme]);

    std::fs::remove_file(&commits(&pipeline)[0]).unwrap();
    let broken = inspect(None);
    assert!(broken.chains.iter().any(|c| c.broken.is_some()), "{:#?}", broken.chains);
}
