//! Listings that are complete or an error.

use std::collections::HashSet;

use aws_sdk_ec2::types::Filter;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use moorline_api::{Error, ErrorKind, Result, Tags, Volume, VolumeFilter, VolumeId};

use crate::call::READ;
use crate::convert;
use crate::provider::AwsProvider;

/// Volumes a page; EC2 takes 5 to 500.
const PAGE: i32 = 500;
/// Values that one filter takes.
const FILTER_VALUES: usize = 200;

/// The filters that together select what is asked for, one listing each. Ids go through a filter and not through
/// `VolumeId.N`, where one unknown id fails them all.
pub(crate) fn queries(filter: &VolumeFilter) -> Vec<Vec<Filter>> {
    match filter {
        VolumeFilter::All => vec![Vec::new()],
        VolumeFilter::Tagged(tags) => vec![by_tags(tags)],
        VolumeFilter::Ids(ids) => ids.chunks(FILTER_VALUES).map(|ids| vec![by_ids(ids)]).collect(),
    }
}

fn by_ids(ids: &[VolumeId]) -> Filter {
    Filter::builder()
        .name("volume-id")
        .set_values(Some(ids.iter().map(|id| literal(&id.0)).collect()))
        .build()
}

/// A filter for one value as it stands.
pub(crate) fn exactly(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(literal(value)).build()
}

/// Those tags that need no escaping: emulators find no value that does. The others are to be compared where the answer is read.
pub(crate) fn plain(tags: &Tags) -> Tags {
    let plain = tags.iter().filter(|(_, value)| literal(value) == **value);
    plain.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Filters for things that have all of these tags.
pub(crate) fn by_tags(tags: &Tags) -> Vec<Filter> {
    tags.iter()
        .map(|(key, value)| exactly(&format!("tag:{key}"), value))
        .collect()
}

/// Filter values are patterns: `*`, `?` and `\` are escaped.
fn literal(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '*' | '?' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Where a listing stands. A service that hands out a token twice would be followed for ever: that is an error.
pub(crate) struct Pages {
    operation: &'static str,
    next: Option<String>,
    seen: HashSet<String>,
    finished: bool,
}

impl Pages {
    pub(crate) fn of(operation: &'static str) -> Self {
        Self {
            operation,
            next: None,
            seen: HashSet::new(),
            finished: false,
        }
    }

    /// Whether the last page was read.
    pub(crate) fn finished(&self) -> bool {
        self.finished
    }

    /// The token of the page to read.
    pub(crate) fn token(&self) -> Option<String> {
        self.next.clone()
    }

    /// Goes on to the page that the last answer named.
    pub(crate) fn advance(mut self, token: Option<String>) -> Result<Self> {
        match token.filter(|token| !token.is_empty()) {
            None => self.finished = true,
            Some(token) if self.seen.insert(token.clone()) => self.next = Some(token),
            Some(_) => {
                let message = "the service named the same next page twice, so the listing cannot be completed";
                return Err(Error::new(ErrorKind::Internal, self.operation, "", message));
            }
        }
        Ok(self)
    }
}

/// Ends a stream with its first error; nothing is asked after it.
pub(crate) fn until_error<'a, T: 'a>(
    stream: impl Stream<Item = Result<T>> + Unpin + 'a,
) -> impl Stream<Item = Result<T>> + 'a {
    stream::unfold(Some(stream), |rest| async move {
        let mut rest = rest?;
        let item = rest.next().await?;
        let rest = item.is_ok().then_some(rest);
        Some((item, rest))
    })
}

impl AwsProvider {
    /// Pages of one `DescribeVolumes` listing.
    pub(crate) fn volume_pages(&self, filters: Vec<Filter>) -> BoxStream<'_, Result<Vec<Volume>>> {
        stream::try_unfold(Pages::of("ec2:DescribeVolumes"), move |pages| {
            let filters = filters.clone();
            async move {
                if pages.finished() {
                    Ok(None)
                } else {
                    self.volume_page(filters, pages).await.map(Some)
                }
            }
        })
        .boxed()
    }

    async fn volume_page(&self, filters: Vec<Filter>, pages: Pages) -> Result<(Vec<Volume>, Pages)> {
        let clients = self.clients().await?;
        let filters = (!filters.is_empty()).then_some(filters);
        let answer = self
            .caller
            .call(clients.subject("ec2:DescribeVolumes", ""), READ, || {
                clients
                    .ec2
                    .describe_volumes()
                    .set_filters(filters.clone())
                    .max_results(PAGE)
                    .set_next_token(pages.token())
                    .send()
            })
            .await?;
        let volumes = answer
            .volumes
            .unwrap_or_default()
            .into_iter()
            .filter_map(convert::volume)
            .collect();
        Ok((volumes, pages.advance(answer.next_token)?))
    }

    /// All volumes of these ids that exist.
    pub(crate) async fn volumes_of(&self, ids: Vec<VolumeId>) -> Result<Vec<Volume>> {
        let mut volumes = Vec::new();
        for filters in queries(&VolumeFilter::Ids(ids)) {
            volumes.extend(self.volume_pages(filters).try_concat().await?);
        }
        Ok(volumes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_values_are_literal() {
        assert_eq!(literal(r"a*b?c\d"), r"a\*b\?c\\d");
        assert_eq!(literal("pvc-1"), "pvc-1");
    }

    #[test]
    fn many_ids_are_several_listings() {
        let ids: Vec<_> = (0..450).map(|n| VolumeId(format!("vol-{n}"))).collect();
        let sizes: Vec<_> = queries(&VolumeFilter::Ids(ids))
            .iter()
            .map(|filters| filters[0].values().len())
            .collect();
        assert_eq!(sizes, [200, 200, 50]);
        assert!(queries(&VolumeFilter::Ids(Vec::new())).is_empty());
        assert_eq!(queries(&VolumeFilter::All), [Vec::new()]);
    }

    #[test]
    fn a_repeated_token_is_an_error() {
        let pages = Pages::of("ec2:DescribeVolumes").advance(Some("a".to_owned())).unwrap();
        let pages = pages.advance(Some("b".to_owned())).unwrap();
        assert_eq!(pages.token().as_deref(), Some("b"));
        assert!(!pages.finished());
        assert_eq!(
            pages.advance(Some("a".to_owned())).err().unwrap().kind,
            ErrorKind::Internal
        );
        assert!(Pages::of("x").advance(Some(String::new())).unwrap().finished());
    }
}
