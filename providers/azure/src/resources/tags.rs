//! The tags of any resource, one by one: what others write meanwhile stays.

use std::collections::BTreeMap;

use azure_core::http::Method;
use moorline_api::Result;
use serde::Deserialize;
use serde_json::json;

use super::Storage;
use crate::arm::{Call, Path, Version};
use crate::governor::Family;

#[derive(Debug, Deserialize)]
struct TagsResource {
    #[serde(default)]
    properties: Written,
}

#[derive(Debug, Default, Deserialize)]
struct Written {
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// How given tags change those that are there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TagOperation {
    /// They are set, and the others stay.
    Merge,
    /// They are taken off, where they have these values.
    Delete,
}

impl Storage<'_> {
    fn tags_call<'a>(&self, (operation, id): (&'static str, &'a str), method: Method) -> Result<Call<'a>> {
        let path = Path::resource(Version::Tags, id).fixed("providers/Microsoft.Resources/tags/default");
        self.request((operation, id), (method, &path), Family::Unpaced)
    }

    /// The tags of the resource with this id; `None` where there is no such resource.
    pub(crate) async fn resource_tags(&self, id: &str) -> Result<Option<BTreeMap<String, String>>> {
        let call = self.tags_call(("Microsoft.Resources/tags/read", id), Method::Get)?;
        let found: Option<TagsResource> = self.arm.get(&call).await?;
        Ok(found.map(|found| found.properties.tags))
    }

    /// Changes some tags of a resource, and tells all that it has then.
    pub(crate) async fn change_resource_tags(
        &self,
        id: &str,
        operation: TagOperation,
        tags: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>> {
        let word = match operation {
            TagOperation::Merge => "Merge",
            TagOperation::Delete => "Delete",
        };
        let call = self.tags_call(("Microsoft.Resources/tags/write", id), Method::Patch)?;
        let call = Call {
            body: Some(json!({"operation": word, "properties": {"tags": tags}})),
            ..call
        };
        let now: TagsResource = self.arm.call(&call).await?.read(&call)?;
        Ok(now.properties.tags)
    }
}
