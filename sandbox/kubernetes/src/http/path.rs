//! From a request's path and query to what it asks for.

use std::sync::Arc;

use axum::extract::Query as AxumQuery;
use axum::http::Uri;

use super::proxy::NodeProxy;
use crate::error::ApiError;
use crate::registry::Kind;
use crate::server::ApiServer;
use crate::write::FieldValidation;

/// The query's parameters; of repeated ones the first counts.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(uri: &Uri) -> Self {
        Self(
            AxumQuery::try_from_uri(uri)
                .map(|AxumQuery(pairs)| pairs)
                .unwrap_or_default(),
        )
    }

    /// A parameter, or `""`.
    pub(super) fn get(&self, key: &str) -> &str {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
            .unwrap_or_default()
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), "true" | "1" | "True" | "t" | "T" | "TRUE")
    }

    /// A parameter that must be a whole number where it is given.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, ApiError> {
        match self.get(key) {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| ApiError::bad_request(format!("strconv.ParseInt: parsing \"{text}\": invalid syntax"))),
        }
    }

    /// `dryRun`: absent or `All`.
    pub(super) fn dry_run(&self) -> Result<bool, ApiError> {
        match self.get("dryRun") {
            "" => Ok(false),
            "All" => Ok(true),
            other => Err(ApiError::invalid(
                "meta.k8s.io",
                "CreateOptions",
                "",
                vec![crate::Cause {
                    reason: "FieldValueNotSupported",
                    message: format!("Unsupported value: \"{other}\": supported values: \"All\""),
                    field: "dryRun".to_owned(),
                }],
            )),
        }
    }

    pub(super) fn field_validation(&self) -> Result<FieldValidation, ApiError> {
        match self.get("fieldValidation") {
            "" | "Warn" => Ok(FieldValidation::Warn),
            "Strict" => Ok(FieldValidation::Strict),
            "Ignore" => Ok(FieldValidation::Ignore),
            other => Err(ApiError::invalid(
                "meta.k8s.io",
                "CreateOptions",
                "",
                vec![crate::Cause {
                    reason: "FieldValueNotSupported",
                    message: format!(
                        "Unsupported value: \"{other}\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
                    ),
                    field: "fieldValidation".to_owned(),
                }],
            )),
        }
    }
}

/// A place among the resources.
pub(super) struct ResourcePath {
    pub(super) kind: Arc<Kind>,
    /// `None` on a path over all namespaces or of a cluster-scoped kind.
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) subresource: Option<String>,
}

impl ResourcePath {
    /// The namespace, or `""`.
    pub(super) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }
}

/// What a path leads to.
pub(super) enum Target {
    Resource(ResourcePath),
    /// `selfsubjectaccessreviews` and its like: answered, never stored.
    Review(String),
    /// A page of a node's kubelet.
    Proxy(NodeProxy),
    Other(String),
}

impl Target {
    pub(super) fn parse(server: &ApiServer, path: &str) -> Result<Self, ApiError> {
        let decode = |segment: &str| {
            percent_encoding::percent_decode_str(segment)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
        };
        let segments: Result<Vec<String>, _> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(decode)
            .collect();
        let segments = segments.map_err(|_| ApiError::bad_request("the path is not UTF-8"))?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
            ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
            _ => return Ok(Self::Other(path.to_owned())),
        };
        if let ("authorization.k8s.io" | "authentication.k8s.io", "v1", [plural]) = (group, version, rest) {
            return Ok(Self::Review((*plural).to_owned()));
        }
        if let ("", "v1", ["nodes", node, "proxy", path @ ..]) = (group, version, rest) {
            return Ok(Self::Proxy(NodeProxy::new(node, path)));
        }
        let registry = server.state().registry.clone();
        let found = |plural: &str| registry.served(group, version, plural).cloned();
        let (namespace, rest) = match rest {
            ["namespaces", _, sub, ..] if *sub == "status" || *sub == "finalize" => (None, rest),
            ["namespaces", namespace, inner @ ..] if !inner.is_empty() => (Some((*namespace).to_owned()), inner),
            _ => (None, rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (plural, None, None),
            [plural, name] => (plural, Some((*name).to_owned()), None),
            [plural, name, sub] => (plural, Some((*name).to_owned()), Some((*sub).to_owned())),
            _ => return Err(ApiError::unknown_path()),
        };
        let kind = found(plural).ok_or_else(ApiError::unknown_path)?;
        let fits = if kind.namespaced {
            namespace.is_some() || name.is_none()
        } else {
            namespace.is_none()
        };
        let sub_served = match subresource.as_deref() {
            None => true,
            Some("status") => kind.status,
            Some("scale") => kind.scale,
            Some(other) => kind.subresources.contains(&other),
        };
        if !fits || !sub_served {
            return Err(ApiError::unknown_path());
        }
        Ok(Self::Resource(ResourcePath {
            kind,
            namespace,
            name,
            subresource,
        }))
    }
}
