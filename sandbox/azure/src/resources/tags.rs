//! What tags of resources may be, and the operations on the tags of any resource.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use crate::error::AzureError;
use crate::http::answer::Answer;
use crate::http::request::Request;
use crate::operation::{Operation, Rate};
use crate::session::{Place, Session};
use crate::versions::Provider;

const PATH: &str = "{scope}/providers/Microsoft.Resources/tags/default";

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "Tags_GetAtScope",
        provider: Provider::Resources,
        method: "GET",
        path: PATH,
        query: &[],
        rate: Rate::Read,
        action: "Microsoft.Resources/tags/read",
        run: get,
    },
    Operation {
        name: "Tags_CreateOrUpdateAtScope",
        provider: Provider::Resources,
        method: "PUT",
        path: PATH,
        query: &[],
        rate: Rate::Write,
        action: "Microsoft.Resources/tags/write",
        run: put,
    },
    Operation {
        name: "Tags_UpdateAtScope",
        provider: Provider::Resources,
        method: "PATCH",
        path: PATH,
        query: &[],
        rate: Rate::Write,
        action: "Microsoft.Resources/tags/write",
        run: patch,
    },
    Operation {
        name: "Tags_DeleteAtScope",
        provider: Provider::Resources,
        method: "DELETE",
        path: PATH,
        query: &[],
        rate: Rate::Delete,
        action: "Microsoft.Resources/tags/delete",
        run: delete,
    },
];

/// Names and values.
pub(crate) type Tags = BTreeMap<String, String>;

const MOST: usize = 50;
const LONGEST_VALUE: usize = 256;
const RESERVED: &[char] = &['<', '>', '%', '&', '\\', '?', '/'];

/// Refuses tags that a resource cannot have; names of storage accounts' tags have at most 128 characters, others 512.
pub(crate) fn check(tags: &Tags, longest_name: usize) -> Result<(), AzureError> {
    if tags.len() > MOST {
        let message = format!(
            "The resource has {} tags. Maximum number of tags allowed on a resource is {MOST}.",
            tags.len()
        );
        return Err(AzureError::new(400, "TooManyTags", message));
    }
    for (name, value) in tags {
        if name.is_empty() || name.chars().any(|c| RESERVED.contains(&c) || c.is_control()) {
            let message =
                format!("The tag names '{name}' have reserved characters '<,>,%,&,\\,?,/' or control characters.");
            return Err(AzureError::new(400, "InvalidTagNameCharacters", message));
        }
        if name.chars().count() > longest_name {
            let message = format!("The tag name '{name}' exceeds the maximum length of {longest_name} characters.");
            return Err(AzureError::new(400, "TagNameTooLong", message));
        }
        if value.chars().count() > LONGEST_VALUE {
            let message =
                format!("The value of the tag '{name}' exceeds the maximum length of {LONGEST_VALUE} characters.");
            return Err(AzureError::new(400, "TagValueTooLong", message));
        }
    }
    Ok(())
}

/// What a scope is: something that has tags, by its key.
enum Tagged {
    Group(String),
    Account(String),
    Disk(String),
    Snapshot(String),
}

impl Tagged {
    /// What is at the scope of the request, and its tags.
    fn find(session: &Session, request: &Request) -> Result<(Self, Tags), AzureError> {
        let scope = request.part("scope");
        let parts: Vec<_> = scope.split('/').collect();
        let kind = |provider: &str, kind: &str| format!("{provider}/{kind}").to_ascii_lowercase();
        match parts[..] {
            [_, subscription, _, group] => {
                let found = session.group(subscription, group)?;
                Ok((Self::Group(found.key()), found.tags.clone().unwrap_or_default()))
            }
            [_, subscription, _, group, _, provider, found, account]
                if kind(provider, found) == "microsoft.storage/storageaccounts" =>
            {
                let place = Place {
                    subscription,
                    group,
                    account,
                };
                let account = session.account(place)?;
                Ok((Self::Account(account.name.clone()), account.tags.clone()))
            }
            [_, subscription, _, group, _, provider, found, name] => {
                session.group(subscription, group)?;
                let key = format!("{subscription}/{group}/{name}").to_lowercase();
                let (disks, snapshots) = (&session.estate.disks, &session.estate.snapshots);
                let tagged = match kind(provider, found).as_str() {
                    "microsoft.compute/disks" => disks
                        .get(&key)
                        .filter(|disk| disk.stays())
                        .map(|disk| (Self::Disk(key), disk.tags.clone())),
                    "microsoft.compute/snapshots" => snapshots
                        .get(&key)
                        .filter(|snapshot| snapshot.exists(session.now))
                        .map(|snapshot| (Self::Snapshot(key), snapshot.tags.clone())),
                    _ => None,
                };
                tagged.ok_or_else(|| AzureError::resource_not_found(&format!("{provider}/{found}"), name, group))
            }
            _ => {
                let message = format!("The scope '/{scope}' has no tags here.");
                Err(AzureError::new(400, "InvalidResourceType", message))
            }
        }
    }

    fn store(self, session: &mut Session, tags: Tags) -> Result<(), AzureError> {
        check(&tags, if matches!(self, Self::Account(_)) { 128 } else { 512 })?;
        let times = session.times();
        session.changed = true;
        let estate = &mut *session.estate;
        match self {
            Self::Group(key) => estate.groups.change(&key, times, |group| group.tags = Some(tags))?,
            Self::Account(key) => estate.accounts.change(&key, times, |account| account.tags = tags)?,
            Self::Disk(key) => estate.disks.change(&key, times, |disk| disk.tags = tags)?,
            Self::Snapshot(key) => estate.snapshots.change(&key, times, |snapshot| snapshot.tags = tags)?,
        }
        Ok(())
    }
}

fn answer(request: &Request, tags: &Tags) -> Answer {
    Answer::ok(&json!({
        "id": format!("/{}/providers/Microsoft.Resources/tags/default", request.part("scope")),
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": tags},
    }))
}

fn get(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let (_, tags) = Tagged::find(session, request)?;
    Ok(answer(request, &tags))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Properties {
    #[serde(default)]
    tags: Tags,
}

fn put(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let Body { properties } = request.body()?;
    let (tagged, _) = Tagged::find(session, request)?;
    let answer = answer(request, &properties.tags);
    tagged.store(session, properties.tags)?;
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatchBody {
    operation: Change,
    properties: Properties,
}

#[derive(Clone, Copy, Deserialize)]
enum Change {
    Replace,
    Merge,
    Delete,
}

/// Names of tags are the same whatever their letter case; a tag without a value names all values when it is deleted.
fn patch(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let PatchBody { operation, properties } = request.body()?;
    let (tagged, mut tags) = Tagged::find(session, request)?;
    let asked = properties.tags;
    match operation {
        Change::Replace => tags = asked,
        Change::Merge => {
            tags.retain(|name, _| !asked.keys().any(|other| other.eq_ignore_ascii_case(name)));
            tags.extend(asked);
        }
        Change::Delete => tags.retain(|name, value| {
            !asked
                .iter()
                .any(|(other, of)| other.eq_ignore_ascii_case(name) && (of.is_empty() || of == value))
        }),
    }
    let answer = answer(request, &tags);
    tagged.store(session, tags)?;
    Ok(answer)
}

fn delete(session: &mut Session, request: &Request) -> Result<Answer, AzureError> {
    let (tagged, _) = Tagged::find(session, request)?;
    tagged.store(session, Tags::new())?;
    Ok(Answer::empty(200))
}
