//! Reading one object, and lists in pages that show one consistent moment.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Incoming;
use super::path::ResourcePath;
use super::respond::{Answer, Renderer};
use crate::error::{ApiError, Cause};
use crate::object;
use crate::registry::Kind;
use crate::selectors::Selector;
use crate::server::ApiServer;
use crate::store::{Entry, Store};
use crate::tables::IncludeObject;

pub(super) fn renderer<'a>(server: &ApiServer, kind: &'a Kind, incoming: &Incoming) -> Result<Renderer<'a>, ApiError> {
    let include = IncludeObject::parse(incoming.query.get("includeObject"))?;
    Ok(Renderer {
        kind,
        accept: incoming.accept,
        include,
        now: server.world().clock.now(),
    })
}

pub(super) fn get(server: &ApiServer, resource: &ResourcePath, incoming: &Incoming) -> Result<Answer, ApiError> {
    let name = resource.name.as_deref().unwrap_or_default();
    let entry = {
        let state = server.state();
        let version = state.store.version_before(server.read_lag());
        state
            .store
            .entry_at(&resource.kind.id, (resource.namespace(), name), version)
            .cloned()
    };
    let entry = entry.ok_or_else(|| ApiError::not_found(resource.kind.named(), name))?;
    Ok(renderer(server, &resource.kind, incoming)?.entry(&entry))
}

pub(super) fn selector(resource: &ResourcePath, incoming: &Incoming) -> Result<Selector, ApiError> {
    let query = &incoming.query;
    Selector::parse(&resource.kind, query.get("labelSelector"), query.get("fieldSelector"))
}

/// Where the next page starts: after `start`, in the list as it was at version `rv`.
#[derive(Serialize, Deserialize)]
struct Token {
    v: String,
    rv: u64,
    start: (String, String),
    /// How many objects the pages so far had, where none was left out.
    #[serde(default)]
    seen: Option<usize>,
}

/// The version of a token that goes on in the list as it is.
const PRESENT: u64 = 0;

impl Token {
    fn decode(text: &str) -> Result<Self, ApiError> {
        let bad =
            |why: String| ApiError::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|error| {
            bad(format!(
                "illegal base64 data at input byte {}",
                object::illegal_byte(&error)
            ))
        })?;
        let token: Self = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
        if token.v == "meta.k8s.io/v1" {
            Ok(token)
        } else {
            Err(bad(format!(
                "server does not recognize this encoded version {}",
                token.v
            )))
        }
    }

    fn encode(version: u64, last: &Entry, seen: Option<usize>) -> String {
        Self {
            v: "meta.k8s.io/v1".to_owned(),
            rv: version,
            start: (last.namespace.clone(), last.name.clone()),
            seen,
        }
        .text()
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The refusal of a token whose version is forgotten; with it comes one that goes on at the same place.
    fn expired(&self) -> ApiError {
        let resumed = Self {
            v: self.v.clone(),
            rv: PRESENT,
            start: self.start.clone(),
            seen: None,
        };
        let mut refusal = ApiError::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list without \
             the continue parameter, or use the continue token in this response to retrieve the remainder of the results. \
             Continuing with the provided token results in an inconsistent list - objects that were created, modified, or \
             deleted between the time the first chunk was returned and now may show up in the list.",
        );
        refusal.resume = resumed.text();
        refusal
    }
}

/// The version that `resourceVersion` and `resourceVersionMatch` ask for; `None` is the latest.
pub(super) fn wanted_version(incoming: &Incoming, now: u64) -> Result<Option<u64>, ApiError> {
    let (version, how) = (
        incoming.query.get("resourceVersion"),
        incoming.query.get("resourceVersionMatch"),
    );
    let forbidden = |detail: &str| {
        let field = "resourceVersionMatch".to_owned();
        let cause = Cause {
            reason: "FieldValueForbidden",
            message: format!("Forbidden: {detail}"),
            field,
        };
        Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", vec![cause]))
    };
    match (version, how) {
        ("", "") => return Ok(None),
        ("", _) => return forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("0", "Exact") => return forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""),
        (_, "" | "NotOlderThan" | "Exact") => {}
        (_, other) => {
            let message = format!("Unsupported value: \"{other}\": supported values: \"Exact\", \"NotOlderThan\"");
            let cause = Cause {
                reason: "FieldValueNotSupported",
                message,
                field: "resourceVersionMatch".to_owned(),
            };
            return Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", vec![cause]));
        }
    }
    let number: u64 = version.parse().map_err(|_| {
        let message = format!("Invalid value: \"{version}\": strconv.ParseUint: parsing \"{version}\": invalid syntax");
        let cause = Cause {
            reason: "FieldValueInvalid",
            message,
            field: "resourceVersion".to_owned(),
        };
        ApiError::invalid("meta.k8s.io", "ListOptions", "", vec![cause])
    })?;
    if number > now {
        let message = format!("Too large resource version: {number}, current: {now}");
        let mut error = ApiError::new(504, "Timeout", message).retry_after(1);
        let message = "Too large resource version".to_owned();
        error.details.causes.push(Cause {
            reason: "ResourceVersionTooLarge",
            message,
            field: String::new(),
        });
        return Err(error);
    }
    Ok((how == "Exact").then_some(number))
}

/// One page.
struct Page {
    entries: Vec<Arc<Entry>>,
    version: u64,
    next: Option<String>,
    remaining: Option<usize>,
}

