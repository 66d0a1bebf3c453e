//! StorageClass parameters, read as the two provisioners read them: keys without case, every value checked.

use std::collections::BTreeMap;

use moorline_api::{FieldPath, FieldProblem, StorageClass};

use crate::volume_types::{self, VolumeType};
use crate::{CSI_DRIVER, IN_TREE_PROVISIONER};

const IN_TREE_KEYS: &[&str] = &["type", "zone", "zones", "iopsPerGB", "encrypted", "kmsKeyId", "fsType"];

const CSI_KEYS: &[&str] = &[
    "type",
    "iops",
    "iopsPerGB",
    "allowAutoIOPSPerGBIncrease",
    "throughput",
    "encrypted",
    "kmsKeyId",
    "csi.storage.k8s.io/fstype",
    "fsType",
    "blockExpress",
    "blockSize",
    "inodeSize",
    "bytesPerInode",
    "numberOfInodes",
    "ext4BigAlloc",
    "ext4ClusterSize",
    "ext4EncryptionSupport",
];

const FILE_SYSTEMS: &[&str] = &["ext4", "xfs", "ext3", "ext2", "ntfs"];

/// A formatting option of the CSI driver, which its node plugin reads from the PV's `volumeAttributes` in lower case.
struct FormatOption {
    key: &'static str,
    flag: bool,
    file_systems: &'static [&'static str],
}

const FORMAT_OPTIONS: &[FormatOption] = &[
    FormatOption {
        key: "blocksize",
        flag: false,
        file_systems: &["ext2", "ext3", "ext4", "xfs"],
    },
    FormatOption {
        key: "inodesize",
        flag: false,
        file_systems: &["ext2", "ext3", "ext4", "xfs"],
    },
    FormatOption {
        key: "bytesperinode",
        flag: false,
        file_systems: &["ext2", "ext3", "ext4"],
    },
    FormatOption {
        key: "numberofinodes",
        flag: false,
        file_systems: &["ext2", "ext3", "ext4"],
    },
    FormatOption {
        key: "ext4bigalloc",
        flag: true,
        file_systems: &["ext4"],
    },
    FormatOption {
        key: "ext4clustersize",
        flag: false,
        file_systems: &["ext4"],
    },
    FormatOption {
        key: "ext4encryptionsupport",
        flag: true,
        file_systems: &["ext4"],
    },
];

/// A class's parameters, read.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pub(crate) volume_type: Option<&'static VolumeType>,
    pub(crate) iops: Option<u32>,
    pub(crate) iops_per_gib: Option<u32>,
    /// Too few IOPS are raised to the type's least instead of being refused.
    pub(crate) raise_iops: bool,
    pub(crate) throughput: Option<u32>,
    pub(crate) encrypted: Option<bool>,
    pub(crate) kms_key_id: Option<String>,
    /// `zone` or `zones`, with the key as written.
    pub(crate) zones: Option<(String, Vec<String>)>,
    pub(crate) fs_type: Option<String>,
    /// Formatting options by the CSI driver's own key, with the key as written.
    pub(crate) format: BTreeMap<&'static str, (String, String)>,
}

/// Where a parameter stands.
pub(crate) fn at(key: &str) -> FieldPath {
    FieldPath::Class(vec!["parameters".to_owned(), key.to_owned()])
}

/// A problem with a parameter.
pub(crate) fn problem(key: &str, cause: impl Into<String>, cure: impl Into<String>) -> FieldProblem {
    FieldProblem {
        field: at(key),
        cause: cause.into(),
        cure: cure.into(),
    }
}

/// The parameter as the class spells it, or as documented where the class has none.
pub(crate) fn spelling<'a>(class: &'a StorageClass, key: &'a str) -> &'a str {
    class
        .parameters
        .keys()
        .find(|written| written.eq_ignore_ascii_case(key))
        .map_or(key, String::as_str)
}

