//! Services and what routes to them, accounts, events, from `core/v1`, `networking/v1`, `events/v1` and `rbac/v1`.

use super::meta::{CONDITIONS, METADATA, NAME};
use super::{ATOMIC, Key, KeyDefault, PLAIN, Ref, Type, atomic, list, merged, object};

static SERVICE_PORT: [Key; 2] = [
    Key {
        name: Ref::Static("port"),
        default: KeyDefault::Zero,
    },
    Key {
        name: Ref::Static("protocol"),
        default: KeyDefault::Text("TCP"),
    },
];

pub(super) static SERVICE: Type = fields![METADATA, object("spec", &SERVICE_SPEC), object("status", &CONDITIONS)];

/// `clusterIPs`, `ipFamilies`, `externalIPs`, `loadBalancerSourceRanges` are atomic lists, as is `ingress` in the status.
static SERVICE_SPEC: Type = fields![
    list("ports", &SERVICE_PORT, &PLAIN).merged_by("port"),
    atomic("selector")
];

pub(super) static INGRESS: Type = fields![METADATA, object("spec", &INGRESS_SPEC)];

/// `rules` and `tls` are atomic lists.
static INGRESS_SPEC: Type = fields![object("defaultBackend", &INGRESS_BACKEND)];

static INGRESS_BACKEND: Type = fields![atomic("resource"), object("service", &INGRESS_SERVICE)];

static INGRESS_SERVICE: Type = fields![atomic("port")];

pub(super) static NETWORK_POLICY: Type = fields![METADATA, object("spec", &NETWORK_POLICY_SPEC)];

/// `ingress` and `egress` are atomic lists.
static NETWORK_POLICY_SPEC: Type = fields![atomic("podSelector")];

pub(super) static SERVICE_ACCOUNT: Type = fields![METADATA, merged("secrets", &NAME, &ATOMIC)];

/// `RoleBinding` and `ClusterRoleBinding`; the subjects are an atomic list.
pub(super) static ROLE_BINDING: Type = fields![METADATA, atomic("roleRef")];

pub(super) static QUOTA: Type = fields![METADATA, object("spec", &QUOTA_SPEC)];

static QUOTA_SPEC: Type = fields![atomic("scopeSelector")];

/// `core/v1`.
pub(super) static CORE_EVENT: Type = fields![METADATA, atomic("involvedObject"), atomic("related")];

/// `events.k8s.io/v1`.
pub(super) static EVENT: Type = fields![METADATA, atomic("regarding"), atomic("related")];
