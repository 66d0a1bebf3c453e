//! A class's parameters, read: what is created, and what goes into the PersistentVolume.

use std::collections::BTreeMap;

use moorline_api::places::{location_name, resource_group_problem, uuid_problem};
use moorline_api::{AzureAccount, FieldProblem, StorageClass, azure};

use crate::catalogue::Driver;
use crate::names::{Service, account_name_problem, volume_name_problem};
use crate::reader::{Reader, nearest};
use crate::skus::{self, Sku};

/// What a tag's name may not begin with, and whose those are.
const RESERVED_TAGS: [(&str, &str); 4] = [
    ("moorline", "moorline's"),
    ("microsoft", "Azure's"),
    ("azure", "Azure's"),
    ("windows", "Azure's"),
];

/// A class's parameters, read.
pub(crate) struct Parameters {
    pub(crate) driver: Driver,
    /// `None` only where the SKU cannot be read, which is among the problems.
    pub(crate) sku: Option<&'static Sku>,
    /// `smb`, `nfs`, `fuse`, `fuse2`.
    pub(crate) protocol: &'static str,
    /// The name that the class gives, with what stands for a claim in it.
    pub(crate) name: Option<String>,
    pub(crate) name_prefix: Option<String>,
    pub(crate) share_tier: Option<&'static str>,
    pub(crate) root_squash: Option<&'static str>,
    pub(crate) iops: Option<u32>,
    pub(crate) bandwidth: Option<u32>,
    pub(crate) read_only: bool,
    /// Whether nodes mount with the account's key.
    pub(crate) needs_key: bool,
    pub(crate) secret_name: Option<String>,
    pub(crate) secret_namespace: Option<String>,
    pub(crate) attributes: BTreeMap<String, String>,
    /// All of the account but SKU and kind.
    pub(crate) account: AzureAccount,
}

/// Reads all parameters and reports all that is wrong with each by itself and with each other.
pub(crate) fn read(class: &StorageClass) -> (Parameters, Vec<FieldProblem>) {
    let mut reader = Reader::new(class);
    let driver = reader.driver;
    let protocol = protocol(&mut reader);
    let sku = sku(&mut reader, protocol);
    let needs_key = needs_key(&mut reader, protocol);
    let account = account(&mut reader, protocol, needs_key);
    let secret_name = secret(&mut reader, "secretName", 253);
    if secret_name.is_some() && account.name.is_none() {
        let cause = "one Secret cannot hold the keys of the several accounts that moorline may make";
        reader.wrong(
            "secretName",
            cause,
            "name the account too, with storageAccount, or remove secretName",
        );
    }
    let mut parameters = Parameters {
        driver,
        sku,
        protocol,
        name: name(&mut reader),
        name_prefix: name_prefix(&mut reader),
        share_tier: None,
        root_squash: None,
        iops: None,
        bandwidth: None,
        read_only: reader.flag("readOnly").unwrap_or_default(),
        needs_key,
        secret_name,
        secret_namespace: secret(&mut reader, "secretNamespace", 63),
        attributes: BTreeMap::new(),
        account,
    };
    if driver.service == Service::Files {
        of_shares(&mut reader, &mut parameters);
    } else {
        of_containers(&mut reader, &mut parameters);
    }
    server(&mut reader, &parameters.account);
    parameters.attributes = reader.attributes;
    (parameters, reader.problems)
}

/// The name of a Secret or of a namespace, as Kubernetes takes it; only Secrets may have dots.
fn secret(reader: &mut Reader<'_>, key: &'static str, longest: usize) -> Option<String> {
    let name = reader.text(key)?;
    let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let part = |part: &str| {
        part.bytes().all(|byte| right(byte) || byte == b'-')
            && part.bytes().next().is_some_and(right)
            && part.bytes().last().is_some_and(right)
    };
    let dots = longest > 63;
    if name.len() > longest || !name.split('.').all(part) || (!dots && name.contains('.')) {
        let cause = format!("{key} cannot be {name:?}");
        let also = if dots { ", - and ." } else { " and -" };
        let cure = format!("use at most {longest} lower-case letters, digits{also}");
        reader.wrong(key, cause, cure);
    }
    Some(name)
}

