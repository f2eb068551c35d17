//! Where the cluster is and how to get in.

use std::path::PathBuf;

use crate::config::{Config, ConfigProblem, ConfigProblems, Declaration, FromValue, Secret, Setting};

const BROKERS: Setting<Option<Vec<String>>> = Setting::list("broker.kafka.brokers")
    .help("host:port of some brokers of a Kafka cluster [default: none, the embedded broker]")
    .optional();
const REPLICATION: Setting<Option<u16>> = Setting::integer("broker.kafka.replication_factor", 1..=15)
    .help("copies of each topic that has to be created [default: as the cluster does]")
    .optional();
const GROUPS: Setting<String> = Setting::one_of("broker.kafka.group_protocol", &["auto", "classic", "consumer"])
    .default("auto")
    .help("`consumer`: the cluster gives out partitions; `auto`: so, if it can and misses members in broker.session_timeout");
const PROTOCOL: Setting<String> =
    Setting::one_of("broker.kafka.security_protocol", &["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"])
        .default("plaintext")
        .help("encryption and authentication of the connection");
const MECHANISM: Setting<Option<String>> =
    Setting::one_of("broker.kafka.sasl_mechanism", &["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", OAUTHBEARER])
        .help("how SASL shows who we are: OAUTHBEARER by a token (broker.kafka.oauth_…), others by name and password")
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

const TOKEN_URL: Setting<Option<String>> = Setting::url("broker.kafka.oauth_token_url", &["https", "http"])
    .help("where the identity provider gives tokens for client credentials (OIDC)")
    .optional();
const CLIENT_ID: Setting<Option<String>> =
    Setting::text("broker.kafka.oauth_client_id").help("who we are to the identity provider").optional();
const CLIENT_SECRET: Setting<Option<Secret>> =
    Setting::secret("broker.kafka.oauth_client_secret").help("secret of broker.kafka.oauth_client_id").optional();
const SCOPE: Setting<Option<String>> =
    Setting::text("broker.kafka.oauth_scope").help("scope to ask for [default: the provider's]").optional();
const EXTENSIONS: Setting<Option<String>> = Setting::text("broker.kafka.oauth_extensions")
    .help("what else is sent to the brokers: `key=value`, with commas between")
    .optional();
const PROVIDER_CA: Setting<Option<PathBuf>> = Setting::path("broker.kafka.oauth_ca_file")
    .help("PEM file of the authorities that sign the identity provider's certificate [default: the system's]")
    .optional();

/// The mechanism that shows a token.
pub(super) const OAUTHBEARER: &str = "OAUTHBEARER";

/// All settings of the Kafka broker.
pub const SETTINGS: &[Declaration] = &[
    BROKERS.declared(),
    REPLICATION.declared(),
    GROUPS.declared(),
    PROTOCOL.declared(),
    MECHANISM.declared(),
    USERNAME.declared(),
    PASSWORD.declared(),
    CA.declared(),
    CERTIFICATE.declared(),
    KEY.declared(),
    KEY_PASSWORD.declared(),
    TOKEN_URL.declared(),
    CLIENT_ID.declared(),
    CLIENT_SECRET.declared(),
    SCOPE.declared(),
    EXTENSIONS.declared(),
    PROVIDER_CA.declared(),
];

/// A cluster, and how to connect to it.
#[derive(Debug, Clone)]
pub struct KafkaSettings {
    /// Brokers, `host:port`; others are learnt from them.
    pub brokers: Vec<String>,
    /// Copies of a topic that is created; `None` leaves it to the cluster.
    pub replication_factor: Option<u16>,
    /// How groups share their partitions.
    pub group_protocol: GroupProtocol,
    /// Encryption and authentication.
    pub security: Security,
}

/// How a group shares its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupProtocol {
    /// By the consumer protocol where the cluster has it and misses a silent member as soon as it is to be missed.
    Auto,
    /// A member decides for all.
    Classic,
    /// The cluster decides, and says how long a member may be silent.
    Consumer,
}

/// Encryption and authentication of connections.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`; empty is `plaintext`.
    pub protocol: String,
    /// How SASL shows who we are.
    pub sasl: Option<Sasl>,
    /// Authorities.
    pub ca_file: Option<PathBuf>,
    /// Own certificate.
    pub certificate_file: Option<PathBuf>,
    /// Own key.
    pub key_file: Option<PathBuf>,
    /// Password of the key.
    pub key_password: Option<Secret>,
}

/// Who we are, and how that is shown.
#[derive(Debug, Clone)]
pub enum Sasl {
    /// By name and password.
    Password {
        /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
        mechanism: String,
        /// User name.
        username: String,
        /// Password.
        password: Secret,
    },
    /// By a token that an identity provider gives for the client's credentials.
    Token {
        /// The provider's token endpoint.
        url: String,
        /// The client.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
        /// Scope to ask for.
        scope: Option<String>,
        /// `key=value`, with commas between.
        extensions: Option<String>,
        /// Authorities of the provider.
        ca_file: Option<PathBuf>,
    },
}

