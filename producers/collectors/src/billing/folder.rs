//! Which files a user's arguments are, and which of them belong together as one delivery. Files named one by one are one
//! delivery; in a folder a manifest names the files of a delivery, and without one all files of a billing period are one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::container;
use super::error::LoadError;
use super::layout::period_folder;
use super::manifest::{self, DeliveryManifest, ManifestFile};
use super::storage::BillStorage;

/// Billing files by delivery.
#[derive(Debug, Default)]
pub struct BillPaths {
    /// Where they lie.
    pub storage: BillStorage,
    /// Deliveries; their order says nothing.
    pub deliveries: Vec<DeliveryPaths>,
    /// Files in folders that are not read, with the reason.
    pub left_out: Vec<(PathBuf, String)>,
}

/// Files that were delivered together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryPaths {
    /// The provider's own id of the delivery.
    pub assembly: Option<String>,
    /// Files, sorted.
    pub files: Vec<PathBuf>,
}

impl BillPaths {
    /// All files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.deliveries.iter().flat_map(|delivery| delivery.files.iter().map(PathBuf::as_path))
    }

    /// All files that are read, with their bytes.
    ///
    /// # Errors
    /// One of them is not there, or is no file.
    pub fn sizes(&self) -> Result<Vec<(PathBuf, u64)>, LoadError> {
        self.files().map(|path| Ok((path.to_owned(), self.storage.bytes(path)?))).collect()
    }
}

/// Finds the billing files of these arguments: files, folders and manifests, on this machine or in a bucket (`s3://…`).
///
/// # Errors
/// A folder cannot be read or holds no bill; a manifest names a file that is not there; or nothing says which of several
/// deliveries of a billing period is the current one.
pub fn find(paths: &[PathBuf]) -> Result<BillPaths, LoadError> {
    let mut found = BillPaths::default();
    let mut loose = DeliveryPaths::default();
    for path in paths {
        if let Some(files) = found.storage.files_below(path)? {
            let folder = Folder::of(files, &found.storage)?;
            let before = found.deliveries.len();
            folder.sort_into(path, &mut found)?;
            if found.deliveries.len() == before {
                let empty = found.left_out.iter().find(|(_, why)| why == NAMES_NONE);
                return Err(match empty {
                    Some((manifest, _)) => LoadError::ManifestEmpty { manifest: manifest.display().to_string() },
                    None => LoadError::NoBills { folder: path.display().to_string() },
                });
            }
        } else if let Some(manifest) = manifest::read_named(&found.storage, path, paths.len() == 1)? {
            let root = path.parent().and_then(Path::parent).unwrap_or(path);
            found.storage.look_below(root)?;
            let delivery = delivery_of(&manifest, root, &found.storage)?;
            if delivery.files.is_empty() {
                return Err(LoadError::ManifestEmpty { manifest: path.display().to_string() });
            }
            found.deliveries.push(delivery);
        } else {
            loose.files.push(path.clone());
        }
    }
    loose.files.sort();
    found.deliveries.extend((!loose.files.is_empty()).then_some(loose));
    Ok(found)
}

/// Why a manifest of an empty delivery is left out.
const NAMES_NONE: &str = "it names no file";

/// What is in a folder.
#[derive(Default)]
struct Folder {
    manifests: Vec<DeliveryManifest>,
    bills: Vec<PathBuf>,
    others: Vec<PathBuf>,
}

impl Folder {
    fn of(files: Vec<PathBuf>, storage: &BillStorage) -> Result<Self, LoadError> {
        let mut folder = Self::default();
        for path in files {
            if let Some(manifest) = manifest::read(storage, &path)? {
                folder.manifests.push(manifest);
            } else if container::is_bill(storage, &path)? {
                folder.bills.push(path);
            } else {
                folder.others.push(path);
            }
        }
        // Those of a period before those of its deliveries.
        folder.manifests.sort_by_key(|manifest| (manifest.folder().components().count(), manifest.path.clone()));
        Ok(folder)
    }

