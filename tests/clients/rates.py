"""An account as it comes: rates that run out, changes that are seen late, credentials that are refused."""

import time
import unittest

import boto3
from account import ZONES, client, refused, tagged
from botocore.config import Config
from botocore.exceptions import ClientError

ec2 = client("ec2")


def create(via=ec2, **arguments):
    return via.create_volume(AvailabilityZone=ZONES[0], Size=1, VolumeType="gp2", **arguments)["VolumeId"]


def refused_or_none(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error
    return None


class Consistency(unittest.TestCase):
    def test_a_new_volume_is_seen_late_and_is_available_then(self):
        volume = create()
        self.assertEqual(refused(ec2.describe_volumes, VolumeIds=[volume]), ("InvalidVolume.NotFound", 400))
        give_up = time.monotonic() + 60
        while refused_or_none(ec2.describe_volumes, VolumeIds=[volume]):
            self.assertLess(time.monotonic(), give_up)
            time.sleep(0.1)
        ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1, "MaxAttempts": 60})


class Rates(unittest.TestCase):
    def test_deletes_run_out_and_flow_back(self):
        absent = {"VolumeId": "vol-0123456789abcdef0"}
        served = 0
        while (answer := refused(ec2.delete_volume, **absent)) == ("InvalidVolume.NotFound", 400):
            served += 1
            self.assertLess(served, 5000, "the calls never run out")
        self.assertEqual(answer, ("RequestLimitExceeded", 503))
        self.assertGreaterEqual(served, 100)
        # Each call has a bucket of its own: reading goes on.
        ec2.describe_volumes(MaxResults=5)
        # boto3's own retries wait long enough for the next token.
        patient = client("ec2", attempts=8)
        self.assertEqual(refused(patient.delete_volume, **absent), ("InvalidVolume.NotFound", 400))


class Credentials(unittest.TestCase):
    def client(self, key):
        once = Config(retries={"total_max_attempts": 1})
        return boto3.client("ec2", aws_access_key_id=key, aws_secret_access_key="secret", config=once)

    def test_expired_ones_are_refused(self):
        code, status = refused(self.client("EXPIRED").describe_volumes)
        self.assertIn(code, ["RequestExpired", "ExpiredToken", "AuthFailure"])
        self.assertIn(status, [400, 401, 403])

    def test_unsigned_calls_are_refused(self):
        from botocore import UNSIGNED

        unsigned = boto3.client("ec2", config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}))
        code, status = refused(unsigned.describe_volumes)
        self.assertIn(code, ["MissingAuthenticationToken", "AuthFailure"])
        self.assertIn(status, [400, 401, 403])

    def test_no_call_changed_anything_for_them(self):
        with self.assertRaises(ClientError):
            create(self.client("EXPIRED"), TagSpecifications=tagged("volume", who="nobody"))
        filters = [{"Name": "tag:who", "Values": ["nobody"]}]
        self.assertEqual(ec2.describe_volumes(Filters=filters)["Volumes"], [])


if __name__ == "__main__":
    unittest.main()
