//! StorageClasses: whose they are, and whether their provider takes them.

use moorline_api::{ClaimShape, CloudName, FieldPath, Object, StorageClass, StorageRules};

use super::Checker;
use crate::manifests::Item;
use crate::model::ProviderBlock;
use moorline_yaml::Node;
use moorline_yaml::diagnostic::{Diagnostic, Location};
use moorline_yaml::words::{nearest, qualified_name, quote};

/// Provisioners by the cloud in which they make volumes. Those of the profile's own that moorline does not serve have names
/// near to those that it does, and are meant.
const OF_CLOUDS: &[(&str, &str)] = &[
    ("ebs.csi.aws.com", "AWS"),
    ("efs.csi.aws.com", "AWS"),
    ("fsx.csi.aws.com", "AWS"),
    ("s3.csi.aws.com", "AWS"),
    ("kubernetes.io/aws-ebs", "AWS"),
    ("disk.csi.azure.com", "Azure"),
    ("file.csi.azure.com", "Azure"),
    ("blob.csi.azure.com", "Azure"),
    ("kubernetes.io/azure-disk", "Azure"),
    ("kubernetes.io/azure-file", "Azure"),
    ("pd.csi.storage.gke.io", "Google Cloud"),
    ("filestore.csi.storage.gke.io", "Google Cloud"),
    ("kubernetes.io/gce-pd", "Google Cloud"),
    ("cinder.csi.openstack.org", "OpenStack"),
    ("kubernetes.io/cinder", "OpenStack"),
    ("csi.vsphere.vmware.com", "vSphere"),
    ("kubernetes.io/vsphere-volume", "vSphere"),
];

/// Volumes that exist already; Kubernetes only binds them.
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

