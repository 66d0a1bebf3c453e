//! `scopes`: AWS accounts and Azure subscriptions.

use moorline_api::places;
use moorline_yaml::source::Span;
use moorline_yaml::words::{account, not_blank, quote, region};
use moorline_yaml::{Entry, Node, Value};

use super::{Places, Reader};
use crate::model::{AwsScope, AzureScope, ScopeSpec};

/// What an account is looked at by, and a region of it.
type Corner = (String, String);

impl Reader<'_> {
    pub(super) fn scopes(&mut self, document: &Node) -> Vec<ScopeSpec> {
        let items = document.items_at(&["scopes"]);
        if let Some(entry) = document.entry("scopes").filter(|entry| is_empty_list(&entry.value)) {
            let cure = "add at least one: - aws: {regions: [us-east-1]}, or - azure: {subscription: …}";
            self.error(entry.key_span, "scopes names none", cure);
        }
        let mut corners = Places::default();
        let mut groups = Vec::new();
        let mut scopes = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("scopes[{index}]");
            match (item.entry("aws"), item.entry("azure")) {
                (Some(_), Some(azure)) => {
                    let cure = "begin a new item with - before the second one";
                    self.error(azure.key_span, format!("{path} names two clouds"), cure);
                }
                (Some(aws), None) => {
                    let scope = self.aws(aws, &format!("{path}.aws"), &mut corners);
                    scopes.push(ScopeSpec::Aws(scope));
                }
                (None, Some(azure)) => {
                    let path = format!("{path}.azure");
                    let scope = self.azure(azure, &path);
                    self.overlap(&scope, (azure.key_span, &path), &mut groups);
                    scopes.push(ScopeSpec::Azure(scope));
                }
                (None, None) if matches!(item.value, Value::Map(_)) => {
                    let cure = "write aws: with regions: below, or azure: with subscription: below";
                    self.error(item.start(), format!("{path} names no cloud"), cure);
                }
                (None, None) => {}
            }
        }
        scopes
    }

    fn aws(&mut self, entry: &Entry, path: &str, corners: &mut Places<Corner>) -> AwsScope {
        let block = &entry.value;
        let profile = "use a name of: aws configure list-profiles";
        let arn = "use an ARN such as arn:aws:iam::123456789012:role/moorline-gc";
        let number = "use an account number such as \"123456789012\"";
        let mut scope = AwsScope {
            profile: self.text(block, (path, "profile"), not_blank, profile),
            role: self.text(block, (path, "role"), |text| role_account(text).map(drop), arn),
            external_id: self.text(
                block,
                (path, "externalId"),
                external_id,
                "use that of the role's trust policy",
            ),
            account: self.text(block, (path, "account"), account, number),
            regions: Vec::new(),
        };
        if let Some(entry) = block.entry("externalId").filter(|_| block.get("role").is_none()) {
            let cure = "add role: beside it, or remove it";
            self.error(
                entry.key_span,
                format!("{path}.externalId is of no use without a role"),
                cure,
            );
        }
        self.accounts(block, path, &mut scope);
        let regions = self.texts(block, (path, "regions"), region, "use a region such as us-east-1");
        if block.is_null() {
            let cause = format!("{path}.regions is missing");
            self.error(entry.key_span, cause, "add regions: [us-east-1] below it");
        }
        if let Some(entry) = block.entry("regions").filter(|entry| is_empty_list(&entry.value)) {
            let cause = format!("{path}.regions names none");
            self.error(entry.key_span, cause, "name at least one: regions: [us-east-1]");
        }
        for (region, span) in regions {
            let first = whose(block, &scope).and_then(|whose| corners.take((whose, region.clone()), span));
            match first {
                Some(first) => {
                    let cause = format!("{path} looks at {region} of an account that is looked at there already");
                    self.twice(span, first, cause);
                }
                None => scope.regions.push(region),
            }
        }
        scope
    }

    /// The account is that of the role, where there is one.
    fn accounts(&mut self, block: &Node, path: &str, scope: &mut AwsScope) {
        let Some(of_role) = scope.role.as_deref().and_then(|role| role_account(role).ok()) else {
            return;
        };
        match &scope.account {
            Some(account) if account != of_role => {
                let cause = format!("{path}.role is of account {of_role}, and {path}.account is {account}");
                self.error(
                    block.place(&["role"]),
                    cause,
                    "use a role of that account, or correct the account",
                );
            }
            Some(_) => {}
            None => scope.account = Some(of_role.to_owned()),
        }
    }

    fn azure(&mut self, entry: &Entry, path: &str) -> AzureScope {
        let block = &entry.value;
        let lower = |id: String| id.to_ascii_lowercase();
        let uuid = |text: &str| places::uuid_problem(text).map_or(Ok(()), Err);
        let subscription = "use the id of: az account show --query id";
        let tenant = "use the id of: az account show --query tenantId";
        let scope = AzureScope {
            subscription: self
                .text(block, (path, "subscription"), uuid, subscription)
                .map(lower)
                .unwrap_or_default(),
            tenant: self.text(block, (path, "tenant"), uuid, tenant).map(lower),
            resource_groups: self.groups(block, path),
        };
        if block.is_null() {
            let cure = "add subscription: below it";
            self.error(entry.key_span, format!("{path}.subscription is missing"), cure);
        }
        if let Some(entry) = block
            .entry("resourceGroups")
            .filter(|entry| is_empty_list(&entry.value))
        {
            let cause = format!("{path}.resourceGroups names none");
            self.error(
                entry.key_span,
                cause,
                "name at least one, or remove the line to look at all of them",
            );
        }
        scope
    }

    /// The resource groups of a scope, none twice in any spelling.
    fn groups(&mut self, block: &Node, path: &str) -> Vec<String> {
        let problem = |text: &str| places::resource_group_problem(text).map_or(Ok(()), Err);
        let cure = "use a name of: az group list --query [].name";
        let mut seen = Places::default();
        let mut groups = Vec::new();
        for (group, span) in self.texts(block, (path, "resourceGroups"), problem, cure) {
            match seen.take(group.to_lowercase(), span) {
                Some(first) => self.twice(
                    span,
                    first,
                    format!("{path}.resourceGroups has {} twice", quote(&group)),
                ),
                None => groups.push(group),
            }
        }
        groups
    }

    /// Reports resource groups that two scopes look at.
    fn overlap(&mut self, scope: &AzureScope, (span, path): (Span, &str), before: &mut Vec<(AzureScope, Span)>) {
        if scope.subscription.is_empty() {
            return;
        }
        for (other, first) in before
            .iter()
            .filter(|(other, _)| other.subscription == scope.subscription)
        {
            let same = |group: &&String| other.resource_groups.iter().any(|one| one.eq_ignore_ascii_case(group));
            let shared = scope.resource_groups.iter().find(same);
            let cause = match shared {
                Some(group) => format!(
                    "{path} looks at resource group {}, as an item before does",
                    quote(group)
                ),
                None if scope.resource_groups.is_empty() || other.resource_groups.is_empty() => {
                    format!("{path} looks at resource groups that an item before looks at")
                }
                None => continue,
            };
            self.twice(span, *first, cause);
            return;
        }
        before.push((scope.clone(), span));
    }
}

