//! What makes pods, and what watches over them, from `apps/v1`, `batch/v1`, `policy/v1` and `autoscaling`.

use super::meta::{CONDITIONS, METADATA};
use super::pods::POD_TEMPLATE;
use super::{ATOMIC, Type, atomic, object, set};

/// `Deployment`, `ReplicaSet`, `DaemonSet`, `ReplicationController`: they differ in nothing that merges.
pub(super) static WORKLOAD: Type = fields![METADATA, object("spec", &WORKLOAD_SPEC), object("status", &CONDITIONS)];

static WORKLOAD_SPEC: Type = fields![atomic("selector"), object("template", &POD_TEMPLATE)];

/// `volumeClaimTemplates` is an atomic list.
pub(super) static STATEFUL_SET: Type = fields![METADATA, object("spec", &WORKLOAD_SPEC), object("status", &CONDITIONS)];

pub(super) static CONTROLLER_REVISION: Type = fields![METADATA, object("data", &ATOMIC)];

pub(super) static JOB: Type = fields![METADATA, object("spec", &JOB_SPEC), object("status", &JOB_STATUS)];

/// The rules of `podFailurePolicy` are an atomic list.
static JOB_SPEC: Type = fields![atomic("selector"), object("template", &POD_TEMPLATE)];

static JOB_STATUS: Type = fields![
    atomic("conditions").merged_by("type"),
    object("uncountedTerminatedPods", &UNCOUNTED)
];

static UNCOUNTED: Type = fields![set("failed"), set("succeeded")];

pub(super) static CRON_JOB: Type = fields![METADATA, object("spec", &CRON_JOB_SPEC)];

static CRON_JOB_SPEC: Type = fields![object("jobTemplate", &JOB_TEMPLATE)];

static JOB_TEMPLATE: Type = fields![METADATA, object("spec", &JOB_SPEC)];

pub(super) static DISRUPTION_BUDGET: Type = fields![
    METADATA,
    object("spec", &DISRUPTION_BUDGET_SPEC),
    object("status", &CONDITIONS)
];

static DISRUPTION_BUDGET_SPEC: Type = fields![atomic("selector").replaced()];

/// `autoscaling/v1`. In `v2` the target merges, and nothing else is special but the conditions.
pub(super) static AUTOSCALER_V1: Type = fields![METADATA, object("spec", &AUTOSCALER_V1_SPEC)];

static AUTOSCALER_V1_SPEC: Type = fields![atomic("scaleTargetRef")];
