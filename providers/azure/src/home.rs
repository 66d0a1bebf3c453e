//! Where new things go when nothing else is said: the resource group and its region.

use moorline_api::{Error, ErrorKind, Result};

use crate::provider::{AzureProvider, Home};

impl AzureProvider {
    /// The resource group that is meant.
    pub(crate) fn group<'a>(&'a self, named: Option<&'a str>, operation: &str) -> Result<&'a str> {
        named.or(self.settings.resource_group.as_deref()).ok_or_else(|| {
            let message = "no resource group is named; set AZURE_RESOURCE_GROUP, or resourceGroup in the class";
            Error::new(ErrorKind::Invalid, operation, "", message)
        })
    }

    /// Our resource group and its region, made where that is allowed.
    pub(crate) async fn home(&self) -> Result<&Home> {
        let settle = async || match self.look_for_home().await? {
            Ok(home) => Ok(home),
            Err(Missing { group, location }) => {
                self.storage()?.create_group(group, &location).await?;
                Ok(Home { location })
            }
        };
        self.home.get_or_try_init(settle).await
    }

    /// The region of what would be made, without making anything.
    pub(crate) async fn region(&self) -> Result<String> {
        if let Some(home) = self.home.get() {
            return Ok(home.location.clone());
        }
        match self.look_for_home().await? {
            Ok(found) => Ok(self.home.get_or_init(async || found).await.location.clone()),
            Err(missing) => Ok(missing.location),
        }
    }

    /// A resource group that is missing and may not be made is an error, and said before anything is changed.
    async fn look_for_home(&self) -> Result<std::result::Result<Home, Missing<'_>>> {
        let wanted = self.settings.location.as_deref().map(canonical);
        if let (None, Some(location)) = (&self.settings.resource_group, &wanted) {
            // Every class has to name its group.
            return Ok(Ok(Home {
                location: location.clone(),
            }));
        }
        let group = self.group(None, "find the resource group")?;
        let missing = match self.storage()?.group(group).await {
            Ok(found) => {
                let location = wanted.unwrap_or_else(|| canonical(&found.location));
                return Ok(Ok(Home { location }));
            }
            Err(error) => error,
        };
        let may_be_made = self.settings.create_resource_group && missing.message.contains("ResourceGroupNotFound");
        match wanted.filter(|_| may_be_made) {
            Some(location) => Ok(Err(Missing { group, location })),
            None => Err(missing),
        }
    }
}

/// A resource group to be made.
struct Missing<'a> {
    group: &'a str,
    location: String,
}

/// A region's name as Azure compares them: `eastus` for `East US`.
fn canonical(location: &str) -> String {
    location.to_ascii_lowercase().replace(' ', "")
}