pub(super) fn is_empty_list(node: &Node) -> bool {
    match &node.value {
        Value::List(items) => items.is_empty(),
        _ => false,
    }
}

/// Whose volumes a scope looks at: those of its account, or of its credentials where no account is named. `None` where what names
/// the account is wrong.
fn whose(block: &Node, scope: &AwsScope) -> Option<String> {
    let named = ["account", "role"].iter().any(|key| block.entry(key).is_some());
    match &scope.account {
        Some(account) => Some(account.clone()),
        None if named => None,
        None => Some(format!("profile {}", scope.profile.as_deref().unwrap_or_default())),
    }
}

/// The account of a role's ARN.
fn role_account(arn: &str) -> Result<&str, String> {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let [prefix, partition, service, region, number, resource] = parts[..] else {
        return Err("it is no ARN".to_owned());
    };
    if prefix != "arn" || !partition.starts_with("aws") {
        return Err("it is no ARN".to_owned());
    }
    if service != "iam" || !region.is_empty() || !resource.starts_with("role/") {
        return Err("it is no role's ARN".to_owned());
    }
    account(number)?;
    let name = resource.rsplit('/').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        return Err("it ends with no role's name".to_owned());
    }
    Ok(number)
}

/// What STS takes as an external id.
fn external_id(text: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
    match text.len() {
        2..=1224 if text.chars().all(plain) => Ok(()),
        2..=1224 => Err("letters, digits and _+=,.@:/- are allowed".to_owned()),
        length => Err(format!("it has {length} characters; 2 to 1224 are allowed")),
    }
}
