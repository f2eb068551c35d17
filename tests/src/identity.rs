//! An identity provider for tests: gives tokens for a client's credentials, and its public key to those who check them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::http::{self, Request};

/// Its only client.
pub const CLIENT_ID: &str = "findings";
/// Secret of its only client.
pub const CLIENT_SECRET: &str = "known-to-the-provider";
/// Whom tokens are for.
pub const AUDIENCE: &str = "kafka";
/// Who gives them.
pub const ISSUER: &str = "https://identity.example";

/// A provider that answers as long as the tests run.
pub struct TokenProvider {
    address: SocketAddr,
    given: Arc<AtomicU64>,
}

impl TokenProvider {
    /// Starts one whose tokens live this long.
    ///
    /// # Panics
    /// When there is no port for it.
    #[must_use]
    pub fn start(lifetime: Duration) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let given = Arc::<AtomicU64>::default();
        let count = given.clone();
        let address = http::serve(move |request| {
            let (status, answer) = match request.head.split_whitespace().nth(1) {
                Some("/keys") => (200, json!({ "keys": [public(&key)] })),
                Some("/token") if is_known(&request) => {
                    count.fetch_add(1, Ordering::Relaxed);
                    let scope = String::from_utf8(request.body).unwrap();
                    (
                        200,
                        json!({ "access_token": token(&key, lifetime, &scope), "token_type": "Bearer", "expires_in": lifetime.as_secs() }),
                    )
                }
                Some("/token") => {
                    (401, json!({ "error": "invalid_client", "error_description": "client is not known here" }))
                }
                _ => (404, json!({})),
            };
            (status, answer.to_string())
        });
        Self { address, given }
    }

    /// Where tokens are given.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// Where its key is.
    #[must_use]
    pub fn keys_url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    /// How many tokens it has given.
    #[must_use]
    pub fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }
}

fn is_known(request: &Request) -> bool {
    let credentials = BASE64_STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
    request.header("authorization") == Some(&format!("Basic {credentials}"))
}

/// The public key as a JSON Web Key (RFC 7517).
fn public(key: &EcdsaKeyPair) -> Value {
    // A point, uncompressed: a byte that says so, then both coordinates.
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let coordinate = |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    json!({ "kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "alg": "ES256", "x": coordinate(x), "y": coordinate(y) })
}

/// A JSON Web Token (RFC 7519).
fn token(key: &EcdsaKeyPair, lifetime: Duration, asked: &str) -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let head = json!({ "alg": "ES256", "typ": "JWT", "kid": "1" });
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": CLIENT_ID, "scope": asked,
        "iat": now.as_secs(), "exp": (now + lifetime).as_secs(),
    });
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&head), part(&claims));
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}
