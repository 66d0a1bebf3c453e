//! Watches: changes after a version, filtered, as a stream of events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Incoming;
use super::list::selector;
use super::path::ResourcePath;
use super::respond::{Accept, Answer, Form, Renderer};
use crate::ChangeKind;
use crate::error::{ApiError, Cause};
use crate::registry::Kind;
use crate::selectors::Selector;
use crate::server::ApiServer;
use crate::store::{Recorded, Store};
use crate::tables::IncludeObject;

/// How often a quiet watch tells how far it is.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);
/// How often a watch that is behind looks for what it may tell by now.
const LATE_LOOK: Duration = Duration::from_millis(100);
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(30);

struct Watch {
    server: ApiServer,
    kind: Arc<Kind>,
    namespace: Option<String>,
    selector: Selector,
    accept: Accept,
    include: IncludeObject,
    bookmarks: bool,
    versions: watch::Receiver<u64>,
    /// The version up to which the client knows everything.
    seen: u64,
    queue: VecDeque<Bytes>,
    ends: Instant,
    next_bookmark: Instant,
    over: bool,
}

pub(super) fn watch(server: &ApiServer, resource: &ResourcePath, incoming: &Incoming) -> Result<Answer, ApiError> {
    let query = &incoming.query;
    let mut selector = selector(resource, incoming)?;
    if let Some(name) = &resource.name {
        selector = selector.and_name(name);
    }
    let initial = query.flag("sendInitialEvents");
    check_options(incoming, initial)?;
    let timeout = query
        .number("timeoutSeconds")?
        .filter(|seconds| *seconds > 0)
        .map_or(DEFAULT_TIMEOUT, Duration::from_secs);
    let state = server.state();
    let mut watch = Watch {
        server: server.clone(),
        kind: resource.kind.clone(),
        namespace: resource.namespace.clone(),
        selector,
        accept: incoming.accept,
        include: IncludeObject::parse(query.get("includeObject"))?,
        bookmarks: query.flag("allowWatchBookmarks"),
        versions: state.store.versions(),
        seen: state.store.version(),
        queue: VecDeque::new(),
        ends: Instant::now() + timeout,
        next_bookmark: Instant::now() + BOOKMARK_EVERY,
        over: false,
    };
    match query.get("resourceVersion") {
        "" | "0" => watch.start_with_present(&state.store),
        _ if initial => watch.start_with_present(&state.store),
        text => watch.seen = parse_version(text)?,
    }
    drop(state);
    if initial && watch.bookmarks {
        watch.bookmark(true);
    }
    let events = stream::unfold(watch, |mut watch| async move {
        Some((Ok::<_, std::convert::Infallible>(watch.next().await?), watch))
    });
    Ok(Answer::body(Body::from_stream(events)))
}

fn parse_version(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| {
        ApiError::bad_request(format!(
            "Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
        ))
    })
}

fn check_options(incoming: &Incoming, initial: bool) -> Result<(), ApiError> {
    let (how, given) = (
        incoming.query.get("resourceVersionMatch"),
        incoming.query.get("sendInitialEvents"),
    );
    let detail = match (given, how) {
        ("", "") => return Ok(()),
        ("", _) => "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        (_, "NotOlderThan") => return Ok(()),
        _ if !initial && how.is_empty() => return Ok(()),
        _ => "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
    };
    let cause = Cause {
        reason: "FieldValueForbidden",
        message: format!("Forbidden: {detail}"),
        field: "resourceVersionMatch".to_owned(),
    };
    Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", vec![cause]))
}

impl Watch {
    fn start_with_present(&mut self, store: &Store) {
        let renderer = self.renderer();
        let present = store
            .list(&self.kind.id, self.namespace.as_deref())
            .filter(|entry| self.selector.is_empty() || self.selector.matches(&entry.value()));
        self.queue = present
            .map(|entry| event("ADDED", &renderer.entry_json(entry)))
            .collect();
        self.seen = store.version();
    }

