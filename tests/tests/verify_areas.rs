//! What `finops verify` covers beside the commit chains: cost facts, gold tables, exported files; and that it names what it
//! could not compare.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use contracts::claims::OwnProducers;
use contracts::{layout, table_manifest};
use exporter::{DuckLimits, ExportOptions, ExporterConfig, ExporterDeps};
use lake::verify::{Area, Rule, Subject, VerifyReport, verify_all};
use parquet::arrow::ArrowWriter;
use platform::broker::Headers;
use platform::clock::SystemClock;
use platform::observe::Observer;
use platform::store::Store;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::pipeline::{Pipeline, copy};
use tests::repo;

/// A data folder with findings, cost facts, gold tables and exports of one tenant.
struct Filled(tempfile::TempDir);

impl Filled {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipeline = Pipeline::open(folder.path());
        let wire: Value = serde_json::from_str(&repo::read("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
        let record = |n: u64| {
            let mut wire = wire.clone();
            wire["tenant_id"] = json!("acme");
            wire["scope"]["resource_id"] = json!(format!("vol-{n}"));
            (Some("acme"), serde_json::to_vec(&wire).unwrap(), Headers::new())
        };
        pipeline.publish((0..5).map(record));
        pipeline.drain();
        let config = ExporterConfig {
            tenant: None,
            export_dir: folder.path().join("export"),
            options: ExportOptions::default(),
            gold: true,
            default_currency: "USD".into(),
            limits: DuckLimits::default(),
            poll_interval: exporter::DEFAULT_POLL_INTERVAL,
        };
        let (store, clock) = (Arc::clone(&pipeline.store), Arc::new(SystemClock));
        let report = exporter::once(&config, &ExporterDeps { store, clock, observer: Observer::default() }).unwrap();
        assert_eq!(report.errors().count(), 0);
        facts(&*pipeline.store);
        priced(&*pipeline.store);
        Self(folder)
    }

    fn copied(&self) -> World {
        let folder = tempfile::tempdir().unwrap();
        copy(self.0.path(), folder.path());
        let pipeline = Pipeline::open(folder.path());
        World { folder, pipeline }
    }
}

/// A file of three rows.
fn parquet() -> Vec<u8> {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let batch = RecordBatch::try_from_iter([("cost", column)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// The priced findings of a run date and their evidence, made of the same commits as the gold tables.
fn priced(store: &dyn Store) {
    let bytes = parquet();
    let digest = json!({"bytes": bytes.len(), "sha256": hex::encode(Sha256::digest(&bytes))});
    let table = |dataset: &str| {
        let path = format!("{}/part-p.parquet", layout::partition_dir(dataset, "acme", "2026-01-20"));
        store.put(&path, &bytes).unwrap();
        json!({"generation": "g", "rows": 3, "computed_ts": "2026-01-20T00:00:00.000Z", "files": [path], "digests": {path: digest}})
    };
    let gold = store.get(&table_manifest::path(layout::KPI_GOLD, "acme")).unwrap().unwrap();
    let mut manifest: Value = serde_json::from_slice(&gold).unwrap();
    manifest.as_object_mut().unwrap().remove("own_sha256");
    manifest["periods"] = json!({
        table_manifest::priced_period("2026-01-20"): table(layout::FINDINGS_ENRICHED),
        table_manifest::evidence_period("2026-01-20"): table(layout::COST_ATTRIBUTION),
    });
    let path = table_manifest::path(layout::FINDINGS_ENRICHED, "acme");
    store.put(&path, manifest.to_string().as_bytes()).unwrap();
}

/// The cost facts of a month, as a manifest of the first version names them.
fn facts(store: &dyn Store) {
    let bytes = parquet();
    let folder = layout::cost_facts_dir("acme", "2026-01");
    store.put(&format!("{folder}/part-d.parquet"), &bytes).unwrap();
    let manifest = json!({"format_version": 1, "delivery_id": "d", "part": "part-d.parquet", "rows": 3, "bytes": bytes.len(),
        "sha256": hex::encode(Sha256::digest(&bytes)), "source_format": "focus", "previous_part": null});
    store.put(&format!("{folder}/_manifest.json"), manifest.to_string().as_bytes()).unwrap();
}

struct World {
    folder: tempfile::TempDir,
    pipeline: Pipeline,
}

impl World {
    fn verify(&self) -> VerifyReport {
        let exports = self.folder.path().join("export");
        let (store, broker) = (&*self.pipeline.store, Some(&self.pipeline.broker as _));
        verify_all(Subject { store, broker, exports: Some(&exports), producers: &OwnProducers }, &|| {}).unwrap()
    }

    fn stored(&self, path: &str) -> PathBuf {
        self.pipeline.store.local_path(path).unwrap()
    }

    fn gold_manifest(&self) -> PathBuf {
        self.stored(&table_manifest::path(layout::KPI_GOLD, "acme"))
    }

    fn priced_manifest(&self) -> PathBuf {
        self.stored(&table_manifest::path(layout::FINDINGS_ENRICHED, "acme"))
    }

    fn evidence_file(&self) -> PathBuf {
        let folder = layout::partition_dir(layout::COST_ATTRIBUTION, "acme", "2026-01-20");
        self.stored(&format!("{folder}/part-p.parquet"))
    }

    fn gold_file(&self) -> PathBuf {
        let manifest = read(&self.gold_manifest());
        let periods = manifest["periods"].as_object().unwrap();
        self.stored(periods.values().next().unwrap()["files"][0].as_str().unwrap())
    }

    fn facts(&self, name: &str) -> PathBuf {
        self.stored(&format!("{}/{name}", layout::cost_facts_dir("acme", "2026-01")))
    }

    fn export(&self, name: &str) -> PathBuf {
        self.folder.path().join("export/acme").join(name)
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn edit(path: &Path, edit: impl FnOnce(&mut Value)) {
    let mut value = read(path);
    edit(&mut value);
    // As a version wrote it that left no digest: what is wrong has to be noticed by itself.
    value.as_object_mut().unwrap().remove("own_sha256");
    std::fs::write(path, value.to_string()).unwrap();
}

fn flip_a_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_not_as_its_manifest_says_is_noticed() {
    let filled = Filled::new();
    let check = |what: &str, expected: &[Rule], tamper: fn(&World)| {
        let world = filled.copied();
        tamper(&world);
        let report = world.verify();
        let rules: Vec<Rule> = report.problems.iter().map(|problem| problem.rule).collect();
        assert_eq!(rules, expected, "{what}: {:#?}", report.problems);
        let differing: u64 = report.areas.iter().map(|area| area.differing).sum();
        assert_eq!(differing, rules.len() as u64, "{what}: each problem is of an area");
        assert!(report.is_complete(), "{what}: {:#?}", report.areas);
    };
    let remove = |path: PathBuf| std::fs::remove_file(path).unwrap();
    check("nothing", &[], |_| {});
    check("a file of facts removed", &[Rule::CostFactsMissing], |w| {
        std::fs::remove_file(w.facts("part-d.parquet")).unwrap()
    });
    check("a file of facts changed", &[Rule::CostFactsChanged], |w| flip_a_byte(&w.facts("part-d.parquet")));
    check("rows of facts", &[Rule::CostFactsChanged], |w| edit(&w.facts("_manifest.json"), |m| m["rows"] = json!(4)));
    check("facts without a manifest that can be read", &[Rule::CostFactsManifest], |w| {
        std::fs::write(w.facts("_manifest.json"), "{").unwrap();
    });
    check("a gold file removed", &[Rule::GoldMissing], |w| std::fs::remove_file(w.gold_file()).unwrap());
    check("a gold file changed", &[Rule::GoldChanged], |w| flip_a_byte(&w.gold_file()));
    check("rows of a gold table", &[Rule::GoldChanged], |w| {
        edit(&w.gold_manifest(), |m| {
            m["periods"].as_object_mut().unwrap().values_mut().next().unwrap()["rows"] = json!(1)
        });
    });
    check("rows of a table of runs", &[Rule::GoldChanged], |w| {
        edit(&w.gold_manifest(), |m| {
            let table = m["periods"].as_object().unwrap().values().next().unwrap().clone();
            m["runs"] = json!({"2026-01": table});
            m["runs"]["2026-01"]["rows"] = json!(1);
        });
    });
    check("a gold manifest that cannot be read", &[Rule::GoldManifest], |w| {
        std::fs::write(w.gold_manifest(), "{").unwrap();
    });
    check("a gold manifest that was changed", &[Rule::GoldManifest], |w| flip_a_byte(&w.gold_manifest()));
    check("a gold manifest of another tenant", &[Rule::GoldManifest], |w| {
        edit(&w.gold_manifest(), |m| m["tenant_id"] = json!("globex"));
    });
    check("gold tables newer than the chain", &[Rule::GoldAhead], |w| {
        edit(&w.gold_manifest(), |m| m["positions"][0]["end"] = json!(99));
    });
    check_priced(&check);
    check("an exported file removed", &[Rule::ExportMissing], |w| {
        std::fs::remove_file(w.export("summary.json")).unwrap()
    });
    check("an exported file changed", &[Rule::ExportChanged], |w| flip_a_byte(&w.export("findings.json")));
    check("an export manifest that cannot be read", &[Rule::ExportManifest], |w| {
        std::fs::write(w.export("manifest.json"), "{").unwrap();
    });
    check("an export manifest of another tenant", &[Rule::ExportManifest], |w| {
        edit(&w.export("manifest.json"), |m| m["tenant_id"] = json!("globex"));
    });
    check("exports newer than the chain", &[Rule::ExportAhead], |w| {
        edit(&w.export("manifest.json"), |m| m["positions"][0]["end"] = json!(99));
    });
    let everything = filled.copied();
    for area in everything.verify().areas {
        // Nothing in it is of a run.
        assert_eq!(area.compared > 0, area.area != Area::RunManifests, "{area:?}");
    }
    remove(everything.facts("part-d.parquet"));
    assert!(operations::repair::plan(&everything.verify()).blocked_by.is_empty(), "what is derived hides nothing");
}

fn check_priced(check: &impl Fn(&str, &[Rule], fn(&World))) {
    check("evidence removed", &[Rule::AttributionMissing], |w| std::fs::remove_file(w.evidence_file()).unwrap());
    check("evidence changed", &[Rule::AttributionChanged], |w| flip_a_byte(&w.evidence_file()));
    check("rows of priced findings", &[Rule::AttributionChanged], |w| {
        let period = table_manifest::priced_period("2026-01-20");
        edit(&w.priced_manifest(), |m| m["periods"][&period]["rows"] = json!(1));
    });
    check("priced findings of another tenant", &[Rule::AttributionManifest], |w| {
        edit(&w.priced_manifest(), |m| m["tenant_id"] = json!("globex"));
    });
    check("priced findings newer than the chain", &[Rule::AttributionAhead], |w| {
        edit(&w.priced_manifest(), |m| m["positions"][0]["end"] = json!(99));
    });
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_could_not_be_compared_is_named() {
    let filled = Filled::new();
    let check = |what: &str, expected: &[Area], subject: fn(&World) -> VerifyReport, reason: &str| {
        let world = filled.copied();
        let report = subject(&world);
        assert_eq!(report.problems, [], "{what}");
        let incomplete: Vec<Area> =
            report.areas.iter().filter(|area| !area.not_compared.is_empty()).map(|area| area.area).collect();
        assert_eq!(incomplete, expected, "{what}");
        assert_eq!(report.is_complete(), expected.is_empty(), "{what}");
        let reasons: Vec<_> = report.areas.iter().flat_map(|area| &area.not_compared).map(|n| &n.reason).collect();
        assert!(expected.is_empty() || reasons.iter().any(|r| r.contains(reason)), "{what}: {reasons:?}");
    };
    check("nothing", &[], World::verify, "");
    check(
        "no broker",
        &[Area::WireRecords, Area::RunManifests],
        |w| {
            let exports = w.folder.path().join("export");
            verify_all(
                Subject { store: &*w.pipeline.store, broker: None, exports: Some(&exports), producers: &OwnProducers },
                &|| {},
            )
            .unwrap()
        },
        "there is no broker",
    );
    check(
        "a recreated broker",
        &[Area::WireRecords],
        |w| {
            let elsewhere = tempfile::tempdir().unwrap();
            let other = Pipeline::open(elsewhere.path());
            let exports = w.folder.path().join("export");
            let (store, broker) = (&*w.pipeline.store, Some(&other.broker as _));
            verify_all(Subject { store, broker, exports: Some(&exports), producers: &OwnProducers }, &|| {}).unwrap()
        },
        "no topic of this id",
    );
    check(
        "exports elsewhere",
        &[Area::Exports],
        |w| {
            std::fs::remove_dir_all(w.folder.path().join("export")).unwrap();
            w.verify()
        },
        "not on this machine",
    );
    check(
        "nothing was ever exported",
        &[],
        |w| {
            std::fs::remove_dir_all(w.folder.path().join("export")).unwrap();
            for dataset in [layout::KPI_GOLD, layout::FINDINGS_ENRICHED, layout::COST_ATTRIBUTION] {
                std::fs::remove_dir_all(w.folder.path().join(dataset)).unwrap();
            }
            w.verify()
        },
        "",
    );
    check(
        "an export without a manifest",
        &[Area::Exports],
        |w| {
            std::fs::remove_file(w.export("manifest.json")).unwrap();
            w.verify()
        },
        "nothing says",
    );
    check(
        "gold of a former version",
        &[Area::Gold],
        |w| {
            edit(&w.gold_manifest(), |m| {
                for table in m["periods"].as_object_mut().unwrap().values_mut() {
                    table.as_object_mut().unwrap().remove("digests");
                }
            });
            w.verify()
        },
        "records no digest",
    );
    check(
        "facts and gold tables without a manifest",
        &[Area::CostFacts, Area::Gold],
        |w| {
            std::fs::remove_file(w.facts("_manifest.json")).unwrap();
            std::fs::remove_file(w.gold_manifest()).unwrap();
            w.verify()
        },
        "no manifest names these files",
    );
    check(
        "a manifest of a newer version",
        &[Area::CostFacts],
        |w| {
            edit(&w.facts("_manifest.json"), |m| m["format_version"] = json!(99));
            w.verify()
        },
        "newer",
    );
}
