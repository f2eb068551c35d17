//! Several exporters of one store into one folder: what was made of an older cut must not take the place of what was made of a
//! newer one, and what a manifest names must be there.

use std::time::Duration;

use platform::failpoint;
use rand::Rng;
use tests::attack::battle::{Battle, note};
use tests::attack::exports;
use tests::attack::fault::{Deed, Fault};
use tests::attack::load::Load;
use tests::attack::oracle;
use tests::attack::program::{self, Role, Service};
use tests::attack::seed::{Seeded, is_long, seeded};
use tests::attack::site::{Site, SiteKind};

list!(exporters_meet, an_exporter_wakes_up_with_an_older_cut);
at_site!(embedded_local, EmbeddedLocal, exporters_meet, an_exporter_wakes_up_with_an_older_cut);
at_site!(embedded_s3, EmbeddedS3, exporters_meet, an_exporter_wakes_up_with_an_older_cut);

/// Two exporters and now and then a third, of which one is killed again and again, under load.
fn exporters_meet(kind: SiteKind) {
    let Seeded { seed, mut rng } = seeded("exporters");
    let site = Site::open(kind);
    let kills = if is_long() { 20 } else { 3 };
    let count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Validator, Role::Sink]);
        let mut exporters = battle.start(&[Role::Exporter, Role::Exporter]);
        for _ in 0..kills {
            std::thread::sleep(Duration::from_millis(rng.random_range(200..1_200)));
            exporters.swap_remove(rng.random_range(0..exporters.len())).kill();
            exporters.push(Service::start(&site, Role::Exporter));
        }
        services.extend(exporters);
        services
    });
    exports::judge_alone(&site);
    assert_eq!(program::verify(&site)["problems"], serde_json::json!([]));
    note(Fault::Deed(Deed::ExportersMeet), &site, kills, Some(seed), &count, "goes on");
}

/// It is frozen with new files written, before they take the place of the old ones; meanwhile more comes in and another one
/// exports that. When it wakes up it dies as soon as it has published what it had.
fn an_exporter_wakes_up_with_an_older_cut(kind: SiteKind) {
    let site = Site::open(kind);
    let load = Load::new(&site);
    let take_in = |records| {
        assert!(load.publish(records));
        program::drain(&site);
    };
    take_in(100);
    let armed = "exporter.export.written:1:stop,exporter.export.exchanged:1";
    let environment = [(failpoint::VARIABLE, armed), ("FINOPS_LOG_FILTER", "info")];
    let mut late = Service::start_with(&site, Role::Exporter, &[], &environment);
    late.wait_until_frozen();
    take_in(100);
    let _ = program::done(&site, &["exporter", "once"]);
    let newest = exports::read(&site.export_folder());
    late.signal("CONT");
    late.wait_for_log("another exporter has published this tenant meanwhile");
    let _ = late.stop();
    assert!(exports::read(&site.export_folder()) == newest, "an older cut has taken the place of a newer one");
    let fresh = site.folder().join("fresh-export");
    let _ = program::done(&site, &["exporter", "once", "--export", fresh.to_str().unwrap()]);
    assert!(exports::read(&fresh) == newest, "the newest is what the store gives");
    assert_eq!(program::verify(&site)["problems"], serde_json::json!([]));
    let count = oracle::judge_all(&site, Some(&load));
    note(Fault::Deed(Deed::OlderCut), &site, 0, None, &count, "is refused, and builds again of what is there");
}
