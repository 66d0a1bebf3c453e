"""What garbage collection does to an account: tags of many at once, snapshots and volumes of them, roles, protected balancers."""

import datetime
import unittest

import boto3
from account import ZONES, client, refused, tagged, tags_of

ec2 = client("ec2")
sts = client("sts")
v2 = client("elbv2")

ABSENT = "vol-0123456789abcdef0"


def create(**arguments):
    return ec2.create_volume(**{"AvailabilityZone": ZONES[0], "Size": 1, "VolumeType": "gp3", **arguments})["VolumeId"]


def tags(volume):
    (seen,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
    return tags_of(seen)


def snapshot(volume, **more):
    taken = ec2.create_snapshot(VolumeId=volume, TagSpecifications=tagged("snapshot", **more))["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[taken])
    return taken


class TagsOfMany(unittest.TestCase):
    def test_they_are_set_and_taken_off_in_one_call(self):
        volumes = [create(TagSpecifications=tagged("volume", many=str(n))) for n in range(40)]
        ec2.create_tags(Resources=volumes, Tags=[{"Key": "mark", "Value": "1"}])
        self.assertEqual(tags(volumes[7]), {"many": "7", "mark": "1"})
        marked = [{"Name": "tag:mark", "Values": ["1"]}]
        self.assertEqual(len(ec2.describe_volumes(Filters=marked)["Volumes"]), 40)

        for other in ["", "2"]:
            ec2.delete_tags(Resources=volumes, Tags=[{"Key": "mark", "Value": other}])
            self.assertEqual(tags(volumes[7])["mark"], "1", "a tag of another value stays")
        ec2.delete_tags(Resources=volumes, Tags=[{"Key": "mark"}])
        self.assertEqual(tags(volumes[7]), {"many": "7"})
        ec2.delete_tags(Resources=volumes[:1])
        self.assertEqual(tags(volumes[0]), {}, "no tag named means all of them")

    def test_one_that_is_absent_fails_all(self):
        volume, mark = create(), [{"Key": "mark", "Value": "1"}]
        several = {"Resources": [volume, ABSENT], "Tags": mark}
        self.assertEqual(refused(ec2.create_tags, **several), ("InvalidVolume.NotFound", 400))
        self.assertEqual(refused(ec2.delete_tags, **several), ("InvalidVolume.NotFound", 400))
        absent = ["snap-0123456789abcdef0"]
        self.assertEqual(refused(ec2.create_tags, Resources=absent, Tags=mark), ("InvalidSnapshot.NotFound", 400))
        self.assertEqual(refused(ec2.create_tags, Resources=["nobody"], Tags=mark), ("InvalidID", 400))
        self.assertEqual(tags(volume), {})

    def test_tags_have_bounds(self):
        volume = create(TagSpecifications=tagged("volume", **{f"k{n}": "" for n in range(50)}))
        one = {"Resources": [volume]}
        self.assertEqual(refused(ec2.create_tags, **one, Tags=[{"Key": "51", "Value": ""}]), ("TagLimitExceeded", 400))
        ec2.create_tags(**one, Tags=[{"Key": "k0", "Value": "v" * 256}])
        for key, value in [("k" * 129, ""), ("k0", "v" * 257), ("aws:x", ""), ("", "")]:
            with self.subTest(key=key):
                bad = refused(ec2.create_tags, **one, Tags=[{"Key": key, "Value": value}])
                self.assertEqual(bad, ("InvalidParameterValue", 400))
        self.assertEqual(refused(ec2.delete_tags, **one, Tags=[{"Key": "aws:x"}]), ("InvalidParameterValue", 400))


class Snapshots(unittest.TestCase):
    def test_they_are_paged_filtered_and_deleted(self):
        volume = create()
        taken = {snapshot(volume, run="paged", number=str(n)) for n in range(12)}
        ours = [{"Name": "tag:run", "Values": ["paged"]}]
        pages = ec2.get_paginator("describe_snapshots").paginate(
            OwnerIds=["self"], Filters=ours, PaginationConfig={"PageSize": 5}
        )
        pages = [[one["SnapshotId"] for one in page["Snapshots"]] for page in pages]
        self.assertEqual(([len(page) for page in pages], {id for page in pages for id in page}), ([5, 5, 2], taken))
        three = [*ours, {"Name": "tag:number", "Values": ["3"]}]
        (one,) = ec2.describe_snapshots(OwnerIds=["self"], Filters=three)["Snapshots"]
        self.assertEqual((one["VolumeId"], one["VolumeSize"], one["State"]), (volume, 1, "completed"))
        self.assertEqual((one["Progress"], one["StorageTier"]), ("100%", "standard"))

        ec2.create_tags(Resources=[one["SnapshotId"]], Tags=[{"Key": "expires", "Value": "soon"}])
        (one,) = ec2.describe_snapshots(SnapshotIds=[one["SnapshotId"]])["Snapshots"]
        self.assertEqual(tags_of(one), {"run": "paged", "number": "3", "expires": "soon"})
        for id in taken:
            ec2.delete_snapshot(SnapshotId=id)
            self.assertEqual(refused(ec2.delete_snapshot, SnapshotId=id), ("InvalidSnapshot.NotFound", 400))
        self.assertEqual(ec2.describe_snapshots(OwnerIds=["self"], Filters=ours)["Snapshots"], [])

    def test_a_volume_of_one_is_as_large_and_as_secret(self):
        taken = snapshot(create(Size=5, Encrypted=True))
        made = ec2.create_volume(AvailabilityZone=ZONES[1], SnapshotId=taken, VolumeType="io2", Iops=500, Encrypted=False)
        self.assertEqual((made["Size"], made["Encrypted"], made["Iops"]), (5, True, 500))
        self.assertIn("KmsKeyId", made)
        smaller = {"AvailabilityZone": ZONES[1], "SnapshotId": taken, "Size": 4}
        self.assertEqual(refused(ec2.create_volume, **smaller), ("InvalidParameterValue", 400))
        again = {"AvailabilityZone": ZONES[1], "SnapshotId": taken, "ClientToken": "restored"}
        first = ec2.create_volume(**again)["VolumeId"]
        self.assertEqual(ec2.create_volume(**again)["VolumeId"], first)
        ec2.delete_snapshot(SnapshotId=taken)
        code, _ = refused(ec2.create_volume, **{**again, "ClientToken": "late"})
        self.assertEqual(code, "InvalidSnapshot.NotFound")


class Roles(unittest.TestCase):
    def test_a_role_is_taken_on_and_works(self):
        account = sts.get_caller_identity()["Account"]
        role = {"RoleArn": f"arn:aws:iam::{account}:role/moorline-external", "RoleSessionName": "boto"}
        self.assertEqual(refused(sts.assume_role, **role), ("AccessDenied", 403))
        given = sts.assume_role(**role, ExternalId="moorline", DurationSeconds=900)["Credentials"]
        left = given["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
        self.assertLess(abs(left.total_seconds() - 900), 60)
        session = boto3.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )
        arn = session.client("sts").get_caller_identity()["Arn"]
        self.assertEqual(arn, f"arn:aws:sts::{account}:assumed-role/moorline-external/boto")
        volume = create()
        seen = session.client("ec2").describe_volumes(VolumeIds=[volume])["Volumes"]
        self.assertEqual([one["VolumeId"] for one in seen], [volume])

    def test_credentials_that_nobody_gave_are_refused(self):
        forged = boto3.Session(
            aws_access_key_id="ASIA0123456789ABCDEF", aws_secret_access_key="x", aws_session_token="forged"
        )
        self.assertEqual(refused(forged.client("sts").get_caller_identity), ("InvalidClientTokenId", 403))
        self.assertEqual(refused(forged.client("ec2").describe_volumes), ("AuthFailure", 401))


class Protection(unittest.TestCase):
    def test_a_protected_balancer_stays(self):
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        (made,) = v2.create_load_balancer(Name="protected", Type="network", Subnets=[subnet])["LoadBalancers"]
        arn = {"LoadBalancerArn": made["LoadBalancerArn"]}

        def protect(on):
            v2.modify_load_balancer_attributes(**arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": on}])

        protect("true")
        (shown,) = v2.describe_load_balancer_attributes(**arn)["Attributes"]
        self.assertEqual((shown["Key"], shown["Value"]), ("deletion_protection.enabled", "true"))
        self.assertEqual(refused(v2.delete_load_balancer, **arn), ("OperationNotPermitted", 400))
        protect("false")
        v2.delete_load_balancer(**arn)
        v2.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[made["LoadBalancerArn"]])


if __name__ == "__main__":
    unittest.main()
