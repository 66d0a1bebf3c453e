//! The way of a call: read it, know the caller, let faults strike, hold it to the rate, do it, answer.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use moorline_sandbox_core::{Audit, Call, Effect, Moment, Outcome, broken_answer, dated};

use crate::cloud::AwsCloud;
use crate::error::AwsError;
use crate::operation::Operation;
use crate::session::would_have_succeeded;
use crate::throttle::Family;
use crate::wire::answer::{self, Service};
use crate::wire::caller::{self, Caller};
use crate::wire::params::Params;
use crate::wire::xml::Xml;

/// More than any call needs: a thousand resources with fifty tags each would not fit a real one either.
const MAX_BODY_BYTES: usize = 2 << 20;

pub(crate) fn router(cloud: AwsCloud) -> Router {
    let clock = cloud.world().clock.clone();
    let router = Router::new()
        .route("/", get(handle).post(handle))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(cloud);
    dated(router, clock)
}

async fn handle(State(cloud): State<AwsCloud>, RawQuery(query): RawQuery, headers: HeaderMap, body: Bytes) -> Response {
    let query = query.unwrap_or_default();
    let params = match Params::parse([query.as_bytes(), &body]) {
        Ok(params) => params,
        Err(error) => return answer::failure(Service::Ec2, &error),
    };
    let service = params.text("Version").and_then(Service::of_version);
    let known = service.and_then(|service| Some((service, Operation::find(service, params.text("Action")?)?)));
    let Some((service, operation)) = known else {
        return unknown(&cloud, service.unwrap_or(Service::Ec2), &params);
    };
    let mut record = Record::new(&cloud, service, operation, &params);
    let request = Request {
        cloud: &cloud,
        service,
        operation,
        params: &params,
        headers: &headers,
    };
    match request.perform(&mut record).await {
        Ok(xml) => answer::success(service, operation.name, |whole| whole.append(&xml)),
        Err(Broken::Refused(error)) => answer::failure(service, &error),
        Err(Broken::Struck(effect)) => broken_answer(&effect),
    }
}

/// Refuses a call that names no operation we know; the audit counts all of these as one operation.
fn unknown(cloud: &AwsCloud, service: Service, params: &Params) -> Response {
    let call = Call {
        service: service.name().into(),
        operation: "InvalidAction".to_owned(),
        mutating: false,
        dry_run: false,
    };
    cloud.world().audit.count(&call, Outcome::Failed);
    let error = match params.text("Action") {
        Some(action) => AwsError::new(
            "InvalidAction",
            format!("The action {action} is not valid for this web service."),
        ),
        None => AwsError::new("MissingAction", "The request must contain the parameter Action"),
    };
    answer::failure(service, &error)
}

/// Why a call has no proper answer.
enum Broken {
    Refused(AwsError),
    /// A fault leaves no answer of this service.
    Struck(Effect),
}

impl From<AwsError> for Broken {
    fn from(error: AwsError) -> Self {
        Self::Refused(error)
    }
}

struct Request<'a> {
    cloud: &'a AwsCloud,
    service: Service,
    operation: &'static Operation,
    params: &'a Params,
    headers: &'a HeaderMap,
}

impl Request<'_> {
    /// Does it all; what the audit shall say of it is left in `record`.
    async fn perform(&self, record: &mut Record<'_>) -> Result<Xml, Broken> {
        let settings = self.cloud.settings_now();
        let world = self.cloud.world();
        if settings.latency_millis > 0 {
            world.clock.sleep(settings.latency()).await;
        }
        let caller = caller::identify(self.headers, self.params, self.service)?;
        let now = world.clock.now();
        if caller.session.as_ref().is_some_and(|session| session.expires <= now) {
            return Err(caller::expired(self.service).into());
        }
        caller::authorize(&caller, self.service, self.operation.name, &settings.account)?;

        self.strike(record, Moment::Before).await?;
        if !self.within_rate(&caller) {
            record.outcome = Outcome::Throttled;
            return Err(self.service.throttled().into());
        }
        let done = self.effect(&caller, record);
        // The fault may never let go of the call, and the audit must know what was done.
        record.settle();
        self.strike(record, Moment::After).await?;
        Ok(done?)
    }

    fn within_rate(&self, caller: &Caller) -> bool {
        let settings = self.cloud.settings_now();
        let rate = (self.operation.name, self.family());
        !settings.throttle || self.cloud.take_token(&caller.region, rate, &settings.buckets)
    }

    /// Listing every volume without filter and paging has a rate of its own.
    fn family(&self) -> Family {
        let narrowed = ["VolumeId", "Filter", "MaxResults", "NextToken"];
        let everything = self.operation.name == "DescribeVolumes" && !narrowed.iter().any(|name| self.params.has(name));
        if everything {
            Family::DescribeEverything
        } else {
            self.operation.family
        }
    }

    fn effect(&self, caller: &Caller, record: &mut Record<'_>) -> Result<Xml, AwsError> {
        if self.service == Service::Ec2 {
            self.params.only(self.operation.params)?;
        }
        let dry_run = dry_run(self.service, self.params)?;
        let (done, changed) = self.cloud.call(&caller.region, dry_run, |session| {
            let mut xml = Xml::default();
            session.assumed.clone_from(&caller.session);
            (self.operation.run)(session, self.params, &mut xml).map(|()| xml)
        });
        let done = if dry_run && done.is_ok() {
            Err(would_have_succeeded())
        } else {
            done
        };
        record.outcome = match &done {
            Ok(_) if changed => Outcome::Changed,
            Ok(_) => Outcome::Unchanged,
            Err(error) if error.code == "DryRunOperation" => Outcome::Unchanged,
            Err(_) => Outcome::Failed,
        };
        done
    }

    async fn strike(&self, record: &Record<'_>, moment: Moment) -> Result<(), Broken> {
        let world = self.cloud.world();
        match world.faults.apply(&record.call, moment, &world.clock).await {
            None => Ok(()),
            Some(Effect::Error {
                status,
                code,
                message,
                retry_after,
            }) => Err(Broken::Refused(AwsError {
                code,
                message,
                status,
                retry_after,
            })),
            Some(effect) => Err(Broken::Struck(effect)),
        }
    }
}

fn dry_run(service: Service, params: &Params) -> Result<bool, AwsError> {
    if service == Service::Ec2 {
        Ok(params.boolean("DryRun")?.unwrap_or(false))
    } else {
        Ok(false)
    }
}

/// Counts the call in the audit exactly once, also when the client goes away in the middle.
struct Record<'a> {
    audit: &'a Audit,
    call: Call,
    outcome: Outcome,
    settled: bool,
}

impl<'a> Record<'a> {
    fn new(cloud: &'a AwsCloud, service: Service, operation: &Operation, params: &Params) -> Self {
        let dry_run = dry_run(service, params).unwrap_or(false);
        let call = Call {
            service: service.name().into(),
            operation: operation.name.to_owned(),
            mutating: operation.mutating() && !dry_run,
            dry_run: operation.mutating() && dry_run,
        };
        Self {
            audit: &cloud.world().audit,
            call,
            outcome: Outcome::Failed,
            settled: false,
        }
    }

    fn settle(&mut self) {
        if !self.settled {
            self.settled = true;
            self.audit.count(&self.call, self.outcome);
        }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        self.settle();
    }
}
