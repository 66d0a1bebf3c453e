//! EBS volumes are mounted without a Secret, AWS does not look inside them, and nothing holds them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use moorline_api::{MountSecrets, Result, Sensitive, Swept, Upkeep, Usage, VolumeId};

use crate::provider::AwsProvider;

#[async_trait]
impl MountSecrets for AwsProvider {
    async fn mount_secret(&self, _id: &VolumeId) -> Result<BTreeMap<String, Sensitive>> {
        Ok(BTreeMap::new())
    }
}

#[async_trait]
impl Usage for AwsProvider {
    async fn used_bytes(&self, _id: &VolumeId) -> Result<Option<u64>> {
        Ok(None)
    }
}

#[async_trait]
impl Upkeep for AwsProvider {
    async fn sweep(&self, _cluster: &str, _profile: &str) -> Result<Vec<Swept>> {
        Ok(Vec::new())
    }
}