impl<'a> Checker<'a> {
    /// The rules that serve a class: only those of the profile's own cloud do.
    pub(super) fn rules_of(&self, class: &Item) -> Option<&'a dyn StorageRules> {
        let provisioner = class.node.str_at(&["provisioner"])?;
        self.own_rules().find(|rules| rules.serves(provisioner))
    }

    /// The rules of the profile's cloud; all there are where its file leaves the cloud open.
    fn own_rules(&self) -> impl Iterator<Item = &'a dyn StorageRules> {
        let cloud = self.config.cloud();
        let all = self.surroundings.rules.iter().copied();
        all.filter(move |rules| cloud.is_none_or(|cloud| rules.cloud() == cloud))
    }

    pub(super) fn class(&mut self, item: &Item) {
        let Some(provisioner) = item.node.str_at(&["provisioner"]) else {
            return;
        };
        match self.rules_of(item) {
            Some(rules) => self.parameters(item, rules),
            None => self.foreign(item, provisioner),
        }
        self.zones(item);
    }

    fn foreign(&mut self, item: &Item, provisioner: &str) {
        if provisioner == NO_PROVISIONER {
            return;
        }
        let at = item.place(&["provisioner"]);
        let served: Vec<&str> = self.own_rules().flat_map(StorageRules::provisioners).copied().collect();
        let served_text = served.join(" or ");
        if let Err(why) = qualified_name(&provisioner.to_lowercase()) {
            let cause = format!("{} is no name of a provisioner: {why}", quote(provisioner));
            return self.error(item, at, cause, format!("use {served_text}"));
        }
        let its_cloud = OF_CLOUDS.iter().find(|(known, _)| *known == provisioner);
        let own = self.config.cloud().map(|cloud| cloud.to_string());
        if let (Some((_, cloud)), Some(own)) = (its_cloud, own)
            && *cloud != own
        {
            let cause = format!("{provisioner} makes volumes in {cloud}, and this profile's provider is {own}");
            let all = self.surroundings.rules.iter().map(|rules| rules.cloud());
            let other = all
                .filter(|other| other.to_string() == *cloud)
                .map(CloudName::key)
                .next();
            let instead = other.map_or_else(String::new, |key| {
                format!(", or write provider: with {key}: {{}} in profile.yaml")
            });
            return self.error(item, at, cause, format!("use {served_text}{instead}"));
        }
        let meant = nearest(provisioner, served.iter().copied()).filter(|_| its_cloud.is_none());
        if let Some(meant) = meant {
            let cause = format!("no provisioner {} is known", quote(provisioner));
            return self.error(item, at, cause, format!("did you mean {meant}?"));
        }
        let cause = format!("moorline does not serve provisioner {}", quote(provisioner));
        let cure =
            format!("use {served_text}; otherwise the cluster needs that provisioner, and moorline only waits for it");
        self.warning(item, at, cause, cure);
    }

    /// What is wrong with the class itself is said even if no claim names it, or none that can be read. Sizes are left to the
    /// claims: each is measured against the class.
    fn parameters(&mut self, item: &Item, rules: &dyn StorageRules) {
        let Ok(object) = Object::from_value(item.node.to_json()) else {
            return;
        };
        let class = StorageClass::from_object(&object);
        let sizes = [1_u64, 16, 128, 1024, 4096].map(|gib| gib << 30);
        let problems = sizes.map(|bytes| {
            let claim = ClaimShape {
                bytes,
                access_modes: vec!["ReadWriteOnce".to_owned()],
                volume_mode: "Filesystem".to_owned(),
            };
            rules
                .place(&class, &claim, self.surroundings.zones)
                .err()
                .unwrap_or_default()
        });
        // A problem at every size is the class's own.
        let [first, others @ ..] = &problems;
        for problem in first
            .iter()
            .filter(|problem| others.iter().all(|other| other.contains(problem)))
        {
            if let FieldPath::Class(path) = &problem.field {
                self.class_problem(item, path, (problem.cause.clone(), problem.cure.clone()), None);
            }
        }
    }

    /// A problem at a place of a class; many claims may have it, and it is said once.
    pub(super) fn class_problem(
        &mut self,
        class: &Item,
        path: &[String],
        (cause, cure): (String, String),
        claim: Option<Location>,
    ) {
        let diagnostic = Diagnostic::new(class.source.locate(class.node.place_of_entry(path)), cause, cure);
        if self.findings.has_same(&diagnostic) {
            return;
        }
        self.findings.add(match claim {
            Some(claim) => diagnostic.also(claim, "for this claim"),
            None => diagnostic,
        });
    }

    /// Zones of another region than the profile's, as far as their names show it.
    fn zones(&mut self, item: &Item) {
        // Only EBS volumes live in zones; the rules of the others say so themselves.
        let ProviderBlock::Aws { region, .. } = &self.config.provider else {
            return;
        };
        let region = region.as_deref().or(self.surroundings.region);
        // Where the zones are known, the provider's rules have compared them.
        if self.surroundings.zones.is_some() || self.rules_of(item).is_none() {
            return;
        }
        let parameters = item.node.entries_at(&["parameters"]).iter();
        let named = parameters
            .filter(|entry| matches!(&*entry.key.to_ascii_lowercase(), "zone" | "zones"))
            .map(|entry| &entry.value);
        let expressions = item
            .node
            .items_at(&["allowedTopologies"])
            .iter()
            .flat_map(|term| term.items_at(&["matchLabelExpressions"]));
        let zoned =
            expressions.filter(|expression| expression.str_at(&["key"]).is_some_and(|key| key.ends_with("/zone")));
        let values = zoned.flat_map(|expression| expression.items_at(&["values"]));
        for node in named.chain(values) {
            for zone in node
                .as_str()
                .into_iter()
                .flat_map(|zones| zones.split(','))
                .map(str::trim)
            {
                self.zone(item, node, zone, region);
            }
        }
    }

    fn zone(&mut self, item: &Item, node: &Node, zone: &str, region: Option<&str>) {
        let like = region.unwrap_or("us-east-1");
        if let Some(region) = region.filter(|region| !zone.starts_with(region)) {
            let cause = format!("zone {} is not in region {region}", quote(zone));
            let cure = format!("use a zone such as {like}a, or change the region");
            self.error(item, node.span, cause, cure);
        } else if !looks_like_zone(zone) {
            let cause = format!("{} is no zone", quote(zone));
            self.error(item, node.span, cause, format!("write it like {like}a"));
        }
    }
}

/// `us-east-1a`; `us-east-1-bos-1a` for local zones.
fn looks_like_zone(zone: &str) -> bool {
    let parts: Vec<&str> = zone.split('-').collect();
    let number = |part: &&str| part.starts_with(|first: char| first.is_ascii_digit());
    parts.len() >= 3
        && parts.iter().any(number)
        && parts.iter().all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
        && parts
            .last()
            .is_some_and(|last| number(last) && last.ends_with(|end: char| end.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::looks_like_zone;

    #[test]
    fn zones_are_regions_with_a_letter() {
        for zone in ["us-east-1a", "us-gov-west-1b", "us-east-1-bos-1a", "us-west-2-lax-1b"] {
            assert!(looks_like_zone(zone), "{zone}");
        }
        for other in [
            "",
            "us-east-1",
            "a",
            "mars",
            "us-east-a",
            "US-EAST-1A",
            "us-east-1a-",
            "1a",
        ] {
            assert!(!looks_like_zone(other), "{other:?}");
        }
    }
}