    fn renderer(&self) -> Renderer<'_> {
        Renderer {
            kind: &self.kind,
            accept: self.accept,
            include: self.include,
            now: self.server.world().clock.now(),
        }
    }

    /// The next chunk of the stream; `None` ends it.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let lag = self.server.read_lag();
            self.collect();
            if !self.queue.is_empty() {
                let chunk: Vec<u8> = self.queue.drain(..).flatten().collect();
                return Some(chunk.into());
            }
            if self.over {
                return None;
            }
            tokio::select! {
                moved = self.versions.changed() => self.over |= moved.is_err(),
                // Something may be old enough by then to be told.
                () = tokio::time::sleep(LATE_LOOK), if !lag.is_zero() => {}
                () = tokio::time::sleep_until(self.next_bookmark), if self.bookmarks => self.bookmark(false),
                () = tokio::time::sleep_until(self.ends) => {
                    self.over = true;
                    if self.bookmarks {
                        self.bookmark(false);
                    }
                }
            }
        }
    }

    /// Takes what happened since the last look.
    fn collect(&mut self) {
        self.versions.mark_unchanged();
        if self.over {
            return;
        }
        let state = self.server.state();
        let now = state.store.version_before(self.server.read_lag());
        if now <= self.seen {
            return;
        }
        let Some(changes) = state.store.changes_since(&self.kind.id, self.seen) else {
            let message = format!("too old resource version: {} ({now})", self.seen);
            let status = ApiError::expired(&message).to_status();
            drop(state);
            self.queue.push_back(event("ERROR", status.to_string().as_bytes()));
            self.over = true;
            return;
        };
        let changes: Vec<Arc<Recorded>> = changes.take_while(|change| change.version <= now).cloned().collect();
        drop(state);
        self.seen = now;
        let events: Vec<Bytes> = changes.iter().filter_map(|change| self.event_of(change)).collect();
        self.queue.extend(events);
    }

    fn event_of(&self, change: &Recorded) -> Option<Bytes> {
        if self
            .namespace
            .as_deref()
            .is_some_and(|namespace| *namespace != change.entry.namespace)
        {
            return None;
        }
        let old = change.old.as_ref();
        let before = old.is_some_and(|old| self.selector.matches(&old.value()));
        let now = change.kind != ChangeKind::Deleted && self.selector.matches(&change.entry.value());
        let renderer = self.renderer();
        match (before, now) {
            (false, false) => None,
            (false, true) => Some(event("ADDED", &renderer.entry_json(&change.entry))),
            (true, true) => Some(event("MODIFIED", &renderer.entry_json(&change.entry))),
            (true, false) if change.kind == ChangeKind::Deleted => {
                Some(event("DELETED", &renderer.entry_json(&change.entry)))
            }
            (true, false) => {
                // It left the selection: its last state in it, at the version of the change.
                let mut last = Value::clone(&old?.value());
                last["metadata"]["resourceVersion"] = json!(change.version.to_string());
                Some(event("DELETED", &renderer.object_json(&last)))
            }
        }
    }

    fn bookmark(&mut self, initial_end: bool) {
        self.next_bookmark = Instant::now() + BOOKMARK_EVERY;
        let mut metadata = json!({"resourceVersion": self.seen.to_string(), "creationTimestamp": null});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let bookmark = match self.accept.form {
            Form::Table => {
                json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": [], "rows": []})
            }
            Form::Partial => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
            Form::Whole | Form::Discovery => {
                json!({"kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": metadata})
            }
        };
        self.queue.push_back(event("BOOKMARK", bookmark.to_string().as_bytes()));
    }
}

fn event(kind: &str, object: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(object.len() + 32);
    bytes.extend_from_slice(b"{\"type\":\"");
    bytes.extend_from_slice(kind.as_bytes());
    bytes.extend_from_slice(b"\",\"object\":");
    bytes.extend_from_slice(object);
    bytes.extend_from_slice(b"}\n");
    bytes.into()
}