impl Sasl {
    fn from_config(config: &Config) -> Result<Self, ConfigProblems> {
        let Some(mechanism) = config.get(&MECHANISM)? else {
            return Err(ConfigProblems(vec![config.problem(&MECHANISM, "is needed with SASL")]));
        };
        let mut problems = Vec::new();
        let sasl = if mechanism == OAUTHBEARER {
            let url = needed(config, &TOKEN_URL, &mechanism, &mut problems)?;
            let client_id = needed(config, &CLIENT_ID, &mechanism, &mut problems)?;
            let client_secret = needed(config, &CLIENT_SECRET, &mechanism, &mut problems)?;
            let (scope, extensions) = (config.get(&SCOPE)?, config.get(&EXTENSIONS)?);
            let ca_file = config.get(&PROVIDER_CA)?;
            url.zip(client_id).zip(client_secret).map(|((url, client_id), client_secret)| Self::Token {
                url,
                client_id,
                client_secret,
                scope,
                extensions,
                ca_file,
            })
        } else {
            let username = needed(config, &USERNAME, &mechanism, &mut problems)?;
            let password = needed(config, &PASSWORD, &mechanism, &mut problems)?;
            username.zip(password).map(|(username, password)| Self::Password { mechanism, username, password })
        };
        sasl.ok_or(ConfigProblems(problems))
    }
}

/// A setting that a mechanism needs; a problem when it is not there.
fn needed<T>(
    config: &Config,
    setting: &Setting<Option<T>>,
    mechanism: &str,
    problems: &mut Vec<ConfigProblem>,
) -> Result<Option<T>, ConfigProblem>
where
    Option<T>: FromValue,
{
    let value = config.get(setting)?;
    if value.is_none() {
        problems.push(config.problem(setting, format!("is needed with {mechanism}")));
    }
    Ok(value)
}

/// What would be ignored: its author believes that it protects the connection.
fn unused(config: &Config, protocol: &str) -> Result<Vec<ConfigProblem>, ConfigProblem> {
    let mut problems = Vec::new();
    let mut look = |is_given: bool, problem: &dyn Fn(String) -> ConfigProblem, wants: &str| {
        if is_given && !protocol.contains(wants) {
            problems.push(problem(format!("has no effect with broker.kafka.security_protocol = \"{protocol}\"")));
        }
    };
    look(config.get(&MECHANISM)?.is_some(), &|text| config.problem(&MECHANISM, text), "sasl");
    look(config.get(&USERNAME)?.is_some(), &|text| config.problem(&USERNAME, text), "sasl");
    look(config.get(&PASSWORD)?.is_some(), &|text| config.problem(&PASSWORD, text), "sasl");
    look(config.get(&CA)?.is_some(), &|text| config.problem(&CA, text), "ssl");
    look(config.get(&CERTIFICATE)?.is_some(), &|text| config.problem(&CERTIFICATE, text), "ssl");
    Ok(problems)
}

impl KafkaSettings {
    /// A cluster without encryption and authentication.
    #[must_use]
    pub fn plaintext(brokers: &[&str]) -> Self {
        let brokers = brokers.iter().map(|broker| (*broker).to_owned()).collect();
        Self { brokers, replication_factor: None, group_protocol: GroupProtocol::Auto, security: Security::default() }
    }

    /// `None` when no brokers are given.
    ///
    /// # Errors
    /// Settings that do not go together.
    pub fn from_config(config: &Config) -> Result<Option<Self>, ConfigProblems> {
        let protocol = config.get(&PROTOCOL)?;
        let mut problems = Vec::new();
        let sasl = match protocol.starts_with("sasl") {
            true => Sasl::from_config(config).map_err(|found| problems.extend(found.0)).ok(),
            false => None,
        };
        problems.extend(unused(config, &protocol)?);
        let security = Security {
            protocol,
            sasl,
            ca_file: config.get(&CA)?,
            certificate_file: config.get(&CERTIFICATE)?,
            key_file: config.get(&KEY)?,
            key_password: config.get(&KEY_PASSWORD)?,
        };
        if security.certificate_file.is_some() != security.key_file.is_some() {
            problems.push(config.problem(&CERTIFICATE, "and broker.kafka.key_file are given together or not at all"));
        }
        if !problems.is_empty() {
            return Err(ConfigProblems(problems));
        }
        let brokers = config.get(&BROKERS)?.filter(|brokers| !brokers.is_empty());
        let replication_factor = config.get(&REPLICATION)?;
        let group_protocol = match config.get(&GROUPS)?.as_str() {
            "classic" => GroupProtocol::Classic,
            "consumer" => GroupProtocol::Consumer,
            _ => GroupProtocol::Auto,
        };
        Ok(brokers.map(|brokers| Self { brokers, replication_factor, group_protocol, security }))
    }
}
