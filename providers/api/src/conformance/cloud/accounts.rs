//! Who we are, and where.

use super::Backend;

pub(super) async fn names_itself_and_the_caller(cloud: Backend) {
    let account = cloud.accounts().account().await.unwrap();
    let number = &account.id.0;
    assert!(
        number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit()),
        "{number:?} is no account number"
    );
    assert!(
        account.caller.starts_with("arn:aws") && account.caller.contains(number),
        "{:?} is no caller of account {number}",
        account.caller
    );
}

pub(super) async fn has_zones_of_its_region(cloud: Backend) {
    let account = cloud.accounts().account().await.unwrap();
    assert!(account.zones.len() > 1, "{:?}", account.zones);
    assert!(account.zones.is_sorted(), "{:?}", account.zones);
    for zone in &account.zones {
        let letter = zone.strip_prefix(&account.region);
        assert!(
            letter.is_some_and(|letter| letter.len() == 1),
            "{zone} is no zone of {}",
            account.region
        );
    }
}

pub(super) async fn is_asked_only_once(cloud: Backend) {
    let first = cloud.accounts().account().await.unwrap();
    let sent = (cloud.sent("GetCallerIdentity"), cloud.sent("DescribeAvailabilityZones"));
    assert_eq!(cloud.accounts().account().await.unwrap(), first);
    assert_eq!(
        (cloud.sent("GetCallerIdentity"), cloud.sent("DescribeAvailabilityZones")),
        sent
    );
}
