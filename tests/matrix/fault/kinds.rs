//! What can go wrong with a call: one table, with the words that each service has for it.

use serde_json::{Value, json};

/// One sort of fault.
#[derive(Debug)]
pub struct Kind {
    /// As the names of cases have it.
    pub name: &'static str,
    /// Whether the call has its effect all the same: then only its answer is lost.
    pub after: bool,
    /// Whether it strikes every such call, and not just one.
    pub lasting: bool,
    /// Whether a client heals it by itself, so that the command succeeds.
    pub heals: bool,
    /// What a service does; nothing where this cannot happen to it.
    effect: fn(&Struck) -> Option<Value>,
}

/// The call that is struck.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Struck {
    /// As the audit has it: `ec2`.
    pub service: String,
    /// As the audit has it: `CreateVolume`.
    pub operation: String,
    /// Whether it is called as a rehearsal only: then nothing but a refusal can happen to it.
    pub rehearsed: bool,
}

/// How long a server is away, in milliseconds; clients hold out longer.
const AWAY: u64 = 300;

/// Every sort of fault.
pub const KINDS: &[Kind] = &[
    once("500", false, true, |call| {
        call.says([
            (500, "InternalError"),
            (500, "InternalFailure"),
            (500, "InternalServerError"),
            (500, "InternalError"),
        ])
    }),
    once("503", false, true, |call| {
        call.says([
            (503, "Unavailable"),
            (503, "ServiceUnavailable"),
            (503, "ServiceUnavailable"),
            (503, "ServiceUnavailable"),
        ])
    }),
    once("throttled", false, true, |call| call.says(THROTTLED)),
    once("throttled-for-a-second", false, true, |call| {
        let mut effect = call.says(THROTTLED)?;
        effect["error"]["retry_after"] = json!(1);
        Some(effect)
    }),
    once("server-away", false, true, |call| {
        call.accident(json!({ "refuse": AWAY }))
    }),
    once("reset-before", false, true, |call| call.accident(json!("reset"))),
    once("reset-after", true, true, |call| call.accident(json!("reset"))),
    once("cut", true, true, |call| call.accident(json!("cut"))),
    once("garbled", true, true, |call| call.accident(json!("garbled"))),
    once("hang-before", false, true, |call| call.accident(json!("hang"))),
    once("hang-after", true, true, |call| call.accident(json!("hang"))),
    once("401", false, true, |call| call.says(EXPIRED)),
    once("409", false, false, |call| {
        call.says([
            (400, "IncorrectState"),
            (409, "OperationInProgress"),
            (409, "StorageAccountOperationInProgress"),
            (409, "Conflict"),
        ])
    }),
    once("gone", true, true, |call| {
        let watch = call.operation.starts_with("watch ");
        watch.then(|| error(410, "Expired"))
    }),
    lasting("500-for-good", |call| {
        call.says([
            (500, "InternalError"),
            (500, "InternalFailure"),
            (500, "InternalServerError"),
            (500, "InternalError"),
        ])
    }),
    lasting("401-for-good", |call| call.says(EXPIRED)),
    lasting("403-for-good", |call| {
        call.says([
            (403, "UnauthorizedOperation"),
            (403, "AccessDenied"),
            (403, "AuthorizationFailed"),
            (403, "Forbidden"),
        ])
    }),
    lasting("reset-for-good", |call| call.accident(json!("reset"))),
    lasting("clock-off", |call| {
        let aws = matches!(call.service.as_str(), "ec2" | "elb" | "elbv2" | "sts");
        aws.then(|| error(403, "RequestTimeTooSkewed"))
    }),
];

/// Status and code of EC2, of AWS's other services, of Resource Manager, and of Kubernetes.
type Words = [(u16, &'static str); 4];

const THROTTLED: Words = [
    (503, "RequestLimitExceeded"),
    (400, "Throttling"),
    (429, "TooManyRequests"),
    (429, "TooManyRequests"),
];
const EXPIRED: Words = [
    (400, "RequestExpired"),
    (403, "ExpiredToken"),
    (401, "ExpiredAuthenticationToken"),
    (401, "Unauthorized"),
];

const fn once(name: &'static str, after: bool, heals: bool, effect: fn(&Struck) -> Option<Value>) -> Kind {
    Kind {
        name,
        after,
        lasting: false,
        heals,
        effect,
    }
}

const fn lasting(name: &'static str, effect: fn(&Struck) -> Option<Value>) -> Kind {
    Kind {
        name,
        after: false,
        lasting: true,
        heals: false,
        effect,
    }
}

impl Kind {
    /// The rule by which the sandbox strikes this call, where this can happen to it.
    pub fn rule(&self, call: &Struck) -> Option<Value> {
        let effect = (self.effect)(call)?;
        let moment = if self.after { "after" } else { "before" };
        let mut rule =
            json!({"service": call.service, "operation": call.operation, "moment": moment, "effect": effect});
        if !self.lasting {
            rule["times"] = json!(1);
        }
        Some(rule)
    }

    /// Whether nothing ever comes back, so that a client has to give up waiting.
    pub fn hangs(&self) -> bool {
        self.name.starts_with("hang")
    }
}

impl Struck {
    fn says(&self, words: Words) -> Option<Value> {
        let of = match self.service.as_str() {
            "ec2" => 0,
            "elb" | "elbv2" | "sts" => 1,
            "arm" => 2,
            _ if self.service.starts_with("kubernetes") => 3,
            _ => return None,
        };
        let (status, code) = words[of];
        // A rehearsal meets what the real call would be refused with, and no accidents.
        let refusal = (400..500).contains(&status) && status != 429;
        (refusal || !self.rehearsed).then(|| error(status, code))
    }

    fn accident(&self, effect: Value) -> Option<Value> {
        (!self.rehearsed).then_some(effect)
    }

    /// What an error has to name: the operation in the words of its service, as far as they can be told from the audit.
    pub fn named_in(&self, text: &str) -> bool {
        match self.service.as_str() {
            "ec2" => text.contains(&format!("ec2:{}", self.operation)),
            "elb" | "elbv2" => text.contains(&format!("elasticloadbalancing:{}", self.operation)),
            "sts" => text.contains("sts:"),
            "arm" => text.contains("Microsoft."),
            _ => {
                let (verb, rest) = self.operation.split_once(' ').unwrap_or_default();
                let plural = rest.split('/').next().unwrap_or_default();
                match verb {
                    // An apply is a patch, or what it falls back to.
                    "patch" | "create" | "update" => text.contains(plural),
                    // What is no resource goes by its path.
                    _ if rest.starts_with('/') => text.contains('/'),
                    _ => text.contains(plural),
                }
            }
        }
    }
}

fn error(status: u16, code: &str) -> Value {
    json!({"error": {"status": status, "code": code, "message": "made to fail", "retry_after": null}})
}
