//! The readers of what EC2 sends, for the fuzz targets: they are no part of the contract.

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::SdkError;
use aws_sdk_ec2::operation::describe_volumes::{DescribeVolumesError, DescribeVolumesOutput};
use moorline_api::{Error, Volume};

use crate::convert;
use crate::errors::{self, Subject};

/// The error that the SDK's becomes.
pub fn refusal(error: &SdkError<DescribeVolumesError, HttpResponse>) -> Error {
    let subject = Subject {
        operation: "ec2:DescribeVolumes",
        resource: "",
        place: "region us-east-1",
    };
    errors::from_sdk(&subject, error)
}

/// The volumes of a page that can be used.
pub fn volumes(page: DescribeVolumesOutput) -> Vec<Volume> {
    let volumes = page.volumes.unwrap_or_default();
    volumes.into_iter().filter_map(convert::volume).collect()
}
