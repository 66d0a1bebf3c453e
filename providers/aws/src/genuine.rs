//! Whether a success was said by AWS: the SDK does not read the answers of calls that give nothing back, and would take a proxy's page
//! with status 200 for a volume that was deleted.

use aws_sdk_ec2::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;
use aws_smithy_xml::decode::Document;

/// Refuses a success that is none of AWS's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Genuine;

impl Intercept for Genuine {
    fn name(&self) -> &'static str {
        "who gave the answer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response();
        let is_bogus = answer.status().is_success() && answer.body().bytes().is_some_and(|body| !is_answer(body));
        if is_bogus {
            return Err("a success without an answer of AWS".into());
        }
        Ok(())
    }
}

/// Whether it begins as all answers of EC2, of the load balancers and of STS do: `<DeleteVolumeResponse`.
fn is_answer(body: &[u8]) -> bool {
    let Ok(mut document) = Document::try_from(body) else {
        return false;
    };
    let root = document.root_element();
    root.is_ok_and(|root| root.start_el().local().ends_with("Response"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_aws_is_told_from_others() {
        for body in [
            "<DeleteVolumeResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><return>true</return></DeleteVolumeResponse>",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\n<!-- hm --> <DescribeTagsResponse>",
            "<DeleteTagsResponse/>",
        ] {
            assert!(is_answer(body.as_bytes()), "{body}");
        }
        for body in [
            "",
            "<html>502</html>",
            "<!DOCTYPE html><html>",
            "{}",
            "####",
            "\u{1f}\u{8b}",
            "ok <XResponse>",
            "<",
        ] {
            assert!(!is_answer(body.as_bytes()), "{body}");
        }
    }
}
