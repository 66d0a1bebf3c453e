"""The sandbox's Azure as the official clients see it. The environment says where it is: see sandbox/azure/README.md."""

import functools
import os

from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.subscriptions import SubscriptionClient
from azure.mgmt.storage import StorageManagementClient

ENDPOINT = os.environ["AZURE_RESOURCE_MANAGER_ENDPOINT"]
SUBSCRIPTION = os.environ["AZURE_SUBSCRIPTION_ID"]
GROUP = "moorline"
LOCATION = "eastus"


def credential(secret=None):
    """The service principal of the environment, with another secret if one is given."""
    return ClientSecretCredential(
        os.environ["AZURE_TENANT_ID"],
        os.environ["AZURE_CLIENT_ID"],
        secret or os.environ["AZURE_CLIENT_SECRET"],
        # Only Microsoft's own authorities are known to its list of instances.
        disable_instance_discovery=True,
    )


def options():
    """Wait as told where calls come too fast; ask often how long operations go."""
    return {
        "base_url": ENDPOINT,
        "credential_scopes": ["https://management.azure.com/.default"],
        "retry_total": 5,
        "polling_interval": 1,
    }


@functools.cache
def storage():
    return StorageManagementClient(credential(), SUBSCRIPTION, **options())


@functools.cache
def compute():
    return ComputeManagementClient(credential(), SUBSCRIPTION, **options())


@functools.cache
def resources():
    return ResourceManagementClient(credential(), SUBSCRIPTION, **options())


@functools.cache
def subscriptions():
    return SubscriptionClient(credential(), **options())


def refused(call, *arguments, **named):
    """The code and HTTP status of the error that the call ends in; it must end in one."""
    try:
        answer = call(*arguments, **named)
        answer = answer.result() if hasattr(answer, "result") else answer
    except HttpResponseError as error:
        return error.error.code, error.status_code
    raise AssertionError(f"the call was answered: {answer}")


def account(name, sku="Standard_LRS", kind="StorageV2", **more):
    """Makes an account and waits until it is ready."""
    asked = {"sku": {"name": sku}, "kind": kind, "location": LOCATION, **more}
    return storage().storage_accounts.begin_create(GROUP, name, asked).result()
