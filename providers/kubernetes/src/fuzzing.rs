//! The readers of what an API server sends, for the fuzz targets: they are no part of the contract.

use http::{HeaderMap, HeaderValue, StatusCode};
use moorline_api::{Error, ListQuery, ManagedFields, ResourceKind};

use crate::call::{Call, Subject};
use crate::page::{self, Wanted};
use crate::refusal::Refusal;
use crate::text;

/// The error that an answer of this status becomes; `None` where no server can send such a status or header.
pub fn refusal(code: u16, retry_after: &[u8], body: &[u8]) -> Option<Error> {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::RETRY_AFTER, HeaderValue::from_bytes(retry_after).ok()?);
    let refusal = Refusal::from_answer(StatusCode::from_u16(code).ok()?, &headers, body);
    let call = Call::read("get", Subject::path("/version"), "/version");
    let _ = (refusal.setback(), refusal.is_absence_of(&call.subject));
    Some(refusal.into_error(&call, "https://fuzz.example.com"))
}

/// How many objects a page of a list has, whatever is asked of their managed fields; `None` where it is none.
pub fn objects(page: &[u8]) -> Option<usize> {
    let of_one = ManagedFields::Of {
        manager: "moorline".to_owned(),
        field: "f:spec",
    };
    let query = ListQuery::everywhere(ResourceKind::claim());
    let read = [ManagedFields::All, ManagedFields::None, of_one].map(|managed| {
        let query = query.clone().managed_fields(managed);
        page::read(page, Wanted::of(&query))
    });
    let [all, none, one] = read.map(|list| list.ok().map(|list| list.items.len()));
    // What is passed over is looked into no further than to find its end, so more can be read without it; never less, or anything else.
    assert!(all.is_none() || none == all, "what is passed over decides on nothing");
    assert!(
        one.is_none() || none == one,
        "what is looked into for one manager decides on nothing"
    );
    all
}

/// The texts of a `Warning` header.
pub fn warnings(header: &[u8]) -> Vec<String> {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(header) {
        headers.insert(http::header::WARNING, value);
    }
    text::warnings(&headers)
}
