//! How much of an answer is read.

use std::mem;

use aws_sdk_ec2::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;

/// No honest answer is larger: 500 volumes with 50 tags each, as long as tags may be, have a quarter of it.
const LARGEST_ANSWER: usize = 64 << 20;

/// Ends an answer that goes on beyond all bounds with an error. The SDK reads answers whole, and knows no bound of its own; their
/// time is bound by the time of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound;

impl Intercept for Bound {
    fn name(&self) -> &'static str {
        "the bound of answers"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        wrap_answer(context, |whole| {
            SdkBody::from_body_1_x(Limited::new(whole, LARGEST_ANSWER))
        });
        Ok(())
    }
}

/// Puts something between an answer as it comes and the SDK that reads it.
pub(crate) fn wrap_answer(
    context: &mut BeforeDeserializationInterceptorContextMut<'_>,
    wrap: impl FnOnce(SdkBody) -> SdkBody,
) {
    let body = context.response_mut().body_mut();
    *body = wrap(mem::replace(body, SdkBody::taken()));
}
