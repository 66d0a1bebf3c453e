//! What is created is what was asked for, or nothing.

use futures::future::try_join_all;

use super::{Backend, VolumeFilter, alive, create, list, plain, settled, small};
use crate::conformance::eventually;
use crate::{ErrorKind, NewVolume, Tags, Volume, VolumeConfig, VolumeSpec, VolumeState};

/// Types with a size and a performance that each of them has.
fn sorts() -> [(u32, VolumeConfig); 8] {
    let provisioned = |volume_type: &str, operations, mib| VolumeConfig::Ebs {
        volume_type: volume_type.to_owned(),
        iops: Some(operations),
        throughput: mib,
        encrypted: Some(false),
        kms_key_id: None,
    };
    [
        (10, plain("gp2")),
        (10, plain("gp3")),
        (20, provisioned("gp3", 4000, Some(250))),
        (10, provisioned("io1", 500, None)),
        (10, provisioned("io2", 500, None)),
        (125, plain("st1")),
        (125, plain("sc1")),
        (5, plain("standard")),
    ]
}

/// That a volume has everything that was asked for. What was left to the cloud may be anything.
fn assert_as_asked(has: &Volume, asked: &NewVolume) {
    let (
        VolumeConfig::Ebs {
            volume_type,
            iops,
            throughput,
            encrypted,
            ..
        },
        VolumeConfig::Ebs {
            volume_type: asked_type,
            iops: asked_iops,
            throughput: asked_throughput,
            encrypted: asked_encrypted,
            ..
        },
    ) = (&has.spec.config, &asked.spec.config)
    else {
        panic!("{:?} is no EBS volume", has.spec.config)
    };
    assert_eq!(has.spec.size_gib, asked.spec.size_gib, "GiB of {volume_type}");
    assert_eq!(has.spec.zone, asked.spec.zone, "the zone of {volume_type}");
    assert_eq!(volume_type, asked_type);
    assert!(
        asked_iops.is_none() || iops == asked_iops,
        "{iops:?} IOPS of {volume_type}"
    );
    assert!(
        asked_throughput.is_none() || throughput == asked_throughput,
        "{throughput:?} MiB/s of {volume_type}"
    );
    assert!(
        asked_encrypted.is_none() || encrypted == asked_encrypted,
        "{volume_type} encrypted: {encrypted:?}"
    );
    assert_eq!(has.tags, asked.tags, "the tags of {volume_type}");
}

pub(super) async fn every_type_is_as_asked(cloud: Backend) {
    for (number, (size_gib, config)) in sorts().into_iter().enumerate() {
        let mut new = small(&cloud, &format!("v{number}")).await;
        new.spec = VolumeSpec {
            size_gib,
            config,
            ..new.spec
        };
        let answered = cloud.volumes().create(&new).await.unwrap();
        assert_as_asked(&answered, &new);
        let usable = cloud.volumes().wait_usable(&answered.id).await.unwrap();
        assert_as_asked(&usable, &new);
        assert_eq!((&usable.id, usable.state), (&answered.id, VolumeState::Available));
        assert!(usable.attachments.is_empty() && usable.created.is_some(), "{usable:?}");
    }
}

pub(super) async fn an_encrypted_volume_says_so_and_names_its_key(cloud: Backend) {
    let mut new = small(&cloud, "secret").await;
    let VolumeConfig::Ebs { encrypted, .. } = &mut new.spec.config else {
        panic!("no EBS volume")
    };
    *encrypted = Some(true);
    let VolumeConfig::Ebs {
        encrypted, kms_key_id, ..
    } = create(&cloud, &new).await.spec.config
    else {
        panic!("no EBS volume")
    };
    assert_eq!(encrypted, Some(true));
    assert!(
        kms_key_id.as_ref().is_some_and(|key| key.contains("key/")),
        "{kms_key_id:?} is no key"
    );
}

