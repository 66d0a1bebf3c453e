//! The settings of a storage account that a request may carry.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::AzureError;

/// Settings of an account, as they are sent and sent back; what the sandbox does not act on is kept as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct AccountProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_tier: Option<AccessTier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_blob_public_access: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_cross_tenant_delegation_sas: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_cross_tenant_replication: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_shared_key_access: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_shared_key_access_for_services: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_copy_scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    azure_files_identity_based_authentication: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_domain: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_collaboration_policy_properties: Option<Value>,
    #[serde(rename = "defaultToOAuthAuthentication", skip_serializing_if = "Option::is_none")]
    default_to_oauth_authentication: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns_endpoint_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dual_stack_endpoint_preference: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_extended_groups: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    geo_priority_replication_status: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    immutable_storage_with_versioning: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_hns_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_local_user_enabled: Option<bool>,
    #[serde(rename = "isNfsV3Enabled", skip_serializing_if = "Option::is_none")]
    is_nfs_v3_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_sftp_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_policy: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    large_file_shares_state: Option<OnOff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_tls_version: Option<TlsVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_acls: Option<NetworkAcls>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_network_access: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routing_preference: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sas_policy: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supports_https_traffic_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turbo_tier: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum AccessTier {
    Hot,
    Cool,
    Premium,
    Cold,
    Smart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum OnOff {
    Enabled,
    Disabled,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum TlsVersion {
    #[serde(rename = "TLS1_0")]
    V1_0,
    #[serde(rename = "TLS1_1")]
    V1_1,
    #[serde(rename = "TLS1_2")]
    V1_2,
    #[serde(rename = "TLS1_3")]
    V1_3,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NetworkAcls {
    default_action: DefaultAction,
    bypass: Option<String>,
    #[serde(default)]
    ip_rules: Vec<Value>,
    #[serde(default)]
    ipv6_rules: Vec<Value>,
    #[serde(default)]
    virtual_network_rules: Vec<Value>,
    #[serde(default)]
    resource_access_rules: Vec<Value>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum DefaultAction {
    Allow,
    Deny,
}

impl AccountProperties {
    /// Whether shares may be larger than 5 TiB.
    pub(crate) fn large_shares(&self) -> bool {
        self.large_file_shares_state == Some(OnOff::Enabled)
    }

    /// These settings with `newer` laid over them.
    pub(crate) fn updated(&self, newer: &Self) -> Result<Self, AzureError> {
        // Once on, large shares stay on.
        if self.large_shares() && newer.large_file_shares_state == Some(OnOff::Disabled) {
            return Err(AzureError::values("largeFileSharesState"));
        }
        let mut merged = serde_json::to_value(self).map_err(AzureError::content)?;
        let newer = serde_json::to_value(newer).map_err(AzureError::content)?;
        if let (Value::Object(all), Value::Object(newer)) = (&mut merged, newer) {
            all.extend(newer);
        }
        serde_json::from_value(merged).map_err(AzureError::content)
    }
}
