//! Every documented parameter of the three provisioners, and what moorline makes of it.

use crate::names::Service;
use crate::{BLOB_DRIVER, FILE_DRIVER, IN_TREE_PROVISIONER};

/// What becomes of a parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handling {
    /// It decides what is created: read by name.
    Read,
    /// It concerns mounting: checked, and handed to the driver in `volumeAttributes`.
    Attribute(Form),
    /// Only these values, which change nothing; the cause and the cure of any other.
    OnlyDefault(&'static [&'static str], &'static str, &'static str),
    /// Never; cause and cure.
    Refused(&'static str, &'static str),
}

/// The form of a handed-on value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// Any text.
    Text,
    /// `true` or `false`.
    Flag,
    /// Permissions as `chmod` takes them.
    Octal,
    /// One of these.
    OneOf(&'static [&'static str]),
}

/// A parameter as documented.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) key: &'static str,
    pub(crate) handling: Handling,
}

const SEARCH: &str =
    "it tells the driver which of the existing accounts to take, and moorline derives the account itself";
const NETWORK: &str = "moorline does not change networks";
const OWN_ACCOUNT: &str = "prepare an account with it and name that with storageAccount";
const PLANE: &str = "moorline creates volumes through Resource Manager, at its published rates";
const REMOVE: &str = "remove it";

const fn read(key: &'static str) -> Parameter {
    Parameter {
        key,
        handling: Handling::Read,
    }
}

const fn attribute(key: &'static str, form: Form) -> Parameter {
    Parameter {
        key,
        handling: Handling::Attribute(form),
    }
}

const fn only(
    key: &'static str,
    values: &'static [&'static str],
    cause: &'static str,
    cure: &'static str,
) -> Parameter {
    Parameter {
        key,
        handling: Handling::OnlyDefault(values, cause, cure),
    }
}

const fn refused(key: &'static str, cause: &'static str, cure: &'static str) -> Parameter {
    Parameter {
        key,
        handling: Handling::Refused(cause, cure),
    }
}

/// Those of both CSI drivers.
const COMMON: &[Parameter] = &[
    read("skuName"),
    read("storageAccountType"),
    read("storageAccount"),
    read("location"),
    read("resourceGroup"),
    read("subscriptionID"),
    read("protocol"),
    read("tags"),
    read("tagValueDelimiter"),
    read("allowBlobPublicAccess"),
    read("allowSharedKeyAccess"),
    read("requireInfraEncryption"),
    read("publicNetworkAccess"),
    read("secretName"),
    read("secretNamespace"),
    read("storeAccountKey"),
    read("accessTier"),
    read("server"),
    attribute("storageEndpointSuffix", Form::Text),
    attribute("getLatestAccountKey", Form::Flag),
    attribute("clientID", Form::Text),
    attribute("tenantID", Form::Text),
    attribute("mountPermissions", Form::Octal),
    attribute(
        "fsGroupChangePolicy",
        Form::OneOf(&["OnRootMismatch", "Always", "None"]),
    ),
    read("mountWithWorkloadIdentityToken"),
    only("matchTags", &["false"], SEARCH, REMOVE),
    only("useDataPlaneAPI", &["false"], PLANE, REMOVE),
    only("networkEndpointType", &[""], NETWORK, OWN_ACCOUNT),
    refused("vnetResourceGroup", NETWORK, OWN_ACCOUNT),
    refused("vnetName", NETWORK, OWN_ACCOUNT),
    refused("subnetName", NETWORK, OWN_ACCOUNT),
    refused("vnetLinkName", NETWORK, OWN_ACCOUNT),
    refused("privateDNSZoneResourceGroup", NETWORK, OWN_ACCOUNT),
];

