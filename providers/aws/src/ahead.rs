//! The name of the next page of volumes, known as soon as an answer is there: the SDK tells it when it has made values of all of it,
//! and in that time the next page can come.

use aws_sdk_ec2::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;
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
        let (told, mut end) = (self.0.clone(), Vec::new());
        wrap_answer(context, |whole| {
            SdkBody::from_body_1_x(whole.map_frame(move |frame| {
                if let Some(data) = frame.data_ref() {
                    keep_end(&mut end, data);
                    if let Some(token) = next_token(&end) {
                        told.send_replace(Some(token));
                    }
                }
                frame
            }))
        });
        Ok(())
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
