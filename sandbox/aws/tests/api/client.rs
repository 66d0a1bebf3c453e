//! A client of the router, as bare as can be: what it sends and sees is the protocol itself.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use moorline_sandbox_aws::{AwsCloud, AwsSettings};
use moorline_sandbox_core::{AuditRow, Journal, World};
use tower::ServiceExt;

/// An account of its own, and a way to call it.
pub(crate) struct Client {
    pub(crate) world: World,
    pub(crate) cloud: AwsCloud,
    pub(crate) access_key: &'static str,
    pub(crate) region: &'static str,
}

impl Client {
    pub(crate) fn new(settings: AwsSettings) -> Self {
        let world = World::new(Journal::in_memory()).unwrap();
        let cloud = AwsCloud::open(world.clone(), settings).unwrap();
        Self {
            world,
            cloud,
            access_key: "test",
            region: "us-east-1",
        }
    }

    pub(crate) fn instant() -> Self {
        Self::new(AwsSettings::instant())
    }

    pub(crate) async fn ec2(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        self.call("2016-11-15", action, parameters).await
    }

    pub(crate) async fn elb(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        self.call("2012-06-01", action, parameters).await
    }

    pub(crate) async fn elbv2(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        self.call("2015-12-01", action, parameters).await
    }

    pub(crate) async fn call(&self, version: &str, action: &str, parameters: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action)
            .append_pair("Version", version)
            .extend_pairs(parameters);
        let (key, region) = (self.access_key, self.region);
        let request = Request::post("/")
            .header("content-type", "application/x-www-form-urlencoded")
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={key}/20261121/{region}/ec2/aws4_request, SignedHeaders=host, Signature=0"),
            )
            .body(Body::from(form.finish()))
            .unwrap();
        let response = self.cloud.router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get("retry-after")
            .map(|value| value.to_str().unwrap().to_owned());
        let body = to_bytes(response.into_body(), usize::MAX)
            .await
            .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        Answer {
            status,
            retry_after,
            body: body.ok(),
        }
    }

    /// Makes a volume of 10 GiB and gives its id.
    pub(crate) async fn volume(&self, parameters: &[(&str, &str)]) -> String {
        let all = [&[("AvailabilityZone", "us-east-1a"), ("Size", "10")], parameters].concat();
        self.ec2("CreateVolume", &all).await.ok().text("volumeId")
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.world.clock.advance(seconds, &self.world.journal).unwrap();
    }

    pub(crate) fn audit(&self, operation: &str) -> AuditRow {
        self.world
            .audit
            .rows()
            .into_iter()
            .find(|row| row.operation == operation)
            .unwrap_or_default()
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    /// None where the transfer broke.
    pub(crate) body: Option<String>,
}

impl Answer {
    /// The same, if the call succeeded.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{self:?}");
        self
    }

    /// The error code of a call that must have failed.
    pub(crate) fn code(&self) -> String {
        assert_ne!(self.status, 200, "{self:?}");
        self.text("Code")
    }

    /// The contents of every element of this name, innermost text only.
    pub(crate) fn texts(&self, element: &str) -> Vec<String> {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let body = self.body.as_ref().unwrap();
        body.split(&open)
            .skip(1)
            .map(|rest| rest.split(&close).next().unwrap().to_owned())
            .collect()
    }

    /// The contents of the one element of this name.
    pub(crate) fn text(&self, element: &str) -> String {
        let texts = self.texts(element);
        assert_eq!(texts.len(), 1, "{element} in {self:?}");
        texts[0].clone()
    }
}
