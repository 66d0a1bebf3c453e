//! A little Azure: accounts, shares, containers and disks in memory.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::table::Parts;

pub(crate) const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const KEY: &str = "c2VjcmV0LWtleS1vZi10aGUtYWNjb3VudC1xd2VydHl1aW9w";

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    pub(crate) fn refuse(status: u16, code: &str, message: &str) -> Self {
        Self::new(status, json!({"error": {"code": code, "message": message}}))
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub(crate) group: String,
    pub(crate) body: Value,
    /// Looks until it is there.
    pub(crate) polls: u32,
    pub(crate) shares: BTreeMap<String, Value>,
    /// Name and version.
    pub(crate) deleted: Vec<(String, String)>,
    pub(crate) containers: BTreeMap<String, Value>,
    pub(crate) retention: Option<Value>,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) address: String,
    pub(crate) accounts: BTreeMap<String, Account>,
    /// Names that somebody else has.
    pub(crate) taken: BTreeSet<String>,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) disks: BTreeMap<String, Value>,
    pub(crate) addresses: Vec<Value>,
    /// Things on a page.
    pub(crate) page: usize,
    /// How many looks an account takes to be made.
    pub(crate) account_polls: u32,
    /// Where pages and operations are said to be.
    pub(crate) links_to: Option<String>,
    /// Shares that an account takes.
    pub(crate) room: usize,
    pub(crate) versions: u32,
}

