//! What stands in objects of a cluster about volumes: handles in every form, and the parameters of classes.
#![no_main]

mod harmless;

use libfuzzer_sys::fuzz_target;
use moorline_api::{ClaimShape, Object, StorageClass, StorageRules, VolumeId};
use moorline_aws_rules::EbsRules;
use moorline_azure_rules::{AzureRules, DiskName, VolumeName};

fuzz_target!(|text: &str| {
    if let Some(name) = VolumeName::parse(&VolumeId(text.to_owned())) {
        assert_eq!(name.to_string(), text, "an id has one form");
        assert_eq!(VolumeName::parse(&name.id()), Some(name));
    }
    if let Some(disk) = DiskName::parse(text) {
        assert_eq!(
            DiskName::parse(&disk.id().0),
            Some(disk),
            "an id is read as it is written"
        );
    }
    let Some(object) = serde_json::from_str(text)
        .ok()
        .and_then(|value| Object::from_value(value).ok())
    else {
        return;
    };
    let rules: [&dyn StorageRules; 2] = [&EbsRules, &AzureRules];
    let class = StorageClass::from_object(&object);
    let claim = ClaimShape {
        bytes: 1 << 30,
        access_modes: vec!["ReadWriteOnce".to_owned()],
        volume_mode: "Filesystem".to_owned(),
    };
    for rules in rules {
        // Whatever is in a handle becomes part of addresses: one that could lead elsewhere is none.
        if let Some(id) = rules.volume_id(&object) {
            harmless::assert_harmless(&id.0);
            assert!(!id.0.split('/').any(|part| part == ".." || part == "."), "{id:?}");
        }
        if rules.serves(&class.provisioner) {
            let _ = rules.place(&class, &claim, None);
        }
    }
});
