//! `docker-compose.yml` and `deploy/Dockerfile`, as far as they can be tested without an engine: what they name exists, what
//! they run is a command, what they set is a setting, and every image is one exact version.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::place::{Place, repo};

fn compose() -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(repo("docker-compose.yml")).unwrap()).unwrap()
}

fn services(compose: &Value) -> &Map<String, Value> {
    compose["services"].as_object().unwrap()
}

fn is_ours(service: &Value) -> bool {
    service["image"].as_str().unwrap().starts_with("finops:")
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(|item| item.as_str().unwrap()).collect()
}

pub fn known_variables(place: &Place) -> BTreeSet<String> {
    let settings = place.finops("config show --output json").json(0);
    let shown = settings.as_array().unwrap().iter().map(|setting| setting["variable"].as_str().unwrap().to_owned());
    // Those of the cluster and the bucket, whether or not this program has one.
    let remote = platform::broker::kafka::SETTINGS.iter().chain(platform::store::s3::SETTINGS);
    shown.chain(remote.map(|setting| setting.variable())).collect()
}

#[test]
fn every_service_of_ours_runs_a_command_with_known_settings() {
    let (compose, place) = (compose(), Place::new());
    let known = known_variables(&place);
    let ours: Vec<_> = services(&compose).iter().filter(|(_, service)| is_ours(service)).collect();
    assert_eq!(ours.len(), 4, "{ours:?}");
    for (name, service) in ours {
        let command = texts(&service["command"]).join(" ");
        let help = place.finops(&format!("{command} --help"));
        assert_eq!(help.code, Some(0), "{name}: {help}");
        assert_eq!(help.text().lines().nth(2).map(|l| l.starts_with("Usage: ")), Some(true), "{name}: {help}");
        for (variable, value) in service["environment"].as_object().unwrap() {
            assert!(known.contains(variable), "{name} sets {variable}, which is no setting");
            assert!(value.is_string(), "{name}: {variable} must be text");
        }
        for hardened in ["read_only", "cap_drop", "security_opt"] {
            assert!(service.get(hardened).is_some(), "{name} has no {hardened}");
        }
    }
}

#[test]
fn what_services_name_exists() {
    let compose = compose();
    let volumes = compose["volumes"].as_object().unwrap();
    let all = services(&compose);
    for (name, service) in all {
        for needed in service["depends_on"].as_object().into_iter().flatten() {
            assert!(all.contains_key(needed.0), "{name} depends on {}, which is not there", needed.0);
            if needed.1["condition"] == "service_healthy" {
                assert!(all[needed.0].get("healthcheck").is_some(), "{name} waits for the health of {}", needed.0);
            }
        }
        for mount in texts(&service["volumes"]) {
            let source = mount.split(':').next().unwrap();
            match source.strip_prefix("./") {
                Some(path) => assert!(repo(path).exists(), "{name} mounts {source}, which is not there"),
                None => assert!(volumes.contains_key(source), "{name} mounts volume {source}, which is not declared"),
            }
        }
        if let Some(file) = service["build"]["dockerfile"].as_str() {
            assert!(repo(file).is_file(), "{name} is built by {file}, which is not there");
        }
    }
    // What is scraped is a service of ours, at the port where it listens.
    let prometheus: Value =
        serde_saphyr::from_str(&std::fs::read_to_string(repo("deploy/prometheus/prometheus.yml")).unwrap()).unwrap();
    let scraped = &prometheus["scrape_configs"][0]["dns_sd_configs"][0];
    for name in texts(&scraped["names"]) {
        let listen = all[name]["environment"]["FINOPS_HTTP_LISTEN"].as_str().unwrap();
        assert!(listen.ends_with(&format!(":{}", scraped["port"])), "{name} listens on {listen}");
    }
}

#[test]
fn the_image_is_small_pinned_and_runs_unprivileged() {
    let (dockerfile, place) = (std::fs::read_to_string(repo("deploy/Dockerfile")).unwrap(), Place::new());
    let lines: Vec<_> = dockerfile.lines().map(str::trim).collect();
    let bases: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("FROM ")).collect();
    assert_eq!(bases.len(), 2, "{bases:?}");
    let toolchain = env!("CARGO_PKG_RUST_VERSION");
    assert!(bases[0].starts_with(&format!("rust:{toolchain}.")), "{} is not Rust {toolchain}", bases[0]);
    for base in &bases {
        let tag = base.split(' ').next().unwrap().split_once(':').unwrap().1;
        assert!(tag.starts_with(|c: char| c.is_ascii_digit()) && tag.contains('.'), "{base} is no exact version");
    }
    let runtime = dockerfile.split("\nFROM ").last().unwrap();
    let user = runtime.lines().find_map(|line| line.strip_prefix("USER ")).unwrap();
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id >= 10_000)), "runs as {user}");
    let known = known_variables(&place);
    for variable in runtime.lines().filter_map(|line| line.strip_prefix("ENV ")).flat_map(|line| line.split(' ')) {
        let name = variable.split('=').next().unwrap();
        assert!(known.contains(name), "the image sets {name}, which is no setting");
    }
    // What cargo needs to read the workspace comes along, and nothing else does.
    let ignored = std::fs::read_to_string(repo(".dockerignore")).unwrap();
    let kept: BTreeSet<_> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let manifest = std::fs::read_to_string(repo("Cargo.toml")).unwrap();
    let members = manifest.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        assert!(kept.contains(member.split('/').next().unwrap()), "{member} is not sent to the build");
    }
    assert!(kept.iter().all(|path| repo(path).exists()), "{kept:?}");
}
