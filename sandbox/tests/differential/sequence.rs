//! Sequences of calls, as they are generated and as they are kept.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is done, in order, in a namespace of its own.
///
/// Texts in it may hold what is only known while it runs:
/// - `${ns}`: the namespace; `${u}`: a token that makes names of cluster-scoped objects unique;
/// - `${rv configmaps/a}`, `${uid configmaps/a}`: of the object as an answer last showed it; `${old-rv …}`: as an answer first
///   showed it;
/// - `${list-rv}`, `${continue}`: of the last list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sequence {
    /// What it shows, for a person.
    pub(crate) about: String,
    pub(crate) steps: Vec<Step>,
}

/// One step of a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Step {
    /// A request.
    Call(Call),
    /// Waits until the controllers have nothing more to do, and looks at everything.
    Settle,
}

/// A request over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// `POST /api/v1/…?dryRun=All`.
    pub(crate) line: String,
    /// Content type without its `application/`, where there is a body.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) content: String,
    /// Absent where null. An object `{"$edit": "configmaps/a", "with": …}` is the object as an answer last showed it, with a
    /// merge patch on top: what a client does that reads, changes and writes.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) body: Value,
}

/// What a step came to, free of what no two servers have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    Call {
        status: u16,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
        /// A text where the answer was no JSON; a list of events where it was a watch.
        body: Value,
    },
    /// The objects by `plural/name`, and what a watch from the start saw of each.
    Settle { objects: Value, events: Value },
}

/// A sequence that once showed a difference, with what the real server answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) sequence: Sequence,
    pub(crate) answers: Vec<Answer>,
}
