//! One request: method, encoded path, body, and whether it may be repeated.

use std::fmt::{self, Write};

use bytes::Bytes;
use http::Method;
use moorline_api::{Error, ErrorKind, ObjectRef, ResourceKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but RFC 3986's unreserved characters: right in a path segment and in a query value alike.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// No honest answer is larger: a page has at most 500 objects of at most 3 MiB, and most have a few KiB.
const LARGEST_ANSWER: usize = 256 << 20;

/// What a call is about, for messages and for telling an object's own 404 from another's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The kind as kubectl names it, or a path such as `/version`.
    pub(crate) resource: String,
    /// The path segment of the kind.
    pub(crate) plural: String,
    /// Where.
    pub(crate) namespace: Option<String>,
    /// Which, where the call is about one object.
    pub(crate) name: Option<String>,
}

impl Subject {
    /// Something that is no resource: `/version`.
    pub(crate) fn path(path: &str) -> Self {
        Self {
            resource: path.to_owned(),
            plural: String::new(),
            namespace: None,
            name: None,
        }
    }

    /// All objects of a kind.
    pub(crate) fn all(resource: &ResourceKind, namespace: Option<&str>) -> Self {
        Self {
            resource: resource.qualified(),
            plural: resource.plural.clone(),
            namespace: namespace.map(str::to_owned),
            name: None,
        }
    }

    /// One object.
    pub(crate) fn one(target: &ObjectRef) -> Self {
        Self {
            name: Some(target.name.clone()),
            ..Self::all(&target.resource, target.namespace.as_deref())
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)?;
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => write!(f, " {namespace}/{name}"),
            (None, Some(name)) => write!(f, " {name}"),
            (Some(namespace), None) => write!(f, " in namespace {namespace}"),
            (None, None) => Ok(()),
        }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The verb as RBAC knows it: `patch`.
    pub(crate) verb: &'static str,
    /// What it is about.
    pub(crate) subject: Subject,
    /// HTTP method.
    pub(crate) method: Method,
    /// Path and query, encoded.
    pub(crate) path: String,
    /// What answers we take.
    pub(crate) accept: &'static str,
    /// Type of the body, where there is one.
    pub(crate) content_type: Option<&'static str>,
    /// The body.
    pub(crate) body: Bytes,
    /// Whether sending it twice does no more than sending it once.
    pub(crate) repeatable: bool,
    /// The most bytes that an answer may have.
    pub(crate) largest: usize,
}

impl Call {
    /// A read.
    pub(crate) fn read(verb: &'static str, subject: Subject, path: impl Into<String>) -> Self {
        Self {
            verb,
            subject,
            method: Method::GET,
            path: path.into(),
            accept: "application/json",
            content_type: None,
            body: Bytes::new(),
            repeatable: true,
            largest: LARGEST_ANSWER,
        }
    }

    /// A write of JSON; repeatable, as every write but a creation is.
    pub(crate) fn write(verb: &'static str, method: Method, subject: Subject, path: impl Into<String>) -> Self {
        Self {
            method,
            ..Self::read(verb, subject, path)
        }
    }

    /// With this JSON body.
    pub(crate) fn json(mut self, content_type: &'static str, body: &impl serde::Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body)
            .map_err(|error| self.error(ErrorKind::Invalid, "is not JSON").with_source(error))?;
        self.body = body.into();
        self.content_type = Some(content_type);
        Ok(self)
    }

    /// With another bound on the answer, in bytes.
    pub(crate) fn at_most(mut self, largest: usize) -> Self {
        self.largest = largest;
        self
    }

    /// Says how this call failed.
    pub(crate) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::new(kind, self.verb, self.subject.to_string(), message)
    }
}

/// The path of one object; refused where a missing part would make it the path of something larger.
pub(crate) fn object_path(verb: &'static str, target: &ObjectRef) -> Result<String, Error> {
    let invalid = |what: &str| Error::new(ErrorKind::Invalid, verb, target.to_string(), what.to_owned());
    if target.resource.namespaced && target.namespace.is_none() {
        return Err(invalid("this kind lives in a namespace, and none was named"));
    }
    if matches!(target.name.as_str(), "" | "." | "..") {
        return Err(invalid("this is not the name of an object"));
    }
    let collection = collection_path(verb, &target.resource, target.namespace.as_deref())?;
    Ok(format!("{collection}/{}", utf8_percent_encode(&target.name, RESERVED)))
}

/// The path of all objects of a kind, in one namespace or in all.
pub(crate) fn collection_path(
    verb: &'static str,
    resource: &ResourceKind,
    namespace: Option<&str>,
) -> Result<String, Error> {
    let gvk = &resource.gvk;
    let mut segments = match gvk.group.as_str() {
        "" => vec!["api", &gvk.version],
        group => vec!["apis", group, &gvk.version],
    };
    if let Some(namespace) = namespace.filter(|_| resource.namespaced) {
        segments.extend(["namespaces", namespace]);
    }
    segments.push(&resource.plural);
    if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
        let subject = Subject::all(resource, namespace);
        return Err(Error::new(
            ErrorKind::Invalid,
            verb,
            subject.to_string(),
            "a part of its path is missing",
        ));
    }
    Ok(segments
        .iter()
        .fold(String::new(), |path, segment| path + "/" + &encoded(segment)))
}

/// A path with a query; the values are encoded.
pub(crate) fn with_query(mut path: String, query: &[(&str, &str)]) -> String {
    for (index, (key, value)) in query.iter().enumerate() {
        let separator = if index == 0 { '?' } else { '&' };
        // Writing to a String cannot fail.
        let _ = write!(path, "{separator}{key}={}", utf8_percent_encode(value, RESERVED));
    }
    path
}

fn encoded(segment: &str) -> String {
    utf8_percent_encode(segment, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_group_and_scope() {
        for (target, expected) in [
            (
                ObjectRef::new(ResourceKind::claim(), "a", "b"),
                "/api/v1/namespaces/a/persistentvolumeclaims/b",
            ),
            (
                ObjectRef::new(ResourceKind::persistent_volume(), "a", "b"),
                "/api/v1/persistentvolumes/b",
            ),
            (
                ObjectRef::new(ResourceKind::stateful_set(), "a", "b"),
                "/apis/apps/v1/namespaces/a/statefulsets/b",
            ),
            (
                ObjectRef::new(ResourceKind::storage_class(), "", "x/../y?z"),
                "/apis/storage.k8s.io/v1/storageclasses/x%2F..%2Fy%3Fz",
            ),
        ] {
            assert_eq!(object_path("get", &target).unwrap(), expected);
        }
    }

    #[test]
    fn a_missing_part_never_widens_a_path() {
        let nowhere = ObjectRef {
            namespace: None,
            ..ObjectRef::new(ResourceKind::claim(), "a", "b")
        };
        for target in [
            ObjectRef::new(ResourceKind::claim(), "a", ""),
            ObjectRef::new(ResourceKind::claim(), "a", ".."),
            ObjectRef::new(ResourceKind::claim(), "", "b"),
            nowhere,
        ] {
            assert_eq!(
                object_path("delete", &target).unwrap_err().kind,
                ErrorKind::Invalid,
                "{target:?}"
            );
        }
    }

    #[test]
    fn query_values_are_encoded() {
        let path = with_query("/x".to_owned(), &[("labelSelector", "a in (b,c),d=e"), ("limit", "5")]);
        assert_eq!(path, "/x?labelSelector=a%20in%20%28b%2Cc%29%2Cd%3De&limit=5");
    }
}
