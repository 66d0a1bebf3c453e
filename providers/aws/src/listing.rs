//! Listings that are complete or an error.

use std::collections::HashSet;

use aws_sdk_ec2::error::SdkError;
use aws_sdk_ec2::operation::describe_volumes::DescribeVolumesOutput;
use aws_sdk_ec2::types::Filter;
use futures::future::{BoxFuture, Either, pending, ready, select};
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use moorline_api::{Error, ErrorKind, Result, Tags, Volume, VolumeFilter, VolumeId};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::ahead::Ahead;
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

/// A filter for volumes of zones whose names end in one of these.
pub(crate) fn by_zone(ends: &[char]) -> Filter {
    let patterns = ends.iter().map(|end| format!("*{}", literal(&end.to_string())));
    Filter::builder()
        .name("availability-zone")
        .set_values(Some(patterns.collect()))
        .build()
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

/// A page of volumes on its way.
struct Asked<'a> {
    answer: BoxFuture<'a, Result<DescribeVolumesOutput>>,
    /// The name of the next one, as soon as it is known.
    next: watch::Receiver<Option<String>>,
}

impl AwsProvider {
    /// Pages of one `DescribeVolumes` listing. While one is read the next is on its way.
    pub(crate) fn volume_pages(&self, filters: Vec<Filter>) -> BoxStream<'_, Result<Vec<Volume>>> {
        let begun = (Pages::of("ec2:DescribeVolumes"), None);
        stream::try_unfold(begun, move |(pages, ahead)| {
            let filters = filters.clone();
            async move {
                if pages.finished() {
                    return Ok(None);
                }
                let asked = ahead.unwrap_or_else(|| self.ask(&filters, ready(pages.token())));
                let (answer, ahead) = self.read_ahead(&filters, asked).await?;
                let volumes = answer.volumes.unwrap_or_default().into_iter();
                let volumes: Vec<Volume> = volumes.filter_map(convert::volume).collect();
                Ok(Some((volumes, (pages.advance(answer.next_token)?, ahead))))
            }
        })
        .boxed()
    }

    fn ask<'a>(&'a self, filters: &[Filter], token: impl Future<Output = Option<String>> + Send + 'a) -> Asked<'a> {
        let filters = filters.to_vec();
        let (told, next) = watch::channel(None);
        let answer = async move { self.volume_page(filters, token.await, Ahead(told)).await };
        Asked {
            answer: answer.boxed(),
            next,
        }
    }

    /// A page, and the next one where it could be asked for meanwhile.
    async fn read_ahead<'a>(
        &'a self,
        filters: &[Filter],
        asked: Asked<'a>,
    ) -> Result<(DescribeVolumesOutput, Option<Asked<'a>>)> {
        let Asked { answer, next } = asked;
        let mut named = next.clone();
        let token = async move {
            let token = named
                .wait_for(Option::is_some)
                .await
                .ok()
                .and_then(|token| token.clone());
            // Where nothing was told, nothing is asked.
            if token.is_some() { token } else { pending().await }
        };
        let ahead = self.ask(filters, token);
        let (page, answer) = match select(answer, ahead.answer).await {
            Either::Left((page, ahead)) => (page?, ahead),
            Either::Right((ahead, page)) => (page.await?, ready(ahead).boxed()),
        };
        let is_next = page.next_token.is_some() && *next.borrow() == page.next_token;
        let ahead = Asked {
            answer,
            next: ahead.next,
        };
        Ok((page, is_next.then_some(ahead)))
    }

    /// One page.
    pub(crate) async fn volume_page(
        &self,
        filters: Vec<Filter>,
        token: Option<String>,
        ahead: Ahead,
    ) -> Result<DescribeVolumesOutput> {
        let clients = self.clients().await?;
        let filters = (!filters.is_empty()).then_some(filters);
        let send = || {
            let call = clients.ec2.describe_volumes().set_filters(filters.clone());
            let call = call.max_results(PAGE).set_next_token(token.clone());
            // In a task of its own: the SDK reads an answer without a pause, in which nothing could be asked.
            let sent = tokio::spawn(call.customize().interceptor(ahead.clone()).send());
            let sent = AbortOnDropHandle::new(sent);
            async {
                match sent.await {
                    Ok(answer) => answer,
                    Err(failed) => Err(SdkError::construction_failure(failed)),
                }
            }
        };
        let subject = clients.subject("ec2:DescribeVolumes", "");
        self.caller.call(subject, READ, send).await
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
