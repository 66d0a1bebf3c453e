//! What things cost.

use moorline_api::{AzureAccount, AzureContainer, AzureDisk, AzureShare, VolumeConfig};

use super::*;

const AWS: CloudName = CloudName::Aws;
const AZURE: CloudName = CloudName::Azure;

fn ebs(volume_type: &str, size_gib: u32, iops: Option<u32>, throughput: Option<u32>) -> VolumeSpec {
    let config = VolumeConfig::Ebs {
        volume_type: volume_type.to_owned(),
        iops,
        throughput,
        encrypted: None,
        kms_key_id: None,
    };
    sized(size_gib, config)
}

fn sized(size_gib: u32, config: VolumeConfig) -> VolumeSpec {
    VolumeSpec {
        size_gib,
        zone: None,
        config,
    }
}

fn share(sku: &str, tier: Option<&str>) -> VolumeSpec {
    let config = AzureShare {
        account: account(sku),
        access_tier: tier.map(str::to_owned),
        ..AzureShare::default()
    };
    sized(100, VolumeConfig::AzureFile(config))
}

fn container(sku: &str, tier: Option<&str>) -> VolumeSpec {
    let mut config = AzureContainer {
        account: account(sku),
        ..AzureContainer::default()
    };
    config.account.access_tier = tier.map(str::to_owned);
    sized(100, VolumeConfig::AzureBlob(config))
}

fn account(sku: &str) -> AzureAccount {
    AzureAccount {
        sku: sku.to_owned(),
        ..AzureAccount::default()
    }
}

fn disk(sku: &str, size_gib: u32) -> VolumeSpec {
    let config = AzureDisk {
        sku: sku.to_owned(),
        ..AzureDisk::default()
    };
    sized(size_gib, VolumeConfig::AzureDisk(config))
}

fn assert_cost(actual: Option<f64>, expected: Option<f64>, what: &str) {
    let same = match (actual, expected) {
        (Some(actual), Some(expected)) => (actual - expected).abs() < 1e-6,
        (actual, expected) => actual == expected,
    };
    assert!(same, "{what}: {actual:?}, not {expected:?}");
}

#[test]
fn disks_of_amazon_cost_their_size_and_what_is_above_the_base() {
    let prices = Prices::builtin();
    for (region, spec, expected) in [
        ("us-east-1", ebs("gp2", 10, Some(100), None), Some(1.0)),
        ("us-east-1", ebs("gp3", 100, Some(3_000), Some(125)), Some(8.0)),
        ("us-east-1", ebs("gp3", 100, None, None), Some(8.0)),
        (
            "us-east-1",
            ebs("gp3", 100, Some(4_000), Some(225)),
            Some(8.0 + 5.0 + 4.0),
        ),
        ("eu-central-1", ebs("gp3", 0, Some(0), Some(1_125)), Some(47.6)),
        ("us-east-1", ebs("io1", 100, Some(1_000), None), Some(12.5 + 65.0)),
        ("us-east-1", ebs("io2", 100, Some(32_000), None), Some(12.5 + 2_080.0)),
        // As the list has it: 0.065, 0.0455 and 0.03185 for one more in each tier.
        (
            "us-east-1",
            ebs("io2", 100, Some(32_001), None),
            Some(12.5 + 2_080.0 + 0.0455),
        ),
        (
            "us-east-1",
            ebs("io2", 100, Some(64_001), None),
            Some(12.5 + 2_080.0 + 1_456.0 + 0.03185),
        ),
        ("sa-east-1", ebs("standard", 100, None, None), Some(12.0)),
        ("af-south-1", ebs("sc1", 1_000, None, None), Some(19.992)),
        // The list has no io2 there, and no such region, type or cloud.
        ("sa-east-1", ebs("io2", 100, Some(1_000), None), None),
        ("mars-north-1", ebs("gp3", 1, None, None), None),
        ("us-east-1", ebs("gp9", 1, None, None), None),
        ("us-east-1", share("Premium_LRS", None), None),
    ] {
        assert_cost(
            prices.volume(AWS, region, &spec),
            expected,
            &format!("{region} {spec:?}"),
        );
    }
}

#[test]
fn shares_and_containers_cost_by_sku_and_tier() {
    let prices = Prices::builtin();
    for (region, spec, expected) in [
        ("eastus", share("Standard_LRS", None), Some(6.0)),
        (
            "East US",
            share("Standard_LRS", Some("TransactionOptimized")),
            Some(6.0),
        ),
        ("eastus", share("Standard_LRS", Some("Hot")), Some(2.87)),
        ("eastus2", share("Standard_ZRS", Some("Cool")), Some(1.88)),
        ("westus", share("Premium_LRS", Some("Premium")), Some(17.6)),
        ("eastus", share("PremiumV2_LRS", None), None),
        ("marsnorth", share("Standard_LRS", None), None),
        ("westus", container("Standard_GRS", Some("Hot")), Some(4.58)),
        ("westus", container("Standard_LRS", Some("Cool")), Some(1.15)),
        ("westeurope", container("Standard_LRS", None), Some(1.96)),
        ("westeurope", container("Premium_LRS", None), None),
    ] {
        assert_cost(
            prices.volume(AZURE, region, &spec),
            expected,
            &format!("{region} {spec:?}"),
        );
    }
}

