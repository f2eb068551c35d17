//! A Kafka that refuses clients without credentials: one listener for certificates, one for passwords and tokens
//! over TLS, one for passwords in clear.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use platform::broker::kafka::{KafkaBroker, KafkaSettings};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::jars::{self, Listener, Server};
use super::or_skip;
use crate::identity::{AUDIENCE, CLIENT_ID, ISSUER, TokenProvider};

/// User name of all who have a password.
pub const USERNAME: &str = "alice";
/// Her password.
pub const PASSWORD: &str = "open-sesame";
/// How long a token lives: shorter than a test.
const TOKEN: Duration = Duration::from_secs(6);

/// The cluster; it ends when dropped.
pub struct Secured {
    /// `host:port` where clients show a certificate.
    pub mutual: String,
    /// Where they show password or token, over TLS.
    pub encrypted: String,
    /// Where they show a password in clear.
    pub clear: String,
    /// Gives tokens.
    pub provider: TokenProvider,
    certificates: Certificates,
    _server: Server,
}

impl Secured {
    /// The cluster; `None`, with the reason on stderr, when there can be none.
    ///
    /// # Panics
    /// When it does not come up, or there is none and there has to be.
    #[must_use]
    pub fn start() -> Option<Self> {
        let certificates = Certificates::make();
        let provider = TokenProvider::start(TOKEN);
        let listeners = [
            Listener::new("INTERNAL", "PLAINTEXT"),
            Listener::new("MUTUAL", "SSL"),
            Listener::new("ENCRYPTED", "SASL_SSL"),
            Listener::new("CLEAR", "SASL_PLAINTEXT"),
        ];
        let settings = settings(&certificates, &provider);
        let scram =
            |mechanism: &str| ["--add-scram".to_owned(), format!("{mechanism}=[name={USERNAME},password={PASSWORD}]")];
        let format = [scram("SCRAM-SHA-256"), scram("SCRAM-SHA-512")].concat();
        let options = vec![format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}", provider.keys_url())];
        let server = or_skip(Server::start(&listeners, &settings, &format, options))?;
        let [internal, mutual, encrypted, clear] = listeners.map(|one| format!("127.0.0.1:{}", one.port));
        let _: KafkaBroker = super::connect(&KafkaSettings::plaintext(&[&internal]));
        allow(&internal);
        Some(Self { mutual, encrypted, clear, provider, certificates, _server: server })
    }

    /// Who signed the brokers' certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.certificates.path("authority.pem")
    }

    /// An authority that signed nothing here.
    #[must_use]
    pub fn stranger(&self) -> PathBuf {
        self.certificates.path("stranger.pem")
    }

    /// Certificate and key of a client.
    #[must_use]
    pub fn client(&self) -> (PathBuf, PathBuf) {
        (self.certificates.path("client.pem"), self.certificates.path("client.key"))
    }
}

/// Allows everybody who is known what `docs/kafka.md` says is enough, and nothing else.
fn allow(brokers: &str) {
    let principals = [USERNAME, CLIENT_ID, "CN=client"].map(|name| format!("User:{name}"));
    for (resource, operations) in [
        ("--topic", ["Read", "Write", "Describe", "DescribeConfigs", "Create"].as_slice()),
        ("--group", &["Read", "Describe"]),
        ("--transactional-id", &["Write", "Describe"]),
    ] {
        let mut arguments = vec!["--bootstrap-server", brokers, "--add", "--resource-pattern-type", "prefixed"];
        arguments.extend([resource, "finops."]);
        arguments.extend(operations.iter().flat_map(|operation| ["--operation", operation]));
        arguments.extend(principals.iter().flat_map(|principal| ["--allow-principal", principal.as_str()]));
        jars::tool("org.apache.kafka.tools.AclCommand", &arguments).unwrap();
    }
}

fn settings(certificates: &Certificates, provider: &TokenProvider) -> String {
    const MODULES: &str = "org.apache.kafka.common.security";
    let plain = format!("{MODULES}.plain.PlainLoginModule required user_{USERNAME}=\"{PASSWORD}\";");
    let scram = format!("{MODULES}.scram.ScramLoginModule required;");
    let oauth = format!("{MODULES}.oauthbearer.OAuthBearerLoginModule required;");
    let handler = format!("{MODULES}.oauthbearer.OAuthBearerValidatorCallbackHandler");
    let bearer = "listener.name.encrypted.oauthbearer";
    let lines = [
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned()),
        // The broker itself and its administrator.
        ("super.users", "User:ANONYMOUS".to_owned()),
        ("ssl.keystore.type", "PEM".to_owned()),
        ("ssl.keystore.location", certificates.path("broker.pem").display().to_string()),
        ("ssl.truststore.type", "PEM".to_owned()),
        ("ssl.truststore.location", certificates.path("authority.pem").display().to_string()),
        ("listener.name.mutual.ssl.client.auth", "required".to_owned()),
        ("listener.name.clear.sasl.enabled.mechanisms", "PLAIN".to_owned()),
        ("listener.name.clear.plain.sasl.jaas.config", plain),
        ("listener.name.encrypted.sasl.enabled.mechanisms", "SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER".to_owned()),
        ("listener.name.encrypted.scram-sha-256.sasl.jaas.config", scram.clone()),
        ("listener.name.encrypted.scram-sha-512.sasl.jaas.config", scram),
        // Who is in has to show a new token before the old one ends.
        ("listener.name.encrypted.oauthbearer.connections.max.reauth.ms", TOKEN.as_millis().to_string()),
        (&format!("{bearer}.sasl.jaas.config"), oauth),
        (&format!("{bearer}.sasl.server.callback.handler.class"), handler),
        ("sasl.oauthbearer.jwks.endpoint.url", provider.keys_url()),
        ("sasl.oauthbearer.expected.audience", AUDIENCE.to_owned()),
        ("sasl.oauthbearer.expected.issuer", ISSUER.to_owned()),
    ];
    lines.map(|(key, value)| format!("{key}={value}\n")).concat()
}

/// Certificates and keys, as PEM files in a folder of their own.
struct Certificates {
    folder: TempDir,
}

impl Certificates {
    fn make() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        let authority = made.authority("authority");
        let _ = made.authority("stranger");
        for (name, hosts) in [("broker", vec!["127.0.0.1".to_owned()]), ("client", Vec::new())] {
            let key = KeyPair::generate().unwrap();
            let certificate = named(name, hosts).signed_by(&key, &authority).unwrap();
            // Kafka has certificate and key in one file.
            let (certificate, key) = (certificate.pem(), key.serialize_pem());
            made.write(&format!("{name}.key"), &key);
            made.write(&format!("{name}.pem"), &if name == "broker" { key + &certificate } else { certificate });
        }
        made
    }

    fn authority(&self, name: &str) -> Issuer<'static, KeyPair> {
        let key = KeyPair::generate().unwrap();
        let mut params = named(name, Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        self.write(&format!("{name}.pem"), &params.self_signed(&key).unwrap().pem());
        Issuer::new(params, key)
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(file)
    }
}

fn named(name: &str, hosts: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