    /// First what manifests name; of the rest, what no manifest is about.
    fn sort_into(self, root: &Path, found: &mut BillPaths) -> Result<(), LoadError> {
        let mut decided: BTreeMap<PathBuf, &Path> = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for manifest in &self.manifests {
            // A delivery's own copy of its manifest lies below the one of the period, which says what is current.
            let decides = |(folder, _): &(&PathBuf, &&Path)| {
                manifest.folder() != *folder && manifest.folder().starts_with(folder)
            };
            if let Some((period, by)) = decided.iter().find(decides) {
                let by = by.parent().unwrap_or(by);
                if manifest.folder().starts_with(by) {
                    continue;
                }
                let folders = [by, manifest.folder()].map(|folder| folder.display().to_string()).to_vec();
                return Err(LoadError::SeveralDeliveries { period: period.display().to_string(), folders });
            }
            let delivery = delivery_of(manifest, root, &found.storage)?;
            let periods = delivery.files.iter().filter_map(|file| period_folder(file, root));
            for folder in periods.chain([manifest.folder().to_owned()]) {
                decided.entry(folder).or_insert(&manifest.path);
            }
            taken.extend(delivery.files.iter().cloned());
            if delivery.files.is_empty() {
                found.left_out.push((manifest.path.clone(), NAMES_NONE.to_owned()));
            } else {
                found.deliveries.push(delivery);
            }
        }
        let mut rest: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
        for file in self.bills {
            if taken.contains(&file) {
                continue;
            }
            // A marker; a file that a manifest names has been taken, and is refused when it is read.
            if container::is_blank(&found.storage, &file)? {
                found.left_out.push((file, "it is empty".to_owned()));
                continue;
            }
            if let Some((_, by)) = decided.iter().find(|(folder, _)| file.starts_with(folder)) {
                let why = format!("{} does not name it", by.display());
                found.left_out.push((file, why));
                continue;
            }
            rest.entry(period_folder(&file, root).unwrap_or_else(|| root.to_owned())).or_default().push(file);
        }
        for (folder, files) in rest {
            if files.iter().any(|file| period_folder(file, root).is_some()) {
                one_delivery(&folder, &files)?;
            }
            found.deliveries.push(DeliveryPaths { assembly: None, files });
        }
        let others = self.others.into_iter().map(|file| (file, "it is neither CSV nor Parquet".to_owned()));
        found.left_out.extend(others);
        Ok(())
    }
}

/// The files that a manifest names.
fn delivery_of(manifest: &DeliveryManifest, root: &Path, storage: &BillStorage) -> Result<DeliveryPaths, LoadError> {
    let place = |ManifestFile { key, bytes }: &ManifestFile| {
        let (manifest_path, key) = (manifest.path.display().to_string(), key.clone());
        let Some(path) = manifest.place(storage, &key, root) else {
            return Err(LoadError::ManifestFileMissing { manifest: manifest_path, key });
        };
        let (expected, found) = (bytes.filter(|_| is_plain(&path)), storage.bytes(&path)?);
        match expected.filter(|expected| *expected != found) {
            Some(expected) => Err(LoadError::ManifestFileSize { manifest: manifest_path, key, expected, found }),
            None => Ok(path),
        }
    };
    let mut files = manifest.files.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    files.sort();
    files.dedup();
    Ok(DeliveryPaths { assembly: manifest.assembly.clone(), files })
}

/// True for a file whose bytes are those of its rows: of packed ones no manifest says which bytes it has counted.
fn is_plain(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"))
}

