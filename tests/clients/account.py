"""The sandbox's account as boto3 sees it. The environment says where it is, as `moorline sandbox serve` printed it."""

import functools

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]


@functools.cache
def client(service, region=None, attempts=1):
    """A client that calls once and tells what it was answered, unless more attempts are asked for."""
    retries = {"total_max_attempts": attempts, "mode": "standard"}
    return boto3.client(service, region_name=region, config=Config(retries=retries))


def refused(call, **arguments):
    """The code and HTTP status of the error that the call ends in; it must end in one."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError(f"the call was answered: {answer}")


def tagged(kind, **tags):
    """TagSpecifications."""
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def tags_of(thing):
    """The tags of an answer, as a dict."""
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", [])}
