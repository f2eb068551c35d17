//! `deploy/helm/finops` as helm renders it: objects that belong together, roles that are commands, settings that exist. Helm is
//! the one named in `FINOPS_TEST_HELM`, else the one on the path, else one that Go installs in the user's cache folder.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;

use super::deploy::known_variables;
use super::place::{Place, repo};

/// A value of each kind, and names of settings with and without dots.
const VALUES: &str = r#"{
    "config": {"broker.kafka.brokers": "kafka:9092", "store.url": "s3://bucket/data", "log.format": "human"},
    "secrets": {"store.s3.secret_access_key": "hunter2"},
    "existingSecret": "credentials",
    "validator": {"replicas": 3, "config": {"validator.step_records_max": 1000}},
    "serviceMonitor": {"enabled": true, "labels": {"release": "prometheus"}}
}"#;

const HELM_VERSION: &str = "v3.19.0";

/// `None`, said aloud, when there is neither a helm nor what installs it.
fn helm() -> Option<&'static Path> {
    static HELM: LazyLock<Option<PathBuf>> = LazyLock::new(|| match std::env::var_os("FINOPS_TEST_HELM") {
        Some(named) => Some(named.into()),
        None if is_there("helm".as_ref()) => Some("helm".into()),
        None => is_there("go".as_ref()).then(installed),
    });
    if HELM.is_none() {
        tests::skip::because("there is neither helm nor go, which would install it");
    }
    HELM.as_deref()
}

/// False when there is no such program; one that is there has to work.
fn is_there(program: &OsStr) -> bool {
    match Command::new(program).arg("version").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        ended => {
            succeeded(program, ended);
            true
        }
    }
}

fn succeeded(program: &OsStr, ended: std::io::Result<Output>) {
    let ended = ended.unwrap_or_else(|e| panic!("{}: {e}", program.display()));
    assert!(ended.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&ended.stderr));
}

/// The pinned helm, installed if it is not there. Other tests may be about the same: what is there is whole, and the same.
fn installed() -> PathBuf {
    let folder = tests::repo::cache().join(format!("helm-{HELM_VERSION}"));
    let program = folder.join("helm");
    if !program.is_file() {
        std::fs::create_dir_all(&folder).unwrap();
        let fresh = tempfile::tempdir_in(&folder).unwrap();
        let package = format!("helm.sh/helm/v3/cmd/helm@{HELM_VERSION}");
        let go = Command::new("go").args(["install", &package]).env("GOBIN", fresh.path()).output();
        succeeded("go install".as_ref(), go);
        std::fs::rename(fresh.path().join("helm"), &program).unwrap();
    }
    program
}

/// What the chart makes of these values, one object each; or why it makes nothing.
fn render(helm: &Path, place: &Place, values: &str) -> Result<Vec<Value>, String> {
    place.write("values.json", values);
    let values = place.path().join("values.json");
    let chart = ["template", "findings", "--kube-version", "1.31.0", "--values"];
    let ended = Command::new(helm).args(chart).arg(values).arg(repo("deploy/helm/finops")).output().unwrap();
    if !ended.status.success() {
        return Err(String::from_utf8(ended.stderr).unwrap());
    }
    let text = String::from_utf8(ended.stdout).unwrap();
    let documents = text.split("\n---\n").map(|document| document.trim_start_matches("---\n"));
    let objects = documents.filter(|document| document.lines().any(|line| !line.is_empty() && !line.starts_with('#')));
    Ok(objects
        .map(|document| serde_saphyr::from_str(document).unwrap_or_else(|e| panic!("{e} in {document}")))
        .collect())
}