const FILES: &[Parameter] = &[
    read("shareName"),
    read("shareNamePrefix"),
    read("shareAccessTier"),
    read("enableLargeFileShares"),
    read("disableDeleteRetentionPolicy"),
    read("rootSquashType"),
    read("provisionedIOPS"),
    read("provisionedBandwidth"),
    read("mountWithManagedIdentity"),
    attribute("folderName", Form::Text),
    attribute("createFolderIfNotExist", Form::Flag),
    attribute("encryptInTransit", Form::Flag),
    attribute("confidentialContainerLabel", Form::Text),
    attribute("runtimeClassHandler", Form::Text),
    only("selectRandomMatchingAccount", &["false"], SEARCH, REMOVE),
    only("createAccount", &["false"], SEARCH, REMOVE),
    only(
        "useSecretCache",
        &["true", "false"],
        "it is true or false, and changes nothing here",
        REMOVE,
    ),
    only(
        "enableMultichannel",
        &["false"],
        "moorline does not set a file service's protocols",
        OWN_ACCOUNT,
    ),
    only(
        "allowCrossTenantReplication",
        &["false"],
        "moorline makes accounts that replicate into no other tenant",
        OWN_ACCOUNT,
    ),
    only(
        "accountAccessTier",
        &["Hot"],
        "the tier of an account's blobs is of no use to shares",
        "use shareAccessTier",
    ),
    only(
        "mountWithOAuthToken",
        &["false"],
        "moorline has no token to put into the Secret",
        "use mountWithManagedIdentity",
    ),
    refused(
        "accountQuota",
        SEARCH,
        "remove it; moorline bounds the shares of an account by number",
    ),
    refused(
        "diskName",
        "disks inside of shares are not what moorline makes",
        "use a class of a disk",
    ),
    refused(
        "fsType",
        "a share has its own file system",
        "remove it, or use protocol",
    ),
];

const BLOBS: &[Parameter] = &[
    read("containerName"),
    read("containerNamePrefix"),
    read("isHnsEnabled"),
    attribute("AzureStorageAuthType", Form::OneOf(&["Key", "SAS", "MSI", "SPN"])),
    attribute("AzureStorageIdentityClientID", Form::Text),
    attribute("AzureStorageIdentityObjectID", Form::Text),
    attribute("AzureStorageIdentityResourceID", Form::Text),
    attribute("MSIEndpoint", Form::Text),
    attribute("AzureStorageSPNClientID", Form::Text),
    attribute("AzureStorageSPNTenantID", Form::Text),
    attribute("AzureStorageAADEndpoint", Form::Text),
    refused(
        "softDeleteBlobs",
        "moorline does not set a blob service's policies",
        OWN_ACCOUNT,
    ),
    refused(
        "softDeleteContainers",
        "moorline does not set a blob service's policies",
        OWN_ACCOUNT,
    ),
    only(
        "enableBlobVersioning",
        &["false"],
        "moorline does not set a blob service's policies",
        OWN_ACCOUNT,
    ),
];

/// Those of the in-tree provisioner.
const IN_TREE: &[&str] = &[
    "skuName",
    "storageAccountType",
    "location",
    "storageAccount",
    "resourceGroup",
    "secretNamespace",
    "secretName",
    "shareName",
];

const READ_ONLY: Parameter = read("readOnly");

/// One of the three provisioners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Driver {
    /// As the class names it.
    pub(crate) provisioner: &'static str,
    /// What it makes.
    pub(crate) service: Service,
}

impl Driver {
    /// The driver of a class that is ours.
    pub(crate) fn of(provisioner: &str) -> Self {
        let (provisioner, service) = match provisioner {
            BLOB_DRIVER => (BLOB_DRIVER, Service::Blobs),
            IN_TREE_PROVISIONER => (IN_TREE_PROVISIONER, Service::Files),
            _ => (FILE_DRIVER, Service::Files),
        };
        Self { provisioner, service }
    }

    /// The CSI driver that mounts what is made.
    pub(crate) fn csi(self) -> &'static str {
        match self.service {
            Service::Files => FILE_DRIVER,
            Service::Blobs => BLOB_DRIVER,
        }
    }

    /// The CSI driver of the other service.
    pub(crate) fn other(self) -> Self {
        Self::of(match self.service {
            Service::Files => BLOB_DRIVER,
            Service::Blobs => FILE_DRIVER,
        })
    }

    fn in_tree(self) -> bool {
        self.provisioner == IN_TREE_PROVISIONER
    }

    /// What is documented under this key, however its letters are cased.
    pub(crate) fn parameter(self, key: &str) -> Option<&'static Parameter> {
        self.parameters()
            .find(|parameter| parameter.key.eq_ignore_ascii_case(key))
    }

    /// Everything documented.
    pub(crate) fn parameters(self) -> impl Iterator<Item = &'static Parameter> {
        let own = match self.service {
            Service::Files => FILES,
            Service::Blobs => BLOBS,
        };
        let in_tree = self.in_tree();
        COMMON
            .iter()
            .chain(own)
            .filter(move |parameter| !in_tree || IN_TREE.contains(&parameter.key))
            .chain(in_tree.then_some(&READ_ONLY))
    }

    /// Whether the in-tree provisioner lacks what its CSI successor has.
    pub(crate) fn only_in_successor(self, key: &str) -> bool {
        self.in_tree()
            && Driver::of(FILE_DRIVER)
                .parameter(key)
                .is_some_and(|parameter| !matches!(parameter.handling, Handling::Refused(..)))
    }
}
