//! `MaxResults` and `NextToken` as EC2 takes them.

use super::filters::Filters;
use crate::error::AwsError;
use crate::paging::Page;
use crate::session::Session;
use crate::wire::params::Params;

/// The page that the call asks for; `most` is more than the operation gives at once.
pub(super) fn read(
    session: &Session,
    params: &Params,
    (operation, most): (&str, usize),
    filters: &Filters,
) -> Result<Page, AwsError> {
    let size = page_size(params, most.min(session.settings.page_size_cap.max(1)))?;
    let listing = format!("{operation} {} {filters:?}", session.region);
    let token = params.text("NextToken").filter(|token| !token.is_empty());
    Page::new(&listing, token, size)
        .map_err(|_| AwsError::bad_parameter("nextToken", token.unwrap_or_default(), "The token is invalid."))
}

fn page_size(params: &Params, most: usize) -> Result<Option<usize>, AwsError> {
    let Some(asked) = params.integer("MaxResults")? else {
        return Ok(None);
    };
    if asked < 5 {
        let why = "Expecting a value greater than or equal to 5.";
        return Err(AwsError::bad_parameter("maxResults", &asked.to_string(), why));
    }
    Ok(Some(usize::try_from(asked).unwrap_or(most).min(most)))
}

/// Ids and paging exclude each other: `set` is what EC2 calls the list of ids in its message.
pub(super) fn not_with_ids(params: &Params, (ids, set): (&str, &str)) -> Result<(), AwsError> {
    if params.has(ids) && params.has("MaxResults") {
        return Err(AwsError::combination(format!(
            "The parameter {set} cannot be used with the parameter maxResults"
        )));
    }
    Ok(())
}
