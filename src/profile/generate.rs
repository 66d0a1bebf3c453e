//! Makes `shapes.txt` and `schemas/profile.schema.json`, and keeps both current. After a change of `config`, of the kinds
//! below or of k8s-openapi's version, run
//!
//! ```text
//! MOORLINE_REGENERATE=1 cargo test -p moorline-profile generate
//! ```
//!
//! and read the difference before committing it.

use std::path::Path;

use k8s_openapi::api;
use moorline_yaml::generate::{Refinement, Table, assert_current, assert_described, schema_of};

use crate::config::ProfileFile;

/// What the API server checks beyond types: words and ranges of fields (Kubernetes 1.36, `pkg/apis/*/validation`).
const REFINED: &[Refinement] = &[
    ("apps.v1.DeploymentSpec", "replicas", "0..2147483647"),
    ("apps.v1.DeploymentStrategy", "type", "Recreate|RollingUpdate"),
    ("apps.v1.ReplicaSetSpec", "replicas", "0..2147483647"),
    ("apps.v1.StatefulSetOrdinals", "start", "0..2147483647"),
    (
        "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy",
        "whenDeleted",
        "Delete|Retain",
    ),
    (
        "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy",
        "whenScaled",
        "Delete|Retain",
    ),
    (
        "apps.v1.StatefulSetSpec",
        "podManagementPolicy",
        "OrderedReady|Parallel",
    ),
    ("apps.v1.StatefulSetSpec", "replicas", "0..2147483647"),
    ("apps.v1.StatefulSetUpdateStrategy", "type", "OnDelete|RollingUpdate"),
    ("core.v1.Container", "imagePullPolicy", "Always|IfNotPresent|Never"),
    ("core.v1.ContainerPort", "containerPort", "1..65535"),
    ("core.v1.ContainerPort", "hostPort", "0..65535"),
    ("core.v1.ContainerPort", "protocol", "SCTP|TCP|UDP"),
    (
        "core.v1.PersistentVolumeClaimSpec",
        "accessModes",
        "[ReadOnlyMany|ReadWriteMany|ReadWriteOnce|ReadWriteOncePod]",
    ),
    ("core.v1.PersistentVolumeClaimSpec", "volumeMode", "Block|Filesystem"),
    (
        "core.v1.PersistentVolumeSpec",
        "persistentVolumeReclaimPolicy",
        "Delete|Recycle|Retain",
    ),
    ("core.v1.PodSpec", "restartPolicy", "Always|Never|OnFailure"),
    ("core.v1.ServicePort", "nodePort", "0..65535"),
    ("core.v1.ServicePort", "port", "1..65535"),
    ("core.v1.ServicePort", "protocol", "SCTP|TCP|UDP"),
    ("core.v1.ServiceSpec", "externalTrafficPolicy", "Cluster|Local"),
    ("core.v1.ServiceSpec", "internalTrafficPolicy", "Cluster|Local"),
    ("core.v1.ServiceSpec", "sessionAffinity", "ClientIP|None"),
    (
        "core.v1.ServiceSpec",
        "type",
        "ClusterIP|ExternalName|LoadBalancer|NodePort",
    ),
    (
        "meta.v1.LabelSelectorRequirement",
        "operator",
        "DoesNotExist|Exists|In|NotIn",
    ),
    ("storage.k8s.io/v1 StorageClass", "reclaimPolicy", "Delete|Retain"),
    (
        "storage.k8s.io/v1 StorageClass",
        "volumeBindingMode",
        "Immediate|WaitForFirstConsumer",
    ),
];

/// Types that are words.
const WORDS: &[(&str, &str)] = &[("onDown", "delete|keep|reclaim-policy|snapshot")];

fn table() -> String {
    let mut table = Table::new(REFINED, WORDS);
    table.add::<ProfileFile>("profile");
    kind::<api::apps::v1::ControllerRevision>(&mut table);
    kind::<api::apps::v1::DaemonSet>(&mut table);
    kind::<api::apps::v1::Deployment>(&mut table);
    kind::<api::apps::v1::ReplicaSet>(&mut table);
    kind::<api::apps::v1::StatefulSet>(&mut table);
    kind::<api::autoscaling::v2::HorizontalPodAutoscaler>(&mut table);
    kind::<api::batch::v1::CronJob>(&mut table);
    kind::<api::batch::v1::Job>(&mut table);
    kind::<api::core::v1::ConfigMap>(&mut table);
    kind::<api::core::v1::LimitRange>(&mut table);
    kind::<api::core::v1::Namespace>(&mut table);
    kind::<api::core::v1::PersistentVolume>(&mut table);
    kind::<api::core::v1::PersistentVolumeClaim>(&mut table);
    kind::<api::core::v1::Pod>(&mut table);
    kind::<api::core::v1::ResourceQuota>(&mut table);
    kind::<api::core::v1::Secret>(&mut table);
    kind::<api::core::v1::Service>(&mut table);
    kind::<api::core::v1::ServiceAccount>(&mut table);
    kind::<api::networking::v1::Ingress>(&mut table);
    kind::<api::networking::v1::IngressClass>(&mut table);
    kind::<api::networking::v1::NetworkPolicy>(&mut table);
    kind::<api::policy::v1::PodDisruptionBudget>(&mut table);
    kind::<api::rbac::v1::ClusterRole>(&mut table);
    kind::<api::rbac::v1::ClusterRoleBinding>(&mut table);
    kind::<api::rbac::v1::Role>(&mut table);
    kind::<api::rbac::v1::RoleBinding>(&mut table);
    kind::<api::scheduling::v1::PriorityClass>(&mut table);
    kind::<api::storage::v1::CSIDriver>(&mut table);
    kind::<api::storage::v1::StorageClass>(&mut table);
    table.text("profile", "generate.rs")
}

/// Adds a kind of Kubernetes.
fn kind<T: schemars::JsonSchema + k8s_openapi::Resource>(table: &mut Table) {
    let name = format!("{} {}", T::API_VERSION, T::KIND);
    table.add::<T>(&name);
    // What the server writes is not ours to judge.
    table.free(&name, "status");
}

fn schema() -> String {
    let id = "https://moorline.dev/schemas/profile.schema.json";
    schema_of::<ProfileFile>(id, "A moorline profile", |_| {})
}

#[test]
fn the_table_of_shapes_is_current() {
    assert_current(&here().join("shapes.txt"), &table());
}

#[test]
fn the_schema_of_profiles_is_current() {
    assert_current(&here().join("../../schemas/profile.schema.json"), &schema());
}

#[test]
fn every_field_of_the_schema_is_described() {
    assert_described(&schema(), "profile");
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
