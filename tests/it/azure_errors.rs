//! What only Azure can judge: one clear sentence each, nothing changed before it, and nothing half done that the next run does
//! not finish.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::azure_stage::{Stage, says, shares};

/// Nobody's id.
const NOBODY: &str = "99999999-9999-4999-8999-999999999999";

/// A tenant that exists, and that the subscription does not trust.
const OTHER_TENANT: &str = "11111111-aaaa-4000-8000-000000000002";

/// A class whose accounts keep no deleted shares, and so go with the last one.
const FORGETFUL: &str = "disableDeleteRetentionPolicy: \"true\"";

/// A class of an account that exists.
const IN_SHOPDATA: &str = "storageAccount: shopdata";

/// A class that names its shares too: one for each claim.
const NAMED_IN_SHOPDATA: &str = "storageAccount: shopdata, shareName: \"${pvc.metadata.name}\"";

// Who, and where.

#[test]
fn the_environment_of_a_served_sandbox_is_all_it_takes() {
    let stage = Stage::new().class(FORGETFUL);
    stage.finishes();
    assert_eq!(stage.count("storage_accounts"), 1);
    stage.down().succeeds();
    assert_eq!((stage.count("shares"), stage.count("storage_accounts")), (0, 0));
}

#[test]
fn nobody_is_signed_in() {
    let stage = Stage::new()
        .variable("AZURE_CLIENT_ID", None)
        .variable("AZURE_CLIENT_SECRET", None)
        .variable("AZURE_TENANT_ID", None)
        .variable("AZURE_POD_IDENTITY_AUTHORITY_HOST", None);
    let started = Instant::now();
    says(stage.up(), 3, &["AZURE_CLIENT_ID", "az login"]);
    stage.is_untouched();
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
fn the_environment_names_what_is_not_there() {
    for (variable, value, code, words) in [
        ("AZURE_CLIENT_SECRET", Some("EXPIRED-7431"), 3, ["secret", "expired"]),
        ("AZURE_CLIENT_SECRET", Some("INVALID-7431"), 3, ["secret", "Invalid"]),
        (
            "AZURE_TENANT_ID",
            Some(OTHER_TENANT),
            3,
            ["tenant", "az login --tenant"],
        ),
        (
            "AZURE_TENANT_ID",
            Some(NOBODY),
            3,
            [NOBODY, "check the AZURE_* variables"],
        ),
        ("AZURE_SUBSCRIPTION_ID", Some(NOBODY), 1, [NOBODY, "az account list"]),
        (
            "AZURE_SUBSCRIPTION_ID",
            None,
            1,
            ["no subscription", "AZURE_SUBSCRIPTION_ID"],
        ),
        (
            "AZURE_DEFAULTS_GROUP",
            Some("nowhere"),
            1,
            ["nowhere", "az group create"],
        ),
    ] {
        let stage = Stage::new().variable(variable, value);
        let run = stage.up();
        assert!(!run.stderr.contains("7431"), "{}", run.stderr);
        says(run, code, &words);
        stage.is_untouched();
    }
}

#[test]
fn the_profile_is_pinned_to_somewhere_else() {
    for (pin, code, word) in [("tenant", 3, "tenant"), ("subscription", 1, "subscription")] {
        let stage = Stage::new().pinned(&format!("{pin}: {NOBODY}"));
        says(stage.up(), code, &[word, NOBODY]);
        stage.is_untouched();
    }
}

#[test]
fn a_missing_resource_group_is_made_where_the_profile_says_so() {
    let stage = Stage::new().pinned("resourceGroup: shop, location: westeurope");
    says(stage.up(), 1, &["shop", "az group create"]);
    let stage = stage.pinned("resourceGroup: shop, location: westeurope, createResourceGroup: true");
    stage.finishes();
    let account = &stage.world.state()["storage_accounts"][0];
    assert_eq!(
        [&account["resource_group"], &account["location"]],
        ["shop", "westeurope"]
    );
}

#[test]
fn a_location_that_is_none_is_corrected_in_the_profile() {
    let stage = Stage::new().pinned("location: marsnorth");
    says(stage.up(), 1, &["marsnorth", "az account list-locations"]);
    stage.pinned("location: eastus").finishes();
}

// Accounts.

/// Each class is wrong about the account `shopdata`, a Standard one in the resource group `moorline`; the correction is all it
/// takes.
#[test]
fn the_class_is_wrong_about_its_account() {
    let elsewhere = format!("{IN_SHOPDATA}, subscriptionID: {NOBODY}, resourceGroup: moorline");
    for (wrong, words) in [
        ("storageAccount: shopdatas", &["shopdatas", "does not exist"][..]),
        // Somebody else's.
        ("storageAccount: backup", &["backup", "exists"]),
        (
            "storageAccount: shopdata, skuName: Premium_LRS",
            &["Standard_LRS", "Premium_LRS"],
        ),
        (
            "storageAccount: shopdata, resourceGroup: shop",
            &["resource group moorline", "shop"],
        ),
        ("resourceGroup: nowhere", &["nowhere", "az group create"]),
        (&*elsewhere, &["subscription", NOBODY]),
    ] {
        let (stage, arm) = Stage::with_shopdata(&[]);
        arm.resource_group("shop");
        let stage = stage.class(wrong);
        says(stage.up(), 1, words);
        assert_eq!(
            (stage.count("shares"), stage.count("storage_accounts")),
            (0, 1),
            "{wrong}"
        );
        stage
            .class("storageAccount: shopdata, skuName: Standard_LRS")
            .finishes();
    }
}

#[test]
fn a_derived_name_that_somebody_has_is_followed_by_the_next() {
    let stage = Stage::new();
    stage.refuse("StorageAccounts_Create", Some(1), TAKEN);
    stage.finishes();
    assert_eq!(stage.count("storage_accounts"), 1);
}

#[test]
fn two_profiles_cannot_have_one_account() {
    let (stage, arm) = Stage::with_shopdata(&[]);
    let stage = stage.class(IN_SHOPDATA);
    stage.finishes();
    let other = stage
        .world
        .write("other/profile.yaml", "name: other\nprovider: {azure: {}}\n");
    stage.world.write("other/other.yaml", &shares("other", IN_SHOPDATA));
    says(stage.up_of(&other), 1, &["shopdata", "profile web"]);
    assert_eq!(stage.count("shares"), 2, "the first profile's alone");

    // What is no longer used is free for others, and the owner's own tags are as they were.
    stage.down().succeeds();
    stage.up_of(&other).succeeds();
    assert_eq!(arm.read_account("shopdata")["tags"]["team"], "shop");
}

#[test]
fn an_account_that_was_made_for_another_profile_is_left_alone() {
    let stage = Stage::new();
    stage.finishes();
    let account = stage.world.state()["storage_accounts"][0]["name"].clone();
    let account = account.as_str().unwrap();
    let other = stage
        .world
        .write("other/profile.yaml", "name: other\nprovider: {azure: {}}\n");
    let class = format!("storageAccount: {account}");
    stage.world.write("other/other.yaml", &shares("other", &class));
    says(stage.up_of(&other), 1, &[account, "profile web"]);
    assert_eq!(stage.count("shares"), 2);
}

// What Azure refuses.

const TAKEN: (u16, &str, &str) = (
    409,
    "StorageAccountAlreadyTaken",
    "The storage account named x is already taken.",
);
const NO_SKU: (u16, &str, &str) = (400, "SkuNotAvailable", "The requested SKU is not available in eastus.");
const POLICY: (u16, &str, &str) = (
    403,
    "RequestDisallowedByPolicy",
    "Resource 'x' was disallowed by policy.",
);
const FULL: (u16, &str, &str) = (
    400,
    "TotalSharesProvisionedCapacityExceedsAccountLimit",
    "The total provisioned capacity of the shares has exceeded the account maximum size limit.",
);

/// As soon as Azure no longer refuses it, the next run finishes.
#[test]
fn what_azure_refuses_is_said_and_finished_later() {
    for (operation, refusal, code, words) in [
        ("StorageAccounts_Create", TAKEN, 1, ["taken", "storageAccount"]),
        ("StorageAccounts_Create", NO_SKU, 1, ["not available", "skuName"]),
        ("StorageAccounts_Create", POLICY, 3, ["policy", "owner"]),
        ("FileShares_Create", FULL, 1, ["accounts", "limit"]),
    ] {
        let stage = Stage::new();
        stage.refuse(operation, None, refusal);
        says(stage.up(), code, &words);
        stage.world.run("sandbox fault clear").succeeds();
        stage.finishes();
    }
}

#[test]
fn a_limit_or_a_missing_permission_is_said_and_finished_later() {
    let may_not = |action: &str| json!([format!("Microsoft.Storage/storageAccounts/{action}")]);
    for (setting, wrong, right, code, words) in [
        (
            "account_limit",
            json!(0),
            json!(1),
            1,
            ["maximum allowed", "raise the limit"],
        ),
        (
            "denied_actions",
            may_not("write"),
            json!([]),
            3,
            ["storageAccounts/write", "role"],
        ),
        (
            "denied_actions",
            may_not("fileServices/shares/write"),
            json!([]),
            3,
            ["fileServices/shares/write", "role"],
        ),
        (
            "denied_actions",
            may_not("listKeys/action"),
            json!([]),
            3,
            ["listKeys/action", "role"],
        ),
        (
            "denied_actions",
            may_not("read"),
            json!([]),
            3,
            ["storageAccounts/read", "role"],
        ),
    ] {
        let stage = Stage::with(|azure| azure[setting] = wrong);
        says(stage.up(), code, &words);
        stage.world.configure(|settings| settings["azure"][setting] = right);
        stage.finishes();
        assert_eq!(stage.count("storage_accounts"), 1);
    }
}

#[test]
fn a_lock_forbids_changes() {
    let stage = Stage::new();
    let arm = stage.arm();
    arm.lock("ReadOnly");
    says(stage.up(), 3, &["lock", "az lock list"]);
    arm.unlock();
    stage.finishes();
}

#[test]
fn a_lock_forbids_deletions() {
    let stage = Stage::new().class(FORGETFUL);
    stage.finishes();
    let arm = stage.arm();
    arm.lock("CanNotDelete");
    let down = stage.down().exits(3);
    let said = format!("{}{}", down.stdout, down.stderr);
    assert!(said.contains("lock") && said.contains("az lock list"), "{said}");
    assert_eq!(stage.count("shares"), 2, "nothing is gone, and nothing forgotten");
    arm.unlock();
    stage.down().succeeds();
    assert_eq!((stage.count("shares"), stage.count("storage_accounts")), (0, 0));
}

#[test]
fn throttling_is_waited_out() {
    let stage = Stage::new();
    for operation in ["StorageAccounts_Create", "FileShares_Create"] {
        stage.refuse(operation, Some(1), (429, "TooManyRequests", "slow down"));
    }
    stage.finishes();
}

#[test]
fn an_answer_that_was_lost_is_found_again() {
    for operation in [
        "StorageAccounts_Create",
        "FileShares_Create",
        "StorageAccounts_ListKeys",
    ] {
        let stage = Stage::new();
        stage.world.fault(
            &json!({"service": "arm", "operation": operation, "moment": "after", "times": 1, "effect": "reset"}),
        );
        // The call is repeated by itself, or by the next run: either way nothing is made twice.
        let first = stage.up();
        assert!(matches!(first.code, Some(0 | 3)), "{}", first.stderr);
        stage.finishes();
        assert_eq!(stage.count("storage_accounts"), 1);
    }
}

// Shares that were there before.

#[test]
fn a_share_being_deleted_holds_its_name() {
    let (stage, arm) = Stage::with_shopdata(&["data-web-0"]);
    stage
        .world
        .configure(|settings| settings["azure"]["name_release_millis"] = json!(600_000));
    let stage = stage.class(NAMED_IN_SHOPDATA);
    arm.delete_share("shopdata", "data-web-0");
    let run = stage.run(&format!("up {} --timeout 5s", stage.folder.display()));
    says(run, 3, &["name of a deleted one", "some minutes"]);
    stage.world.run("sandbox clock advance 20m").succeeds();
    stage.finishes();
}

#[test]
fn a_soft_deleted_share_of_the_same_name_is_not_revived() {
    let (stage, arm) = Stage::with_shopdata(&["data-web-0"]);
    arm.delete_share("shopdata", "data-web-0");
    let stage = stage.class(NAMED_IN_SHOPDATA);
    stage.finishes();
    let kept = arm.deleted_shares("shopdata");
    assert_eq!(kept, ["data-web-0"], "what was deleted before can still be restored");
}

#[test]
fn shares_that_were_there_before_are_used_and_outlive_the_profile() {
    let (stage, _) = Stage::with_shopdata(&["data-web-0", "data-web-1"]);
    let stage = stage.class(NAMED_IN_SHOPDATA);
    stage.finishes();
    let down = stage.down().succeeds();
    assert!(down.stdout.contains("shopdata.file/data-web-0"), "{}", down.stdout);
    assert_eq!(stage.count("shares"), 2, "{}", down.stdout);
}
