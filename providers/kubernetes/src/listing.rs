//! Many objects, page by page.

use futures::Stream;
use futures::stream::try_unfold;
use moorline_api::{Error, ErrorKind, ListQuery, Object, Page, ResourceKind};
use serde_json::Value;

use crate::call::{Call, Subject, collection_path, with_query};
use crate::page::{self, ListMeta};
use crate::transport::Transport;

/// kubectl's page.
const PAGE: &str = "500";

/// Where a listing stands.
enum Step {
    Page(Option<String>),
    Done,
}

/// Pages until the last; an error ends it.
pub(crate) fn pages(transport: &Transport, query: ListQuery) -> impl Stream<Item = Result<Page, Error>> + Send + '_ {
    try_unfold((query, Step::Page(None)), move |(query, step)| async move {
        let Step::Page(token) = step else { return Ok(None) };
        let call = list_call(&query, token.as_deref())?;
        let answer = transport.send(&call).await?;
        let list = page::read(&answer.body, &query.managed_fields).map_err(|error| {
            call.error(ErrorKind::Internal, "the answer is not a list")
                .with_source(error)
        })?;
        let next = next_step(&call, &list.metadata, token.as_deref())?;
        let mut objects = list.items;
        for object in &mut objects {
            name_kind(object, &query.resource);
        }
        Ok(Some((
            Page {
                objects,
                resource_version: list.metadata.resource_version,
            },
            (query, next),
        )))
    })
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

/// A listing that stops short must not look complete, nor may one that never ends go on.
fn next_step(call: &Call, metadata: &ListMeta, previous: Option<&str>) -> Result<Step, Error> {
    match metadata.r#continue.clone().filter(|token| !token.is_empty()) {
        Some(token) if Some(token.as_str()) == previous => {
            Err(call.error(ErrorKind::Internal, "the server gives the same page again and again"))
        }
        Some(token) => Ok(Step::Page(Some(token))),
        None if metadata.remaining_item_count.is_some_and(|left| left > 0) => {
            Err(call.error(ErrorKind::Internal, "the server cut the list short"))
        }
        None => Ok(Step::Done),
    }
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
            object.set(&[field], Value::String(value));
        }
    }
}
