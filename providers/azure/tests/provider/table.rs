//! The operations table: what Azure documents of the calls that moorline makes. Anything else is a violation.

use std::collections::BTreeMap;

use serde_json::Value;

/// Where `properties` of a body may differ, each has its own list.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    method: &'static str,
    path: &'static str,
    version: &'static str,
    /// Parameters beside the version, each with what it may be: `$expand=stats`, or anything.
    query: &'static [&'static str],
    /// Required fields of the body, with dots, then those that may be there, each with its form; `None` where there is no body.
    body: Option<(&'static [&'static str], &'static [&'static str])>,
}

pub(crate) const STORAGE: &str = "2026-09-01";
const SHARE_FIELDS: &[&str] = &[
    "properties.shareQuota:number",
    "properties.enabledProtocols=SMB|NFS",
    "properties.accessTier=TransactionOptimized|Hot|Cool|Premium",
    "properties.rootSquash=NoRootSquash|RootSquash|AllSquash",
    "properties.provisionedIops:number",
    "properties.provisionedBandwidthMibps:number",
    "properties.metadata:strings",
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
        Some((&["location:string"], &["tags:strings"])),
    ),
    operation(
        (
            "check name",
            "POST",
            "/subscriptions/{s}/providers/Microsoft.Storage/checkNameAvailability",
        ),
        STORAGE,
        &[],
        Some((&["name:string", "type=Microsoft.Storage/storageAccounts"], &[])),
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
            &[
                "sku.name:string",
                "kind=StorageV2|FileStorage|BlockBlobStorage",
                "location:string",
            ],
            &[
                "tags:strings",
                "properties.supportsHttpsTrafficOnly:boolean",
                "properties.minimumTlsVersion=TLS1_2",
                "properties.allowBlobPublicAccess:boolean",
                "properties.allowSharedKeyAccess:boolean",
                "properties.publicNetworkAccess=Enabled|Disabled|SecuredByPerimeter",
                "properties.largeFileSharesState=Enabled",
                "properties.accessTier=Hot|Cool",
                "properties.isHnsEnabled:boolean",
                "properties.encryption.keySource=Microsoft.Storage",
                "properties.encryption.requireInfrastructureEncryption:boolean",
            ],
        )),
    ),
    operation(("account", "GET", account!("")), STORAGE, &[], None),
    operation(
        ("tag account", "PATCH", account!("")),
        STORAGE,
        &[],
        Some((&["tags:strings"], &[])),
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
        &["monitor=true"],
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
        Some((
            &["properties.shareDeleteRetentionPolicy.enabled:boolean"],
            &["properties.shareDeleteRetentionPolicy.days:number"],
        )),
    ),
    operation(
        ("list shares", "GET", account!("/fileServices/default/shares")),
        STORAGE,
        &[
            "$maxpagesize",
            "$filter",
            "$expand=deleted|snapshots|deleted,snapshots",
            "$skiptoken",
        ],
        None,
    ),
    operation(
        ("create share", "PUT", account!("/fileServices/default/shares/{n}")),
        STORAGE,
        &["$expand=snapshots"],
        Some((&[], SHARE_FIELDS)),
    ),
    operation(
        ("share", "GET", account!("/fileServices/default/shares/{n}")),
        STORAGE,
        &["$expand=stats"],
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
        &["$include=snapshots|leased-snapshots|none"],
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
        Some((&["deletedShareName:string", "deletedShareVersion:string"], &[])),
    ),
    operation(
        ("list containers", "GET", account!("/blobServices/default/containers")),
        STORAGE,
        &["$maxpagesize", "$filter", "$include=deleted", "$skiptoken"],
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
        Some((&[], &["properties.publicAccess=None", "properties.metadata:strings"])),
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
        for (key, value) in query.iter().filter(|(key, _)| *key != "api-version") {
            let rule = self
                .query
                .iter()
                .map(|rule| Rule::of(rule))
                .find(|rule| rule.name == key);
            let rule = rule.ok_or_else(|| format!("{}: query parameter {key}", self.name))?;
            if !rule.allows(&Value::String(value.clone())) {
                return Err(format!("{}: {key} is {value}", self.name));
            }
        }
        match (self.body, body) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(format!("{}: a body", self.name)),
            (Some(_), None) => Err(format!("{}: no body", self.name)),
            (Some((required, optional)), Some(body)) => self.check_body(required, optional, body),
        }
    }

    fn check_body(&self, required: &[&str], optional: &[&str], body: &Value) -> Result<(), String> {
        let at = |name: &str| body.pointer(&format!("/{}", name.replace('.', "/")));
        let required: Vec<_> = required.iter().map(|rule| Rule::of(rule)).collect();
        if let Some(missing) = required.iter().find(|rule| at(rule.name).is_none()) {
            return Err(format!("{}: no {}", self.name, missing.name));
        }
        let rules: Vec<_> = required
            .into_iter()
            .chain(optional.iter().map(|rule| Rule::of(rule)))
            .collect();
        let wrong = |rule: &&Rule<'_>| at(rule.name).is_some_and(|value| !rule.allows(value));
        if let Some(wrong) = rules.iter().find(wrong) {
            return Err(format!("{}: {} is {}", self.name, wrong.name, at(wrong.name).unwrap()));
        }
        let known = |leaf: &str| {
            let mut rules = rules.iter();
            rules
                .any(|rule| rule.name == leaf || rule.form == "strings" && leaf.starts_with(&format!("{}.", rule.name)))
        };
        match leaves(body).into_iter().find(|leaf| !known(leaf)) {
            Some(unknown) => Err(format!("{}: body field {unknown}", self.name)),
            None => Ok(()),
        }
    }
}

/// What a value may be: `name`, `name:form` or `name=one|of|these`.
struct Rule<'a> {
    name: &'a str,
    form: &'a str,
    choices: Option<&'a str>,
}

impl<'a> Rule<'a> {
    fn of(text: &'a str) -> Self {
        let (name, choices) = text
            .split_once('=')
            .map_or((text, None), |(name, choices)| (name, Some(choices)));
        let (name, form) = name.split_once(':').unwrap_or((name, ""));
        Self { name, form, choices }
    }

    fn allows(&self, value: &Value) -> bool {
        if let Some(choices) = self.choices {
            return value
                .as_str()
                .is_some_and(|value| choices.split('|').any(|choice| choice == value));
        }
        match self.form {
            "number" => value.is_u64(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            "strings" => value.as_object().is_some_and(|all| all.values().all(Value::is_string)),
            _ => true,
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