/// EBS user guide, "General Purpose SSD volumes": gp3 has 3,000 IOPS and 125 MiB/s where nothing else is asked.
pub(super) async fn a_volume_says_what_its_type_gives_by_default(cloud: Backend) {
    let volume = create(&cloud, &small(&cloud, "default").await).await;
    let VolumeConfig::Ebs { iops, throughput, .. } = volume.spec.config else {
        panic!("no EBS volume")
    };
    assert_eq!((iops, throughput), (Some(3000), Some(125)), "the defaults of gp3");
}

pub(super) async fn tags_come_with_the_creating_call(cloud: Backend) {
    let mut new = small(&cloud, "tagged").await;
    new.tags.extend(
        [
            ("empty", ""),
            ("kubernetes.io/created-for/pvc/name", "www-home-deployment-0"),
            ("letters", "ü ß 数 & < > \" ' + % ="),
            ("path/with:signs", "a=b@c.d_e-f"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    new.tags.extend((0..40).map(|n| (format!("t{n}"), n.to_string())));
    let volume = create(&cloud, &new).await;
    assert_eq!(volume.tags, new.tags);
    assert_eq!((cloud.sent("CreateVolume"), cloud.sent("CreateTags")), (1, 0));
    let found = eventually("found by its odder tags", super::PATIENCE, async || {
        let letters = new.tags.iter().filter(|(key, _)| !key.starts_with('t'));
        let filter = letters
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<Tags>();
        match &list(&cloud, VolumeFilter::Tagged(filter)).await.unwrap()[..] {
            [only] => Ok(only.id.clone()),
            found => Err(format!("{} volumes", found.len())),
        }
    })
    .await;
    assert_eq!(found, volume.id);
}

pub(super) async fn a_size_that_the_type_does_not_have_is_refused(cloud: Backend) {
    for size_gib in [0, 99_999] {
        let mut new = small(&cloud, "sized").await;
        new.spec.size_gib = size_gib;
        assert_refused(&cloud, &new, &format!("{size_gib} GiB")).await;
    }
}

pub(super) async fn a_zone_that_the_region_does_not_have_is_refused(cloud: Backend) {
    let mut new = small(&cloud, "placed").await;
    new.spec.zone = Some("us-nowhere-1q".to_owned());
    assert_refused(&cloud, &new, "a zone of nowhere").await;
}

pub(super) async fn a_type_that_does_not_exist_is_refused(cloud: Backend) {
    let mut new = small(&cloud, "typed").await;
    new.spec.config = plain("gp9");
    assert_refused(&cloud, &new, "type gp9").await;
}

/// EBS user guide: gp3 takes at most 80,000 IOPS, and 500 a GiB.
pub(super) async fn a_performance_that_the_size_does_not_give_is_refused(cloud: Backend) {
    let mut new = small(&cloud, "fast").await;
    let VolumeConfig::Ebs { iops, .. } = &mut new.spec.config else {
        panic!("no EBS volume")
    };
    *iops = Some(70_000);
    assert_refused(&cloud, &new, "70,000 IOPS on 1 GiB").await;
}

async fn assert_refused(cloud: &Backend, new: &NewVolume, what: &str) {
    match cloud.volumes().create(new).await {
        Ok(volume) => panic!("{what}: made {} instead of refusing", volume.id),
        Err(error) => assert_eq!(error.kind, ErrorKind::Invalid, "{what}: {error}"),
    }
    assert!(alive(cloud).await.is_empty(), "{what}: refused, and made all the same");
}

pub(super) async fn many_waits_share_their_reads(cloud: Backend) {
    let mut new = Vec::new();
    for number in 0..60 {
        new.push(small(&cloud, &format!("v{number}")).await);
    }
    let created = try_join_all(new.iter().map(|new| cloud.volumes().create(new)))
        .await
        .unwrap();
    let before = cloud.sent("DescribeVolumes");
    let usable = try_join_all(created.iter().map(|volume| cloud.volumes().wait_usable(&volume.id)))
        .await
        .unwrap();
    let reads = cloud.sent("DescribeVolumes") - before;
    assert!(reads < 30, "{reads} reads for 60 volumes");
    assert!(usable.iter().all(|volume| volume.state == VolumeState::Available));
    settled(&cloud, created.into_iter().map(|volume| volume.id).collect()).await;
}
