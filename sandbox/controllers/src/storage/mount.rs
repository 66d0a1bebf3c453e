//! Mounting shares and containers, which takes no attaching: whether a node could, and what its kubelet says if not.

use serde_json::Value;

use super::backing::{Backing, Inside, attribute};
use crate::cluster::Cluster;
use crate::object::{self, name, sha256_hex, text};

/// Why a volume cannot be mounted for a pod, in the kubelet's words; `None` when it can. Volumes that are attached to a node
/// can always be mounted there.
pub(crate) fn obstacle(cluster: &Cluster, volume: &Value, pod: &Value) -> Option<String> {
    let failed = |cause: String| {
        Some(format!(
            "MountVolume.MountDevice failed for volume \"{}\" : {cause}",
            name(volume)
        ))
    };
    let credentials = match staged_secret(cluster, volume) {
        Ok(credentials) => credentials,
        Err(why) => return failed(why),
    };
    let (inside, exists) = match Backing::mounted(volume)? {
        Backing::Share(inside) => {
            let exists = cluster.azure.share(&inside.account, &inside.name).is_some();
            (inside, exists)
        }
        Backing::Container(inside) => {
            let exists = cluster.azure.container(&inside.account, &inside.name).is_some();
            (inside, exists)
        }
        Backing::Ebs(_) | Backing::Disk(_) => return None,
    };
    let trouble = if !is_open(cluster, volume, pod, (&inside, credentials.as_ref())) {
        "mount error(13): Permission denied"
    } else if exists {
        return None;
    } else {
        "mount error(2): No such file or directory"
    };
    failed(refused(volume, &inside, trouble))
}

/// The Secret with which the volume is to be mounted, where the volume object names one.
fn staged_secret(cluster: &Cluster, volume: &Value) -> Result<Option<Value>, String> {
    let reference = |key: &str| text(volume, &format!("/spec/csi/nodeStageSecretRef/{key}"));
    let (namespace, secret) = (reference("namespace"), reference("name"));
    if secret.is_empty() {
        return Ok(None);
    }
    match cluster.get("secrets", namespace, secret) {
        Some(found) => Ok(Some(found.as_ref().clone())),
        None => Err(format!(
            "fetching NodeStageSecretRef {namespace}/{secret} failed: kubernetes.io/csi: failed to find the secret {secret} in the namespace {namespace} with error: secrets \"{secret}\" not found"
        )),
    }
}

/// Whether the node has a key that opens the account: from the Secret it was given, or else from the usual one. Where there
/// is none the driver asks the cloud for the key, as the cluster.
fn is_open(cluster: &Cluster, volume: &Value, pod: &Value, (inside, given): (&Inside, Option<&Value>)) -> bool {
    if attribute(volume, "protocol").is_some_and(|protocol| protocol.ends_with("nfs")) {
        return true;
    }
    let usual = || {
        let name = format!("azure-storage-account-{}-secret", inside.account);
        let of_forerunner = Some(text(volume, "/spec/azureFile/secretNamespace")).filter(|name| !name.is_empty());
        let namespace = attribute(volume, "secretnamespace").or(of_forerunner);
        cluster.get(
            "secrets",
            namespace.unwrap_or_else(|| object::namespace(pod)),
            attribute(volume, "secretname").unwrap_or(&name),
        )
    };
    let secret = match given {
        Some(given) => given.clone(),
        None => match usual() {
            Some(usual) => usual.as_ref().clone(),
            None => return true,
        },
    };
    let data = |key: &str| decoded(text(&secret, &format!("/data/{key}")));
    data("azurestorageaccountname").is_some_and(|account| account == inside.account)
        && data("azurestorageaccountkey").is_some_and(|key| cluster.azure.opens(&inside.account, &key))
}

/// The text that is Base64 in a Secret.
fn decoded(text: &str) -> Option<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    String::from_utf8(bytes).ok().map(|text| text.trim().to_owned())
}

/// A mount that failed, as the driver tells it.
fn refused(volume: &Value, inside: &Inside, trouble: &str) -> String {
    let (handle, driver) = (text(volume, "/spec/csi/volumeHandle"), text(volume, "/spec/csi/driver"));
    let source = format!("//{}.file.core.windows.net/{}", inside.account, inside.name);
    let target = format!(
        "/var/lib/kubelet/plugins/kubernetes.io/csi/{driver}/{}/globalmount",
        sha256_hex(handle)
    );
    if driver != crate::kinds::FILE_DRIVER {
        return format!(
            "rpc error: code = Internal desc = Mount failed with error: exit status 255, output: Error: failed to initialize new pipeline [failed to authenticate credentials for azstorage]: container {} in account {}: {trouble}",
            inside.name, inside.account
        );
    }
    format!(
        "rpc error: code = Internal desc = volume({handle}) mount {source} on {target} failed with mount failed: exit status 32\nMounting command: mount\nMounting arguments: -t cifs -o <masked> {source} {target}\nOutput: {trouble}\nRefer to the mount.cifs(8) manual page (e.g. man mount.cifs) and kernel log messages (dmesg)\n"
    )
}
