//! The keys of storage accounts. They are derived when they are asked for, and kept nowhere.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use super::account::AccountRecord;
use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::session::Session;
use crate::times::stamp;

const NAMES: [&str; 2] = ["key1", "key2"];

/// The value of the key at `index`: 64 bytes, as Azure's are.
pub(crate) fn value(account: &AccountRecord, index: usize, seed: &str) -> String {
    let generation = account.keys.get(index).map_or(0, |key| key.generation);
    let mut hash = Sha512::new();
    for part in [
        "account key",
        seed,
        &account.name,
        &stamp(account.created),
        &format!("{index}/{generation}"),
    ] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    STANDARD.encode(hash.finalize())
}

fn render(account: &AccountRecord, seed: &str) -> Value {
    let key = |index: usize| {
        json!({
            "creationTime": account.keys.get(index).map(|key| stamp(key.since)),
            "keyName": NAMES.get(index),
            "value": value(account, index, seed),
            "permissions": "FULL",
        })
    };
    json!({"keys": [key(0), key(1)]})
}

pub(super) fn list(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    if let Some(expand) = request.query("$expand").filter(|expand| *expand != "kerb") {
        return Err(AzureError::query("$expand", expand));
    }
    let account = session.account(request.place())?;
    account.must_be_ready(session.now)?;
    Ok(Answer::ok(&render(account, &session.estate.seed)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    key_name: String,
}

pub(super) fn regenerate(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let Body { key_name } = request.body()?;
    let account = session.account(request.place())?;
    account.must_be_idle(session.now)?;
    let Some(index) = NAMES.iter().position(|name| *name == key_name) else {
        return Err(AzureError::values("keyName"));
    };
    let mut account = account.clone();
    if let Some(key) = account.keys.get_mut(index) {
        key.generation += 1;
        key.since = session.now;
    }
    let answer = Answer::ok(&render(&account, &session.estate.seed));
    session.changed = true;
    let times = session.times();
    session
        .estate
        .accounts
        .change(&account.name.clone(), times, |old| *old = account)?;
    Ok(answer)
}