impl World {
    pub(crate) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            accounts: BTreeMap::new(),
            taken: BTreeSet::new(),
            groups: BTreeSet::from(["data".to_owned()]),
            disks: BTreeMap::new(),
            addresses: Vec::new(),
            page: 3,
            account_polls: 0,
            links_to: None,
            room: usize::MAX,
            versions: 0,
        }
    }

    pub(crate) fn share(&self, name: &str) -> Option<(&str, &Value)> {
        let found =
            |(account, there): (&'_ String, &'_ Account)| there.shares.contains_key(name).then(|| account.clone());
        let account = self.accounts.iter().find_map(found)?;
        let (account, there) = self.accounts.get_key_value(&account)?;
        Some((account, &there.shares[name]))
    }

    /// Puts an account there that moorline did not make.
    pub(crate) fn add_account(&mut self, name: &str, sku: &str, tags: &Value) {
        let account = Account {
            group: "data".to_owned(),
            body: json!({"sku": {"name": sku}, "kind": "StorageV2", "location": "eastus", "tags": tags}),
            ..Account::default()
        };
        self.accounts.insert(name.to_owned(), account);
    }

    pub(crate) fn answer(
        &mut self,
        operation: &str,
        parts: &Parts,
        query: &BTreeMap<String, String>,
        body: &Value,
    ) -> Reply {
        let part = |letter: char| parts.get(&letter).map_or("", String::as_str);
        if part('s') != SUBSCRIPTION {
            return Reply::refuse(404, "SubscriptionNotFound", "The subscription could not be found.");
        }
        if operation != "create group" && !part('g').is_empty() && !self.groups.contains(&part('g').to_lowercase()) {
            return Reply::refuse(404, "ResourceGroupNotFound", "Resource group could not be found.");
        }
        match operation {
            "subscription" => Reply::new(200, json!({"subscriptionId": SUBSCRIPTION, "state": "Enabled"})),
            "group" => Reply::new(200, json!({"name": part('g'), "location": "eastus"})),
            "create group" => {
                self.groups.insert(part('g').to_lowercase());
                Reply::new(201, json!({"name": part('g'), "location": body["location"]}))
            }
            "check name" => {
                let name = body["name"].as_str().unwrap_or_default();
                let taken = self.taken.contains(name) || self.accounts.contains_key(name);
                Reply::new(
                    200,
                    json!({"nameAvailable": !taken, "message": taken.then_some("taken")}),
                )
            }
            "list accounts" => {
                let all = self
                    .accounts
                    .iter()
                    .map(|(name, account)| Self::show(name, account))
                    .collect();
                self.paged(
                    all,
                    query,
                    &format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts"),
                )
            }
            "list disks" => {
                let all = self.disks.values().cloned().collect();
                self.paged(
                    all,
                    query,
                    &format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/disks"),
                )
            }
            "disk" => match self.disks.get(part('n')) {
                Some(disk) => Reply::new(200, disk.clone()),
                None => Reply::refuse(404, "ResourceNotFound", "no disk"),
            },
            "delete disk" => match self.disks.remove(part('n')) {
                Some(_) => {
                    let at = format!(
                        "{}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/eastus/operations/1?api-version=2026-03-02",
                        self.address
                    );
                    Reply::new(202, Value::Null)
                        .with("azure-asyncoperation", at)
                        .with("retry-after", "0")
                }
                None => Reply::new(204, Value::Null),
            },
            "poll disk" => Reply::new(200, json!({"status": "Succeeded"})),
            "list addresses" => {
                let all = self.addresses.clone();
                self.paged(
                    all,
                    query,
                    &format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network/publicIPAddresses"),
                )
            }
            "create account" => self.create_account(part('g'), part('a'), body),
            "poll" => self.poll(part('o')),
            _ => self.in_account(operation, parts, query, body),
        }
    }

    fn show(name: &str, account: &Account) -> Value {
        let mut shown = account.body.clone();
        let id = format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/{}/providers/Microsoft.Storage/storageAccounts/{name}",
            account.group
        );
        shown["id"] = id.into();
        shown["name"] = name.into();
        shown["properties"] = json!({"provisioningState": if account.polls > 0 { "Creating" } else { "Succeeded" }});
        shown
    }

    fn create_account(&mut self, group: &str, name: &str, body: &Value) -> Reply {
        if self.taken.contains(name) {
            return Reply::refuse(
                409,
                "StorageAccountAlreadyTaken",
                "The storage account name is already taken.",
            );
        }
        let polls = self.account_polls;
        let is_new = !self.accounts.contains_key(name);
        let account = self.accounts.entry(name.to_owned()).or_insert_with(|| Account {
            group: group.to_owned(),
            polls,
            ..Account::default()
        });
        account.body = body.clone();
        if is_new && polls > 0 {
            let to = self.links_to.as_deref().unwrap_or(&self.address);
            let at = format!(
                "{to}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Storage/locations/eastus/asyncoperations/{name}?monitor=true&api-version=2026-09-01"
            );
            return Reply::new(202, Value::Null)
                .with("location", at)
                .with("retry-after", "0");
        }
        Reply::new(200, Self::show(name, account))
    }

    fn poll(&mut self, name: &str) -> Reply {
        let Some(account) = self.accounts.get_mut(name) else {
            return Reply::refuse(404, "ResourceNotFound", "no operation");
        };
        account.polls = account.polls.saturating_sub(1);
        match account.polls {
            0 => Reply::new(200, Self::show(name, account)),
            _ => Reply::new(202, Value::Null).with("retry-after", "0"),
        }
    }

    fn in_account(&mut self, operation: &str, parts: &Parts, query: &BTreeMap<String, String>, body: &Value) -> Reply {
        let (room, version) = (self.room, self.versions + 1);
        let (name, volume) = (parts[&'a'].clone(), parts.get(&'n').cloned().unwrap_or_default());
        let path = format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/{}/providers/Microsoft.Storage/storageAccounts/{name}",
            parts[&'g']
        );
        let Some(account) = self
            .accounts
            .get_mut(&name)
            .filter(|account| account.group == parts[&'g'])
        else {
            let code = if volume.is_empty() {
                "ResourceNotFound"
            } else {
                "ParentResourceNotFound"
            };
            return Reply::refuse(404, code, "no such account");
        };
        let expand = query.get("$expand").map_or("", String::as_str);
        match operation {
            "account" => {
                account.polls = account.polls.saturating_sub(1);
                Reply::new(200, Self::show(&name, account))
            }
            "tag account" => {
                account.body["tags"] = body["tags"].clone();
                Reply::new(200, Self::show(&name, account))
            }
            "delete account" => {
                self.accounts.remove(&name);
                Reply::new(200, Value::Null)
            }
            "keys" => Reply::new(
                200,
                json!({"keys": [{"keyName": "key1", "value": KEY, "permissions": "FULL"}]}),
            ),
            "file service" => {
                let policy = account.retention.clone().unwrap_or_else(|| json!({"enabled": false}));
                Reply::new(200, json!({"properties": {"shareDeleteRetentionPolicy": policy}}))
            }
            "set file service" => {
                account.retention = Some(body["properties"]["shareDeleteRetentionPolicy"].clone());
                Reply::new(200, body.clone())
            }
            "create share" if expand == "snapshots" => Reply::new(
                201,
                json!({"name": volume, "properties": {"snapshotTime": "2026-11-21T00:00:00.0000000Z"}}),
            ),
            "create share" => {
                if account.shares.contains_key(&volume) {
                    return Reply::new(200, json!({"name": volume, "properties": {}}));
                }
                if account.shares.len() >= room {
                    return Reply::refuse(400, "TotalSharesCountExceedsAccountLimit", "The account is full.");
                }
                account.shares.insert(volume.clone(), body["properties"].clone());
                Reply::new(201, json!({"name": volume, "properties": body["properties"]}))
            }
            "share" => match account.shares.get(&volume) {
                Some(properties) => {
                    let mut properties = properties.clone();
                    if expand == "stats" {
                        properties["shareUsageBytes"] = 4096.into();
                    }
                    Reply::new(200, json!({"name": volume, "properties": properties}))
                }
                None => Reply::refuse(404, "ShareNotFound", "The specified share does not exist."),
            },
            "change share" => {
                let quota = body["properties"]["shareQuota"].clone();
                if let Some(share) = account.shares.get_mut(&volume) {
                    share["shareQuota"] = quota;
                }
                Reply::new(200, json!({"name": volume, "properties": body["properties"]}))
            }
            "delete share" => {
                let there = account.shares.remove(&volume).is_some();
                if there
                    && account
                        .retention
                        .as_ref()
                        .is_some_and(|policy| policy["enabled"] == true)
                {
                    account.deleted.push((volume, format!("v{version}")));
                    self.versions = version;
                }
                Reply::new(if there { 200 } else { 204 }, Value::Null)
            }
            "restore share" => {
                let wanted = (
                    volume.clone(),
                    body["deletedShareVersion"].as_str().unwrap_or_default().to_owned(),
                );
                if account.shares.contains_key(&volume) {
                    return Reply::refuse(409, "ShareAlreadyExists", "The specified share already exists.");
                }
                account.deleted.retain(|deleted| *deleted != wanted);
                account.shares.insert(volume, json!({"shareQuota": 1}));
                Reply::new(200, Value::Null)
            }
            "list shares" => {
                let prefix = query.get("$filter").map_or("", String::as_str);
                // As Azure does: lists have no metadata.
                let live = account.shares.iter().map(|(name, properties)| {
                    let mut properties = properties.clone();
                    if let Some(fields) = properties.as_object_mut() {
                        fields.remove("metadata");
                    }
                    json!({"name": name, "properties": properties})
                });
                let mut all: Vec<_> = live
                    .filter(|share| share["name"].as_str().is_some_and(|name| name.starts_with(prefix)))
                    .collect();
                if expand.contains("deleted") {
                    all.extend(account.deleted.iter().map(|(name, version)| {
                        json!({"name": name, "properties": {
                            "deleted": true, "version": version, "remainingRetentionDays": 6, "deletedTime": "2026-11-20T00:00:00Z",
                        }})
                    }));
                }
                if expand.contains("snapshots") {
                    all.push(json!({"name": prefix, "properties": {"snapshotTime": "2026-11-21T00:00:00.0000000Z"}}));
                }
                self.paged(all, query, &format!("{path}/fileServices/default/shares"))
            }
            "create container" => {
                let is_new = account
                    .containers
                    .insert(volume.clone(), body["properties"].clone())
                    .is_none();
                Reply::new(
                    if is_new { 201 } else { 200 },
                    json!({"name": volume, "properties": body["properties"]}),
                )
            }
            "container" => match account.containers.get(&volume) {
                Some(properties) => Reply::new(200, json!({"name": volume, "properties": properties})),
                None => Reply::refuse(404, "ContainerNotFound", "no container"),
            },
            "delete container" => {
                let there = account.containers.remove(&volume).is_some();
                Reply::new(if there { 200 } else { 204 }, Value::Null)
            }
            "list containers" => {
                let all = account
                    .containers
                    .keys()
                    .map(|name| json!({"name": name, "properties": {}}))
                    .collect();
                self.paged(all, query, &format!("{path}/blobServices/default/containers"))
            }
            other => panic!("the world has no {other}"),
        }
    }

    /// Pages with opaque links.
    fn paged(&self, all: Vec<Value>, query: &BTreeMap<String, String>, path: &str) -> Reply {
        let start: usize = query
            .get("$skiptoken")
            .map_or(0, |token| token.trim_start_matches("opaque-").parse().unwrap());
        let rest = all.len().saturating_sub(start);
        let page: Vec<_> = all.into_iter().skip(start).take(self.page).collect();
        let mut body = json!({"value": page});
        if rest > self.page {
            let to = self.links_to.as_deref().unwrap_or(&self.address);
            let carried = query.iter().filter(|(key, _)| *key != "$skiptoken");
            let carried: Vec<_> = carried
                .map(|(key, value)| format!("{}={value}", key.replace('$', "%24")))
                .collect();
            body["nextLink"] = format!(
                "{to}{path}?{}&%24skiptoken=opaque-{}",
                carried.join("&"),
                start + self.page
            )
            .into();
        }
        Reply::new(200, body)
    }
}
