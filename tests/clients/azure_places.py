"""Sign-in, subscriptions, resource groups and managed disks, with the official clients."""

import os
import tempfile
import time
import unittest

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import EnvironmentCredential, ManagedIdentityCredential, WorkloadIdentityCredential
from azure.mgmt.storage import StorageManagementClient

from azure_cloud import (
    GROUP,
    LOCATION,
    SUBSCRIPTION,
    compute,
    credential,
    options,
    refused,
    resources,
    storage,
    subscriptions,
)

SCOPE = "https://management.azure.com/.default"


class SignIn(unittest.TestCase):
    def test_the_environment_is_enough(self):
        token = EnvironmentCredential(disable_instance_discovery=True).get_token(SCOPE)
        self.assertGreater(token.expires_on, time.time())

    def test_a_machine_has_an_identity(self):
        token = ManagedIdentityCredential().get_token(SCOPE)
        self.assertGreater(token.expires_on, time.time())
        client = StorageManagementClient(ManagedIdentityCredential(), SUBSCRIPTION, **options())
        list(client.storage_accounts.list())

    def test_a_federated_token_is_taken(self):
        # {"exp": 4102444800}
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("e30.eyJleHAiOiA0MTAyNDQ0ODAwfQ.c2ln")
            file.flush()
            workload = WorkloadIdentityCredential(token_file_path=file.name, disable_instance_discovery=True)
            self.assertGreater(workload.get_token(SCOPE).expires_on, time.time())

    def test_a_wrong_secret_is_refused(self):
        with self.assertRaisesRegex(ClientAuthenticationError, "AADSTS7000215"):
            credential("INVALID-secret").get_token(SCOPE)


class Places(unittest.TestCase):
    def test_the_subscription_and_its_locations_are_found(self):
        found = [subscription.subscription_id for subscription in subscriptions().subscriptions.list()]
        self.assertIn(SUBSCRIPTION, found)
        self.assertEqual(subscriptions().subscriptions.get(SUBSCRIPTION).tenant_id, os.environ["AZURE_TENANT_ID"])
        names = [location.name for location in subscriptions().subscriptions.list_locations(SUBSCRIPTION)]
        self.assertIn(LOCATION, names)
        client = StorageManagementClient(credential(), "99999999-bbbb-4000-8000-000000000001", **options())
        self.assertEqual(refused(lambda: list(client.storage_accounts.list())), ("SubscriptionNotFound", 404))

    def test_a_group_is_made_and_deleted_with_what_is_in_it(self):
        groups = resources().resource_groups
        self.assertFalse(groups.check_existence("life-group"))
        groups.create_or_update("life-group", {"location": LOCATION, "tags": {"owner": "web"}})
        self.assertEqual(groups.get("life-group").tags, {"owner": "web"})
        asked = {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "location": LOCATION}
        storage().storage_accounts.begin_create("life-group", "insidegroup1", asked).result()
        groups.begin_delete("life-group").result()
        self.assertFalse(groups.check_existence("life-group"))
        gone = refused(storage().storage_accounts.get_properties, "life-group", "insidegroup1")
        self.assertEqual(gone, ("ResourceGroupNotFound", 404))


class Disks(unittest.TestCase):
    def test_a_disk_is_made_read_tagged_listed_and_deleted(self):
        disks = compute().disks
        asked = {
            "location": LOCATION,
            "sku": {"name": "Premium_LRS"},
            "tags": {"kubernetes.io-created-for-pvc-name": "data-web-0"},
            "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 10},
        }
        made = disks.begin_create_or_update(GROUP, "pvc-disk", asked).result()
        self.assertEqual((made.name, made.disk_size_gb, made.disk_state), ("pvc-disk", 10, "Unattached"))
        changed = disks.begin_update(GROUP, "pvc-disk", {"tags": {"a": "b"}}).result()
        self.assertEqual(changed.tags, {"a": "b"})
        end = time.monotonic() + 20
        while "pvc-disk" not in [disk.name for disk in disks.list()]:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        self.assertIsNotNone(disks.get(GROUP, "pvc-disk").time_created)
        for number in range(4):
            disks.begin_create_or_update(GROUP, f"paged-{number}", asked).result()
        end = time.monotonic() + 20
        while len(pages := [[disk.name for disk in page] for page in disks.list().by_page()]) < 2:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        self.assertTrue(all(pages), pages)
        disks.begin_delete(GROUP, "pvc-disk").result()
        self.assertEqual(refused(disks.get, GROUP, "pvc-disk"), ("ResourceNotFound", 404))


if __name__ == "__main__":
    unittest.main()