fn of_kind<'o>(objects: &'o [Value], kind: &str) -> Vec<&'o Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one look at one chart")]
fn the_chart_makes_what_the_roles_need() {
    let Some(helm) = helm() else { return };
    let place = Place::new();
    let objects = render(helm, &place, VALUES).unwrap();
    let kinds: Vec<_> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    for (kind, count) in [
        ("ConfigMap", 1),
        ("Secret", 1),
        ("ServiceAccount", 1),
        ("Service", 1),
        ("ServiceMonitor", 1),
        ("Deployment", 2),
        ("StatefulSet", 1),
        ("PodDisruptionBudget", 2),
    ] {
        assert_eq!(of_kind(&objects, kind).len(), count, "{kind} of {kinds:?}");
    }
    let known = known_variables(&place);
    let (config, secret) = (&of_kind(&objects, "ConfigMap")[0]["data"], &of_kind(&objects, "Secret")[0]["stringData"]);
    let mut variables: BTreeSet<_> = config.as_object().unwrap().keys().collect();
    assert_eq!(
        (&config["FINOPS_STORE_URL"], &config["FINOPS_LOG_FORMAT"]),
        (&"s3://bucket/data".into(), &"human".into())
    );
    assert_eq!(secret["FINOPS_STORE_S3_SECRET_ACCESS_KEY"], "hunter2");
    variables.extend(secret.as_object().unwrap().keys());
    assert!(!config.to_string().contains("hunter2"));

    let services: Vec<_> = ["Deployment", "StatefulSet"].iter().flat_map(|kind| of_kind(&objects, kind)).collect();
    let mut roles = BTreeSet::new();
    for service in services {
        let spec = &service["spec"];
        let (labels, pod) = (&spec["template"]["metadata"]["labels"], &spec["template"]["spec"]);
        let container = &pod["containers"][0];
        for (name, value) in spec["selector"]["matchLabels"].as_object().unwrap() {
            assert_eq!(&labels[name], value, "pods are not selected: {service}");
        }
        let command: Vec<_> = container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
        roles.insert(command[0].to_owned());
        assert_eq!(place.finops(&format!("{} --help", command.join(" "))).code, Some(0), "{command:?}");
        for variable in container["env"].as_array().unwrap() {
            assert!(known.contains(variable["name"].as_str().unwrap()), "{variable} is no setting");
            assert!(variable["value"].is_string(), "{variable} must be text");
        }
        let sources = container["envFrom"].to_string();
        assert!(sources.contains("findings-finops") && sources.contains("credentials"), "{sources}");
        for (probe, path) in [("startupProbe", "/live"), ("livenessProbe", "/live"), ("readinessProbe", "/ready")] {
            assert_eq!(container[probe]["httpGet"]["path"], path);
            assert_eq!(container[probe]["httpGet"]["port"], container["ports"][0]["name"]);
        }
        assert_eq!(container["ports"][0]["containerPort"], 9464);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(container["securityContext"]["capabilities"]["drop"][0], "ALL");
        // What is mounted is a volume, and the only place that is written to is one.
        let claims =
            spec["volumeClaimTemplates"].as_array().into_iter().flatten().map(|claim| &claim["metadata"]["name"]);
        let volumes: Vec<_> =
            pod["volumes"].as_array().unwrap().iter().map(|volume| &volume["name"]).chain(claims).collect();
        let mounts = container["volumeMounts"].as_array().unwrap();
        assert!(mounts.iter().all(|mount| volumes.contains(&&mount["name"])), "{mounts:?} of {volumes:?}");
        assert!(mounts.iter().any(|mount| mount["mountPath"] == config["FINOPS_DATA_DIR"]), "{mounts:?}");
        let tag = container["image"].as_str().unwrap().rsplit_once(':').unwrap().1;
        assert_eq!(tag, env!("CARGO_PKG_VERSION"));
    }
    assert_eq!(roles.into_iter().collect::<Vec<_>>(), ["exporter", "sink", "validator"]);
    assert!(variables.iter().all(|name| known.contains(*name)), "{variables:?}");
    for budget in of_kind(&objects, "PodDisruptionBudget") {
        assert_eq!(budget["spec"]["maxUnavailable"], 1);
    }
    let monitor = &of_kind(&objects, "ServiceMonitor")[0];
    let service = &of_kind(&objects, "Service")[0];
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
    for (name, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&service["metadata"]["labels"][name], value, "the service is not selected");
    }
}

/// Helm reads numbers as floats, and writes large ones as 1.6777216e+07 by default.
#[test]
fn values_reach_the_settings_as_they_are_written() {
    let Some(helm) = helm() else { return };
    let values = [
        ("1000", "1000"),
        ("16777216", "16777216"),
        ("1099511627776", "1099511627776"),
        ("-1", "-1"),
        ("0.25", "0.25"),
        ("true", "true"),
        (r#""16MiB""#, "16MiB"),
        (r#""00123456789""#, "00123456789"),
    ];
    let settings: Vec<_> = (0..).zip(values).map(|(n, (written, _))| format!(r#""a.b_{n}": {written}"#)).collect();
    let settings = settings.join(", ");
    let given = format!(
        r#"{{"config": {{"broker.kafka.brokers": "kafka:9092", "store.url": "s3://bucket", {settings}}},
            "secrets": {{{settings}}}, "validator": {{"config": {{{settings}}}}}}}"#
    );
    let objects = render(helm, &Place::new(), &given).unwrap();
    let is_validator = |object: &&Value| object["metadata"]["name"] == "findings-finops-validator";
    let validator = of_kind(&objects, "Deployment").into_iter().find(is_validator).unwrap();
    let of_role = validator["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
    for (n, (written, expected)) in (0..).zip(values) {
        let variable = format!("FINOPS_A_B_{n}");
        let of_role = of_role.iter().find(|entry| entry["name"] == *variable).unwrap();
        for found in [
            &of_kind(&objects, "ConfigMap")[0]["data"][&variable],
            &of_kind(&objects, "Secret")[0]["stringData"][&variable],
            &of_role["value"],
        ] {
            assert_eq!(found, expected, "{written}");
        }
    }
}

#[test]
fn the_chart_wants_a_cluster_and_a_bucket() {
    let Some(helm) = helm() else { return };
    let check = |values: &str, expected: &str| {
        let refused = render(helm, &Place::new(), values).unwrap_err();
        assert!(refused.contains(expected), "{refused}");
    };
    check("{}", "config: broker.kafka.brokers is required");
    check(r#"{"config": {"broker.kafka.brokers": "kafka:9092"}}"#, "config: store.url is required");
}
