//! One volume to be made, and whether one that is there is it.

use moorline_api::{
    AzureAccount, Error, ErrorKind, NewVolume, Result, Tags, Volume, VolumeConfig, VolumeSpec, VolumeState, azure, tags,
};
use moorline_azure_rules::{Service, VolumeName, volume_name_problem};

use crate::convert;
use crate::naming::volume_name;

pub(crate) const OPERATION: &str = "create volume";

/// The tag by which both CSI drivers know the PersistentVolume.
const PERSISTENT_VOLUME: &str = "kubernetes.io-created-for-pv-name";

/// What to make, whichever service it is of.
pub(crate) struct Order<'a> {
    pub(crate) new: &'a NewVolume,
    pub(crate) service: Service,
    pub(crate) account: &'a AzureAccount,
    /// The share's or container's name.
    pub(crate) name: String,
    /// Whether the class gave the name, and not the claim's UID.
    pub(crate) named: bool,
}

impl<'a> Order<'a> {
    pub(crate) fn read(new: &'a NewVolume) -> Result<Self> {
        let (service, account, name, prefix) = match &new.spec.config {
            VolumeConfig::AzureFile(share) => (Service::Files, &share.account, &share.name, &share.name_prefix),
            VolumeConfig::AzureBlob(container) => (
                Service::Blobs,
                &container.account,
                &container.name,
                &container.name_prefix,
            ),
            _ => {
                let message = "this is neither a file share nor a blob container";
                return Err(Error::new(
                    ErrorKind::Invalid,
                    OPERATION,
                    new.token.to_string(),
                    message,
                ));
            }
        };
        let order = Self {
            new,
            service,
            account,
            name: match name {
                Some(name) => filled(name, &new.tags),
                None => volume_name(prefix.as_deref(), &new.token),
            },
            named: name.is_some(),
        };
        match volume_name_problem(&order.name).filter(|_| order.named) {
            Some(why) => {
                let message = format!("the class names it so, and {why}; use another name, or none");
                Err(order.error(ErrorKind::Invalid, message))
            }
            None => Ok(order),
        }
    }

    pub(crate) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, OPERATION, &self.name, message)
    }

    /// Cluster and profile, which every volume of moorline's is tagged with.
    pub(crate) fn owner(&self) -> Result<(&str, &str)> {
        let tag = |key: &str| {
            let missing = || self.error(ErrorKind::Invalid, format!("the volume has no tag {key}"));
            self.new.tags.get(key).map(String::as_str).ok_or_else(missing)
        };
        Ok((tag(tags::CLUSTER_UID)?, tag(tags::PROFILE)?))
    }

    /// The volume that was made just so, in the account of this name and place.
    pub(crate) fn made(&self, place: AzureAccount) -> Result<Volume> {
        let account = place.name.clone().unwrap_or_default();
        let within = AzureAccount {
            name: place.name,
            subscription: place.subscription,
            resource_group: place.resource_group,
            location: place.location,
            ..self.account.clone()
        };
        let mut config = self.new.spec.config.clone();
        match &mut config {
            VolumeConfig::AzureFile(share) => share.account = within,
            VolumeConfig::AzureBlob(container) => container.account = within,
            _ => {}
        }
        let name = VolumeName::new(&account, self.service, &self.name).ok_or_else(|| {
            self.error(
                ErrorKind::Internal,
                "the account has a name that Azure gives no account",
            )
        })?;
        Ok(Volume {
            id: name.id(),
            spec: VolumeSpec {
                config,
                ..self.new.spec.clone()
            },
            state: VolumeState::Available,
            attachments: Vec::new(),
            tags: self.new.tags.clone(),
            created: None,
        })
    }

    /// What is there under the volume's name, where Azure said that something is.
    pub(crate) fn settle(&self, found: Option<Volume>) -> Result<Volume> {
        let gone = || self.error(ErrorKind::Stale, "it was there a moment ago, and is gone; run again");
        self.same(found.ok_or_else(gone)?)
    }

    /// "Already there" is success only for what the same claim had made, as it would be made now, and for what the class
    /// names and nobody made for a claim.
    pub(crate) fn same(&self, found: Volume) -> Result<Volume> {
        if self.named && convert::is_for_no_claim(&found) {
            return self.adopted(found);
        }
        let differs = |key: &str| found.tags.get(key) != self.new.tags.get(key);
        if differs(tags::CLAIM_UID) || differs(tags::CLUSTER_UID) {
            return Err(self.error(ErrorKind::AlreadyExists, self.taken(&found)));
        }
        if found.spec.size_gib != self.new.spec.size_gib {
            let message = format!("{} was made before with {} GiB", found.id, found.spec.size_gib);
            // Another generation has another name, unless the class gives it.
            return Err(if self.named {
                let cure = format!("{message}; ask for that much, or resize it");
                self.error(ErrorKind::AlreadyExists, cure)
            } else {
                self.error(ErrorKind::TokenBurnt, message)
            });
        }
        Ok(found)
    }

    fn taken(&self, found: &Volume) -> String {
        let tag = |key: &str| found.tags.get(key).map(String::as_str);
        match (tag(tags::NAMESPACE), tag(tags::CLAIM)) {
            (Some(namespace), Some(claim)) if self.named => format!(
                "{} was made for claim {namespace}/{claim}, and two claims, or two lives of one, cannot have it; put {} into the name that the class gives, or delete it",
                found.id,
                azure::NAME_PARTS[0]
            ),
            _ => format!(
                "{} exists, and nothing on it says that it was made for this claim; rename or delete it",
                found.id
            ),
        }
    }

    /// What was there before is used as it is: it must do.
    fn adopted(&self, found: Volume) -> Result<Volume> {
        let (has, asks) = (found.spec.size_gib, self.new.spec.size_gib);
        let mut found = convert::marked(found);
        match (&mut found.spec.config, &self.new.spec.config) {
            (VolumeConfig::AzureFile(there), VolumeConfig::AzureFile(wanted)) if there.protocol != wanted.protocol => {
                let message = format!(
                    "{} exists as a share of protocol {}, and the class asks for {}; write protocol: {}",
                    found.id, there.protocol, wanted.protocol, there.protocol
                );
                Err(self.error(ErrorKind::AlreadyExists, message))
            }
            (VolumeConfig::AzureFile(_), _) if has < asks => {
                let message = format!(
                    "{} exists with {has} GiB, and the claim asks for {asks}; ask for at most {has}Gi, or enlarge it",
                    found.id
                );
                Err(self.error(ErrorKind::AlreadyExists, message))
            }
            // Nothing bounds a container, and only ours say what was asked of them.
            (VolumeConfig::AzureBlob(there), VolumeConfig::AzureBlob(wanted)) => {
                there.protocol.clone_from(&wanted.protocol);
                found.spec.size_gib = asks;
                Ok(found)
            }
            _ => Ok(found),
        }
    }
}

/// The class's name with this claim's parts in it.
fn filled(name: &str, tags: &Tags) -> String {
    let tag = |key: &str| tags.get(key).map_or("", String::as_str);
    azure::fill_name(name, tag(tags::CLAIM), tag(tags::NAMESPACE), tag(PERSISTENT_VOLUME))
}
