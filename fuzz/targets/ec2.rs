//! Answers of EC2, read as the SDK reads them and told as moorline tells them. The first line is a status and `Retry-After`.
#![no_main]

mod harmless;

use std::sync::LazyLock;

use aws_sdk_ec2::error::SdkError;
use aws_sdk_ec2::operation::describe_volumes::{DescribeVolumes, DescribeVolumesError, DescribeVolumesOutput};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
use aws_smithy_runtime_api::client::ser_de::{DeserializeResponse, SharedResponseDeserializer};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{ConfigBag, FrozenLayer};
use libfuzzer_sys::fuzz_target;

static CONFIG: LazyLock<FrozenLayer> =
    LazyLock::new(|| DescribeVolumes::new().config().expect("an operation has some"));

fuzz_target!(|answer: &str| {
    let (head, body) = answer.split_once('\n').unwrap_or(("400", answer));
    let (status, retry_after) = head.split_once(' ').unwrap_or((head, ""));
    let status = status
        .parse()
        .ok()
        .and_then(|status: u16| StatusCode::try_from(status).ok());
    let status = status.unwrap_or_else(|| StatusCode::try_from(400).expect("a status"));
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    if response
        .headers_mut()
        .try_insert("retry-after", retry_after.to_owned())
        .is_err()
    {
        return;
    }
    let reader = CONFIG
        .load::<SharedResponseDeserializer>()
        .expect("an operation has one");
    match reader.deserialize_nonstreaming_with_config(&response, &ConfigBag::base()) {
        Ok(output) => {
            let page = output
                .downcast::<DescribeVolumesOutput>()
                .expect("the operation's output");
            let _ = moorline_aws::fuzzing::volumes(page);
        }
        Err(error) => {
            let Some(error) = error
                .as_operation_error()
                .and_then(|error| error.downcast_ref::<DescribeVolumesError>())
            else {
                let unread = SdkError::response_error("unread", response);
                return harmless::assert_harmless(&moorline_aws::fuzzing::refusal(&unread).to_string());
            };
            let error = DescribeVolumesError::generic(aws_sdk_ec2::error::ProvideErrorMetadata::meta(error).clone());
            let refused = SdkError::service_error(error, response);
            harmless::assert_harmless(&moorline_aws::fuzzing::refusal(&refused).to_string());
        }
    }
});