/// Several folders of a period with files of one name are several deliveries of it, and nothing says which one is current.
fn one_delivery(period: &Path, files: &[PathBuf]) -> Result<(), LoadError> {
    let mut folders: BTreeMap<_, BTreeSet<&Path>> = BTreeMap::new();
    for file in files {
        let folder = file.parent().filter(|folder| *folder != period);
        if let (Some(name), Some(folder)) = (file.file_name(), folder) {
            folders.entry(name).or_default().insert(folder);
        }
    }
    match folders.into_values().find(|folders| folders.len() > 1) {
        None => Ok(()),
        Some(folders) => Err(LoadError::SeveralDeliveries {
            period: period.display().to_string(),
            folders: folders.into_iter().map(|folder| folder.display().to_string()).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files; a path that ends in `.json` has its content.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        dir
    }

    /// Deliveries and what is left out, as text.
    #[track_caller]
    fn check(files: &[(&str, &str)], deliveries: &[&str], left_out: &[&str]) {
        let dir = folder(files);
        let found = find(&[dir.path().to_owned()]).unwrap();
        let name = |path: &Path| path.strip_prefix(dir.path()).unwrap().display().to_string();
        let text = |delivery: &DeliveryPaths| {
            let files: Vec<_> = delivery.files.iter().map(|file| name(file)).collect();
            format!("{}: {}", delivery.assembly.as_deref().unwrap_or("-"), files.join(" "))
        };
        assert_eq!(found.deliveries.iter().map(text).collect::<Vec<_>>(), deliveries);
        assert_eq!(found.left_out.iter().map(|(file, _)| name(file)).collect::<Vec<_>>(), left_out);
    }

    const MANIFEST: &str =
        r#"{"assemblyId": "b", "reportKeys": ["p/r/20260101-20260201/b/r-1.csv", "p/r/20260101-20260201/b/r-2.csv"]}"#;

    #[test]
    fn a_manifest_says_which_delivery_is_current() {
        check(
            &[
                ("20260101-20260201/r-Manifest.json", MANIFEST),
                ("20260101-20260201/a/r-1.csv", "x"),
                ("20260101-20260201/b/r-1.csv", "x"),
                ("20260101-20260201/b/r-2.csv", "x"),
                ("20260101-20260201/b/r-Manifest.json", MANIFEST),
                ("20260201-20260301/c/r-1.csv", "x"),
                ("notes.txt", "x"),
                ("_SUCCESS", ""),
            ],
            &["b: 20260101-20260201/b/r-1.csv 20260101-20260201/b/r-2.csv", "-: 20260201-20260301/c/r-1.csv"],
            &["20260101-20260201/a/r-1.csv", "notes.txt"],
        );
    }

    #[test]
    fn a_manifest_may_lie_beside_its_files() {
        let parquet = r#"{"assemblyId": "a", "reportKeys": ["p/r/r/year=2026/month=1/r-1.snappy.parquet"]}"#;
        check(
            &[("r/20260101-20260201/r-Manifest.json", parquet), ("r/r/year=2026/month=1/r-1.snappy.parquet", "x")],
            &["a: r/r/year=2026/month=1/r-1.snappy.parquet"],
            &[],
        );
        let of_exports =
            r#"{"executionId": "e2", "dataFiles": ["s3://b/p/x/data/BILLING_PERIOD=2026-01/e2/x-1.csv.gz"]}"#;
        check(
            &[
                ("x/metadata/BILLING_PERIOD=2026-01/x-Manifest.json", of_exports),
                ("x/data/BILLING_PERIOD=2026-01/e1/x-1.csv.gz", "x"),
                ("x/data/BILLING_PERIOD=2026-01/e2/x-1.csv.gz", "x"),
            ],
            &["e2: x/data/BILLING_PERIOD=2026-01/e2/x-1.csv.gz"],
            &["x/data/BILLING_PERIOD=2026-01/e1/x-1.csv.gz"],
        );
        let of_azure = r#"{"runInfo": {"runId": "r1"}, "blobs": [{"blobName": "exports/run/part_0_0001.csv"}]}"#;
        check(&[("any/manifest.json", of_azure), ("any/part_0_0001.csv", "x")], &["r1: any/part_0_0001.csv"], &[]);
    }

    #[test]
    fn a_file_that_a_manifest_names_must_be_there() {
        let dir = folder(&[
            ("20260101-20260201/r-Manifest.json", MANIFEST),
            ("20260101-20260201/b/r-1.csv", "x"),
            ("20260101-20260201/r-2.csv", "of another delivery"),
        ]);
        let error = find(&[dir.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("p/r/20260101-20260201/b/r-2.csv"), "{error}");
    }

    #[test]
    fn an_empty_file_of_a_folder_is_left_out_unless_a_manifest_names_it() {
        check(
            &[("BILLING_PERIOD=2026-01/x-1.csv", "x"), ("BILLING_PERIOD=2026-01/x-2.csv", ""), ("success.csv", "")],
            &["-: BILLING_PERIOD=2026-01/x-1.csv"],
            &["BILLING_PERIOD=2026-01/x-2.csv", "success.csv"],
        );
        let named =
            r#"{"runInfo": {"runId": "r1"}, "blobs": [{"blobName": "e/part_0.csv"}, {"blobName": "e/part_1.csv"}]}"#;
        let files = [("e/manifest.json", named), ("e/part_0.csv", "x"), ("e/part_1.csv", "")];
        check(&files, &["r1: e/part_0.csv e/part_1.csv"], &[]);
        let dir = folder(&[("only.csv", "")]);
        assert!(matches!(find(&[dir.path().to_owned()]), Err(LoadError::NoBills { .. })));
    }

    #[test]
    fn a_manifest_that_names_no_file_leaves_out_what_lies_beside_it() {
        let none = r#"{"blobs": []}"#;
        let files = [("e/manifest.json", none), ("e/part_0.csv", "x"), ("bill.csv", "x"), ("blank.csv", " \r\n")];
        check(&files, &["-: bill.csv"], &["e/manifest.json", "blank.csv", "e/part_0.csv"]);
        let dir = folder(&[("e/manifest.json", none), ("e/part_0.csv", "x")]);
        assert!(matches!(find(&[dir.path().to_owned()]), Err(LoadError::ManifestEmpty { .. })));
        let dir = folder(&[("x-manifest.json", none)]);
        let named = find(&[dir.path().join("x-manifest.json")]);
        assert!(matches!(named, Err(LoadError::ManifestEmpty { .. })), "{named:?}");
    }

    #[test]
    fn a_size_that_is_no_number_is_refused() {
        for size in ["-1", "\"abc\"", "1.5"] {
            let manifest = format!(r#"{{"blobs": [{{"blobName": "e/p.csv", "byteCount": {size}}}]}}"#);
            let dir = folder(&[("e/manifest.json", &manifest), ("e/p.csv", "12345")]);
            let refused = find(&[dir.path().to_owned()]).unwrap_err().to_string();
            assert!(refused.contains("byteCount of \"e/p.csv\" is"), "{refused}");
        }
    }

    #[test]
    fn a_manifest_that_cannot_be_read_is_refused() {
        let cases = [
            (r#"{"blobs": [{"blobName": "e/p.csv"}, {"blob"#, "it is no JSON"),
            (r#"{"blobs": null}"#, "its list of files is null"),
            (r#"{"reportKeys": "e/p.csv"}"#, "invalid type: string"),
        ];
        for (manifest, said) in cases {
            let dir = folder(&[("e/manifest.json", manifest), ("e/p.csv", "x")]);
            let refused = find(&[dir.path().to_owned()]).unwrap_err().to_string();
            assert!(refused.contains("manifest.json: ") && refused.contains(said), "{refused}");
        }
        check(&[("manifest.json", r#"{"name": "app"}"#), ("p.csv", "x")], &["-: p.csv"], &["manifest.json"]);
    }

    #[test]
    fn manifests_of_several_deliveries_of_a_period_do_not_say_which_is_current() {
        let of =
            |run: &str| format!(r#"{{"runInfo": {{"runId": "{run}"}}, "blobs": [{{"blobName": "e/{run}/p.csv"}}]}}"#);
        let dir = folder(&[
            ("20261101-20261130/a/manifest.json", &of("a")),
            ("20261101-20261130/a/p.csv", "x"),
            ("20261101-20261130/b/manifest.json", &of("b")),
            ("20261101-20261130/b/p.csv", "y"),
        ]);
        let refused = find(&[dir.path().to_owned()]);
        assert!(matches!(refused, Err(LoadError::SeveralDeliveries { .. })), "{refused:?}");
        let named = find(&[dir.path().join("20261101-20261130/b/manifest.json")]).unwrap();
        assert_eq!(named.deliveries[0].assembly.as_deref(), Some("b"));
    }

    /// The bytes of packed files are not compared: no manifest says whether it has counted them packed.
    #[test]
    fn a_file_that_a_manifest_names_has_the_size_that_it_names() {
        let of_size = |name: &str, bytes: u64| {
            let manifest = format!(r#"{{"blobs": [{{"blobName": "e/{name}", "byteCount": {bytes}}}]}}"#);
            let dir = folder(&[("e/manifest.json", &manifest), (&format!("e/{name}"), "12345")]);
            find(&[dir.path().to_owned()]).map(|found| found.files().count()).map_err(|error| error.to_string())
        };
        assert_eq!((of_size("p.csv", 5), of_size("p.csv.gz", 9)), (Ok(1), Ok(1)));
        let refused = of_size("p.csv", 6).unwrap_err();
        assert!(refused.contains("manifest.json: e/p.csv has 5 bytes, not the 6 that it names"), "{refused}");
    }

    #[test]
    fn the_files_of_a_period_are_one_delivery() {
        check(
            &[
                ("BILLING_PERIOD=2025-12/x-1.csv.gz", "x"),
                ("BILLING_PERIOD=2026-01/x-1.csv.gz", "x"),
                ("BILLING_PERIOD=2026-01/x-2.csv.gz", "x"),
                ("year=2026/month=2/x.parquet", "x"),
            ],
            &[
                "-: BILLING_PERIOD=2025-12/x-1.csv.gz",
                "-: BILLING_PERIOD=2026-01/x-1.csv.gz BILLING_PERIOD=2026-01/x-2.csv.gz",
                "-: year=2026/month=2/x.parquet",
            ],
            &[],
        );
        check(&[("one.csv", "x"), ("two/three.CSV", "x")], &["-: one.csv two/three.CSV"], &[]);
    }

    #[test]
    fn two_deliveries_of_a_period_without_a_manifest_are_refused() {
        let dir = folder(&[("20260101-20260201/a/r-1.csv", "x"), ("20260101-20260201/b/r-1.csv", "x")]);
        let error = find(&[dir.path().to_owned()]).unwrap_err();
        assert!(matches!(error, LoadError::SeveralDeliveries { .. }), "{error}");
        let one = find(&[dir.path().join("20260101-20260201/b")]).unwrap();
        assert_eq!(one.files().count(), 1);
    }

    #[test]
    fn a_folder_without_a_bill_is_refused() {
        let dir = folder(&[("notes.txt", "x")]);
        assert!(matches!(find(&[dir.path().to_owned()]), Err(LoadError::NoBills { .. })));
    }

    #[test]
    fn files_named_one_by_one_are_one_delivery_and_a_manifest_may_be_named_itself() {
        let dir = folder(&[
            ("20260101-20260201/r-Manifest.json", MANIFEST),
            ("20260101-20260201/b/r-1.csv", "x"),
            ("20260101-20260201/b/r-2.csv", "x"),
        ]);
        let file = |name: &str| dir.path().join("20260101-20260201").join(name);
        let loose = find(&[file("b/r-2.csv"), file("b/r-1.csv")]).unwrap();
        assert_eq!((loose.deliveries.len(), loose.deliveries[0].files.len()), (1, 2));
        let named = find(&[file("r-Manifest.json")]).unwrap();
        assert_eq!(named.deliveries[0].assembly.as_deref(), Some("b"));
        assert_eq!(find(&["none.csv".into()]).unwrap().files().count(), 1, "a missing file is named when it is opened");
    }
}
