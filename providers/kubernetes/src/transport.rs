//! Sends calls: bound in number, in time and in size, repeated where that is safe.

use std::error::Error as StdError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::TryFutureExt;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Timestamp;
use kube::Client;
use kube::client::{AuthError, Body};
use moorline_api::answer::is_object;
use moorline_api::{Error, ErrorKind};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use crate::call::Call;
use crate::credentials::plugin_name;
use crate::kubeconfig::Access;
use crate::pace::{Pace, Setback};
use crate::plugin;
use crate::refusal::Refusal;
use crate::session;
use crate::text::printable;

/// How the error of a call begins that was never sent.
const UNSENT: &str = "cannot reach the API server";

/// Whether a call may have had its effect, although it failed so.
pub(crate) fn is_in_doubt(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Unreachable | ErrorKind::Internal) && !error.message.starts_with(UNSENT)
}

/// No `Status` is larger.
const LARGEST_REFUSAL: usize = 4 << 20;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Whether the server has yet to do what was asked (HTTP 202).
    pub(crate) accepted: bool,
    /// Whether what was written was not there before (HTTP 201).
    pub(crate) created: bool,
    /// Its body.
    pub(crate) body: Bytes,
}

/// Why a try failed.
enum Trouble {
    /// The connection was not made.
    Unsent(String),
    /// The connection was not made, and will not be: TLS does not agree.
    Untrusted(ErrorKind, String),
    /// No whole answer came.
    Unanswered(String),
    /// The answer is no whole object, although it came to its end.
    Garbled,
    /// The server said no.
    Refused(Box<Refusal>),
    /// The call could not be made: credentials or certificates.
    Local(Error),
}

impl Trouble {
    fn setback(&self) -> Setback {
        match self {
            Self::Unsent(_) => Setback::Unsent,
            Self::Unanswered(_) | Self::Garbled => Setback::Unclear(None),
            Self::Refused(refusal) => refusal.setback(),
            Self::Untrusted(..) | Self::Local(_) => Setback::Final,
        }
    }
}

/// A client that may be replaced when its credentials are no longer accepted.
#[derive(Clone)]
struct Session {
    client: Client,
    number: u64,
    /// When its credentials expire, where a plugin said so.
    expires: Option<Timestamp>,
}

impl Session {
    fn is_over(&self) -> bool {
        self.expires.is_some_and(|at| at <= Timestamp::now())
    }
}

/// What all ways to a server share.
#[derive(Default)]
struct Door {
    session: Mutex<Option<Session>>,
    /// When a credential plugin was last given up.
    given_up: std::sync::Mutex<Option<Instant>>,
}

impl Door {
    /// Whether a plugin was given up so lately that waiting for it again would be waiting for the same.
    fn is_shut(&self, login_timeout: Duration) -> bool {
        let given_up = *self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        given_up.is_some_and(|at| at.elapsed() < login_timeout)
    }

