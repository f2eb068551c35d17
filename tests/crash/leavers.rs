//! The files of one tenant are removed from a store that others share: by hand, by a rule of the bucket, or because the tenant
//! left. Nothing of another tenant may change with it, and nothing of the tenant's own may look as if it were whole.

use contracts::layout;
use serde_json::Value;
use tests::attack::battle::note;
use tests::attack::exports::{self, Exported};
use tests::attack::fault::{Deed, Fault};
use tests::attack::load::{Load, TENANTS};
use tests::attack::oracle;
use tests::attack::program;
use tests::attack::site::{Site, SiteKind};

list!(files_of_a_tenant_are_removed);
at_site!(embedded_local, EmbeddedLocal, files_of_a_tenant_are_removed);
at_site!(embedded_s3, EmbeddedS3, files_of_a_tenant_are_removed);

const LEAVER: &str = TENANTS[2];

fn files_of_a_tenant_are_removed(kind: SiteKind) {
    let site = Site::open(kind);
    let load = Load::new(&site);
    let take_in = |records| {
        assert!(load.publish(records));
        program::drain(&site);
    };
    take_in(120);
    let _ = program::done(&site, &["exporter", "once"]);
    let whole = exports::read(&site.export_folder());
    // The last commit of each partition is published again by the sink that follows: these files are of the ones before it.
    let removed = findings_of_the_leaver(&site);
    take_in(120);
    for (path, _) in &removed {
        site.store.delete(path).unwrap();
    }
    take_in(120);

    let (code, said) = program::refused(&site, &["exporter", "once"]);
    assert!(said.contains(LEAVER), "{code}: {said}");
    let hurt = exports::read(&site.export_folder());
    assert!(of(&hurt, |tenant| tenant == LEAVER) == of(&whole, |tenant| tenant == LEAVER), "it is as it was");
    let (_, said) = program::refused(&site, &["findings", "list", "--tenant", LEAVER]);
    assert!(removed.iter().any(|(path, _)| said.contains(path)), "{said}");
    let doctor = program::command(&site, &["doctor"]).output().unwrap();
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    let expected = format!("fail data files: {} cannot be read, of {LEAVER};", removed.len());
    assert!(doctor.contains(&expected), "{doctor}");
    let problems = program::verify(&site)["problems"].as_array().unwrap().clone();
    let names = |problem: &Value, path: &str| problem["object"].as_str().unwrap().ends_with(path);
    for (path, _) in &removed {
        assert!(problems.iter().any(|problem| names(problem, path)), "{path}: {problems:#?}");
    }

    for (path, bytes) in &removed {
        site.store.put(path, bytes).unwrap();
    }
    let _ = program::done(&site, &["exporter", "once"]);
    let mended = exports::read(&site.export_folder());
    assert!(
        of(&hurt, |tenant| tenant != LEAVER) == of(&mended, |tenant| tenant != LEAVER),
        "others were never touched"
    );
    exports::judge_alone(&site);
    assert_eq!(program::verify(&site)["problems"], serde_json::json!([]));
    let count = oracle::judge_all(&site, Some(&load));
    let result = "its exports stay as they were and its commands fail; others are exported";
    note(Fault::Deed(Deed::TenantRemoved), &site, 0, None, &count, result);
}

/// Its published files, with their bytes.
fn findings_of_the_leaver(site: &Site) -> Vec<(String, Vec<u8>)> {
    let entries = site.store.list(&format!("{}/tenant_id={LEAVER}", layout::FINDINGS)).unwrap();
    let files = entries.into_iter().map(|entry| (site.store.get(&entry.path).unwrap().unwrap(), entry.path));
    let files: Vec<_> = files.map(|(bytes, path)| (path, bytes.to_vec())).collect();
    assert!(!files.is_empty(), "{LEAVER} has no findings");
    files
}

fn of(exported: &Exported, wanted: fn(&str) -> bool) -> Exported {
    let tenant = |name: &str| name.split('/').next().is_some_and(wanted);
    exported.iter().filter(|(name, _)| tenant(name)).map(|(name, bytes)| (name.clone(), bytes.clone())).collect()
}