/// Reads all parameters and reports all that is wrong with each by itself and with each other.
pub(crate) fn read(class: &StorageClass) -> (Parameters, Vec<FieldProblem>) {
    let in_tree = class.provisioner == IN_TREE_PROVISIONER;
    let mut reader = Reader {
        parameters: Parameters {
            raise_iops: in_tree,
            ..Parameters::default()
        },
        problems: Vec::new(),
        in_tree,
    };
    let mut seen = BTreeMap::<String, &str>::new();
    for (key, value) in &class.parameters {
        if let Some(before) = seen.insert(key.to_ascii_lowercase(), key) {
            reader.report(
                key,
                format!("{key} and {before} are the same parameter: case is ignored"),
                "keep one of them",
            );
        } else {
            reader.read_one(key, value);
        }
    }
    if reader.parameters.volume_type.is_none() && !seen.contains_key("type") {
        reader.parameters.volume_type = volume_types::find(if in_tree { "gp2" } else { "gp3" });
    }
    reader.check_together(class);
    (reader.parameters, reader.problems)
}

struct Reader {
    parameters: Parameters,
    problems: Vec<FieldProblem>,
    in_tree: bool,
}

impl Reader {
    fn report(&mut self, key: &str, cause: impl Into<String>, cure: impl Into<String>) {
        self.problems.push(problem(key, cause, cure));
    }

    fn read_one(&mut self, key: &str, value: &str) {
        let lower = key.to_ascii_lowercase();
        let known = if self.in_tree { IN_TREE_KEYS } else { CSI_KEYS };
        if !known.iter().any(|known| known.eq_ignore_ascii_case(&lower)) {
            return self.unknown(key, &lower, known);
        }
        match lower.as_str() {
            "type" => self.volume_type(key, value),
            "iops" => self.parameters.iops = self.number(key, value),
            "iopspergb" => self.parameters.iops_per_gib = self.number(key, value),
            "allowautoiopspergbincrease" => {
                self.parameters.raise_iops = self.flag(key, value) == Some(true);
            }
            "throughput" => self.parameters.throughput = self.number(key, value),
            "encrypted" => self.parameters.encrypted = self.flag(key, value),
            "kmskeyid" => self.parameters.kms_key_id = self.text(key, value),
            "zone" | "zones" => self.zones(key, value),
            "fstype" | "csi.storage.k8s.io/fstype" => self.file_system(key, value),
            // Every io2 volume has been a Block Express one since 2023: the flag is read and changes nothing.
            "blockexpress" => _ = self.flag(key, value),
            option => self.format_option(option, key, value),
        }
    }

