"""What boto3 sees of an account, or does to it behind moorline's back; the answer is JSON."""

import json
import sys

import boto3

# The names by which moorline tags what it makes: part of its contract.
PROFILE = "tag:moorline.dev/profile"


def volumes(profile):
    pages = boto3.client("ec2").describe_volumes(Filters=[{"Name": PROFILE, "Values": [profile]}])
    return [
        {
            "id": volume["VolumeId"],
            "zone": volume["AvailabilityZone"],
            "type": volume["VolumeType"],
            "size": volume["Size"],
            "state": volume["State"],
            "attachments": len(volume["Attachments"]),
            "tags": {tag["Key"]: tag["Value"] for tag in volume.get("Tags", [])},
        }
        for volume in pages["Volumes"]
    ]


def snapshots(profile):
    found = boto3.client("ec2").describe_snapshots(Filters=[{"Name": PROFILE, "Values": [profile]}])
    return [{"id": snapshot["SnapshotId"], "volume": snapshot["VolumeId"]} for snapshot in found["Snapshots"]]


def delete_volume(volume):
    boto3.client("ec2").delete_volume(VolumeId=volume)


def copy_volume(volume):
    ec2 = boto3.client("ec2")
    original = ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]
    ec2.create_volume(
        AvailabilityZone=original["AvailabilityZone"],
        Size=original["Size"],
        VolumeType=original["VolumeType"],
        TagSpecifications=[{"ResourceType": "volume", "Tags": original["Tags"]}],
    )


def name_of(hostname):
    return hostname.split(".")[0]


def make_balancer(hostname, service):
    listener = {"Protocol": "tcp", "LoadBalancerPort": 80, "InstanceProtocol": "tcp", "InstancePort": 30080}
    made = boto3.client("elb").create_load_balancer(
        LoadBalancerName=name_of(hostname),
        Listeners=[listener],
        AvailabilityZones=["us-east-1a"],
        Tags=[{"Key": "kubernetes.io/service-name", "Value": service}],
    )
    assert made["DNSName"] == hostname, made["DNSName"]


def delete_balancer(hostname):
    boto3.client("elb").delete_load_balancer(LoadBalancerName=name_of(hostname))


def maker(service, cluster):
    # As the AWS Load Balancer Controller does (pkg/deploy/tracking).
    return [{"Key": "elbv2.k8s.aws/cluster", "Value": cluster}, {"Key": "service.k8s.aws/stack", "Value": service}]


def make_target_group(name, port, service, cluster):
    vpc = boto3.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    made = boto3.client("elbv2").create_target_group(
        Name=name, Protocol="TCP", Port=int(port), VpcId=vpc, TargetType="instance", Tags=maker(service, cluster)
    )
    return made["TargetGroups"][0]["TargetGroupArn"]


def make_network_balancer(name, service, cluster):
    elb = boto3.client("elbv2")
    subnet = boto3.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    made = elb.create_load_balancer(Name=name, Type="network", Subnets=[subnet], Tags=maker(service, cluster))
    for port in ["80", "443"]:
        elb.create_listener(
            LoadBalancerArn=made["LoadBalancers"][0]["LoadBalancerArn"],
            Protocol="TCP",
            Port=int(port),
            DefaultActions=[
                {"Type": "forward", "TargetGroupArn": make_target_group(f"{name}-{port}", port, service, cluster)}
            ],
        )


def network_balancers(prefix):
    pages = boto3.client("elbv2").get_paginator("describe_load_balancers").paginate()
    names = [balancer["LoadBalancerName"] for page in pages for balancer in page["LoadBalancers"]]
    return [name for name in names if name.startswith(prefix)]


def target_groups(prefix):
    pages = boto3.client("elbv2").get_paginator("describe_target_groups").paginate()
    names = [group["TargetGroupName"] for page in pages for group in page["TargetGroups"]]
    return sorted(name for name in names if name.startswith(prefix))


def delete_target_group(name):
    elb = boto3.client("elbv2")
    for group in elb.describe_target_groups(Names=[name])["TargetGroups"]:
        elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])


def make_bucket(name):
    boto3.client("s3").create_bucket(Bucket=name)


def objects(bucket):
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    read = [(key, s3.get_object(Bucket=bucket, Key=key)) for key in keys]
    return [
        {"key": key, "metadata": answer["Metadata"], "text": answer["Body"].read().decode()} for key, answer in read
    ]


COMMANDS = {
    "volumes": volumes,
    "snapshots": snapshots,
    "copy-volume": copy_volume,
    "delete-volume": delete_volume,
    "make-balancer": make_balancer,
    "delete-balancer": delete_balancer,
    "make-target-group": make_target_group,
    "make-network-balancer": make_network_balancer,
    "network-balancers": network_balancers,
    "target-groups": target_groups,
    "delete-target-group": delete_target_group,
    "make-bucket": make_bucket,
    "objects": objects,
}

if __name__ == "__main__":
    json.dump(COMMANDS[sys.argv[1]](*sys.argv[2:]), sys.stdout)
