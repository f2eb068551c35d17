//! The peer: the validator most would write first. One `serde_json::Value` per record, the required members and the
//! enumerations checked, the identity hashed, JSON written again. It does *less* than the contract asks.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const REQUIRED: [&str; 10] = [
    "tenant_id",
    "workspace_id",
    "run_id",
    "run_ts",
    "engine_name",
    "engine_version",
    "rulepack_version",
    "check_id",
    "check_name",
    "status",
];
const IDENTITY: [&str; 8] =
    ["account_id", "billing_account_id", "cloud", "region", "resource_arn", "resource_id", "resource_type", "service"];

/// The record with its ids, or why it has none.
pub fn validate(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut record: Value = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    for member in REQUIRED {
        if record[member].as_str().is_none_or(|text| text.trim().is_empty()) {
            return Err(format!("{member} is required"));
        }
    }
    let status = record["status"].as_str().unwrap_or_default().to_lowercase();
    if !["pass", "fail", "info", "unknown"].contains(&status.as_str()) {
        return Err("status is not one of the values".to_owned());
    }
    let scope: Value = IDENTITY.iter().map(|name| ((*name).to_owned(), record["scope"][name].clone())).collect();
    let identity = json!({
        "tenant_id": record["tenant_id"], "check_id": record["check_id"], "scope": scope, "issue": record["issue_key"],
    });
    let fingerprint = hex::encode(Sha256::digest(identity.to_string()));
    let id = json!({ "fingerprint": fingerprint, "salt": "", "tenant_id": record["tenant_id"] });
    record["finding_id"] = Value::String(hex::encode(Sha256::digest(id.to_string())));
    record["fingerprint"] = Value::String(fingerprint);
    serde_json::to_vec(&record).map_err(|e| e.to_string())
}
