"""What Azure's official clients see of what moorline made there, or do to it as a pod would; the answer is JSON."""

import json
import os
import sys

from azure.identity import ClientSecretCredential
from azure.mgmt.storage import StorageManagementClient
from azure.storage.blob import BlobLeaseClient, BlobServiceClient


def blobs():
    connection = os.environ["AZURE_STORAGE_CONNECTION_STRING"]
    # Azurite does not know the newest versions yet.
    return BlobServiceClient.from_connection_string(connection, api_version="2026-04-06")


def containers(prefix):
    found = blobs().list_containers(name_starts_with=prefix, include_metadata=True)
    return [
        {"name": container.name, "metadata": container.metadata, "lease": container.lease.state} for container in found
    ]


def write(container, blob, text):
    blobs().get_blob_client(container, blob).upload_blob(text, overwrite=True)


def read(container, blob):
    return blobs().get_blob_client(container, blob).download_blob().readall().decode()


def lease(container):
    return blobs().get_container_client(container).acquire_lease().id


def release(container):
    BlobLeaseClient(blobs().get_container_client(container)).break_lease(lease_break_period=0)


def make(container):
    blobs().create_container(container)


def objects(container):
    client = blobs().get_container_client(container)
    return [
        {
            "key": blob.name,
            "metadata": blob.metadata,
            "text": client.download_blob(blob.name).readall().decode(),
        }
        for blob in client.list_blobs(include=["metadata"])
    ]


def delete(container):
    blobs().delete_container(container)


def storage():
    endpoint = os.environ["AZURE_RESOURCE_MANAGER_ENDPOINT"]
    # Only Microsoft's own authorities are known to its list of instances.
    credential = ClientSecretCredential(
        os.environ["AZURE_TENANT_ID"],
        os.environ["AZURE_CLIENT_ID"],
        os.environ["AZURE_CLIENT_SECRET"],
        disable_instance_discovery=True,
    )
    return StorageManagementClient(
        credential,
        os.environ["AZURE_SUBSCRIPTION_ID"],
        base_url=endpoint,
        credential_scopes=["https://management.azure.com/.default"],
    )


def shares():
    """Every account, and every share in it with its metadata, which no list tells."""
    client = storage()
    found = []
    for account in client.storage_accounts.list():
        group = account.id.split("/")[4]
        listed = list(client.file_shares.list(group, account.name))
        read = [client.file_shares.get(group, account.name, share.name) for share in listed]
        found.append(
            {
                "name": account.name,
                "sku": account.sku.name,
                "tags": account.tags,
                "shares": [
                    {"name": share.name, "quota": share.share_quota, "metadata": share.metadata} for share in read
                ],
            }
        )
    return found


COMMANDS = {
    "containers": containers,
    "write": write,
    "read": read,
    "lease": lease,
    "release": release,
    "make": make,
    "objects": objects,
    "delete": delete,
    "shares": shares,
}

if __name__ == "__main__":
    json.dump(COMMANDS[sys.argv[1]](*sys.argv[2:]), sys.stdout)
