"""Tags at any scope, leases, queues, tables, and snapshots of disks, with the official clients."""

import unittest

from azure_cloud import GROUP, LOCATION, SUBSCRIPTION, account, compute, refused, resources, storage
from azure_storage import until


def disk(name, gib=8):
    """Makes an empty disk."""
    asked = {
        "location": LOCATION,
        "sku": {"name": "StandardSSD_LRS"},
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": gib},
    }
    return compute().disks.begin_create_or_update(GROUP, name, asked).result()


class Tags(unittest.TestCase):
    def test_tags_of_accounts_and_disks_are_merged_and_taken_off_alone(self):
        account("tagaccount1", tags={"owner": "web"})
        made = disk("tag-disk")
        storage_id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Storage/storageAccounts/tagaccount1"
        tags = resources().tags
        for scope in [storage_id, made.id]:
            patch = {"operation": "Merge", "properties": {"tags": {"moorline-unused": "v1"}}}
            merged = tags.begin_update_at_scope(scope, patch).result()
            self.assertEqual(merged.properties.tags["moorline-unused"], "v1")
            other = {"operation": "Delete", "properties": {"tags": {"moorline-unused": "v2"}}}
            self.assertIn("moorline-unused", tags.begin_update_at_scope(scope, other).result().properties.tags)
            patch["operation"] = "Delete"
            left = tags.begin_update_at_scope(scope, patch).result().properties.tags
            self.assertNotIn("moorline-unused", left)
            self.assertEqual(tags.get_at_scope(scope).properties.tags, left)
        self.assertEqual(storage().storage_accounts.get_properties(GROUP, "tagaccount1").tags, {"owner": "web"})
        missing = refused(tags.get_at_scope, storage_id + "x")
        self.assertEqual(missing, ("ResourceNotFound", 404))


class Leases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        account("leaseaccount1")

    def test_a_leased_share_is_not_deleted(self):
        shares = storage().file_shares
        shares.create(GROUP, "leaseaccount1", "held", {})
        taken = shares.lease(GROUP, "leaseaccount1", "held", {"action": "Acquire", "leaseDuration": -1})
        read = shares.get(GROUP, "leaseaccount1", "held")
        self.assertEqual((read.lease_state, read.lease_status, read.lease_duration), ("leased", "locked", "infinite"))
        self.assertEqual(refused(shares.delete, GROUP, "leaseaccount1", "held"), ("LeaseIdMissing", 412))
        shares.lease(GROUP, "leaseaccount1", "held", {"action": "Release", "leaseId": taken.lease_id})
        shares.delete(GROUP, "leaseaccount1", "held")

    def test_a_leased_container_is_not_deleted(self):
        containers = storage().blob_containers
        containers.create(GROUP, "leaseaccount1", "held", {})
        containers.lease(GROUP, "leaseaccount1", "held", {"action": "Acquire", "leaseDuration": -1})
        self.assertEqual(containers.get(GROUP, "leaseaccount1", "held").lease_state, "Leased")
        self.assertEqual(refused(containers.delete, GROUP, "leaseaccount1", "held"), ("LeaseIdMissing", 412))
        containers.lease(GROUP, "leaseaccount1", "held", {"action": "Break", "breakPeriod": 0})
        self.assertEqual(containers.get(GROUP, "leaseaccount1", "held").lease_state, "Broken")
        containers.delete(GROUP, "leaseaccount1", "held")

    def test_metadata_are_written_on_a_condition(self):
        shares = storage().file_shares
        shares.create(GROUP, "leaseaccount1", "guarded", {})
        etag = shares.get(GROUP, "leaseaccount1", "guarded").etag
        write = lambda owner, tag: shares.update(
            GROUP,
            "leaseaccount1",
            "guarded",
            {"properties": {"metadata": {"owner": owner}}},
            headers={"If-Match": tag},
        )
        write("web", etag)
        self.assertEqual(refused(write, "db", etag), ("ConditionNotMet", 412))
        self.assertEqual(shares.get(GROUP, "leaseaccount1", "guarded").metadata, {"owner": "web"})


class QueuesAndTables(unittest.TestCase):
    def test_they_are_made_listed_and_deleted(self):
        account("queueaccount1")
        queues, tables = storage().queue, storage().table
        queues.create(GROUP, "queueaccount1", "runs", {"properties": {"metadata": {"owner": "web"}}})
        self.assertEqual(queues.get(GROUP, "queueaccount1", "runs").metadata, {"owner": "web"})
        tables.create(GROUP, "queueaccount1", "Runs")
        self.assertEqual(tables.get(GROUP, "queueaccount1", "Runs").table_name, "Runs")
        until(lambda: [found.name for found in queues.list(GROUP, "queueaccount1")] == ["runs"])
        until(lambda: [found.name for found in tables.list(GROUP, "queueaccount1")] == ["Runs"])
        queues.delete(GROUP, "queueaccount1", "runs")
        tables.delete(GROUP, "queueaccount1", "Runs")
        self.assertEqual(refused(queues.get, GROUP, "queueaccount1", "runs"), ("QueueNotFound", 404))
        self.assertEqual(refused(tables.get, GROUP, "queueaccount1", "Runs"), ("TableNotFound", 404))


class Snapshots(unittest.TestCase):
    def test_a_disk_is_snapshotted_deleted_and_made_again(self):
        source = disk("snap-disk", gib=16)
        snapshots, disks = compute().snapshots, compute().disks
        asked = {
            "location": LOCATION,
            "tags": {"expires": "soon"},
            "properties": {
                "creationData": {"createOption": "Copy", "sourceResourceId": source.id},
                "incremental": True,
            },
        }
        taken = snapshots.begin_create_or_update(GROUP, "snap", asked).result()
        self.assertEqual((taken.disk_size_gb, taken.provisioning_state), (16, "Succeeded"))
        self.assertEqual(snapshots.get(GROUP, "snap").creation_data.source_resource_id, source.id)
        disks.begin_delete(GROUP, "snap-disk").result()
        until(lambda: "snap" in [found.name for found in snapshots.list()])
        until(lambda: "snap" in [found.name for found in snapshots.list_by_resource_group(GROUP)])
        copy = {
            "location": LOCATION,
            "properties": {"creationData": {"createOption": "Copy", "sourceResourceId": taken.id}, "diskSizeGB": 8},
        }
        self.assertEqual(refused(disks.begin_create_or_update, GROUP, "back-disk", copy), ("InvalidParameter", 400))
        copy["properties"]["diskSizeGB"] = 16
        back = disks.begin_create_or_update(GROUP, "back-disk", copy).result()
        self.assertEqual((back.disk_size_gb, back.creation_data.source_resource_id), (16, taken.id))
        self.assertEqual(snapshots.begin_update(GROUP, "snap", {"tags": {"a": "b"}}).result().tags, {"a": "b"})
        snapshots.begin_delete(GROUP, "snap").result()
        self.assertEqual(refused(snapshots.get, GROUP, "snap"), ("ResourceNotFound", 404))


if __name__ == "__main__":
    unittest.main()
