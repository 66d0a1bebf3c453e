"""EBS volumes in an account that answers at once: what can be made, found, changed and refused."""

import unittest

from account import ZONES, client, refused, tagged, tags_of

ec2 = client("ec2")


def create(**arguments):
    return ec2.create_volume(**{"AvailabilityZone": ZONES[0], "Size": 10, "VolumeType": "gp2", **arguments})


def create_refused(**arguments):
    return refused(create, **arguments)


def found(tags=None, **filters):
    """The ids of the volumes that all filters match, by tags or otherwise; a list of values means any of them."""
    named = {key.replace("_", "-"): values for key, values in filters.items()}
    named |= {f"tag:{key}": values for key, values in (tags or {}).items()}
    filters = [
        {"Name": name, "Values": values if isinstance(values, list) else [values]} for name, values in named.items()
    ]
    pages = ec2.get_paginator("describe_volumes").paginate(Filters=filters)
    return {volume["VolumeId"] for page in pages for volume in page["Volumes"]}


class Life(unittest.TestCase):
    def test_a_volume_is_made_described_changed_and_deleted(self):
        made = create(TagSpecifications=tagged("volume", Name="life"))
        volume = made["VolumeId"]
        self.assertRegex(volume, r"^vol-[0-9a-f]{17}$")
        self.assertEqual(made["State"], "creating")
        self.assertEqual(tags_of(made), {"Name": "life"})
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume])

        (seen,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        self.assertEqual((seen["Size"], seen["VolumeType"], seen["Iops"]), (10, "gp2", 100))
        self.assertEqual((seen["AvailabilityZone"], seen["Encrypted"], seen["Attachments"]), (ZONES[0], False, []))
        self.assertEqual(seen["CreateTime"], made["CreateTime"])

        ec2.create_tags(Resources=[volume], Tags=[{"Key": "owner", "Value": "ö & <us>"}])
        ec2.delete_tags(Resources=[volume], Tags=[{"Key": "Name"}])
        (seen,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        self.assertEqual(tags_of(seen), {"owner": "ö & <us>"})

        ec2.delete_volume(VolumeId=volume)
        ec2.get_waiter("volume_deleted").wait(VolumeIds=[volume])
        self.assertEqual(refused(ec2.describe_volumes, VolumeIds=[volume]), ("InvalidVolume.NotFound", 400))
        self.assertEqual(refused(ec2.delete_volume, VolumeId=volume), ("InvalidVolume.NotFound", 400))

    def test_an_attached_volume_is_in_use(self):
        (node, *_) = ec2.describe_instances()["Reservations"][0]["Instances"]
        volume = create(AvailabilityZone=node["Placement"]["AvailabilityZone"])["VolumeId"]
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume])
        attachment = {"VolumeId": volume, "InstanceId": node["InstanceId"], "Device": "/dev/xvdzz"}
        ec2.attach_volume(**attachment)
        ec2.get_waiter("volume_in_use").wait(VolumeIds=[volume])
        device = [{"Name": "attachment.device", "Values": ["/dev/xvdzz"]}]
        self.assertEqual([one["VolumeId"] for one in ec2.describe_volumes(Filters=device)["Volumes"]], [volume])
        (seen,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        (at,) = seen["Attachments"]
        self.assertEqual({key: at[key] for key in attachment}, attachment)
        self.assertEqual(refused(ec2.delete_volume, VolumeId=volume), ("VolumeInUse", 400))
        ec2.detach_volume(VolumeId=volume)
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume])
        ec2.delete_volume(VolumeId=volume)

    def test_a_snapshot_outlives_its_volume(self):
        volume = create()["VolumeId"]
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume])
        snapshot = ec2.create_snapshot(VolumeId=volume, Description="before")["SnapshotId"]
        ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot])
        ec2.delete_volume(VolumeId=volume)
        restored = create(SnapshotId=snapshot, Size=20)
        self.assertEqual((restored["SnapshotId"], restored["Size"]), (snapshot, 20))
        ec2.delete_snapshot(SnapshotId=snapshot)
        ec2.delete_volume(VolumeId=restored["VolumeId"])


