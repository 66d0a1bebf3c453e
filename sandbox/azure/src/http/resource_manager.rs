//! Calls of Resource Manager.

use axum::response::Response;
use moorline_sandbox_core::{Moment, Outcome, broken_answer};

use super::answer::{Answer, Shape};
use super::record::Record;
use super::request::{Incoming, Request};
use super::{Broken, pause, strike};
use crate::cloud::AzureCloud;
use crate::error::AzureError;
use crate::identity::caller::{self, Caller};
use crate::operation::{Operation, Part, Route};
use crate::resources::locks;
use crate::throttle::TooFast;
use crate::versions::Provider;

pub(super) async fn handle(cloud: &AzureCloud, incoming: &Incoming) -> Response {
    let (operation, parts) = match Operation::find(&incoming.method, &incoming.segments) {
        Route::Found(operation, parts) => (operation, parts),
        missed => return unknown(cloud, incoming, &missed),
    };
    let mut record = Record::new(cloud, "arm", operation.name, operation.rate.mutating());
    let call = Call {
        cloud,
        incoming,
        operation,
        parts: &parts,
    };
    let answer = match call.perform(&mut record).await {
        Ok(answer) => answer,
        Err(Broken::Refused(error)) => failure(cloud, incoming, error),
        Err(Broken::Struck(effect)) => return broken_answer(&effect),
    };
    echo(incoming, answer).respond(cloud.now())
}

/// The caller's own id for its request, sent back.
fn echo(incoming: &Incoming, answer: Answer) -> Answer {
    match incoming.header("x-ms-client-request-id") {
        Some(id) => answer.with("x-ms-client-request-id", id),
        None => answer,
    }
}

fn failure(cloud: &AzureCloud, incoming: &Incoming, error: AzureError) -> Answer {
    let unauthenticated = error.status == 401;
    let description = error.message.clone();
    let answer = Answer::failure(error, Shape::ResourceManager);
    if !unauthenticated {
        return answer;
    }
    let tenant = &cloud.settings_now().tenant;
    let challenge = format!(
        "Bearer authorization_uri=\"{}/{tenant}\", error=\"invalid_token\", error_description=\"{description}\"",
        incoming.base()
    );
    answer.with("www-authenticate", challenge)
}

/// Refuses a call that asks for nothing we know; the audit counts all of these as one operation.
fn unknown(cloud: &AzureCloud, incoming: &Incoming, missed: &Route) -> Response {
    Record::new(cloud, "arm", "Unknown", false).settle();
    let error = match (caller::identify(cloud, incoming), missed) {
        (Err(error), _) => error,
        (Ok(_), Route::WrongMethod) => AzureError::new(
            405,
            "HttpMethodNotAllowed",
            format!(
                "The requested resource does not support http method '{}'.",
                incoming.method
            ),
        ),
        (Ok(_), _) => AzureError::new(
            404,
            "InvalidResourceType",
            format!(
                "The resource type could not be found for the request path '{}'.",
                incoming.path
            ),
        ),
    };
    echo(incoming, failure(cloud, incoming, error)).respond(cloud.now())
}

struct Call<'a> {
    cloud: &'a AzureCloud,
    incoming: &'a Incoming,
    operation: &'static Operation,
    parts: &'a [Part],
}

