//! Many objects, page by page.

use std::collections::HashSet;
use std::sync::Arc;

use futures::Stream;
use futures::stream::try_unfold;
use moorline_api::{Error, ErrorKind, ListQuery, Object, Page, ResourceKind};
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

use crate::call::{Call, Subject, collection_path, with_query};
use crate::page::{self, ListMeta, Wanted};
use crate::transport::{Answer, Transport};

/// kubectl's page.
const PAGE: &str = "500";

/// A listing under way.
struct Listing {
    transport: Arc<Transport>,
    query: ListQuery,
    /// The tokens of the pages that were named until now.
    seen: HashSet<String>,
}

/// A page that was asked for. It comes whether anyone waits for it or not, so that it never keeps a slot from others.
struct Asked {
    call: Call,
    answer: AbortOnDropHandle<Result<Answer, Error>>,
}

/// Pages until the last; an error ends it. While one is read the next is on its way.
pub(crate) fn pages(
    transport: &Arc<Transport>,
    query: ListQuery,
) -> impl Stream<Item = Result<Page, Error>> + Send + use<> {
    let listing = Listing {
        transport: Arc::clone(transport),
        query,
        seen: HashSet::new(),
    };
    try_unfold((listing, None, false), |(mut listing, asked, begun)| async move {
        let Asked { call, answer } = match asked {
            Some(asked) => asked,
            None if begun => return Ok(None),
            None => listing.ask(None)?,
        };
        let answer = answer.await.unwrap_or_else(|failed| {
            let why = format!("the call ended without an answer: {failed}");
            Err(call.error(ErrorKind::Internal, why))
        })?;
        let (page, next) = listing.read(&call, &answer)?;
        Ok(Some((page, (listing, next, true))))
    })
}

impl Listing {
    fn ask(&self, token: Option<&str>) -> Result<Asked, Error> {
        let call = list_call(&self.query, token)?;
        let (transport, sent) = (Arc::clone(&self.transport), call.clone());
        let answer = tokio::spawn(async move { transport.send(&sent).await });
        let answer = AbortOnDropHandle::new(answer);
        Ok(Asked { call, answer })
    }

    /// Reads a page. Where its head says what comes next, that is asked for first.
    fn read(&mut self, call: &Call, answer: &Answer) -> Result<(Page, Option<Asked>), Error> {
        let ahead = match page::head(&answer.body) {
            Some(head) => Some(self.next(call, &head)?),
            None => None,
        };
        let list = page::read(&answer.body, Wanted::of(&self.query)).map_err(|error| {
            call.error(ErrorKind::Internal, "the answer is not a list")
                .with_source(error)
        })?;
        let next = match ahead {
            Some(next) => next,
            None => self.next(call, &list.metadata)?,
        };
        let mut objects = list.items;
        for object in &mut objects {
            name_kind(object, &self.query.resource);
        }
        let resource_version = list.metadata.resource_version;
        Ok((
            Page {
                objects,
                resource_version,
            },
            next,
        ))
    }

    /// Asks for the page after this one. A listing that stops short must not look complete, nor may one that never ends go on.
    fn next(&mut self, call: &Call, metadata: &ListMeta) -> Result<Option<Asked>, Error> {
        match metadata.r#continue.as_deref().filter(|token| !token.is_empty()) {
            Some(token) if self.seen.insert(token.to_owned()) => self.ask(Some(token)).map(Some),
            Some(_) => Err(call.error(ErrorKind::Internal, "the server gives the same page again and again")),
            None if metadata.remaining_item_count.is_some_and(|left| left > 0) => {
                Err(call.error(ErrorKind::Internal, "the server cut the list short"))
            }
            None => Ok(None),
        }
    }
}

fn list_call(query: &ListQuery, token: Option<&str>) -> Result<Call, Error> {
    let path = collection_path("list", &query.resource, query.namespace.as_deref())?;
    let mut parameters = selectors(query);
    parameters.push(("limit", PAGE));
    parameters.extend(token.map(|token| ("continue", token)));
    Ok(Call::read(
        "list",
        Subject::all(&query.resource, query.namespace.as_deref()),
        with_query(path, &parameters),
    ))
}

/// The selectors of a query as parameters.
pub(crate) fn selectors(query: &ListQuery) -> Vec<(&'static str, &str)> {
    let labels = query.labels.as_deref().map(|labels| ("labelSelector", labels));
    let fields = query.fields.as_deref().map(|fields| ("fieldSelector", fields));
    labels.into_iter().chain(fields).collect()
}

/// Says what an object is, where the server left it out as it does in lists.
pub(crate) fn name_kind(object: &mut Object, resource: &ResourceKind) {
    let gvk = &resource.gvk;
    for (field, value) in [("apiVersion", gvk.api_version()), ("kind", gvk.kind.clone())] {
        if object.str_at(&[field]).is_none_or(str::is_empty) {
            object.fields_mut().insert(field.to_owned(), Value::String(value));
        }
    }
}
