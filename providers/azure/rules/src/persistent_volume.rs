//! How a share or a container appears in a PersistentVolume, and which one a PersistentVolume means.

use std::collections::BTreeMap;

use moorline_api::{AzureAccount, Object, PvRequest, PvSource, SecretRef, VolumeConfig, VolumeId};
use serde_json::{Map, Value, json};

use crate::names::{DiskName, Service, VolumeName};
use crate::{BLOB_DRIVER, DISK_DRIVER, FILE_DRIVER, parameters};

/// What the CSI drivers call the Secret with an account's key.
const SECRET: (&str, &str) = ("azure-storage-account-", "-secret");

/// The source as the driver's documentation of static provisioning has it, with the volume handle of a provisioned volume, so
/// that the driver can also resize and delete what is behind it.
pub(crate) fn source(request: &PvRequest<'_>) -> PvSource {
    let (parameters, _) = parameters::read(request.class);
    let driver = parameters.driver;
    let unknown = AzureAccount::default();
    let (account, protocol) = match &request.spec.config {
        VolumeConfig::AzureFile(share) => (&share.account, &*share.protocol),
        VolumeConfig::AzureBlob(container) => (&container.account, &*container.protocol),
        _ => (&unknown, parameters.protocol),
    };
    let name = VolumeName::parse(request.id);
    let (account_name, volume_name) = match &name {
        Some(name) => (&*name.account, &*name.name),
        None => (account.name.as_deref().unwrap_or_default(), &*request.id.0),
    };
    let resource_group = account.resource_group.as_deref().unwrap_or_default();
    let secret_namespace = parameters.secret_namespace.as_deref().unwrap_or(request.namespace);
    let secret = parameters.needs_key.then(|| SecretRef {
        namespace: secret_namespace.to_owned(),
        name: parameters
            .secret_name
            .clone()
            .unwrap_or_else(|| secret_name(account_name)),
    });

    let mut attributes: Map<String, Value> = parameters
        .attributes
        .into_iter()
        .map(|(key, value)| (key, Value::from(value)))
        .collect();
    let mut insert = |key: &str, value: &str| attributes.insert(key.to_owned(), value.into());
    insert("resourceGroup", resource_group);
    insert("storageAccount", account_name);
    insert(volume_key(driver.service), volume_name);
    insert("protocol", protocol);
    // Without these the driver looks in a namespace that it guesses, and replaces no placeholder in a folder's name.
    insert("csi.storage.k8s.io/pvc/namespace", request.namespace);
    insert("csi.storage.k8s.io/pvc/name", request.claim);
    insert("csi.storage.k8s.io/pv/name", request.persistent_volume);
    if let Some(subscription) = &account.subscription {
        insert("subscriptionID", subscription);
    }
    if let Some(secret) = &secret {
        insert("secretName", &secret.name);
        insert("secretNamespace", &secret.namespace);
    }
    let handle = Handle {
        resource_group,
        account: account_name,
        volume: volume_name,
        secret_namespace,
        subscription: account.subscription.as_deref(),
    };
    let mut csi = json!({
        "driver": driver.csi(),
        "volumeHandle": handle.text(driver.service),
        "volumeAttributes": attributes,
    });
    if parameters.read_only {
        csi["readOnly"] = true.into();
    }
    if let Some(secret) = &secret {
        csi["nodeStageSecretRef"] = json!({"name": secret.name, "namespace": secret.namespace});
    }
    PvSource {
        source: ("csi".to_owned(), csi),
        node_affinity: None,
        provisioned_by: driver.csi().to_owned(),
        secret,
    }
}

/// The attribute that names the share or container.
fn volume_key(service: Service) -> &'static str {
    match service {
        Service::Files => "shareName",
        Service::Blobs => "containerName",
    }
}

fn secret_name(account: &str) -> String {
    format!("{}{account}{}", SECRET.0, SECRET.1)
}

fn account_of_secret(name: &str) -> Option<&str> {
    name.strip_prefix(SECRET.0)?.strip_suffix(SECRET.1)
}

/// The parts of a volume handle.
struct Handle<'a> {
    resource_group: &'a str,
    account: &'a str,
    volume: &'a str,
    secret_namespace: &'a str,
    subscription: Option<&'a str>,
}