impl Call<'_> {
    /// Does it all; what the audit shall say of it is left in `record`.
    async fn perform(&self, record: &mut Record<'_>) -> Result<Answer, Broken> {
        pause(self.cloud).await;
        let caller = caller::identify(self.cloud, self.incoming)?;
        self.check_query()?;
        self.check_subscription()?;
        self.authorize(&caller)?;
        strike(self.cloud, record, Moment::Before).await?;
        let left = self
            .hold_to_rate(&caller)
            .inspect_err(|_| record.outcome = Outcome::Throttled)?;
        let done = self.effect(record);
        // The fault may never let go of the call, and the audit must know what was done.
        record.settle();
        strike(self.cloud, record, Moment::After).await?;
        let answer = done?;
        Ok(match left {
            Some(left) => answer.with(self.operation.rate.kind().header(), left.to_string()),
            None => answer,
        })
    }

    fn part(&self, name: &str) -> &str {
        let part = self.parts.iter().find(|(known, _)| *known == name);
        part.map_or("", |(_, value)| value.as_str())
    }

    /// The api-version must be one that the provider knows, and no parameter may be unknown or twice there.
    fn check_query(&self) -> Result<(), AzureError> {
        let Some(version) = self.incoming.query("api-version") else {
            let message = "The api-version query parameter (?api-version=) is required for all requests.";
            return Err(AzureError::new(400, "MissingApiVersionParameter", message));
        };
        let provider = self.operation.provider;
        if !provider.versions().contains(&version) {
            return Err(unknown_version(provider, version, self.operation.action));
        }
        let mut seen = Vec::new();
        for (name, value) in self.incoming.queries() {
            let name = name.to_ascii_lowercase();
            let known = ["api-version", "$skiptoken"].contains(&name.as_str())
                || self
                    .operation
                    .query
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(&name));
            if !known || seen.contains(&name) {
                return Err(AzureError::query(&name, value));
            }
            seen.push(name);
        }
        Ok(())
    }

    fn check_subscription(&self) -> Result<(), AzureError> {
        let id = self.part("subscription");
        if id.is_empty() {
            return Ok(());
        }
        if uuid::Uuid::parse_str(id).is_err() {
            let message = format!("The provided subscription identifier '{id}' is malformed or invalid.");
            return Err(AzureError::new(400, "InvalidSubscriptionId", message));
        }
        let settings = self.cloud.settings_now();
        if settings
            .subscriptions
            .iter()
            .any(|known| known.eq_ignore_ascii_case(id))
        {
            return Ok(());
        }
        let message = format!("The subscription '{id}' could not be found.");
        Err(AzureError::new(404, "SubscriptionNotFound", message))
    }

    fn authorize(&self, caller: &Caller) -> Result<(), AzureError> {
        let settings = self.cloud.settings_now();
        let action = self.operation.action;
        let denied_action = |denied: &String| denied.eq_ignore_ascii_case(action);
        let target = format!("{}/", self.incoming.path.to_ascii_lowercase());
        let denied_scope = |scope: &String| {
            let scope = format!("{}/", scope.trim_end_matches('/').to_ascii_lowercase());
            target.starts_with(&scope)
        };
        if !settings.denied_actions.iter().any(denied_action) && !settings.denied_scopes.iter().any(denied_scope) {
            return Ok(());
        }
        Err(AzureError::new(
            403,
            "AuthorizationFailed",
            format!(
                "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
                caller.client, caller.object, self.incoming.path
            ),
        ))
    }

    /// How many calls of the kind are left, where calls are counted.
    fn hold_to_rate(&self, caller: &Caller) -> Result<Option<u64>, AzureError> {
        let settings = self.cloud.settings_now();
        if !settings.throttle {
            return Ok(None);
        }
        let rate = self.operation.rate;
        let subscription = self.part("subscription").to_ascii_lowercase();
        let now = self.cloud.now();
        let mut estate = self.cloud.estate();
        let key = (caller.object.as_str(), subscription.as_str(), rate.kind());
        let left = estate
            .throttle
            .take(key, &settings.rates, now)
            .map_err(|too_fast| self.resource_manager_says_no(too_fast))?;
        if let (Provider::Storage, Some(kind)) = (self.operation.provider, rate.storage()) {
            let account = estate.accounts.get(&self.part("account").to_ascii_lowercase());
            // Calls about no account of ours count together.
            let region = account.map_or_else(String::new, |account| account.location.clone());
            let counted = estate
                .throttle
                .count((&subscription, &region, kind), &settings.rates, now);
            counted.map_err(|too_fast| storage_says_no(kind.name(), too_fast))?;
        }
        Ok(Some(left))
    }

    fn resource_manager_says_no(&self, too_fast: TooFast) -> AzureError {
        let template = self
            .operation
            .path
            .split('/')
            .filter(|segment| !segment.starts_with('{'));
        let path = template.collect::<Vec<_>>().join("/").to_ascii_uppercase();
        let message = format!(
            "Number of requests for subscription '{}' and operation '{}/{path}' exceeded the backend storage limit. Please try again after '{}' seconds.",
            self.part("subscription"),
            self.operation.method,
            too_fast.seconds
        );
        AzureError::new(429, "SubscriptionRequestsThrottled", message).retry_after(too_fast.seconds)
    }

    fn effect(&self, record: &mut Record<'_>) -> Result<Answer, AzureError> {
        let request = Request::new(self.incoming, self.parts);
        let (done, changed) = self.cloud.call(self.incoming.base(), |session| {
            locks::check(session, self.operation, &self.incoming.segments)?;
            (self.operation.run)(session, &request)
        });
        record.outcome = match &done {
            Ok(_) if changed => Outcome::Changed,
            Ok(_) => Outcome::Unchanged,
            Err(_) => Outcome::Failed,
        };
        done
    }
}

fn storage_says_no(kind: &str, too_fast: TooFast) -> AzureError {
    let length = too_fast.window.map_or(0, |window| window.seconds);
    let window = format!("{:02}:{:02}:{:02}", length / 3600, length / 60 % 60, length % 60);
    let message = format!(
        "The request is being throttled as the limit has been reached for operation type - {kind}_ObservationWindow_{window}. For more information, see - https://aka.ms/srpthrottlinglimits"
    );
    AzureError::new(429, "TooManyRequests", message).retry_after(too_fast.seconds)
}

fn unknown_version(provider: Provider, version: &str, action: &str) -> AzureError {
    let supported = provider.versions().join(",");
    match provider {
        Provider::Resources | Provider::Subscriptions => AzureError::new(
            400,
            "InvalidApiVersionParameter",
            format!("The api-version '{version}' is invalid. The supported versions are '{supported}'."),
        ),
        Provider::Storage | Provider::Compute | Provider::Network | Provider::Authorization => {
            let kind = action
                .strip_prefix(provider.namespace())
                .unwrap_or(action)
                .trim_start_matches('/');
            let kind = kind.split('/').next().unwrap_or_default();
            AzureError::new(
                400,
                "NoRegisteredProviderFound",
                format!(
                    "No registered resource provider found for API version '{version}' for type '{kind}'. The supported api-versions are '{supported}'."
                ),
            )
        }
    }
}
