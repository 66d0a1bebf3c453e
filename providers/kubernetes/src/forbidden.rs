//! What to grant, in words.

use crate::call::Call;

/// A 403's message: who may not do what and where, and the right that is missing. Refusals by admission have no such right, and
/// keep the server's words alone.
pub(crate) fn message(server: &str, call: &Call) -> String {
    let Some(denial) = Denial::read(server) else {
        return server.to_owned();
    };
    let verb = denial.verb.unwrap_or(call.verb);
    let resource = denial.resource.map_or_else(
        || call.subject.resource.clone(),
        |resource| qualified(resource, denial.group),
    );
    let place = match denial
        .namespace
        .or(call.subject.namespace.as_deref().filter(|_| !denial.cluster_wide))
    {
        Some(namespace) => format!(" in namespace {namespace}"),
        None => String::new(),
    };
    let user = denial
        .user
        .map_or_else(|| "this user".to_owned(), |user| format!("\"{user}\""));
    format!("{user} may not {verb} {resource}{place}; grant \"{verb}\" on {resource}{place} to {user}")
}

/// The parts of `x is forbidden: User "u" cannot patch resource "r" in API group "g" in the namespace "n"`.
struct Denial<'a> {
    user: Option<&'a str>,
    verb: Option<&'a str>,
    resource: Option<&'a str>,
    group: &'a str,
    namespace: Option<&'a str>,
    cluster_wide: bool,
}

impl<'a> Denial<'a> {
    fn read(message: &'a str) -> Option<Self> {
        let (_, denied) = message
            .split_once("User ")
            .filter(|(_, rest)| rest.contains(" cannot "))?;
        let (user, act) = denied.split_once(" cannot ")?;
        Some(Self {
            user: user.strip_prefix('"').and_then(|user| user.strip_suffix('"')),
            verb: act.split_once(" resource ").map(|(verb, _)| verb),
            resource: quoted_after(act, "resource "),
            group: quoted_after(act, "in API group ").unwrap_or_default(),
            namespace: quoted_after(act, "in the namespace "),
            cluster_wide: act.contains("at the cluster scope"),
        })
    }
}

fn quoted_after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(words)?;
    rest.strip_prefix('"')?.split_once('"').map(|(inside, _)| inside)
}

fn qualified(resource: &str, group: &str) -> String {
    if group.is_empty() {
        resource.to_owned()
    } else {
        format!("{resource}.{group}")
    }
}

#[cfg(test)]
mod tests {
    use moorline_api::{ObjectRef, ResourceKind};

    use super::*;
    use crate::call::Subject;

    fn patch(resource: ResourceKind) -> Call {
        Call::read("patch", Subject::one(&ObjectRef::new(resource, "demo", "x")), "/")
    }

    #[test]
    fn names_the_right_that_is_missing() {
        let denied = r#"statefulsets.apps "x" is forbidden: User "system:serviceaccount:ci:bot" cannot create resource "statefulsets" in API group "apps" in the namespace "demo""#;
        assert_eq!(
            message(denied, &patch(ResourceKind::stateful_set())),
            "\"system:serviceaccount:ci:bot\" may not create statefulsets.apps in namespace demo; grant \"create\" on \
             statefulsets.apps in namespace demo to \"system:serviceaccount:ci:bot\""
        );
        let denied = r#"persistentvolumes "x" is forbidden: User "ann" cannot patch resource "persistentvolumes" in API group "" at the cluster scope"#;
        assert_eq!(
            message(denied, &patch(ResourceKind::persistent_volume())),
            "\"ann\" may not patch persistentvolumes; grant \"patch\" on persistentvolumes to \"ann\""
        );
    }

    #[test]
    fn an_odd_denial_is_filled_in_from_the_call() {
        assert_eq!(
            message("User x cannot do that", &patch(ResourceKind::claim())),
            "this user may not patch persistentvolumeclaims in namespace demo; grant \"patch\" on persistentvolumeclaims in \
             namespace demo to this user"
        );
    }

    #[test]
    fn admission_keeps_its_own_words() {
        let denied = r#"admission webhook "policy.example.com" denied the request: no latest tags"#;
        assert_eq!(message(denied, &patch(ResourceKind::claim())), denied);
    }
}
