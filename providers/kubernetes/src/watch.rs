//! Many objects, as they change.

use std::time::Duration;

use futures::stream::{BoxStream, try_unfold};
use futures::{StreamExt, TryFutureExt, TryStreamExt};
use http_body_util::BodyExt;
use kube::client::Body;
use moorline_api::{Error, ErrorKind, ListQuery, Object, WatchEvent};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tokio_util::io::StreamReader;

use crate::call::{Call, Subject, collection_path, with_query};
use crate::listing::{name_kind, selectors};
use crate::refusal::Refusal;
use crate::text::printable;
use crate::transport::Transport;

/// The server ends a watch after this long. A connection that died in silence is noticed no sooner, so it is short.
const LIFETIME_SECONDS: &str = "120";

/// When the server has not ended the watch by then, it is gone.
const PATIENCE: Duration = Duration::from_secs(135);

/// No event is larger: etcd takes objects of a few MiB at most.
const LARGEST_EVENT: usize = 64 << 20;

#[derive(Deserialize)]
struct Event {
    r#type: String,
    object: Value,
}

/// Changes after `from`, as [`Cluster::watch`](moorline_api::Cluster::watch) has it.
pub(crate) fn events(
    transport: &Transport,
    query: ListQuery,
    from: String,
) -> BoxStream<'_, Result<WatchEvent, Error>> {
    let opened = async move {
        let call = watch_call(&query, &from)?;
        let deadline = Instant::now() + PATIENCE;
        let body = transport.open(&call).await?;
        Ok(decode(transport, body, Watched { call, query, deadline }))
    };
    opened.try_flatten_stream().boxed()
}

/// What a running watch keeps in mind.
struct Watched {
    call: Call,
    query: ListQuery,
    deadline: Instant,
}

fn watch_call(query: &ListQuery, from: &str) -> Result<Call, Error> {
    let path = collection_path("watch", &query.resource, query.namespace.as_deref())?;
    let mut parameters = selectors(query);
    parameters.extend([
        ("watch", "1"),
        ("allowWatchBookmarks", "true"),
        ("resourceVersion", from),
        ("timeoutSeconds", LIFETIME_SECONDS),
    ]);
    Ok(Call::read(
        "watch",
        Subject::all(&query.resource, query.namespace.as_deref()),
        with_query(path, &parameters),
    ))
}

fn decode(transport: &Transport, body: Body, watched: Watched) -> BoxStream<'_, Result<WatchEvent, Error>> {
    let bytes = body.into_data_stream().map_err(std::io::Error::other);
    let lines = FramedRead::new(StreamReader::new(bytes), LinesCodec::new_with_max_length(LARGEST_EVENT));
    try_unfold((Box::pin(lines), watched), move |(mut lines, watched)| async move {
        loop {
            let Ok(Some(line)) = timeout_at(watched.deadline, lines.next()).await else {
                return Ok(None);
            };
            let line = line.map_err(|error| cut(&watched.call, &error))?;
            if line.trim().is_empty() {
                continue;
            }
            let event = read(transport, &watched, &line)?;
            return Ok(Some((event, (lines, watched))));
        }
    })
    .boxed()
}

fn read(transport: &Transport, watched: &Watched, line: &str) -> Result<WatchEvent, Error> {
    let Watched { call, query, .. } = watched;
    let garbled = || call.error(ErrorKind::Internal, "the server sent something that is no watch event");
    let event: Event = serde_json::from_str(line).map_err(|error| garbled().with_source(error))?;
    if event.r#type == "ERROR" {
        return Err(transport.refused(call, Refusal::from_event(&event.object)));
    }
    let mut object = Object::from_value(event.object).map_err(|_| garbled())?;
    name_kind(&mut object, &query.resource);
    match event.r#type.as_str() {
        "ADDED" | "MODIFIED" => Ok(WatchEvent::Applied(object)),
        "DELETED" => Ok(WatchEvent::Deleted(object)),
        "BOOKMARK" => object
            .resource_version()
            .map(|version| WatchEvent::Bookmark(version.to_owned()))
            .ok_or_else(garbled),
        _ => Err(garbled()),
    }
}

fn cut(call: &Call, error: &LinesCodecError) -> Error {
    match error {
        LinesCodecError::MaxLineLengthExceeded => {
            call.error(ErrorKind::Internal, "the server sent an event of more than 64 MiB")
        }
        LinesCodecError::Io(cause) => call.error(
            ErrorKind::Unreachable,
            format!("the watch was cut off ({})", printable(&cause.to_string())),
        ),
    }
}
