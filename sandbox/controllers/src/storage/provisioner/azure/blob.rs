//! Blob containers.

use super::super::{Made, Progress, Refusal, Request};
use super::account::{self, Found, Wanted};
use super::parameters;
use crate::cluster::Cluster;
use crate::kinds::BLOB_DRIVER;
use crate::object::text;

/// Parameters that the driver knows.
const KEYS: &[&str] = &[
    "accesstier",
    "allowblobpublicaccess",
    "allowsharedkeyaccess",
    "azurestorageaadendpoint",
    "azurestorageauthtype",
    "azurestorageidentityclientid",
    "azurestorageidentityobjectid",
    "azurestorageidentityresourceid",
    "blobstorageaccounttype",
    "clientid",
    "containername",
    "containernameprefix",
    "enableblobversioning",
    "fsgroupchangepolicy",
    "getlatestaccountkey",
    "ishnsenabled",
    "location",
    "matchtags",
    "mountpermissions",
    "mountwithworkloadidentitytoken",
    "msiendpoint",
    "networkendpointtype",
    "privatednszoneresourcegroup",
    "protocol",
    "publicnetworkaccess",
    "requireinfraencryption",
    "resourcegroup",
    "secretname",
    "secretnamespace",
    "server",
    "skuname",
    "softdeleteblobs",
    "softdeletecontainers",
    "storageaccount",
    "storageaccounttype",
    "storageendpointsuffix",
    "storeaccountkey",
    "subnetname",
    "subscriptionid",
    "tags",
    "tagvaluedelimiter",
    "tenantid",
    "usedataplaneapi",
    "vnetlinkname",
    "vnetname",
    "vnetresourcegroup",
];

pub(in super::super) fn create(cluster: &Cluster, request: &Request) -> Result<Progress, Refusal> {
    let mut parameters = parameters::read(request, KEYS)?;
    let protocol = match parameters.get(&["protocol"]) {
        "" => "fuse".to_owned(),
        known @ ("fuse" | "fuse2" | "nfs" | "aznfs") => known.to_owned(),
        other => {
            let why = format!("protocol({other}) is not supported, supported protocol list: [fuse fuse2 nfs aznfs]");
            return Err(Refusal::Invalid(why));
        }
    };
    let (given, prefix) = (
        parameters.filled("containername", request),
        parameters.get(&["containernameprefix"]),
    );
    let container = match (given.as_str(), prefix) {
        ("", "") => request.volume.to_owned(),
        ("", prefix) => format!("{prefix}-{}", request.volume),
        (given, "") => given.to_owned(),
        (given, prefix) => {
            let why =
                format!("containerName({given}) and containerNamePrefix({prefix}) could not be specified together");
            return Err(Refusal::Invalid(why));
        }
    };
    let sku = match parameters.get(&["skuname", "storageaccounttype"]) {
        "" => "Standard_LRS",
        sku => sku,
    };
    let wanted = Wanted {
        sku,
        files: false,
        prefix: &protocol,
    };
    let account = match account::find(cluster, request, &parameters, &wanted)? {
        Found::Ready(account) => account,
        Found::Until(moment) => return Ok(Progress::Until(moment)),
    };
    let made = cluster.azure.create_container(&account.name, &container);
    made.map_err(|error| {
        let what = format!(
            "failed to create container({container}) on account({}) type({sku}) rg({}) location({}), error",
            account.name,
            account.resource_group,
            parameters.get(&["location"])
        );
        Refusal::internal(&what, error)
    })?;
    let keyless = protocol.ends_with("nfs")
        || parameters.is("storeaccountkey", "false")
        || parameters.is("azurestorageauthtype", "MSI")
        || parameters.is("mountwithworkloadidentitytoken", "true");
    if !keyless {
        account::keep_key(cluster, request, &parameters, &account.name)?;
    }
    // A container that the class names is told apart by the volume that it is for.
    let suffix = if given.is_empty() { "" } else { request.volume };
    let secret_namespace = account::secret_namespace(request, &parameters).to_owned();
    parameters.set("containername", &container);
    parameters.set("secretnamespace", &secret_namespace);
    Ok(Progress::Made(Made {
        handle: format!(
            "{}#{}#{container}#{suffix}#{secret_namespace}#",
            account.resource_group, account.name
        ),
        // Containers have no quota: what is asked for is what is written down.
        capacity: text(request.claim, "/spec/resources/requests/storage").to_owned(),
        fs_type: None,
        attributes: parameters.attributes(BLOB_DRIVER),
        zone: None,
    }))
}