    fn give_up(&self) {
        *self.given_up.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// The way to the server.
pub(crate) struct Transport {
    access: Access,
    door: Arc<Door>,
    slots: Semaphore,
    call_timeout: Duration,
    reached: AtomicBool,
}

impl Transport {
    /// Makes no call and starts nothing.
    pub(crate) fn new(access: Access, concurrency: usize, call_timeout: Duration) -> Self {
        let slots = Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Self {
            access,
            door: Arc::default(),
            slots,
            call_timeout,
            reached: AtomicBool::new(false),
        }
    }

    /// Another way to the same server, with the same credentials: its calls do not wait for a slot of this one's.
    pub(crate) fn beside(&self, concurrency: usize, call_timeout: Duration) -> Self {
        Self {
            door: self.door.clone(),
            ..Self::new(self.access.clone(), concurrency, call_timeout)
        }
    }

    /// The server and the context.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Sends a call and reads its whole answer, when its turn comes.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, Error> {
        // A slot is kept between tries too: a server that asks us to slow down then sees fewer calls.
        let _slot = self
            .slots
            .acquire()
            .await
            .map_err(|error| call.error(ErrorKind::Internal, error.to_string()))?;
        self.repeat(call, |response| read_whole(call, response)).await
    }

    /// Like `send`, for callers to whom a refusal means something.
    pub(crate) async fn try_send(&self, call: &Call) -> Result<Result<Answer, Refusal>, Error> {
        let _slot = self
            .slots
            .acquire()
            .await
            .map_err(|error| call.error(ErrorKind::Internal, error.to_string()))?;
        match self.attempt_all(call, |response| read_whole(call, response)).await {
            Ok(answer) => Ok(Ok(answer)),
            Err(Trouble::Refused(refusal)) => Ok(Err(*refusal)),
            Err(trouble) => Err(self.error(call, trouble)),
        }
    }

    /// Sends a call at once and gives its answer's body while it comes; the time limit ends with the headers.
    pub(crate) async fn open(&self, call: &Call) -> Result<Body, Error> {
        self.repeat(call, |response| std::future::ready(Ok(response.into_body())))
            .await
    }

    /// A refusal in the words of the contract.
    pub(crate) fn refused(&self, call: &Call, refusal: Refusal) -> Error {
        let mut error = refusal.into_error(call, &self.access.server);
        if self.access.withheld && matches!(error.kind, ErrorKind::Unauthenticated | ErrorKind::Forbidden) {
            error.message +=
                "; credentials do not go over plain http to another machine: write https:// in the kubeconfig";
        }
        error
    }

    async fn repeat<T, F>(&self, call: &Call, read: impl Fn(Response<Body>) -> F + Send + Sync) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Trouble>> + Send,
    {
        self.attempt_all(call, read)
            .await
            .map_err(|trouble| self.error(call, trouble))
    }

    async fn attempt_all<T, F>(
        &self,
        call: &Call,
        read: impl Fn(Response<Body>) -> F + Send + Sync,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>> + Send,
    {
        let mut session = self.session(None).await.map_err(Trouble::Local)?;
        let mut pace = self.pace(call);
        let mut renewed = false;
        loop {
            let trouble = match self.attempt(&session.client, call, &pace, &read).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            let unauthenticated = matches!(&trouble, Trouble::Refused(refusal) if refusal.is_unauthenticated());
            if unauthenticated && self.access.renewable && !renewed {
                renewed = true;
                session = self.session(Some(session.number)).await.map_err(Trouble::Local)?;
                pace = self.pace(call);
                continue;
            }
            let Some(delay) = pace.next(trouble.setback(), Instant::now()) else {
                return Err(trouble);
            };
            tracing::debug!(verb = call.verb, subject = %call.subject, ?delay, "trying again");
            tokio::time::sleep(delay).await;
        }
    }

    async fn attempt<T, F>(
        &self,
        client: &Client,
        call: &Call,
        pace: &Pace,
        read: impl Fn(Response<Body>) -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>> + Send,
    {
        // Half of the time for one try leaves another for a second, on a connection that works.
        let patience = if call.repeatable {
            self.call_timeout / 2
        } else {
            self.call_timeout
        };
        let deadline = pace.deadline().min(Instant::now() + patience);
        let exchange = self.exchange(client, call).and_then(read);
        let outcome = timeout_at(deadline, exchange).await;
        tracing::debug!(verb = call.verb, subject = %call.subject, done = matches!(outcome, Ok(Ok(_))), "called");
        outcome.unwrap_or_else(|_| Err(Trouble::Unanswered("no answer in time".to_owned())))
    }

    /// One request and the head of its answer; the body of a refusal is read too.
    async fn exchange(&self, client: &Client, call: &Call) -> Result<Response<Body>, Trouble> {
        let request =
            request(call).map_err(|error| Trouble::Local(call.error(ErrorKind::Invalid, error.to_string())))?;
        // kube-rs logs every failure as an error, also those that the next try mends.
        let response = client.send(request).with_subscriber(NoSubscriber::default()).await;
        let response = response.map_err(|error| self.unsent(&error))?;
        self.reached.store(true, Ordering::Relaxed);
        if response.status().is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LARGEST_REFUSAL)
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        Err(Trouble::Refused(Box::new(Refusal::from_answer(
            head.status,
            &head.headers,
            &body,
        ))))
    }

    /// The waits of a call that begins now.
    fn pace(&self, call: &Call) -> Pace {
        Pace::new(
            call.repeatable,
            Instant::now(),
            self.call_timeout,
            self.reached.load(Ordering::Relaxed),
        )
    }

    /// The client; a new one where there is none, where its credentials have expired, or where it is the one whose credentials were
    /// refused. Its time is not the call's: a credential plugin may have to wait for a person.
    async fn session(&self, stale: Option<u64>) -> Result<Session, Error> {
        if self.door.is_shut(self.access.login_timeout) {
            return Err(self.slow_plugin());
        }
        timeout(self.access.login_timeout, self.make_session(stale))
            .await
            .unwrap_or_else(|_| {
                self.door.give_up();
                Err(self.slow_plugin())
            })
    }

    async fn make_session(&self, stale: Option<u64>) -> Result<Session, Error> {
        let mut current = self.door.session.lock().await;
        let last = current.as_ref().map(|session| session.number);
        let good = |session: &&Session| !session.is_over() && (stale.is_none() || last != stale);
        if let Some(session) = current.as_ref().filter(good) {
            return Ok(session.clone());
        }
        let mut access = match stale {
            Some(_) => self.access.again().await,
            None => self.access.clone(),
        };
        let expires = plugin::log_in(&mut access).await?;
        let made = tokio::task::spawn_blocking(move || session::open(&access)).await;
        let client = made.map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "connect to",
                &self.access.server,
                error.to_string(),
            )
        })??;
        let session = Session {
            client,
            number: last.map_or(0, |number| number + 1),
            expires,
        };
        *current = Some(session.clone());
        Ok(session)
    }

    fn slow_plugin(&self) -> Error {
        let plugin = plugin_name(&self.access.config.auth_info);
        let message = format!(
            "no credentials from the plugin `{plugin}` within {} s, and it was ended; is it waiting for a login?",
            self.access.login_timeout.as_secs_f32()
        );
        Error::new(ErrorKind::Unauthenticated, "connect to", &self.access.server, message)
    }

    fn unsent(&self, error: &kube::Error) -> Trouble {
        let kube::Error::Service(cause) = error else {
            return Trouble::Unanswered(printable(&root_cause(error)));
        };
        if let Some(auth) = cause.downcast_ref::<AuthError>() {
            let message = session::auth_problem(&self.access.config.auth_info, auth);
            return Trouble::Local(Error::new(
                ErrorKind::Unauthenticated,
                "connect to",
                &self.access.server,
                message,
            ));
        }
        let text = printable(&root_cause(cause.as_ref()));
        if let Some(tls) = tls_error(cause.as_ref()) {
            return tls_trouble(tls, text);
        }
        match cause.downcast_ref::<hyper_util::client::legacy::Error>() {
            Some(hyper) if hyper.is_connect() => Trouble::Unsent(text),
            _ => Trouble::Unanswered(text),
        }
    }

    fn error(&self, call: &Call, trouble: Trouble) -> Error {
        let (server, context) = (&self.access.server, &self.access.context);
        match trouble {
            Trouble::Local(error) => error,
            Trouble::Refused(refusal) => self.refused(call, *refusal),
            Trouble::Untrusted(kind, text) => call.error(
                kind,
                format!("no trust between us and {server} ({text}); compare the certificates of context `{context}` with the server's"),
            ),
            Trouble::Unsent(text) => call.error(
                ErrorKind::Unreachable,
                format!("{UNSENT} {server} of context `{context}` ({text}); is it running, and is this the right context?"),
            ),
            Trouble::Garbled => call.error(
                ErrorKind::Internal,
                format!("the answer of {server} is no whole object; run again, and if that does not help, check its address and any proxy on the way"),
            ),
            Trouble::Unanswered(text) => {
                let doubt = if call.repeatable { "" } else { "; what was asked may have been done all the same" };
                call.error(ErrorKind::Unreachable, format!("no answer from the API server {server} ({text}){doubt}; run again"))
            }
        }
    }
}

