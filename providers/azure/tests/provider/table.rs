//! The operations table: what Azure documents of the calls that moorline makes. Anything else is a violation.

use std::collections::BTreeMap;

use serde_json::Value;

/// Where `properties` of a body may differ, each has its own list.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    method: &'static str,
    path: &'static str,
    version: &'static str,
    query: &'static [&'static str],
    /// Required fields of the body, with dots, then those that may be there; `None` where there is no body.
    body: Option<(&'static [&'static str], &'static [&'static str])>,
}

const STORAGE: &str = "2026-09-01";
const SHARE_FIELDS: &[&str] = &[
    "properties.shareQuota",
    "properties.enabledProtocols",
    "properties.accessTier",
    "properties.rootSquash",
    "properties.provisionedIops",
    "properties.provisionedBandwidthMibps",
    "properties.metadata",
];

macro_rules! account {
    ($rest:literal) => {
        concat!(
            "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Storage/storageAccounts/{a}",
            $rest
        )
    };
}

const fn operation(
    (name, method, path): (&'static str, &'static str, &'static str),
    version: &'static str,
    query: &'static [&'static str],
    body: Option<(&'static [&'static str], &'static [&'static str])>,
) -> Operation {
    Operation {
        name,
        method,
        path,
        version,
        query,
        body,
    }
}

pub(crate) const OPERATIONS: &[Operation] = &[
    operation(("subscription", "GET", "/subscriptions/{s}"), "2022-12-01", &[], None),
    operation(
        ("group", "GET", "/subscriptions/{s}/resourceGroups/{g}"),
        "2021-04-01",
        &[],
        None,
    ),
    operation(
        ("create group", "PUT", "/subscriptions/{s}/resourceGroups/{g}"),
        "2021-04-01",
        &[],
        Some((&["location"], &["tags"])),
    ),
    operation(
        (
            "check name",
            "POST",
            "/subscriptions/{s}/providers/Microsoft.Storage/checkNameAvailability",
        ),
        STORAGE,
        &[],
        Some((&["name", "type"], &[])),
    ),
    operation(
        (
            "list accounts",
            "GET",
            "/subscriptions/{s}/providers/Microsoft.Storage/storageAccounts",
        ),
        STORAGE,
        &["$skiptoken"],
        None,
    ),
    operation(
        ("create account", "PUT", account!("")),
        STORAGE,
        &[],
        Some((
            &["sku.name", "kind", "location"],
            &[
                "tags",
                "properties.supportsHttpsTrafficOnly",
                "properties.minimumTlsVersion",
                "properties.allowBlobPublicAccess",
                "properties.allowSharedKeyAccess",
                "properties.publicNetworkAccess",
                "properties.largeFileSharesState",
                "properties.accessTier",
                "properties.isHnsEnabled",
                "properties.encryption",
            ],
        )),
    ),
    operation(("account", "GET", account!("")), STORAGE, &[], None),
    operation(
        ("tag account", "PATCH", account!("")),
        STORAGE,
        &[],
        Some((&["tags"], &[])),
    ),
    operation(("delete account", "DELETE", account!("")), STORAGE, &[], None),
    operation(("keys", "POST", account!("/listKeys")), STORAGE, &[], None),
    operation(
        (
            "poll",
            "GET",
            "/subscriptions/{s}/providers/Microsoft.Storage/locations/{l}/asyncoperations/{o}",
        ),
        STORAGE,
        &["monitor"],
        None,
    ),
    operation(
        ("file service", "GET", account!("/fileServices/default")),
        STORAGE,
        &[],
        None,
    ),
    operation(
        ("set file service", "PUT", account!("/fileServices/default")),
        STORAGE,
        &[],
        Some((&["properties.shareDeleteRetentionPolicy"], &[])),
    ),
    operation(
        ("list shares", "GET", account!("/fileServices/default/shares")),
        STORAGE,
        &["$maxpagesize", "$filter", "$expand", "$skiptoken"],
        None,
    ),
    operation(
        ("create share", "PUT", account!("/fileServices/default/shares/{n}")),
        STORAGE,
        &["$expand"],
        Some((&[], SHARE_FIELDS)),
    ),
    operation(
        ("share", "GET", account!("/fileServices/default/shares/{n}")),
        STORAGE,
        &["$expand"],
        None,
    ),
    operation(
        ("change share", "PATCH", account!("/fileServices/default/shares/{n}")),
        STORAGE,
        &[],
        Some((&[], SHARE_FIELDS)),
    ),
    operation(
        ("delete share", "DELETE", account!("/fileServices/default/shares/{n}")),
        STORAGE,
        &["$include"],
        None,
    ),
    operation(
        (
            "restore share",
            "POST",
            account!("/fileServices/default/shares/{n}/restore"),
        ),
        STORAGE,
        &[],
        Some((&["deletedShareName", "deletedShareVersion"], &[])),
    ),
    operation(
        ("list containers", "GET", account!("/blobServices/default/containers")),
        STORAGE,
        &["$maxpagesize", "$filter", "$include", "$skiptoken"],
        None,
    ),
    operation(
        (
            "create container",
            "PUT",
            account!("/blobServices/default/containers/{n}"),
        ),
        STORAGE,
        &[],
        Some((&[], &["properties.publicAccess", "properties.metadata"])),
    ),
    operation(
        ("container", "GET", account!("/blobServices/default/containers/{n}")),
        STORAGE,
        &[],
        None,
    ),
    operation(
        (
            "delete container",
            "DELETE",
            account!("/blobServices/default/containers/{n}"),
        ),
        STORAGE,
        &[],
        None,
    ),
    operation(
        (
            "list disks",
            "GET",
            "/subscriptions/{s}/providers/Microsoft.Compute/disks",
        ),
        "2026-03-02",
        &["$skiptoken"],
        None,
    ),
    operation(
        (
            "disk",
            "GET",
            "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Compute/disks/{n}",
        ),
        "2026-03-02",
        &[],
        None,
    ),
    operation(
        (
            "delete disk",
            "DELETE",
            "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Compute/disks/{n}",
        ),
        "2026-03-02",
        &[],
        None,
    ),
    operation(
        (
            "poll disk",
            "GET",
            "/subscriptions/{s}/providers/Microsoft.Compute/locations/{l}/operations/{o}",
        ),
        "2026-03-02",
        &[],
        None,
    ),
    operation(
        (
            "list addresses",
            "GET",
            "/subscriptions/{s}/providers/Microsoft.Network/publicIPAddresses",
        ),
        "2024-05-01",
        &["$skiptoken"],
        None,
    ),
];

