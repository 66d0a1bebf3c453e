//! Pages of a listing, and the opaque tokens between them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a token hides: the listing it belongs to and the last key of its page.
#[derive(Serialize, Deserialize)]
struct Token {
    listing: String,
    after: String,
    seal: String,
}

/// Which part of a listing to answer.
#[derive(Debug)]
pub(crate) struct Page {
    listing: String,
    after: Option<String>,
    size: Option<usize>,
}

/// The token is damaged, or of another listing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadToken;

impl Page {
    /// The part of `listing` (operation, region and filters in one text) that comes after `token`.
    pub(crate) fn new(listing: &str, token: Option<&str>, size: Option<usize>) -> Result<Self, BadToken> {
        let listing = digest(&[listing]);
        let after = token.map(|token| open(token, &listing)).transpose()?;
        Ok(Self { listing, after, size })
    }

    /// The key behind which the page begins.
    pub(crate) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The page of `items`, which come in the order of their keys, and the token of the next page if there is one.
    pub(crate) fn cut<T>(&self, items: impl IntoIterator<Item = (String, T)>) -> (Vec<T>, Option<String>) {
        let mut page = Vec::new();
        let mut last = None;
        for (key, item) in items {
            if self.after.as_ref().is_some_and(|after| key <= *after) {
                continue;
            }
            if self.size.is_some_and(|size| page.len() == size) {
                return (page, last.map(|last: String| self.token(last)));
            }
            page.push(item);
            last = Some(key);
        }
        (page, None)
    }

    fn token(&self, after: String) -> String {
        let seal = digest(&[&self.listing, &after]);
        let token = Token {
            listing: self.listing.clone(),
            after,
            seal,
        };
        STANDARD.encode(serde_json::to_vec(&token).unwrap_or_default())
    }
}

fn open(token: &str, listing: &str) -> Result<String, BadToken> {
    let bytes = STANDARD.decode(token).map_err(|_| BadToken)?;
    let token: Token = serde_json::from_slice(&bytes).map_err(|_| BadToken)?;
    let genuine = token.listing == listing && token.seal == digest(&[listing, &token.after]);
    if genuine { Ok(token.after) } else { Err(BadToken) }
}

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    STANDARD.encode(&hash.finalize()[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<(String, u8)> {
        (0..7).map(|n| (format!("key-{n}"), n)).collect()
    }

    #[test]
    fn pages_join_to_the_whole_and_end_without_a_token() {
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let page = Page::new("list", token.as_deref(), Some(3)).unwrap();
            let (items, next) = page.cut(items());
            assert!(items.len() <= 3);
            all.extend(items);
            match next {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        assert_eq!(all, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(Page::new("list", None, Some(7)).unwrap().cut(items()).1, None);
        assert_eq!(Page::new("list", None, None).unwrap().cut(items()).0.len(), 7);
    }

    #[test]
    fn damaged_and_foreign_tokens_are_refused() {
        let token = Page::new("list", None, Some(3)).unwrap().cut(items()).1.unwrap();
        assert!(Page::new("other", Some(&token), None).is_err());
        assert!(Page::new("list", Some("nonsense"), None).is_err());
        let mut damaged = token.clone().into_bytes();
        damaged[40] ^= 1;
        assert!(Page::new("list", Some(std::str::from_utf8(&damaged).unwrap()), None).is_err());
        assert!(Page::new("list", Some(&token), None).is_ok());
    }
}
