//! Operations of Resource Manager: how they are called, what they may be asked with, and what does their work.

use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::session::Session;
use crate::throttle::{Kind, StorageKind};
use crate::versions::Provider;
use crate::{compute, network, polling, resources, storage};

/// Does the work of one call.
pub(crate) type Run = fn(&mut Session, &Request) -> Result<Answer, AzureError>;

/// Which rates a call is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rate {
    Read,
    List,
    Write,
    Delete,
    /// Account keys: a read that is asked for like a write.
    Keys,
    /// Asking how a long operation goes.
    Poll,
}

impl Rate {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Read | Self::List | Self::Poll => Kind::Read,
            Self::Write | Self::Keys => Kind::Write,
            Self::Delete => Kind::Delete,
        }
    }

    /// As the storage provider counts it, if it does.
    pub(crate) fn storage(self) -> Option<StorageKind> {
        match self {
            Self::Read | Self::Keys => Some(StorageKind::Read),
            Self::List => Some(StorageKind::List),
            Self::Write | Self::Delete => Some(StorageKind::Write),
            Self::Poll => None,
        }
    }

    /// Whether it changes something when it succeeds.
    pub(crate) fn mutating(self) -> bool {
        matches!(self, Self::Write | Self::Delete)
    }
}

/// One operation.
pub(crate) struct Operation {
    /// Its id in the published specification.
    pub(crate) name: &'static str,
    pub(crate) provider: Provider,
    pub(crate) method: &'static str,
    /// Its path without the leading slash; names in braces stand for one segment, `{scope}` for any number of them.
    pub(crate) path: &'static str,
    /// The query parameters it has, beside `api-version`.
    pub(crate) query: &'static [&'static str],
    pub(crate) rate: Rate,
    /// What a caller must be allowed to do.
    pub(crate) action: &'static str,
    pub(crate) run: Run,
}

/// A segment of the path that stands for something, by the name in the template.
pub(crate) type Part = (&'static str, String);

/// What a path and a method lead to.
pub(crate) enum Route {
    Found(&'static Operation, Vec<Part>),
    /// The path is known, but not with this method.
    WrongMethod,
    Unknown,
}

impl Operation {
    /// Finds the operation that `method` and the segments of a path ask for. Letter case matters only in names.
    pub(crate) fn find(method: &str, segments: &[String]) -> Route {
        let tables: [&'static [Self]; 7] = [
            storage::OPERATIONS,
            compute::OPERATIONS,
            network::OPERATIONS,
            resources::OPERATIONS,
            resources::locks::OPERATIONS,
            resources::tags::OPERATIONS,
            polling::OPERATIONS,
        ];
        let mut known = false;
        for operation in tables.into_iter().flatten() {
            let Some(parts) = fit(operation.path, segments) else {
                continue;
            };
            if operation.method == method {
                return Route::Found(operation, parts);
            }
            known = true;
        }
        if known { Route::WrongMethod } else { Route::Unknown }
    }
}

fn fit(template: &'static str, segments: &[String]) -> Option<Vec<Part>> {
    let pattern: Vec<&'static str> = template.split('/').collect();
    if let Some(rest) = template.strip_prefix("{scope}/") {
        // Whatever is before the last segments.
        let scope = segments
            .len()
            .checked_sub(rest.split('/').count())
            .filter(|length| *length > 1)?;
        let mut parts = fit(rest, segments.get(scope..)?)?;
        parts.push(("scope", segments.get(..scope)?.join("/")));
        parts.push(("subscription", segments.get(1)?.clone()));
        return segments.first()?.eq_ignore_ascii_case("subscriptions").then_some(parts);
    }
    if pattern.len() != segments.len() {
        return None;
    }
    let mut parts = Vec::new();
    for (expected, segment) in pattern.into_iter().zip(segments) {
        match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => parts.push((name, segment.clone())),
            None if expected.eq_ignore_ascii_case(segment) => {}
            None => return None,
        }
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str) -> Option<(&'static str, Vec<Part>)> {
        let segments: Vec<_> = path.split('/').map(str::to_owned).collect();
        match Operation::find(method, &segments) {
            Route::Found(operation, parts) => Some((operation.name, parts)),
            Route::WrongMethod | Route::Unknown => None,
        }
    }

    #[test]
    fn paths_lead_to_operations_whatever_their_letter_case() {
        let share = "SUBSCRIPTIONS/s/resourcegroups/G/providers/microsoft.storage/storageaccounts/a/fileServices/default/shares/pvc-1";
        let (name, parts) = found("GET", share).unwrap();
        assert_eq!(name, "FileShares_Get");
        assert!(parts.contains(&("group", "G".to_owned())) && parts.contains(&("share", "pvc-1".to_owned())));
        assert!(found("HEAD", share).is_none());
        let (name, parts) = found(
            "PUT",
            "subscriptions/s/resourceGroups/g/providers/Microsoft.Authorization/locks/l",
        )
        .unwrap();
        assert_eq!(name, "ManagementLocks_CreateOrUpdateByScope");
        assert!(parts.contains(&("scope", "subscriptions/s/resourceGroups/g".to_owned())));
    }

    #[test]
    fn every_operation_has_its_own_name_and_place() {
        let tables = [
            storage::OPERATIONS,
            compute::OPERATIONS,
            resources::OPERATIONS,
            polling::OPERATIONS,
        ];
        let mut seen = std::collections::BTreeSet::new();
        for operation in tables.into_iter().flatten() {
            assert!(
                seen.insert((operation.method, operation.path.to_ascii_lowercase())),
                "{}",
                operation.path
            );
            assert!(seen.insert(("name", operation.name.to_owned())), "{}", operation.name);
        }
    }
}
