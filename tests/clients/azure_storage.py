"""Storage accounts, file shares and blob containers, with azure-mgmt-storage."""

import time
import unittest

from azure_cloud import GROUP, LOCATION, account, refused, storage


def until(true, seconds=20):
    """Waits for what takes a moment in a cloud; no longer than that."""
    end = time.monotonic() + seconds
    while not (found := true()):
        if time.monotonic() > end:
            raise AssertionError("it did not come to be")
        time.sleep(0.1)
    return found


def shares(name, **arguments):
    return list(storage().file_shares.list(GROUP, name, **arguments))


class Accounts(unittest.TestCase):
    def test_an_account_is_made_polled_read_listed_and_deleted(self):
        accounts = storage().storage_accounts
        poller = accounts.begin_create(
            GROUP,
            "lifeaccount1",
            {"sku": {"name": "Standard_ZRS"}, "kind": "StorageV2", "location": LOCATION, "tags": {"owner": "web"}},
        )
        made = poller.result()
        self.assertEqual((made.name, made.provisioning_state, made.sku.name), ("lifeaccount1", "Succeeded", "Standard_ZRS"))
        read = accounts.get_properties(GROUP, "lifeaccount1")
        self.assertEqual((read.tags, read.kind, read.location), ({"owner": "web"}, "StorageV2", LOCATION))
        self.assertEqual(read.primary_endpoints.file, "https://lifeaccount1.file.core.windows.net/")
        self.assertTrue(read.enable_https_traffic_only)

        changed = accounts.update(GROUP, "lifeaccount1", {"tags": {"owner": "db"}})
        self.assertEqual(changed.tags, {"owner": "db"})
        until(lambda: "lifeaccount1" in [found.name for found in accounts.list()])
        until(lambda: "lifeaccount1" in [found.name for found in accounts.list_by_resource_group(GROUP)])
        accounts.delete(GROUP, "lifeaccount1")
        self.assertEqual(refused(accounts.get_properties, GROUP, "lifeaccount1"), ("ResourceNotFound", 404))

    def test_accounts_are_listed_page_by_page(self):
        names = [f"pagedaccount{n}" for n in range(5)]
        begin = storage().storage_accounts.begin_create
        asked = {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "location": LOCATION}
        for poller in [begin(GROUP, name, asked) for name in names]:
            self.assertEqual(poller.result().provisioning_state, "Succeeded")

        def pages():
            listed = [[found.name for found in page] for page in storage().storage_accounts.list().by_page()]
            return listed if set(names) <= set(sum(listed, [])) else None

        found = until(pages)
        self.assertGreater(len(found), 1)
        self.assertEqual(len(sum(found, [])), len(set(sum(found, []))))

    def test_names_are_checked(self):
        check = storage().storage_accounts.check_name_availability
        asked = lambda name: check({"name": name, "type": "Microsoft.Storage/storageAccounts"})
        self.assertTrue(asked("surelyfree1").name_available)
        self.assertEqual(asked("storage").reason, "AlreadyExists")
        self.assertEqual(asked("Not-A-Name").reason, "AccountNameInvalid")
        self.assertEqual(refused(account, "storage"), ("StorageAccountAlreadyTaken", 409))
        self.assertEqual(refused(account, "Upper"), ("AccountNameInvalid", 400))

    def test_keys_are_listed_and_made_anew(self):
        account("keyaccount1")
        keys = storage().storage_accounts.list_keys(GROUP, "keyaccount1").keys_property
        self.assertEqual([key.key_name for key in keys], ["key1", "key2"])
        again = storage().storage_accounts.regenerate_key(GROUP, "keyaccount1", {"keyName": "key1"}).keys_property
        self.assertNotEqual(again[0].value, keys[0].value)
        self.assertEqual(again[1].value, keys[1].value)

    def test_what_does_not_fit_is_refused(self):
        self.assertEqual(refused(account, "fits1", sku="Premium_ZRS"), ("InvalidValuesForRequestParameters", 400))
        self.assertEqual(refused(account, "fits1", sku="Gold_LRS"), ("InvalidValuesForRequestParameters", 400))
        self.assertEqual(refused(account, "fits1", tags={"a/b": "c"}), ("InvalidTagNameCharacters", 400))
        begin = storage().storage_accounts.begin_create
        asked = {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "location": LOCATION}
        self.assertEqual(refused(begin, "nowhere", "fits1", asked), ("ResourceGroupNotFound", 404))