class Tokens(unittest.TestCase):
    def test_a_token_makes_one_volume(self):
        first = create(ClientToken="twice", TagSpecifications=tagged("volume", token="twice"))
        again = create(ClientToken="twice", TagSpecifications=tagged("volume", token="twice"))
        self.assertEqual(first["VolumeId"], again["VolumeId"])
        self.assertEqual(found({"token": "twice"}), {first["VolumeId"]})

    def test_a_token_stands_for_its_parameters(self):
        create(ClientToken="other")
        self.assertEqual(create_refused(ClientToken="other", Size=11), ("IdempotentParameterMismatch", 400))

    def test_a_token_is_burnt_by_deletion(self):
        volume = create(ClientToken="burnt")["VolumeId"]
        ec2.delete_volume(VolumeId=volume)
        code, status = create_refused(ClientToken="burnt")
        self.assertEqual(status, 400, code)
        self.assertEqual(found(volume_id=volume), set())

    def test_a_token_has_64_characters(self):
        create(ClientToken="t" * 64)
        self.assertEqual(create_refused(ClientToken="t" * 65), ("InvalidParameterValue", 400))


class Listing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ids = {
            create(
                AvailabilityZone=ZONES[n % 3],
                Size=1 + n % 2,
                VolumeType=["gp2", "gp3"][n % 2],
                TagSpecifications=tagged("volume", fleet="listing", number=f"{n:04}"),
            )["VolumeId"]
            for n in range(1005)
        }

    def pages(self, size):
        paginator = ec2.get_paginator("describe_volumes")
        filters = [{"Name": "tag:fleet", "Values": ["listing"]}]
        pages = paginator.paginate(Filters=filters, PaginationConfig={"PageSize": size})
        return [[volume["VolumeId"] for volume in page["Volumes"]] for page in pages]

    def test_every_volume_is_on_one_page(self):
        for size in [5, 100, 499, 500, 1000]:
            pages = self.pages(size)
            listed = [volume for page in pages for volume in page]
            self.assertEqual((len(listed), set(listed)), (1005, self.ids), size)
            self.assertLessEqual(max(map(len, pages)), min(size, 500))

    def test_pages_have_bounds(self):
        describe = ec2.describe_volumes
        self.assertEqual(refused(describe, MaxResults=4), ("InvalidParameterValue", 400))
        one = next(iter(self.ids))
        self.assertEqual(refused(describe, MaxResults=5, VolumeIds=[one]), ("InvalidParameterCombination", 400))
        self.assertEqual(refused(describe, MaxResults=5, NextToken="forged")[1], 400)

    def test_filters_are_joined_by_and_and_values_by_or(self):
        self.assertEqual(found({"fleet": "listing"}), self.ids)
        first, second = {"number": "0000"}, {"number": "0001"}
        self.assertEqual(len(found(first)), 1)
        self.assertEqual(found({"number": ["0000", "0001"]}), found(first) | found(second))
        self.assertEqual(len(found({"fleet": "listing"}, volume_type="gp3")), 502)
        self.assertEqual(len(found({"fleet": "listing"}, availability_zone=ZONES[0], volume_type="gp2")), 168)
        self.assertEqual(found({"fleet": "listing"}, status="in-use"), set())
        self.assertEqual(found({"fleet": "listing"}, status=["available", "in-use"]), self.ids)
        self.assertEqual(found(tag_key="fleet"), self.ids)
        self.assertEqual(len(found({"fleet": "listing"}, size="2")), 502)

    def test_values_have_wildcards(self):
        self.assertEqual(len(found({"number": "00?5"})), 10)
        self.assertEqual(len(found({"number": "1*"})), 5)
        self.assertEqual(found({"fleet": "LISTING"}), set())
        literal = create(TagSpecifications=tagged("volume", literal="a*b"))["VolumeId"]
        create(TagSpecifications=tagged("volume", literal="axb"))
        self.assertEqual(found({"literal": "a\\*b"}), {literal})

    def test_what_is_not_known_is_refused(self):
        unknown = [{"Name": "colour", "Values": ["blue"]}]
        self.assertEqual(refused(ec2.describe_volumes, Filters=unknown), ("InvalidParameterValue", 400))
        known = next(iter(self.ids))
        absent = [known, "vol-0123456789abcdef0"]
        self.assertEqual(refused(ec2.describe_volumes, VolumeIds=absent), ("InvalidVolume.NotFound", 400))
        malformed = refused(ec2.describe_volumes, VolumeIds=["volume"])
        self.assertIn(malformed, [("InvalidVolumeID.Malformed", 400), ("InvalidParameterValue", 400)])

    def test_tags_are_listed_by_themselves(self):
        filters = [{"Name": "key", "Values": ["number"]}, {"Name": "value", "Values": ["0007"]}]
        (tag,) = ec2.describe_tags(Filters=filters)["Tags"]
        self.assertEqual((tag["ResourceType"], tag["Key"], tag["Value"]), ("volume", "number", "0007"))
        self.assertIn(tag["ResourceId"], self.ids)


