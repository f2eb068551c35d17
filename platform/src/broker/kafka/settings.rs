//! Where the cluster is and how to get in.

use std::path::PathBuf;

use crate::config::{Config, ConfigProblems, Declaration, Secret, Setting};

const BROKERS: Setting<Option<Vec<String>>> = Setting::list("broker.kafka.brokers")
    .help("host:port of some brokers of a Kafka cluster [default: none, the embedded broker]")
    .optional();
const REPLICATION: Setting<Option<u16>> = Setting::integer("broker.kafka.replication_factor", 1..=15)
    .help("copies of each topic that has to be created [default: as the cluster does]")
    .optional();
const PROTOCOL: Setting<String> =
    Setting::one_of("broker.kafka.security_protocol", &["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"])
        .default("plaintext")
        .help("encryption and authentication of the connection");
const MECHANISM: Setting<Option<String>> =
    Setting::one_of("broker.kafka.sasl_mechanism", &["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
        .help("how user name and password are shown")
        .optional();
const USERNAME: Setting<Option<String>> = Setting::text("broker.kafka.username").help("user name").optional();
const PASSWORD: Setting<Option<Secret>> = Setting::secret("broker.kafka.password").help("password").optional();
const CA: Setting<Option<PathBuf>> = Setting::path("broker.kafka.ca_file")
    .help("PEM file of the authorities that sign the brokers' certificates [default: the system's]")
    .optional();
const CERTIFICATE: Setting<Option<PathBuf>> =
    Setting::path("broker.kafka.certificate_file").help("PEM file of the client's certificate").optional();
const KEY: Setting<Option<PathBuf>> =
    Setting::path("broker.kafka.key_file").help("PEM file of the client's key").optional();
const KEY_PASSWORD: Setting<Option<Secret>> =
    Setting::secret("broker.kafka.key_password").help("password of the client's key").optional();

/// All settings of the Kafka broker.
pub const SETTINGS: &[Declaration] = &[
    BROKERS.declared(),
    REPLICATION.declared(),
    PROTOCOL.declared(),
    MECHANISM.declared(),
    USERNAME.declared(),
    PASSWORD.declared(),
    CA.declared(),
    CERTIFICATE.declared(),
    KEY.declared(),
    KEY_PASSWORD.declared(),
];

/// A cluster and the way in.
#[derive(Debug, Clone)]
pub struct KafkaSettings {
    /// Brokers, `host:port`; others are learnt from them.
    pub brokers: Vec<String>,
    /// Copies of a topic that is created; `None` leaves it to the cluster.
    pub replication_factor: Option<u16>,
    /// Encryption and authentication.
    pub security: Security,
}

/// Encryption and authentication of connections.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`; empty is `plaintext`.
    pub protocol: String,
    /// SASL mechanism.
    pub mechanism: Option<String>,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Authorities.
    pub ca_file: Option<PathBuf>,
    /// Own certificate.
    pub certificate_file: Option<PathBuf>,
    /// Own key.
    pub key_file: Option<PathBuf>,
    /// Password of the key.
    pub key_password: Option<Secret>,
}

impl KafkaSettings {
    /// A cluster without encryption and authentication.
    #[must_use]
    pub fn plaintext(brokers: &[&str]) -> Self {
        let brokers = brokers.iter().map(|broker| (*broker).to_owned()).collect();
        Self { brokers, replication_factor: None, security: Security::default() }
    }

    /// `None` when no brokers are given.
    ///
    /// # Errors
    /// Settings that do not go together.
    pub fn from_config(config: &Config) -> Result<Option<Self>, ConfigProblems> {
        let security = Security {
            protocol: config.get(&PROTOCOL)?,
            mechanism: config.get(&MECHANISM)?,
            username: config.get(&USERNAME)?,
            password: config.get(&PASSWORD)?,
            ca_file: config.get(&CA)?,
            certificate_file: config.get(&CERTIFICATE)?,
            key_file: config.get(&KEY)?,
            key_password: config.get(&KEY_PASSWORD)?,
        };
        let mut problems = Vec::new();
        if security.protocol.starts_with("sasl") {
            let needed = [
                (security.mechanism.is_none(), config.problem(&MECHANISM, "is needed with SASL")),
                (security.username.is_none(), config.problem(&USERNAME, "is needed with SASL")),
                (security.password.is_none(), config.problem(&PASSWORD, "is needed with SASL")),
            ];
            problems.extend(needed.into_iter().filter_map(|(is_missing, problem)| is_missing.then_some(problem)));
        }
        if security.certificate_file.is_some() != security.key_file.is_some() {
            problems.push(config.problem(&CERTIFICATE, "and broker.kafka.key_file are given together or not at all"));
        }
        if !problems.is_empty() {
            return Err(ConfigProblems(problems));
        }
        let brokers = config.get(&BROKERS)?.filter(|brokers| !brokers.is_empty());
        let replication_factor = config.get(&REPLICATION)?;
        Ok(brokers.map(|brokers| Self { brokers, replication_factor, security }))
    }
}
