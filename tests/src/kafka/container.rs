//! Kafka in Docker.

use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::SyncRunner;
use testcontainers::{GenericImage, ImageExt};

use super::{SETTINGS, free_port};

const IMAGE: &str = "apache/kafka";
const TAG: &str = "4.1.0";
const INSIDE: u16 = 9092;

pub(super) type Container = testcontainers::Container<GenericImage>;

/// The container and its port on this machine.
pub(super) fn start() -> Result<(Container, u16), String> {
    let port = free_port();
    let mut request = GenericImage::new(IMAGE, TAG)
        .with_exposed_port(INSIDE.tcp())
        .with_wait_for(WaitFor::message_on_stdout("Kafka Server started"))
        .with_mapped_port(port, INSIDE.tcp());
    let listeners = [
        ("listeners", format!("PLAINTEXT://:{INSIDE},CONTROLLER://:9093")),
        ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{port}")),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()),
        ("inter.broker.listener.name", "PLAINTEXT".to_owned()),
        ("controller.quorum.voters", "1@localhost:9093".to_owned()),
    ];
    let settings = SETTINGS.iter().map(|(key, value)| (*key, (*value).to_owned()));
    for (key, value) in settings.chain(listeners) {
        request = request.with_env_var(format!("KAFKA_{}", key.replace('.', "_").to_uppercase()), value);
    }
    let container = request.start().map_err(|e| format!("no Docker: {e}"))?;
    Ok((container, port))
}
