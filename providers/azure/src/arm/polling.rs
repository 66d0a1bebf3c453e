//! Operations that take a while: 202 with `Location` or `Azure-AsyncOperation`.

use std::time::Duration;

use azure_core::http::{Method, Url};
use moorline_api::{ErrorKind, Result};
use serde::Deserialize;
use tokio::time::Instant;

use super::{Answer, Call, ResourceManager};
use crate::errors;
use crate::governor::Family;

/// Where nothing says how long to wait.
const PAUSE: Duration = Duration::from_secs(2);
/// However long the service asks to wait between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What `Azure-AsyncOperation` answers.
#[derive(Debug, Deserialize)]
struct Operation {
    status: String,
    error: Option<serde_json::Value>,
}

/// Where to look next.
enum Watch {
    /// 202 until it is done; then its result.
    Location(Url),
    /// 200 with a status, until that is final.
    Operation(Url),
}

impl ResourceManager {
    /// Makes a call and waits until its operation has ended. An operation that failed is an error with its own words.
    pub(crate) async fn complete(&self, call: &Call<'_>) -> Result<Answer> {
        let begun = self.call(call).await?;
        self.follow(call, begun).await
    }

    /// Waits until the operation of an answer has ended, where it is not done with the answer itself.
    pub(crate) async fn follow(&self, call: &Call<'_>, begun: Answer) -> Result<Answer> {
        if begun.status != 202 {
            return Ok(begun);
        }
        let deadline = Instant::now() + self.account_timeout;
        let mut answer = begun;
        let mut watch = self.watch(call, &answer, None)?;
        loop {
            let pause = answer.retry_after().unwrap_or(PAUSE).min(LONGEST_PAUSE);
            if Instant::now() + pause > deadline {
                let message = format!(
                    "Azure was not done within {} s; run again to go on",
                    self.account_timeout.as_secs()
                );
                return Err(call.subject().error(ErrorKind::Unreachable, message));
            }
            tokio::time::sleep(pause).await;
            let url = match &watch {
                Watch::Location(url) | Watch::Operation(url) => url.clone(),
            };
            let look = Call {
                method: Method::Get,
                url,
                body: None,
                header: None,
                family: Family::Unpaced,
                repeatable: true,
                ..call.clone()
            };
            answer = self.call(&look).await?;
            match &watch {
                Watch::Location(_) if answer.status != 202 => return Ok(answer),
                Watch::Operation(_) => {
                    let operation: Operation = answer.read(&look)?;
                    match operation.status.to_ascii_lowercase().as_str() {
                        "succeeded" => return Ok(answer),
                        "failed" | "canceled" => {
                            return Err(errors::failed_operation(call.subject(), operation.error.as_ref()));
                        }
                        _ => {}
                    }
                }
                Watch::Location(_) => {}
            }
            watch = self.watch(call, &answer, Some(watch))?;
        }
    }

    /// `Azure-AsyncOperation` says more than `Location` where there are both. Later answers may move either.
    fn watch(&self, call: &Call<'_>, answer: &Answer, before: Option<Watch>) -> Result<Watch> {
        if let Some(address) = answer.header("azure-asyncoperation") {
            return self.address(call, address).map(Watch::Operation);
        }
        match (answer.header("location"), before) {
            (_, Some(Watch::Operation(url))) => Ok(Watch::Operation(url)),
            (Some(address), _) => self.address(call, address).map(Watch::Location),
            (None, Some(watch)) => Ok(watch),
            (None, None) => {
                let message = "Azure accepted the call and does not say where to ask how it goes; run again to look";
                Err(call.subject().error(ErrorKind::Internal, message))
            }
        }
    }
}
