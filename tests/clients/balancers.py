"""Classic and network load balancers in an account that answers at once."""

import unittest

from account import client, refused, tags_of

classic = client("elb")
v2 = client("elbv2")
LISTENERS = [{"Protocol": "TCP", "LoadBalancerPort": 80, "InstanceProtocol": "TCP", "InstancePort": 30080}]


def create_classic(name, **arguments):
    zones = {"AvailabilityZones": ["us-east-1a"]}
    return classic.create_load_balancer(LoadBalancerName=name, Listeners=LISTENERS, **zones, **arguments)


def create_network(name, **arguments):
    subnets = client("ec2").describe_subnets()["Subnets"]
    arguments = {"Type": "network", "Subnets": [subnets[0]["SubnetId"]], **arguments}
    (made,) = v2.create_load_balancer(Name=name, **arguments)["LoadBalancers"]
    return made


class Classic(unittest.TestCase):
    def test_one_is_made_described_tagged_and_deleted(self):
        name = "classic-life"
        tags = [{"Key": "kubernetes.io/service-name", "Value": "default/my-app"}]
        host = create_classic(name, Tags=tags)["DNSName"]
        self.assertRegex(host, rf"^{name}-\d+\.us-east-1\.elb\.amazonaws\.com$")
        (seen,) = classic.describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"]
        self.assertEqual((seen["DNSName"], seen["Scheme"]), (host, "internet-facing"))
        listener = seen["ListenerDescriptions"][0]["Listener"]
        self.assertEqual((listener["LoadBalancerPort"], listener["InstancePort"]), (80, 30080))

        classic.add_tags(LoadBalancerNames=[name], Tags=[{"Key": "owner", "Value": "us"}])
        classic.remove_tags(LoadBalancerNames=[name], Tags=[{"Key": "kubernetes.io/service-name"}])
        (described,) = classic.describe_tags(LoadBalancerNames=[name])["TagDescriptions"]
        self.assertEqual((described["LoadBalancerName"], tags_of(described)), (name, {"owner": "us"}))

        classic.delete_load_balancer(LoadBalancerName=name)
        self.assertEqual(
            refused(classic.describe_load_balancers, LoadBalancerNames=[name]), ("LoadBalancerNotFound", 400)
        )
        classic.delete_load_balancer(LoadBalancerName=name)  # again: documented to succeed

    def test_a_name_is_taken_once(self):
        create_classic("taken")
        other = [{**LISTENERS[0], "LoadBalancerPort": 443}]
        again = {"LoadBalancerName": "taken", "Listeners": other, "AvailabilityZones": ["us-east-1a"]}
        self.assertEqual(refused(classic.create_load_balancer, **again), ("DuplicateLoadBalancerName", 400))

    def test_every_one_is_on_one_page(self):
        names = {f"paged-{n}" for n in range(23)}
        for name in names:
            create_classic(name)
        for size in [1, 5, 400]:
            pages = classic.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": size})
            pages = [[one["LoadBalancerName"] for one in page["LoadBalancerDescriptions"]] for page in pages]
            listed = [name for page in pages for name in page]
            self.assertEqual(len(listed), len(set(listed)))
            self.assertLessEqual(names, set(listed))
            self.assertLessEqual(max(map(len, pages)), size)
        self.assertEqual(refused(classic.describe_load_balancers, PageSize=401), ("ValidationError", 400))
        twenty_one = sorted(names)[:21]
        self.assertEqual(len(classic.describe_tags(LoadBalancerNames=twenty_one[:20])["TagDescriptions"]), 20)
        self.assertEqual(refused(classic.describe_tags, LoadBalancerNames=twenty_one)[1], 400)


class Version2(unittest.TestCase):
    def test_one_is_made_described_tagged_and_deleted(self):
        made = create_network("network-life", Tags=[{"Key": "owner", "Value": "us"}])
        arn = made["LoadBalancerArn"]
        self.assertRegex(arn, r"^arn:aws:elasticloadbalancing:us-east-1:\d{12}:loadbalancer/net/network-life/[0-9a-f]{16}$")
        self.assertRegex(made["DNSName"], r"^network-life-[0-9a-f]{16}\.elb\.us-east-1\.amazonaws\.com$")
        v2.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn])
        (seen,) = v2.describe_load_balancers(Names=["network-life"])["LoadBalancers"]
        self.assertEqual((seen["Type"], seen["State"]["Code"]), ("network", "active"))
        (described,) = v2.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        self.assertEqual(tags_of(described), {"owner": "us"})
        v2.delete_load_balancer(LoadBalancerArn=arn)
        v2.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[arn])
        self.assertEqual(refused(v2.describe_load_balancers, LoadBalancerArns=[arn]), ("LoadBalancerNotFound", 400))

    def test_a_name_is_taken_once(self):
        create_network("taken-v2")
        self.assertEqual(
            refused(create_network, name="taken-v2", Scheme="internal"), ("DuplicateLoadBalancerName", 400)
        )

    def test_every_one_is_on_one_page(self):
        names = {f"v2-paged-{n}" for n in range(12)}
        for name in names:
            create_network(name)
        pages = v2.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 5})
        pages = [[one["LoadBalancerName"] for one in page["LoadBalancers"]] for page in pages]
        listed = [name for page in pages for name in page]
        self.assertEqual(len(listed), len(set(listed)))
        self.assertLessEqual(names, set(listed))
        self.assertLessEqual(max(map(len, pages)), 5)

    def test_the_two_generations_do_not_see_each_other(self):
        create_classic("only-classic")
        self.assertEqual(refused(v2.describe_load_balancers, Names=["only-classic"]), ("LoadBalancerNotFound", 400))


if __name__ == "__main__":
    unittest.main()