impl Handle<'_> {
    /// Shares: `group#account#share##<uuid>#namespace#subscription`, where an empty disk comes before the uuid;
    /// containers: `group#account#container#<uuid>#namespace#subscription`. The uuid tells static twins apart and is left out.
    fn text(&self, service: Service) -> String {
        let gap = match service {
            Service::Files => "###",
            Service::Blobs => "##",
        };
        let Self {
            resource_group,
            account,
            volume,
            secret_namespace,
            ..
        } = self;
        let mut text = format!("{resource_group}#{account}#{volume}{gap}{secret_namespace}");
        if let Some(subscription) = self.subscription {
            text.push('#');
            text.push_str(subscription);
        }
        text
    }
}

/// The volume behind a PersistentVolume. A CSI handle may be anything: what `volumeAttributes` say comes first. The in-tree
/// source has no account but in its Secret's name.
pub(crate) fn volume_id(persistent_volume: &Object) -> Option<VolumeId> {
    let service = match persistent_volume.str_at(&["spec", "csi", "driver"]) {
        Some(FILE_DRIVER) => Service::Files,
        Some(BLOB_DRIVER) => Service::Blobs,
        Some(DISK_DRIVER) => return disk_at(persistent_volume.str_at(&["spec", "csi", "volumeHandle"])?),
        Some(_) => return None,
        None => return in_tree(persistent_volume),
    };
    let mut handle = persistent_volume
        .str_at(&["spec", "csi", "volumeHandle"])
        .filter(|handle| handle.matches('#').count() >= 2)
        .into_iter()
        .flat_map(|handle| handle.split('#').skip(1));
    let (handle_account, handle_volume) = (handle.next(), handle.next());
    let attribute = |wanted: &str| {
        let attributes = persistent_volume
            .at(&["spec", "csi", "volumeAttributes"])?
            .as_object()?;
        let (_, value) = attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(wanted))?;
        value.as_str().filter(|value| !value.is_empty())
    };
    let secret = persistent_volume.str_at(&["spec", "csi", "nodeStageSecretRef", "name"]);
    let account = attribute("storageAccount")
        .or_else(|| attribute("server")?.split('.').next())
        .or(handle_account)
        .or_else(|| account_of_secret(secret?))?;
    let volume = attribute(volume_key(service)).or(handle_volume)?;
    named(account, service, volume)
}

/// Azure knows no upper case in these names, and whoever writes a PersistentVolume by hand may.
fn named(account: &str, service: Service, volume: &str) -> Option<VolumeId> {
    Some(VolumeName::new(&account.to_ascii_lowercase(), service, &volume.to_ascii_lowercase())?.id())
}

fn in_tree(persistent_volume: &Object) -> Option<VolumeId> {
    if let Some(uri) = persistent_volume.str_at(&["spec", "azureDisk", "diskURI"]) {
        return disk_at(uri);
    }
    let share = persistent_volume.str_at(&["spec", "azureFile", "shareName"])?;
    let secret = persistent_volume.str_at(&["spec", "azureFile", "secretName"])?;
    named(account_of_secret(secret)?, Service::Files, share)
}

/// What a disk's address means: a managed disk, or the container that an unmanaged one is a blob of.
fn disk_at(uri: &str) -> Option<VolumeId> {
    if let Some(disk) = DiskName::parse(uri) {
        return Some(disk.id());
    }
    let (_, address) = uri.split_once("://")?;
    let (host, path) = address.split_once('/')?;
    let (account, service) = host.split_once('.')?;
    let (container, _) = path.split_once('/')?;
    service
        .starts_with("blob.")
        .then(|| named(account, Service::Blobs, container))?
}

/// What Azure's own tools write on what was made for a claim. The Files driver itself writes none of it on shares.
pub(crate) fn standard_tags(namespace: &str, claim: &str, pv_name: &str) -> BTreeMap<String, String> {
    [
        ("kubernetes.io-created-for-pv-name", pv_name),
        ("kubernetes.io-created-for-pvc-name", claim),
        ("kubernetes.io-created-for-pvc-namespace", namespace),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}
