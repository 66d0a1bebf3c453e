//! Questions about who may do what: everyone may do everything here.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::respond::Answer;
use super::{Incoming, body};
use crate::error::ApiError;

/// The review resources: group, plural, kind, namespaced.
pub(super) const REVIEWS: [(&str, &str, &str, bool); 5] = [
    (
        "authentication.k8s.io",
        "selfsubjectreviews",
        "SelfSubjectReview",
        false,
    ),
    (
        "authorization.k8s.io",
        "localsubjectaccessreviews",
        "LocalSubjectAccessReview",
        true,
    ),
    (
        "authorization.k8s.io",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        false,
    ),
    (
        "authorization.k8s.io",
        "selfsubjectrulesreviews",
        "SelfSubjectRulesReview",
        false,
    ),
    (
        "authorization.k8s.io",
        "subjectaccessreviews",
        "SubjectAccessReview",
        false,
    ),
];

pub(super) fn review(plural: &str, incoming: &Incoming) -> Result<Answer, ApiError> {
    let Some((group, _, kind, _)) = REVIEWS.iter().find(|(_, name, _, _)| *name == plural) else {
        return Err(ApiError::unknown_path());
    };
    if incoming.method != "POST" {
        return Err(ApiError::method_not_allowed());
    }
    let mut asked = body::object(&incoming.headers, &incoming.body)?;
    if !asked.is_object() {
        return Err(ApiError::bad_request("the body is no object"));
    }
    let everything = json!(["*"]);
    let status: Value = match *kind {
        "SelfSubjectReview" => {
            json!({"userInfo": {"username": "sandbox-admin", "groups": ["system:masters", "system:authenticated"]}})
        }
        "SelfSubjectRulesReview" => json!({
            "resourceRules": [{"verbs": everything, "apiGroups": everything, "resources": everything}],
            "nonResourceRules": [{"verbs": everything, "nonResourceURLs": everything}],
            "incomplete": false,
        }),
        _ => json!({"allowed": true, "reason": "the sandbox allows everything"}),
    };
    asked["apiVersion"] = json!(format!("{group}/v1"));
    asked["kind"] = json!(kind);
    asked["status"] = status;
    Ok(Answer {
        status: StatusCode::CREATED,
        ..Answer::json(&asked)
    })
}
