//! What can go wrong, in the words of the real API server.

use jiff::Timestamp;
use thiserror::Error;

/// Why a patch could not be used.
#[derive(Debug, Error)]
pub enum PatchError {
    /// The patch itself is malformed: the API server answers 400.
    #[error("{0}")]
    Malformed(String),
    /// A JSON patch does not fit the object (a failed `test`, a path that does not exist): the API server answers 422.
    #[error("{0}")]
    DoesNotApply(String),
}

/// Why an apply was refused.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// Other managers own fields with other values; 409 with one cause a conflict. Sorted by manager, then field.
    #[error("{}", describe(.0))]
    Conflicts(Vec<Conflict>),
    /// The applied object cannot be typed or carries managed fields; 400.
    #[error("{0}")]
    Invalid(String),
}

/// One field that an apply would change and that someone else owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The owner.
    pub manager: String,
    /// The subresource through which the owner wrote, such as `status` or `scale`.
    pub subresource: Option<String>,
    /// The version in which the owner wrote, such as `apps/v1`.
    pub api_version: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// When the owner last changed what it owns.
    pub time: Option<Timestamp>,
    /// The field, as `.spec.template.spec.containers[name="nginx"].image`.
    pub field: String,
}

impl Conflict {
    /// The owner as the API server prints it: `"kubectl" with subresource "scale" using apps/v1`.
    ///
    /// The version is left out for owners who apply: it is no part of their identity.
    pub fn owner(&self) -> String {
        let subresource = self.subresource.as_ref();
        let subresource = subresource.map_or_else(String::new, |name| format!(" with subresource {name:?}"));
        let version = if self.operation == "Update" {
            format!(" using {}", self.api_version)
        } else {
            String::new()
        };
        format!("{:?}{subresource}{version}", self.manager)
    }
}

/// The message of the 409: one line for one conflict, else the fields grouped by owner.
fn describe(conflicts: &[Conflict]) -> String {
    if let [only] = conflicts {
        return format!(
            "Apply failed with 1 conflict: conflict with {}: {}",
            only.owner(),
            only.field
        );
    }
    let mut lines = Vec::new();
    let mut last = None;
    for conflict in conflicts {
        let owner = conflict.owner();
        if last.as_ref() != Some(&owner) {
            lines.push(format!("conflicts with {owner}:"));
            last = Some(owner);
        }
        lines.push(format!("- {}", conflict.field));
    }
    format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
}
