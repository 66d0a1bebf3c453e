//! File shares.

use std::collections::BTreeMap;

use moorline_sandbox_azure::NewShare;

use super::super::{Made, Progress, Refusal, Request};
use super::account::{self, Found, Wanted};
use super::parameters::{self, Parameters};
use crate::cluster::Cluster;
use crate::kinds::FILE_DRIVER;

/// Parameters that the driver knows.
const KEYS: &[&str] = &[
    "accesstier",
    "accountaccesstier",
    "accountquota",
    "allowblobpublicaccess",
    "allowcrosstenantreplication",
    "allowsharedkeyaccess",
    "clientid",
    "confidentialcontainerlabel",
    "createaccount",
    "createfolderifnotexist",
    "disabledeleteretentionpolicy",
    "diskname",
    "enablelargefileshares",
    "enablemultichannel",
    "encryptintransit",
    "foldername",
    "fsgroupchangepolicy",
    "fstype",
    "getlatestaccountkey",
    "location",
    "matchtags",
    "mountpermissions",
    "mountwithmanagedidentity",
    "mountwithoauthtoken",
    "mountwithworkloadidentitytoken",
    "networkendpointtype",
    "privatednszoneresourcegroup",
    "protocol",
    "provisionedbandwidth",
    "provisionediops",
    "publicnetworkaccess",
    "requireinfraencryption",
    "resourcegroup",
    "rootsquashtype",
    "runtimeclasshandler",
    "secretname",
    "secretnamespace",
    "selectrandommatchingaccount",
    "server",
    "shareaccesstier",
    "sharename",
    "sharenameprefix",
    "skuname",
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
    "usesecretcache",
    "vnetlinkname",
    "vnetname",
    "vnetresourcegroup",
];
/// The least quota of a share in a premium account, and of one of the second version, in GiB.
const LEAST_PREMIUM: u64 = 100;
const LEAST_SECOND: u64 = 32;

/// What the parameters come to.
struct Wish {
    sku: String,
    nfs: bool,
    share: String,
    quota_gib: u64,
}

pub(in super::super) fn create(cluster: &Cluster, request: &Request) -> Result<Progress, Refusal> {
    let mut parameters = parameters::read(request, KEYS)?;
    let wish = understand(request, &parameters)?;
    if wish.nfs {
        parameters.set("protocol", "nfs");
    }
    let wanted = Wanted {
        sku: &wish.sku,
        files: true,
        prefix: "f",
    };
    let account = match account::find(cluster, request, &parameters, &wanted)? {
        Found::Ready(account) => account,
        Found::Until(moment) => return Ok(Progress::Until(moment)),
    };
    let new = NewShare {
        account: account.name.clone(),
        name: wish.share.clone(),
        quota_gib: wish.quota_gib,
        nfs: wish.nfs,
        metadata: BTreeMap::from([("createdBy".to_owned(), FILE_DRIVER.to_owned())]),
    };
    cluster.azure.make_share(&new).map_err(|error| {
        let what = format!(
            "failed to create file share({}) on account({}) type({}) subsID({}) rg({}) location({}) size({}), error",
            wish.share,
            account.name,
            wish.sku,
            parameters.get(&["subscriptionid"]),
            account.resource_group,
            parameters.get(&["location"]),
            wish.quota_gib
        );
        Refusal::internal(&what, error)
    })?;
    if !wish.nfs && !parameters.is("storeaccountkey", "false") {
        account::keep_key(cluster, request, &parameters, &account.name)?;
    }
    // A share that the class names is told apart by the volume that it is for.
    let suffix = if parameters.get(&["sharename"]).is_empty() {
        ""
    } else {
        request.volume
    };
    let secret_namespace = account::secret_namespace(request, &parameters).to_owned();
    parameters.set("secretnamespace", &secret_namespace);
    Ok(Progress::Made(Made {
        handle: format!(
            "{}#{}#{}##{suffix}#{secret_namespace}",
            account.resource_group, account.name, wish.share
        ),
        capacity: format!("{}Gi", wish.quota_gib),
        fs_type: None,
        attributes: parameters.attributes(FILE_DRIVER),
        zone: None,
    }))
}

fn understand(request: &Request, parameters: &Parameters) -> Result<Wish, Refusal> {
    let protocol = parameters.get(&["protocol"]);
    if !matches!(protocol, "" | "smb" | "nfs") {
        let why = format!("protocol({protocol}) is not supported, supported protocol list: [smb nfs]");
        return Err(Refusal::Invalid(why));
    }
    let named = parameters.get(&["storageaccount"]);
    if parameters.is("matchtags", "true") && !named.is_empty() {
        let why = format!("matchTags must set as false when storageAccount({named}) is provided");
        return Err(Refusal::Invalid(why));
    }
    let nfs = protocol == "nfs" || parameters.is("fstype", "nfs");
    let sku = match parameters.get(&["skuname", "storageaccounttype"]) {
        "" if nfs => "Premium_LRS",
        "" => "Standard_LRS",
        sku if nfs && sku.to_lowercase().starts_with("standard") => {
            let why = format!("nfs protocol only supports premium storage, current account type: {sku}");
            return Err(Refusal::Invalid(why));
        }
        sku => sku,
    };
    let lower = sku.to_lowercase();
    let least = match (lower.contains("v2"), lower.starts_with("premium")) {
        (true, _) => LEAST_SECOND,
        (false, true) => LEAST_PREMIUM,
        _ => 1,
    };
    Ok(Wish {
        sku: sku.to_owned(),
        nfs,
        share: share_name(request, parameters, nfs)?,
        quota_gib: request.size_gib()?.max(least),
    })
}

fn share_name(request: &Request, parameters: &Parameters, nfs: bool) -> Result<String, Refusal> {
    let given = parameters.filled("sharename", request);
    if !given.is_empty() {
        return Ok(given);
    }
    let prefix = parameters.get(&["sharenameprefix"]);
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if prefix.len() > 20 || !prefix.chars().all(good) {
        let why = format!(
            "shareNamePrefix({prefix}) can only contain lowercase letters, numbers, hyphens, and length should be less than 21"
        );
        return Err(Refusal::Invalid(why));
    }
    Ok(match (prefix, nfs) {
        ("", false) => request.volume.to_owned(),
        ("", true) => request.volume.replacen("pvc", "pvcn", 1),
        (prefix, _) => format!("{prefix}-{}", request.volume),
    })
}