    fn unknown(&mut self, key: &str, lower: &str, known: &[&str]) {
        let cause = format!(
            "{} has no parameter {key}",
            if self.in_tree { IN_TREE_PROVISIONER } else { CSI_DRIVER }
        );
        if lower.starts_with("tagspecification_") {
            return self.report(
                key,
                "moorline does not take tags from a class: it could not tell them from its own",
                "remove it",
            );
        }
        if lower == "volumeinitializationrate" {
            return self.report(
                key,
                format!("{key} is for volumes made from snapshots, which a class does not make"),
                "remove it",
            );
        }
        if lower == "zone" || lower == "zones" {
            return self.report(key, cause, "use allowedTopologies with key topology.kubernetes.io/zone");
        }
        if self.in_tree && CSI_KEYS.iter().any(|csi| csi.eq_ignore_ascii_case(lower)) {
            return self.report(key, cause, format!("use provisioner: {CSI_DRIVER}, which has it"));
        }
        let cure = match nearest(lower, known) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => format!("known parameters are {}", known.join(", ")),
        };
        self.report(key, cause, cure);
    }

    fn volume_type(&mut self, key: &str, value: &str) {
        self.parameters.volume_type = volume_types::find(value);
        if self.parameters.volume_type.is_none() {
            let known: Vec<_> = volume_types::VOLUME_TYPES.iter().map(|known| known.name).collect();
            let cure = match nearest(&value.to_ascii_lowercase(), &known) {
                Some(nearest) => format!("did you mean {nearest}? types are {}", volume_types::names()),
                None => format!("types are {}", volume_types::names()),
            };
            self.report(key, format!("{value:?} is no EBS volume type"), cure);
        }
    }

    fn number(&mut self, key: &str, value: &str) -> Option<u32> {
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits
            .then(|| value.parse().ok())
            .flatten()
            .filter(|number| *number > 0);
        if number.is_none() {
            self.report(
                key,
                format!("{value:?} is not a positive whole number"),
                format!("write it like {key}: \"3000\""),
            );
        }
        number
    }

    fn flag(&mut self, key: &str, value: &str) -> Option<bool> {
        let flag = value.to_ascii_lowercase().parse().ok();
        if flag.is_none() {
            self.report(
                key,
                format!("{value:?} is neither true nor false"),
                format!("write {key}: \"true\" or {key}: \"false\""),
            );
        }
        flag
    }

    fn text(&mut self, key: &str, value: &str) -> Option<String> {
        let text = value.trim();
        if text.is_empty() {
            self.report(key, format!("{key} is empty"), "give it a value or remove it");
        }
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn zones(&mut self, key: &str, value: &str) {
        if let Some((other, _)) = &self.parameters.zones {
            let cause = format!("{other} and {key} exclude each other");
            return self.report(key, cause, "keep one of them");
        }
        let zones: Vec<_> = value.split(',').map(|zone| zone.trim().to_owned()).collect();
        if zones.iter().any(String::is_empty) || (key.eq_ignore_ascii_case("zone") && zones.len() > 1) {
            return self.report(
                key,
                format!("{value:?} does not name zones"),
                "write zone: us-east-1a or zones: us-east-1a,us-east-1b",
            );
        }
        self.parameters.zones = Some((key.to_owned(), zones));
    }

    fn file_system(&mut self, key: &str, value: &str) {
        if self.parameters.fs_type.is_some() {
            return self.report(key, "the file system is given twice", "keep csi.storage.k8s.io/fstype");
        }
        if !FILE_SYSTEMS.contains(&value) {
            self.report(
                key,
                format!("{value:?} is no file system for EBS"),
                format!("use one of {}", FILE_SYSTEMS.join(", ")),
            );
        }
        self.parameters.fs_type = Some(value.to_owned());
    }

    fn format_option(&mut self, option: &str, key: &str, value: &str) {
        let Some(option) = FORMAT_OPTIONS.iter().find(|known| known.key == option) else {
            return;
        };
        let value = if option.flag {
            self.flag(key, value).map(|flag| flag.to_string())
        } else {
            self.text(key, value)
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        };
        match value {
            Some(value) => {
                _ = self.parameters.format.insert(option.key, (key.to_owned(), value));
            }
            None if option.flag => {}
            None => self.report(
                key,
                format!("{key} takes a number"),
                format!("write it like {key}: \"4096\""),
            ),
        }
    }

    fn check_together(&mut self, class: &StorageClass) {
        if self.parameters.iops.is_some() && self.parameters.iops_per_gib.is_some() {
            self.report(
                spelling(class, "iopsPerGB"),
                "iops and iopsPerGB exclude each other",
                "keep one of them",
            );
        }
        if self.parameters.kms_key_id.is_some() && self.parameters.encrypted != Some(true) {
            self.report(
                spelling(class, "kmsKeyId"),
                "a KMS key needs encryption",
                "add encrypted: \"true\", or remove kmsKeyId",
            );
        }
        let fs_type = self.parameters.fs_type.clone().unwrap_or_else(|| "ext4".to_owned());
        for option in FORMAT_OPTIONS {
            let Some((key, _)) = self.parameters.format.get(option.key).cloned() else {
                continue;
            };
            if !option.file_systems.contains(&fs_type.as_str()) {
                let cure = format!("remove it, or use one of {}", option.file_systems.join(", "));
                self.report(&key, format!("{key} does not go with {fs_type}"), cure);
            }
        }
        let bigalloc = self
            .parameters
            .format
            .get("ext4bigalloc")
            .is_some_and(|(_, value)| value == "true");
        if let Some((key, _)) = self
            .parameters
            .format
            .get("ext4clustersize")
            .cloned()
            .filter(|_| !bigalloc)
        {
            self.report(&key, format!("{key} needs ext4BigAlloc"), "add ext4BigAlloc: \"true\"");
        }
    }
}

/// The known word that was probably meant.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let close = |known: &&str| strsim::damerau_levenshtein(word, &known.to_ascii_lowercase());
    known
        .iter()
        .copied()
        .min_by_key(close)
        .filter(|best| close(best) <= 2.max(word.len() / 3))
}
