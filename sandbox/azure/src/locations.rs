//! The regions that exist.

use crate::error::AzureError;

/// Name, display name, and the region its copies go to.
const LOCATIONS: &[(&str, &str, &str)] = &[
    ("brazilsouth", "Brazil South", "southcentralus"),
    ("centralus", "Central US", "eastus2"),
    ("eastasia", "East Asia", "southeastasia"),
    ("eastus", "East US", "westus"),
    ("eastus2", "East US 2", "centralus"),
    ("francecentral", "France Central", "francesouth"),
    ("germanywestcentral", "Germany West Central", "germanynorth"),
    ("japaneast", "Japan East", "japanwest"),
    ("northeurope", "North Europe", "westeurope"),
    ("southcentralus", "South Central US", "northcentralus"),
    ("southeastasia", "Southeast Asia", "eastasia"),
    ("swedencentral", "Sweden Central", "swedensouth"),
    ("uksouth", "UK South", "ukwest"),
    ("westeurope", "West Europe", "northeurope"),
    ("westus", "West US", "eastus"),
    ("westus2", "West US 2", "westcentralus"),
    ("westus3", "West US 3", "eastus"),
];

/// The name of a region that may be written as it is displayed: `East US` is `eastus`.
pub(crate) fn normal(location: &str) -> String {
    let letters = location.chars().filter(|c| !c.is_whitespace());
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// The location that a body has to have, by its name.
pub(crate) fn required(location: Option<String>) -> Result<String, AzureError> {
    let missing = || {
        AzureError::new(
            400,
            "LocationRequired",
            "The location property is required for this definition.",
        )
    };
    location.map(|location| normal(&location)).ok_or_else(missing)
}

/// Whether there is such a region.
pub(crate) fn exists(name: &str) -> bool {
    LOCATIONS.iter().any(|(known, ..)| *known == name)
}

/// Every region, by name, with its display name.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    LOCATIONS.iter().map(|(name, display, _)| (*name, *display))
}

/// The region that copies of a region's data go to.
pub(crate) fn paired(name: &str) -> Option<&'static str> {
    let known = LOCATIONS.iter().find(|(known, ..)| *known == name);
    known.map(|(.., pair)| *pair)
}

/// All names, for messages.
pub(crate) fn listed() -> String {
    all().map(|(name, _)| name).collect::<Vec<_>>().join(",")
}
