//! `deploy/helm/finops` as helm renders it: objects that belong together, roles that are commands, settings that exist. Without
//! `helm` on the path, or named in `FINOPS_TEST_HELM`, there is nothing to render with: skipped.

use std::collections::BTreeSet;
use std::process::Command;

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

fn helm() -> Option<Command> {
    let named = std::env::var_os("FINOPS_TEST_HELM").unwrap_or_else(|| "helm".into());
    match Command::new(&named).arg("version").output() {
        Ok(_) => Some(Command::new(named)),
        Err(error) => {
            eprintln!("skipped, no helm: {error}");
            None
        }
    }
}

/// What the chart makes of these values, one object each; or why it makes nothing.
fn render(helm: &mut Command, place: &Place, values: &str) -> Result<Vec<Value>, String> {
    place.write("values.json", values);
    let values = place.path().join("values.json");
    helm.args(["template", "findings"]).arg(repo("deploy/helm/finops")).args(["--kube-version", "1.31.0", "--values"]);
    let ended = helm.arg(values).output().unwrap();
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
fn the_chart_makes_what_the_roles_need() {
    let Some(mut helm) = helm() else { return };
    let place = Place::new();
    let objects = render(&mut helm, &place, VALUES).unwrap();
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

#[test]
fn the_chart_wants_a_cluster_and_a_bucket() {
    let check = |values: &str, expected: &str| {
        let Some(mut helm) = helm() else { return };
        let refused = render(&mut helm, &Place::new(), values).unwrap_err();
        assert!(refused.contains(expected), "{refused}");
    };
    check("{}", "config: broker.kafka.brokers is required");
    check(r#"{"config": {"broker.kafka.brokers": "kafka:9092"}}"#, "config: store.url is required");
}