class Rules(unittest.TestCase):
    def test_each_type_has_its_performance(self):
        io2 = create(VolumeType="io2", Size=10, Iops=5000)
        self.assertEqual((io2["VolumeType"], io2["Iops"]), ("io2", 5000))
        gp3 = create(VolumeType="gp3", Size=100, Iops=4000, Throughput=500)
        self.assertEqual((gp3["Iops"], gp3["Throughput"]), (4000, 500))
        plain = create(VolumeType="gp3")
        self.assertEqual((plain["Iops"], plain["Throughput"]), (3000, 125))
        self.assertEqual(create(VolumeType="st1", Size=125)["VolumeType"], "st1")

    def test_what_a_type_cannot_do_is_refused(self):
        cases = {
            "InvalidParameterValue": [
                {"AvailabilityZone": "us-east-1z"},
                {"Size": 16385},
                {"VolumeType": "io1", "Size": 3, "Iops": 100},
                {"VolumeType": "st1", "Size": 124},
                {"VolumeType": "io1", "Size": 10, "Iops": 501},
            ],
            "InvalidParameterCombination": [{"Iops": 3000}, {"Throughput": 125}],
            "UnknownVolumeType": [{"VolumeType": "gp9"}],
            "MissingParameter": [{"VolumeType": "io1", "Size": 10}],
            "InvalidParameterDependency": [{"KmsKeyId": "alias/ExampleAlias"}],
            "InvalidSnapshot.NotFound": [{"SnapshotId": "snap-0123456789abcdef0"}],
        }
        for code, bad in cases.items():
            for arguments in bad:
                with self.subTest(**arguments):
                    self.assertEqual(create_refused(**arguments), (code, 400))
        self.assertEqual(refused(ec2.create_volume, AvailabilityZone=ZONES[0]), ("MissingParameter", 400))

    def test_a_dry_run_changes_nothing(self):
        dry = create_refused(DryRun=True, TagSpecifications=tagged("volume", dry="run"))
        self.assertEqual(dry, ("DryRunOperation", 412))
        self.assertEqual(found({"dry": "run"}), set())
        volume = create()["VolumeId"]
        self.assertEqual(refused(ec2.delete_volume, VolumeId=volume, DryRun=True), ("DryRunOperation", 412))
        self.assertEqual(found(volume_id=volume), {volume})

    def test_a_volume_grows_while_it_lives(self):
        volume = create(VolumeType="gp3")["VolumeId"]
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume])
        change = ec2.modify_volume(VolumeId=volume, Size=20, Iops=4000)["VolumeModification"]
        self.assertEqual((change["OriginalSize"], change["TargetSize"]), (10, 20))
        (seen,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
        self.assertEqual((seen["Size"], seen["Iops"]), (20, 4000))
        self.assertEqual(refused(ec2.modify_volume, VolumeId=volume, Size=10)[1], 400)

    def test_tags_have_rules(self):
        too_many = {f"tag-{n}": "" for n in range(51)}
        self.assertEqual(create_refused(TagSpecifications=tagged("volume", **too_many))[1], 400)
        self.assertEqual(create_refused(TagSpecifications=tagged("volume", **{"aws:mine": "x"}))[1], 400)
        self.assertEqual(create_refused(TagSpecifications=tagged("volume", **{"k" * 129: "x"}))[1], 400)

    def test_an_operation_that_is_not_there_is_named(self):
        code, status = refused(ec2.describe_spot_fleet_requests)
        self.assertEqual((code, status), ("InvalidAction", 400))


class Account(unittest.TestCase):
    def test_it_has_zones_and_an_identity(self):
        zones = ec2.describe_availability_zones()["AvailabilityZones"]
        self.assertEqual([zone["ZoneName"] for zone in zones], ZONES)
        self.assertTrue(all(zone["State"] == "available" for zone in zones))
        identity = client("sts").get_caller_identity()
        self.assertRegex(identity["Account"], r"^\d{12}$")
        self.assertIn(identity["Account"], identity["Arn"])

    def test_another_region_is_another_place(self):
        here = create(TagSpecifications=tagged("volume", place="here"))["VolumeId"]
        there = client("ec2", region="eu-west-1")
        self.assertEqual(refused(there.describe_volumes, VolumeIds=[here]), ("InvalidVolume.NotFound", 400))
        zones = [zone["ZoneName"] for zone in there.describe_availability_zones()["AvailabilityZones"]]
        self.assertIn("eu-west-1a", zones)
        self.assertNotIn(ZONES[0], zones)


if __name__ == "__main__":
    unittest.main()