#[test]
fn managed_disks_cost_what_the_tier_above_their_size_does() {
    let prices = Prices::builtin();
    for (spec, expected) in [
        (disk("Premium_LRS", 128), Some(19.71)),
        (disk("Premium_LRS", 129), Some(38.01)),
        (disk("Standard_LRS", 1), Some(1.54)),
        (disk("StandardSSD_LRS", 1_000), Some(76.8)),
        (disk("Premium_ZRS", 128), None),
        (disk("PremiumV2_LRS", 128), None),
        (disk("UltraSSD_LRS", 128), None),
        (disk("Premium_LRS", 40_000), None),
    ] {
        assert_cost(prices.volume(AZURE, "eastus", &spec), expected, &format!("{spec:?}"));
    }
}

#[test]
fn snapshots_cost_no_more_than_all_that_can_be_in_them() {
    let prices = Prices::builtin();
    assert_cost(
        prices.snapshot(AWS, "us-east-1", &ebs("io2", 100, Some(9), None)),
        Some(5.0),
        "EBS",
    );
    assert_cost(
        prices.snapshot(AZURE, "eastus", &disk("Premium_LRS", 100)),
        Some(5.0),
        "disk",
    );
    assert_cost(
        prices.snapshot(AZURE, "eastus", &share("Premium_LRS", None)),
        Some(16.0),
        "share",
    );
}

#[test]
fn load_balancers_cost_by_the_hour() {
    let prices = Prices::builtin();
    let cost = |region, kind| prices.load_balancer(AWS, region, kind);
    assert_cost(cost("us-east-1", LoadBalancerKind::Classic), Some(18.25), "classic");
    assert_cost(cost("us-east-1", LoadBalancerKind::Network), Some(16.425), "network");
    assert_cost(
        cost("ap-northeast-2", LoadBalancerKind::Gateway),
        Some(9.125),
        "gateway",
    );
    assert_cost(cost("eu-south-2", LoadBalancerKind::Classic), None, "unknown");
    let azure = prices.load_balancer(AZURE, "eastus", LoadBalancerKind::Network);
    assert_cost(azure, None, "Azure");
}

#[test]
fn overrides_come_first_and_only_where_they_are() {
    let mut overrides = Overrides::none();
    overrides.insert(AWS, "us-east-1", "gp2", 0.05).unwrap();
    overrides.insert(AWS, "mars-north-1", "classic.hour", 0.0).unwrap();
    overrides.insert(AZURE, "East US", "disk.P10_ZRS", 30.0).unwrap();
    assert!(!overrides.is_empty());
    let prices = Prices::with(overrides);
    assert_cost(
        prices.volume(AWS, "us-east-1", &ebs("gp2", 100, None, None)),
        Some(5.0),
        "override",
    );
    assert_cost(
        prices.volume(AWS, "us-east-2", &ebs("gp2", 100, None, None)),
        Some(10.0),
        "other region",
    );
    assert_cost(
        prices.volume(AWS, "us-east-1", &ebs("gp3", 100, None, None)),
        Some(8.0),
        "other item",
    );
    assert_cost(
        prices.load_balancer(AWS, "mars-north-1", LoadBalancerKind::Classic),
        Some(0.0),
        "for nothing",
    );
    assert_cost(
        prices.volume(AZURE, "eastus", &disk("Premium_ZRS", 100)),
        Some(30.0),
        "by any name of its region",
    );
}

#[test]
fn what_is_no_price_is_refused() {
    let mut overrides = Overrides::none();
    let unknown = overrides
        .insert(AWS, "us-east-1", "share.Premium_LRS", 1.0)
        .unwrap_err();
    assert!(unknown.to_string().contains("AWS"), "{unknown}");
    for price in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(
            overrides.insert(AWS, "us-east-1", "gp2", price),
            Err(PriceError::NoPrice)
        );
    }
    assert!(overrides.is_empty());
}

#[test]
fn every_region_of_amazon_has_the_prices_of_ordinary_volumes() {
    let prices = Prices::builtin();
    let regions = regions(AWS);
    assert!(regions.len() >= 31, "{regions:?}");
    for region in regions {
        for volume_type in ["gp2", "gp3", "io1", "st1", "sc1", "standard"] {
            let spec = ebs(volume_type, 100, Some(4_000), Some(200));
            let cost = prices.volume(AWS, region, &spec);
            assert!(
                cost.is_some_and(|cost| (1.0..1_000.0).contains(&cost)),
                "{region} {volume_type}"
            );
            assert!(prices.snapshot(AWS, region, &spec).is_some(), "{region}");
        }
    }
}

#[test]
fn tables_say_where_they_are_from_and_of_when() {
    for cloud in [AWS, AZURE] {
        assert!(source(cloud).starts_with("https://"), "{}", source(cloud));
        let day = dated(cloud);
        assert!(day.len() == 10 && day.starts_with("20"), "{day}");
        assert!(items(cloud).is_sorted_by(|one, next| one < next));
    }
}