/// Parts of a path by their letter.
pub(crate) type Parts = BTreeMap<char, String>;

impl Operation {
    fn parts(&self, path: &str) -> Option<Parts> {
        let (pattern, path): (Vec<_>, Vec<_>) = (self.path.split('/').collect(), path.split('/').collect());
        if pattern.len() != path.len() {
            return None;
        }
        let mut parts = Parts::new();
        for (pattern, part) in pattern.iter().zip(path) {
            match pattern.strip_prefix('{') {
                Some(letter) if !part.is_empty() => _ = parts.insert(letter.chars().next()?, part.to_owned()),
                None if *pattern == part => {}
                _ => return None,
            }
        }
        Some(parts)
    }

    fn check(&self, query: &BTreeMap<String, String>, body: Option<&Value>) -> Result<(), String> {
        if query.get("api-version").map(String::as_str) != Some(self.version) {
            return Err(format!("{}: api-version is {:?}", self.name, query.get("api-version")));
        }
        let unknown = query
            .keys()
            .find(|key| *key != "api-version" && !self.query.contains(&key.as_str()));
        if let Some(unknown) = unknown {
            return Err(format!("{}: query parameter {unknown}", self.name));
        }
        match (self.body, body) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(format!("{}: a body", self.name)),
            (Some(_), None) => Err(format!("{}: no body", self.name)),
            (Some((required, optional)), Some(body)) => {
                let pointer = |field: &&str| format!("/{}", field.replace('.', "/"));
                if let Some(missing) = required
                    .iter()
                    .find(|field| body.pointer(&pointer(field)).is_none_or(Value::is_null))
                {
                    return Err(format!("{}: no {missing}", self.name));
                }
                let known = |field: &str| {
                    let mut all = required.iter().chain(optional);
                    all.any(|known| *known == field || field.starts_with(&format!("{known}.")))
                };
                match leaves(body).into_iter().find(|leaf| !known(leaf)) {
                    Some(unknown) => Err(format!("{}: body field {unknown}", self.name)),
                    None => Ok(()),
                }
            }
        }
    }
}

/// The paths of everything in a body that is no object.
fn leaves(value: &Value) -> Vec<String> {
    let Value::Object(fields) = value else {
        return vec![String::new()];
    };
    let below = |(key, value): (&String, &Value)| {
        let join = |rest: String| {
            if rest.is_empty() {
                key.clone()
            } else {
                format!("{key}.{rest}")
            }
        };
        leaves(value).into_iter().map(join).collect::<Vec<_>>()
    };
    fields.iter().flat_map(below).collect()
}

/// The operation that a request is, or what is wrong with it.
pub(crate) fn find(
    method: &str,
    path: &str,
    query: &BTreeMap<String, String>,
    body: Option<&Value>,
) -> Result<(&'static str, Parts), String> {
    let mut found = OPERATIONS
        .iter()
        .filter(|operation| operation.method == method)
        .filter_map(|operation| Some((operation, operation.parts(path)?)));
    let (operation, parts) = found.next().ok_or_else(|| format!("no operation is {method} {path}"))?;
    operation.check(query, body)?;
    Ok((operation.name, parts))
}