class Shares(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        account("shareaccount1")

    def test_a_share_is_made_with_metadata_read_grown_and_deleted(self):
        file_shares = storage().file_shares
        asked = {"properties": {"shareQuota": 1, "metadata": {"createdBy": "tests"}}}
        made = file_shares.create(GROUP, "shareaccount1", "pvc-life", asked)
        self.assertEqual((made.name, made.share_quota), ("pvc-life", 1))
        read = file_shares.get(GROUP, "shareaccount1", "pvc-life", expand="stats")
        self.assertEqual((read.share_quota, read.metadata, read.share_usage_bytes), (1, {"createdBy": "tests"}, 0))
        self.assertEqual((read.enabled_protocols, read.access_tier, read.lease_state), ("SMB", "TransactionOptimized", "available"))
        file_shares.update(GROUP, "shareaccount1", "pvc-life", {"properties": {"shareQuota": 7}})
        self.assertEqual(file_shares.get(GROUP, "shareaccount1", "pvc-life").share_quota, 7)
        file_shares.delete(GROUP, "shareaccount1", "pvc-life")
        self.assertEqual(refused(file_shares.get, GROUP, "shareaccount1", "pvc-life"), ("ShareNotFound", 404))

    def test_shares_are_listed_page_by_page(self):
        wanted = [f"paged-{n}" for n in range(5)]
        for name in wanted:
            storage().file_shares.create(GROUP, "shareaccount1", name, {})
        until(lambda: len(shares("shareaccount1", filter="paged-")) == 5)
        pages = storage().file_shares.list(GROUP, "shareaccount1", maxpagesize="2", filter="paged-").by_page()
        pages = [[share.name for share in page] for page in pages]
        self.assertEqual([len(page) for page in pages], [2, 2, 1])
        self.assertEqual(sum(pages, []), wanted)

    def test_a_deleted_share_is_found_and_restored(self):
        account("retention1")
        services = storage().file_services
        policy = {"properties": {"shareDeleteRetentionPolicy": {"enabled": True, "days": 30}}}
        services.set_service_properties(GROUP, "retention1", policy)
        read = services.get_service_properties(GROUP, "retention1")
        self.assertEqual(read.share_delete_retention_policy.days, 30)
        file_shares = storage().file_shares
        file_shares.create(GROUP, "retention1", "pvc-back", {"properties": {"metadata": {"life": "first"}}})
        file_shares.delete(GROUP, "retention1", "pvc-back")
        again = refused(file_shares.create, GROUP, "retention1", "pvc-back", {})
        self.assertEqual(again, ("ShareBeingDeleted", 409))
        (gone,) = until(lambda: [share for share in shares("retention1", expand="deleted") if share.deleted])
        self.assertEqual((gone.name, gone.remaining_retention_days), ("pvc-back", 30))
        self.assertEqual(shares("retention1"), [])
        restore = {"deletedShareName": "pvc-back", "deletedShareVersion": gone.version}

        def restored():
            try:
                file_shares.restore(GROUP, "retention1", "pvc-back", restore)
            except Exception as error:
                self.assertIn("ShareBeingDeleted", str(error))
                return False
            return True

        until(restored)
        self.assertEqual(file_shares.get(GROUP, "retention1", "pvc-back").metadata, {"life": "first"})

    def test_snapshots_are_made_listed_read_and_deleted(self):
        file_shares = storage().file_shares
        file_shares.create(GROUP, "shareaccount1", "snapped", {"properties": {"shareQuota": 3}})
        made = file_shares.create(GROUP, "shareaccount1", "snapped", {}, expand="snapshots")
        self.assertIsNotNone(made.snapshot_time)
        listed = until(lambda: [s for s in shares("shareaccount1", expand="snapshots", filter="snapped") if s.snapshot_time])
        time = listed[0].snapshot_time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
        read = file_shares.get(GROUP, "shareaccount1", "snapped", x_ms_snapshot=time)
        self.assertEqual((read.share_quota, read.snapshot_time), (3, made.snapshot_time))
        kept = refused(file_shares.delete, GROUP, "shareaccount1", "snapped", include="none")
        self.assertEqual(kept, ("ShareHasSnapshots", 409))
        file_shares.delete(GROUP, "shareaccount1", "snapped", x_ms_snapshot=time)
        file_shares.delete(GROUP, "shareaccount1", "snapped", include="none")

    def test_quotas_follow_the_sku(self):
        account("premium1", sku="Premium_LRS", kind="FileStorage")
        create = storage().file_shares.create
        small = {"properties": {"shareQuota": 99}}
        self.assertEqual(refused(create, GROUP, "premium1", "small", small), ("InvalidHeaderValue", 400))
        create(GROUP, "premium1", "enough", {"properties": {"shareQuota": 100, "enabledProtocols": "NFS"}})
        self.assertEqual(storage().file_shares.get(GROUP, "premium1", "enough").enabled_protocols, "NFS")
        lost = refused(create, GROUP, "nosuchaccount", "share", {})
        self.assertEqual(lost, ("ParentResourceNotFound", 404))


class Containers(unittest.TestCase):
    def test_a_container_is_made_read_listed_and_deleted(self):
        account("blobaccount1")
        containers = storage().blob_containers
        containers.create(GROUP, "blobaccount1", "runs", {"properties": {"metadata": {"owner": "web"}}})
        read = containers.get(GROUP, "blobaccount1", "runs")
        self.assertEqual((read.metadata, read.public_access), ({"owner": "web"}, "None"))
        until(lambda: [found.name for found in containers.list(GROUP, "blobaccount1")] == ["runs"])
        containers.delete(GROUP, "blobaccount1", "runs")
        self.assertEqual(refused(containers.get, GROUP, "blobaccount1", "runs"), ("ContainerNotFound", 404))


if __name__ == "__main__":
    unittest.main()
