//! Pages of a listing, and the opaque links between them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::session::Session;

/// What a link hides: the last key of its page, when it was made, and a seal over both and the listing.
#[derive(Serialize, Deserialize)]
struct Token {
    after: String,
    made: i64,
    seal: String,
}

/// Answers one page of `items`, which come in the order of their keys; what is not on the page is not written.
pub(crate) fn page<T>(
    session: &Session,
    request: &Request,
    items: impl IntoIterator<Item = (String, T)>,
    write: impl Fn(T) -> Value,
) -> Result<Answer, AzureError> {
    let size = page_size(request)?.min(session.settings.page_size_cap).max(1);
    let link = Link::new(session, request);
    let after = request.query("$skiptoken").map(|token| link.open(token)).transpose()?;
    let mut value = Vec::new();
    let mut last = None;
    for (key, item) in items {
        if after.as_ref().is_some_and(|after| key <= *after) {
            continue;
        }
        if value.len() == size {
            let next = last.map(|key| link.make(key));
            return Ok(Answer::ok(&json!({ "value": value, "nextLink": next })));
        }
        value.push(write(item));
        last = Some(key);
    }
    Ok(Answer::ok(&json!({ "value": value })))
}

fn page_size(request: &Request) -> Result<usize, AzureError> {
    let Some(text) = request.query("$maxpagesize").or_else(|| request.query("$top")) else {
        return Ok(usize::MAX);
    };
    match text.parse() {
        Ok(size) if (1..=5000).contains(&size) => Ok(size),
        _ => Err(AzureError::query("$maxpagesize", text)),
    }
}

/// Makes and reads the links of one listing.
struct Link<'a> {
    seed: &'a str,
    url: String,
    now: Timestamp,
    life: SignedDuration,
}

impl<'a> Link<'a> {
    fn new(session: &'a Session, request: &Request) -> Self {
        let query: Vec<_> = request
            .queries()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("$skiptoken"))
            .map(|(name, value)| format!("{name}={}", escape(value)))
            .collect();
        Self {
            seed: &session.estate.seed,
            url: format!("{}{}?{}", session.base, request.path, query.join("&")),
            now: session.now,
            life: SignedDuration::from_secs(session.settings.link_seconds.into()),
        }
    }

    fn make(&self, after: String) -> String {
        let made = self.now.as_second();
        let seal = self.seal(&after, made);
        let token = serde_json::to_vec(&Token { after, made, seal }).unwrap_or_default();
        format!("{}&$skipToken={}", self.url, URL_SAFE_NO_PAD.encode(token))
    }

    fn open(&self, token: &str) -> Result<String, AzureError> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok();
        let genuine = bytes
            .and_then(|bytes| serde_json::from_slice::<Token>(&bytes).ok())
            .filter(|token| token.seal == self.seal(&token.after, token.made));
        let bad = |why| AzureError::new(400, "InvalidSkipToken", format!("The skip token is {why}."));
        let token = genuine.ok_or_else(|| bad("not valid"))?;
        let age = SignedDuration::from_secs(self.now.as_second().saturating_sub(token.made));
        if age > self.life {
            return Err(bad("expired"));
        }
        Ok(token.after)
    }

    /// A link belongs to its listing: account, filter, page size and all. Host and letter case do not matter.
    fn seal(&self, after: &str, made: i64) -> String {
        let listing = self
            .url
            .split_once("/subscriptions")
            .map_or(self.url.as_str(), |(_, rest)| rest);
        let mut hash = Sha256::new();
        for part in [self.seed, &listing.to_ascii_lowercase(), after, &made.to_string()] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        URL_SAFE_NO_PAD.encode(&hash.finalize()[..12])
    }
}

fn escape(value: &str) -> String {
    percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
        .to_string()
        .replace("%2D", "-")
}
