//! EBS volumes are mounted without a Secret, and AWS does not look inside them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use moorline_api::{MountSecrets, Result, Sensitive, Usage, VolumeId};

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
