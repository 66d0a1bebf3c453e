//! The name of the next page of volumes, known as soon as an answer is there: the SDK tells it when it has made values of all of it,
//! and in that time the next page can come.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_sdk_ec2::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;
use aws_smithy_types::body::SdkBody;
use http_body::{Body, Frame};
use tokio::sync::watch;

use crate::bound::wrap_answer;

/// So much of the end of an answer is looked at. Names of pages have some hundred bytes.
const END: usize = 4096;

/// Looks at the end of each answer of a call, and tells the name of the next page where it is there. It is a hint: what counts is what
/// the SDK reads.
#[derive(Clone, Debug)]
pub(crate) struct Ahead(pub(crate) watch::Sender<Option<String>>);

impl Intercept for Ahead {
    fn name(&self) -> &'static str {
        "the name of the next page"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let told = self.0.clone();
        wrap_answer(context, |whole| {
            SdkBody::from_body_1_x(Telling {
                whole,
                told,
                end: Vec::new(),
                is_told: false,
            })
        });
        Ok(())
    }
}

/// An answer that tells the next page's name when it is there.
struct Telling {
    whole: SdkBody,
    told: watch::Sender<Option<String>>,
    end: Vec<u8>,
    /// All of it is here, and who waits for the next page's name has been woken.
    is_told: bool,
}

impl Body for Telling {
    type Data = <SdkBody as Body>::Data;
    type Error = <SdkBody as Body>::Error;

    /// Once the name is told, whoever waits for it has to run before the SDK reads what is here: both are on one thread, which the
    /// reading would keep. So the end of the answer is said only when asked again.
    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        if this.is_told {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut this.whole).poll_frame(context));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            keep_end(&mut this.end, data);
        } else if frame.is_none()
            && let Some(token) = next_token(&this.end)
        {
            this.told.send_replace(Some(token));
            this.is_told = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(frame)
    }
}

/// Keeps the last bytes of all that came.
fn keep_end(end: &mut Vec<u8>, data: &[u8]) {
    end.extend_from_slice(&data[data.len().saturating_sub(END)..]);
    let before = end.len().saturating_sub(END);
    end.drain(..before);
}

/// The token behind the last volume, where this is the end of an answer. One that is written with entities is left to the SDK.
fn next_token(end: &[u8]) -> Option<String> {
    let end = end.trim_ascii_end().strip_suffix(b"</DescribeVolumesResponse>")?;
    let end = String::from_utf8_lossy(end);
    let (_, behind) = end.rsplit_once("</volumeSet>")?;
    let (_, token) = behind.split_once("<nextToken>")?;
    let (token, _) = token.split_once("</nextToken>")?;
    (!token.is_empty() && !token.contains('&')).then(|| token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_read_from_a_whole_answer_only() {
        let answer = |rest: &str| format!("<volumeSet><item>…</item></volumeSet>{rest}</DescribeVolumesResponse>\n");
        for (text, expected) in [
            (answer("<nextToken>eyJ=</nextToken>"), Some("eyJ=")),
            (answer("\n  <nextToken>eyJ=</nextToken>\n"), Some("eyJ=")),
            (answer(""), None),
            (answer("<nextToken/>"), None),
            (answer("<nextToken></nextToken>"), None),
            (answer("<nextToken>a&amp;b</nextToken>"), None),
            (answer("<nextToken>eyJ=</nextToken>").replace("Response>", ""), None),
            (
                "<nextToken>a tag says so</nextToken></volumeSet></DescribeVolumesResponse>".to_owned(),
                None,
            ),
        ] {
            let mut end = Vec::new();
            for piece in text.as_bytes().chunks(7) {
                keep_end(&mut end, piece);
            }
            assert_eq!(next_token(&end).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn no_more_than_the_end_is_kept() {
        let mut end = Vec::new();
        for piece in [vec![b'a'; 10], vec![b'b'; 3 * END], vec![b'c'; 5]] {
            keep_end(&mut end, &piece);
        }
        assert_eq!((end.len(), end[0], &end[END - 6..]), (END, b'b', &b"bccccc"[..]));
    }
}
