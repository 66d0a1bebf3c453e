//! All settings of a sandbox.

use moorline_sandbox_aws::AwsSettings;
use moorline_sandbox_azure::AzureSettings;
use moorline_sandbox_controllers::ControllerSettings;
use moorline_sandbox_kubernetes::ApiSettings;
use serde::{Deserialize, Serialize};

use crate::names::ClusterNames;

/// Settings of the clouds, the API server and the controllers. The default is realistic, but quick; what a document
/// leaves out is the default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SandboxSettings {
    /// The AWS account.
    pub aws: AwsSettings,
    /// The Azure cloud.
    pub azure: AzureSettings,
    /// The Kubernetes API server of every cluster.
    pub api: ApiSettings,
    /// The controllers of every cluster.
    pub controllers: ControllerSettings,
    /// The clusters, all over the same clouds. What a cluster holds is kept where it is no longer named, and is there again when it is.
    pub clusters: ClusterNames,
    /// Clusters whose API servers refuse connections; the clusters themselves go on.
    pub unreachable: Vec<String>,
}

impl SandboxSettings {
    /// No throttling, no latency, no lag; nothing takes time but the binder's resync.
    pub fn instant() -> Self {
        Self {
            aws: AwsSettings::instant(),
            azure: AzureSettings::instant(),
            api: ApiSettings {
                latency_millis: 0,
                ..ApiSettings::default()
            },
            controllers: ControllerSettings::instant(),
            ..Self::default()
        }
    }

    /// Whether clients shall reach the cluster of that name.
    pub(crate) fn is_reachable(&self, cluster: &str) -> bool {
        !self.unreachable.iter().any(|name| name == cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_may_leave_out_what_it_does_not_change() {
        let settings: SandboxSettings = serde_json::from_str(r#"{"azure": {"throttle": false}}"#).unwrap();
        assert!(settings.aws.throttle && !settings.azure.throttle);
        assert_eq!(settings.controllers, ControllerSettings::default());
        assert!(serde_json::from_str::<SandboxSettings>(r#"{"gcp": {}}"#).is_err());
    }
}