fn request(call: &Call) -> Result<Request<Body>, http::Error> {
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(&call.path)
        .header(ACCEPT, call.accept);
    if let Some(content_type) = call.content_type {
        request = request.header(CONTENT_TYPE, content_type);
    }
    request.body(Body::from(call.body.clone()))
}

async fn read_whole(call: &Call, response: Response<Body>) -> Result<Answer, Trouble> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, call.largest).collect().await;
    let body = body.map_err(|error| {
        if error.is::<LengthLimitError>() {
            let message = format!("the answer has more than {} MiB", call.largest >> 20);
            return Trouble::Local(call.error(ErrorKind::Internal, message));
        }
        Trouble::Unanswered(printable(&root_cause(error.as_ref())))
    })?;
    let body = body.to_bytes();
    if !is_object(&body) {
        return Err(Trouble::Garbled);
    }
    Ok(Answer {
        headers: head.headers,
        accepted: head.status == http::StatusCode::ACCEPTED,
        created: head.status == http::StatusCode::CREATED,
        body,
    })
}

/// An error and what is below it; no honest chain is longer. `io::Error` passes over what it wraps when asked for its source.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let below = |&error: &&'a (dyn StdError + 'static)| match error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
    {
        Some(wrapped) => Some(wrapped as &(dyn StdError + 'static)),
        None => error.source(),
    };
    std::iter::successors(Some(error), below).take(16)
}

/// The deepest cause, which is the one that says something: `Connection refused (os error 111)`.
fn root_cause(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    causes(error).find_map(|error| error.downcast_ref())
}

fn tls_trouble(error: &rustls::Error, text: String) -> Trouble {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            Trouble::Untrusted(ErrorKind::Unreachable, text)
        }
        rustls::Error::AlertReceived(_) => Trouble::Untrusted(ErrorKind::Unauthenticated, text),
        _ => Trouble::Unsent(text),
    }
}