fn page(
    (store, lag): (&Store, Duration),
    resource: &ResourcePath,
    incoming: &Incoming,
    selector: &Selector,
) -> Result<Page, ApiError> {
    let query = &incoming.query;
    let limit = usize::try_from(query.number("limit")?.unwrap_or(0)).unwrap_or(usize::MAX);
    let token = match query.get("continue") {
        "" => None,
        text => Some(Token::decode(text)?),
    };
    if token.is_some() && !matches!(query.get("resourceVersion"), "" | "0") {
        return Err(ApiError::bad_request(
            "specifying resource version is not allowed when using continue",
        ));
    }
    let late = Some(store.version_before(lag)).filter(|_| !lag.is_zero());
    let version = match &token {
        Some(token) => Some(token.rv).filter(|version| *version != PRESENT),
        None => wanted_version(incoming, store.version())?.or(late),
    };
    let moment = match version {
        None => None,
        Some(version) => {
            let mut changes = store
                .changes_since(&resource.kind.id, version)
                .ok_or_else(|| too_old(token.as_ref()))?;
            // Where nothing changed since, the list as it is serves, of which a page costs no more than itself.
            changes.next().map(|_| version)
        }
    };
    let listing = Listing {
        store,
        resource,
        selector,
        token: token.as_ref(),
        limit: if limit == 0 { usize::MAX } else { limit },
    };
    let (entries, remaining) = match moment {
        None => listing.present(),
        Some(moment) => listing.past(moment).ok_or_else(|| too_old(token.as_ref()))?,
    };
    let version = version.unwrap_or(store.version());
    let seen = match &token {
        None => Some(entries.len()),
        Some(token) => token.seen.map(|seen| seen + entries.len()),
    };
    let seen = seen.filter(|_| selector.is_empty());
    let next = match remaining {
        Remaining::Nothing => None,
        _ => entries.last().map(|last| Token::encode(version, last, seen)),
    };
    let remaining = match remaining {
        Remaining::Counted(count) => Some(count).filter(|_| selector.is_empty()),
        Remaining::Nothing | Remaining::Some => None,
    };
    Ok(Page {
        entries,
        version,
        next,
        remaining,
    })
}

fn too_old(token: Option<&Token>) -> ApiError {
    match token {
        Some(token) => token.expired(),
        None => ApiError::expired("The resourceVersion for the provided list is too old."),
    }
}

/// What a page is taken from.
struct Listing<'a> {
    store: &'a Store,
    resource: &'a ResourcePath,
    selector: &'a Selector,
    token: Option<&'a Token>,
    limit: usize,
}

/// What comes behind a page.
enum Remaining {
    Nothing,
    /// Something, how much is not told.
    Some,
    Counted(usize),
}

impl Listing<'_> {
    fn selects(&self, entry: &Entry) -> bool {
        self.selector.is_empty() || self.selector.matches(&entry.value())
    }

    /// A page of the list as it is.
    fn present(&self) -> (Vec<Arc<Entry>>, Remaining) {
        let (kind, namespace) = (&self.resource.kind.id, self.resource.namespace.as_deref());
        let start = self.token.map(|token| (token.start.0.as_str(), token.start.1.as_str()));
        let whole = start.is_none().then(|| self.store.list(kind, namespace));
        let rest = start.map(|start| self.store.list_after(kind, namespace, start));
        let all = whole.into_iter().flatten().chain(rest.into_iter().flatten());
        let mut selected = all.filter(|entry| self.selects(entry));
        let entries: Vec<Arc<Entry>> = selected.by_ref().take(self.limit).cloned().collect();
        if selected.next().is_none() {
            return (entries, Remaining::Nothing);
        }
        if !self.selector.is_empty() {
            return (entries, Remaining::Some);
        }
        let seen = match self.token {
            None => Some(0),
            Some(token) => token.seen,
        };
        let remaining = match seen {
            Some(seen) => self.store.count(kind, namespace).saturating_sub(seen + entries.len()),
            None => 1 + selected.count(),
        };
        (entries, Remaining::Counted(remaining))
    }

    /// A page of the list as it was at `moment`; `None` when that is no longer known.
    fn past(&self, moment: u64) -> Option<(Vec<Arc<Entry>>, Remaining)> {
        let (kind, namespace) = (&self.resource.kind.id, self.resource.namespace.as_deref());
        let mut entries = self.store.list_at(kind, namespace, moment)?;
        entries.retain(|entry| {
            let after = self
                .token
                .is_none_or(|token| (&entry.namespace, &entry.name) > (&token.start.0, &token.start.1));
            after && self.selects(entry)
        });
        let remaining = match entries.len().saturating_sub(self.limit) {
            0 => Remaining::Nothing,
            more => Remaining::Counted(more),
        };
        entries.truncate(self.limit);
        Some((entries, remaining))
    }
}

pub(super) fn list(server: &ApiServer, resource: &ResourcePath, incoming: &Incoming) -> Result<Answer, ApiError> {
    incoming.query.number("limit")?;
    let selector = selector(resource, incoming)?;
    let page = page(
        (&server.state().store, server.read_lag()),
        resource,
        incoming,
        &selector,
    )?;
    let mut metadata = json!({"resourceVersion": page.version.to_string()});
    match page.next {
        Some(next) => metadata["continue"] = json!(next),
        // Lists of custom resources always say so.
        None if resource.kind.custom().is_some() => metadata["continue"] = json!(""),
        None => {}
    }
    if let Some(remaining) = page.remaining {
        metadata["remainingItemCount"] = json!(remaining);
    }
    Ok(renderer(server, &resource.kind, incoming)?.list(&page.entries, &metadata))
}