fn protocol(reader: &mut Reader<'_>) -> &'static str {
    let (choices, default): (&[&str], _) = match reader.driver.service {
        Service::Files => (&["smb", "nfs"], "smb"),
        Service::Blobs => (&["fuse2", "fuse", "nfs"], "fuse"),
    };
    let protocol = reader.choice("protocol", choices).unwrap_or(default);
    if protocol == "nfs" && !reader.has("storageAccount") {
        let cause =
            "an account is reached by NFS only from networks that it admits, and moorline does not change networks";
        reader.wrong("protocol", cause, "prepare an account and name it with storageAccount");
    }
    protocol
}

fn sku(reader: &mut Reader<'_>, protocol: &str) -> Option<&'static Sku> {
    let service = reader.driver.service;
    let nfs_share = service == Service::Files && protocol == "nfs";
    let key = if reader.has("skuName") {
        "skuName"
    } else {
        "storageAccountType"
    };
    if reader.has("skuName") && reader.has("storageAccountType") {
        reader.wrong(
            "storageAccountType",
            "storageAccountType is another name of skuName",
            "keep one of them",
        );
    }
    if !reader.has(key) {
        return skus::find(if nfs_share { "Premium_LRS" } else { "Standard_LRS" }, service);
    }
    let text = reader.text(key)?;
    let found = skus::find(&text, service);
    match found {
        None => {
            let known: Vec<_> = skus::of(service).map(|sku| sku.name).collect();
            let all = format!("SKUs are {}", skus::names(service));
            let cure = nearest(&text, &known).map_or_else(|| all.clone(), |near| format!("did you mean {near}? {all}"));
            let what = match service {
                Service::Files => "of an account for file shares",
                Service::Blobs => "of an account for blobs",
            };
            reader.wrong(key, format!("{text:?} is no SKU {what}"), cure);
        }
        Some(sku) if nfs_share && !sku.is_premium() => {
            let cause = format!("{} has no NFS shares", sku.name);
            reader.wrong(key, cause, "use Premium_LRS or Premium_ZRS, or protocol: smb");
        }
        Some(_) => {}
    }
    found
}

/// NFS, and nodes that have an identity of their own, need no key.
fn needs_key(reader: &mut Reader<'_>, protocol: &str) -> bool {
    let mut own_identity = false;
    for key in ["mountWithManagedIdentity", "mountWithWorkloadIdentityToken"] {
        if reader.flag(key) == Some(true) {
            own_identity = true;
            reader.attributes.insert(key.to_owned(), "true".to_owned());
            if reader.driver.service == Service::Files && !reader.has("storageAccount") {
                let cause = format!("{key} needs an account that admits identities, which moorline does not set up");
                reader.wrong(key, cause, "prepare an account and name it with storageAccount");
            }
        }
    }
    let without = reader
        .attributes
        .get("AzureStorageAuthType")
        .is_some_and(|kind| kind != "Key");
    let stored = reader.flag("storeAccountKey").unwrap_or(true);
    stored && protocol != "nfs" && !own_identity && !without
}

fn account(reader: &mut Reader<'_>, protocol: &str, needs_key: bool) -> AzureAccount {
    let name = reader.text("storageAccount");
    if let Some(why) = name.as_deref().and_then(account_name_problem) {
        reader.wrong("storageAccount", why, "use the name of an account that exists");
    }
    let shared_keys = reader.flag("allowSharedKeyAccess");
    if needs_key && shared_keys == Some(false) {
        let cause = "nodes mount with the account's key, which this makes useless";
        reader.wrong(
            "allowSharedKeyAccess",
            cause,
            "remove it, or add storeAccountKey: \"false\"",
        );
    }
    let subscription = reader.text("subscriptionID").map(|id| id.to_ascii_lowercase());
    if let Some((id, why)) = subscription.as_deref().and_then(|id| Some((id, uuid_problem(id)?))) {
        let cause = format!("subscriptionID cannot be {id:?}: {why}");
        reader.wrong("subscriptionID", cause, "use the id of: az account show --query id");
    }
    let resource_group = reader.text("resourceGroup");
    if let Some((group, why)) = resource_group
        .as_deref()
        .and_then(|group| Some((group, resource_group_problem(group)?)))
    {
        let cause = format!("resourceGroup cannot be {group:?}: {why}");
        reader.wrong("resourceGroup", cause, "use a name of: az group list --query [].name");
    }
    if subscription.is_some() && resource_group.is_none() {
        reader.wrong(
            "subscriptionID",
            "a subscription needs a resource group",
            "add resourceGroup",
        );
    }
    let fixed: [&'static str; 6] = [
        "location",
        "tags",
        "allowBlobPublicAccess",
        "requireInfraEncryption",
        "publicNetworkAccess",
        "isHnsEnabled",
    ];
    for key in fixed {
        if name.is_some() && reader.has(key) {
            let cause = format!("{key} is for accounts to be made, and storageAccount names one that exists");
            reader.wrong(key, cause, "keep one of them");
        }
    }
    AzureAccount {
        sku: String::new(),
        kind: String::new(),
        name,
        subscription,
        resource_group,
        location: location(reader),
        https_only: protocol != "nfs",
        large_file_shares: None,
        public_blobs: reader.flag("allowBlobPublicAccess").unwrap_or_default(),
        infrastructure_encryption: reader.flag("requireInfraEncryption"),
        shared_keys,
        public_network_access: reader
            .choice("publicNetworkAccess", &["Enabled", "Disabled", "SecuredByPerimeter"])
            .map(str::to_owned),
        access_tier: None,
        hierarchical: None,
        keep_deleted_shares: None,
        tags: tags(reader),
    }
}

/// However it is spelled: the driver leaves that to Azure, which takes both.
fn location(reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.text("location")?;
    let name = location_name(&text);
    if name.is_none() {
        let cause = format!("{text:?} is no location");
        reader.wrong(
            "location",
            cause,
            "use a name of: az account list-locations --query [].name",
        );
    }
    name
}

/// `foo=aaa,bar=bbb`, or with another delimiter.
fn tags(reader: &mut Reader<'_>) -> BTreeMap<String, String> {
    let delimiter = reader.text("tagValueDelimiter").unwrap_or_else(|| ",".to_owned());
    let Some(text) = reader.text("tags") else {
        return BTreeMap::new();
    };
    let mut tags = BTreeMap::new();
    for pair in text.split(&delimiter) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (key.trim(), value.trim());
        let allowed = !key.is_empty()
            && key.len() <= 128
            && value.len() <= 256
            && !key.contains(['<', '>', '%', '&', '\\', '?', '/']);
        if !allowed || !pair.contains('=') {
            reader.wrong("tags", format!("{pair:?} is no tag"), "write tags: foo=aaa,bar=bbb");
        } else if let Some((_, whose)) = RESERVED_TAGS
            .iter()
            .find(|(prefix, _)| key.to_ascii_lowercase().starts_with(prefix))
        {
            reader.wrong("tags", format!("{key} is a tag of {whose} own"), "remove it");
        } else {
            tags.insert(key.to_owned(), value.to_owned());
        }
    }
    tags
}

/// `shareName` and `containerName`, in which the drivers put in names of the claim and of its PersistentVolume.
fn name(reader: &mut Reader<'_>) -> Option<String> {
    let (key, prefix) = match reader.driver.service {
        Service::Files => ("shareName", "shareNamePrefix"),
        Service::Blobs => ("containerName", "containerNamePrefix"),
    };
    let name = reader.text(key)?;
    if reader.has(prefix) {
        let cause = format!("{prefix} begins names that are derived, and {key} is a whole one");
        reader.wrong(prefix, cause, "keep one of them");
    }
    // Names that fit: those to come may be too short or long, which only their claims show.
    let filled = azure::fill_name(&name, "x00", "x00", "x00");
    if let Some((_, rest)) = filled.split_once("${") {
        let unknown = rest.split('}').next().unwrap_or_default();
        let cause = format!("${{{unknown}}} stands for nothing");
        let known = azure::NAME_PARTS.join(", ");
        reader.wrong(key, cause, format!("use {known}"));
        return None;
    }
    if let Some(why) = volume_name_problem(&filled) {
        reader.wrong(
            key,
            format!("{name:?} cannot be its name: {why}"),
            "use such a name, or remove it",
        );
        return None;
    }
    Some(name)
}

fn name_prefix(reader: &mut Reader<'_>) -> Option<String> {
    let key = match reader.driver.service {
        Service::Files => "shareNamePrefix",
        Service::Blobs => "containerNamePrefix",
    };
    let prefix = reader.text(key)?;
    let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let placed = !prefix.starts_with('-') && !prefix.ends_with('-') && !prefix.contains("--");
    // `<prefix>-pvc-<uid>` and a generation have to fit into 63 characters.
    if prefix.len() > 19 || !prefix.bytes().all(right) || !placed {
        let cause = format!("{prefix:?} cannot begin a name");
        reader.wrong(
            key,
            cause,
            "use at most 19 lower-case letters, digits and single hyphens between them",
        );
        return None;
    }
    Some(prefix)
}

fn of_shares(reader: &mut Reader<'_>, parameters: &mut Parameters) {
    let premium = parameters.sku.is_some_and(Sku::is_premium);
    let key = if reader.has("shareAccessTier") {
        "shareAccessTier"
    } else {
        "accessTier"
    };
    if reader.has("shareAccessTier") && reader.has("accessTier") {
        reader.wrong(
            "accessTier",
            "accessTier is another name of shareAccessTier",
            "keep one of them",
        );
    }
    parameters.share_tier = reader.choice(key, &["TransactionOptimized", "Hot", "Cool", "Premium"]);
    if let (Some(tier), Some(sku)) = (parameters.share_tier, parameters.sku)
        && (tier == "Premium") != premium
    {
        let cause = format!("shares of {} have no tier {tier}", sku.name);
        let cure = if premium {
            "use Premium, or remove it"
        } else {
            "use TransactionOptimized, Hot or Cool"
        };
        reader.wrong(key, cause, cure);
    }
    parameters.root_squash = reader.choice("rootSquashType", &["NoRootSquash", "RootSquash", "AllSquash"]);
    if parameters.root_squash.is_some() && parameters.protocol != "nfs" {
        reader.wrong(
            "rootSquashType",
            "only NFS shares squash",
            "remove it, or use protocol: nfs",
        );
    }
    let v2 = parameters.sku.is_some_and(|sku| sku.tier == skus::Tier::ProvisionedV2);
    parameters.iops = reader.number("provisionedIOPS");
    parameters.bandwidth = reader.number("provisionedBandwidth");
    for key in ["provisionedIOPS", "provisionedBandwidth"] {
        if reader.has(key) && !v2 {
            let cause = format!("{key} is for SKUs of the second generation");
            reader.wrong(key, cause, "remove it, or use skuName: PremiumV2_LRS or StandardV2_LRS");
        }
    }
    parameters.account.large_file_shares = reader.flag("enableLargeFileShares");
    if parameters.account.large_file_shares.is_some() && premium {
        reader.wrong(
            "enableLargeFileShares",
            "Premium accounts always have large shares",
            "remove it",
        );
    }
    let dropped = reader.flag("disableDeleteRetentionPolicy") == Some(true);
    parameters.account.keep_deleted_shares = dropped.then_some(false);
}

fn of_containers(reader: &mut Reader<'_>, parameters: &mut Parameters) {
    let premium = parameters.sku.is_some_and(Sku::is_premium);
    let tier = reader.choice("accessTier", &["Hot", "Cool", "Premium"]);
    if tier.is_some_and(|tier| (tier == "Premium") != premium) {
        let cause = "Standard accounts are Hot or Cool, Premium ones are Premium";
        reader.wrong("accessTier", cause, "use the tier of the SKU, or remove it");
    }
    parameters.account.access_tier = tier.filter(|_| !premium).map(str::to_owned);
    // NFS is served from hierarchical accounts only.
    let hierarchical = reader.flag("isHnsEnabled");
    parameters.account.hierarchical = hierarchical.filter(|wanted| *wanted);
}

/// A fixed address goes with a fixed account only.
fn server(reader: &mut Reader<'_>, account: &AzureAccount) {
    let Some(server) = reader.text("server") else { return };
    if account.name.is_none() {
        let cause = "the address of an account that moorline names is not known before";
        reader.wrong("server", cause, "remove it, or name the account with storageAccount");
    }
    reader.attributes.insert("server".to_owned(), server);
}
