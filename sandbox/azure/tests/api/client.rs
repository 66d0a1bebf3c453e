//! A client of the router, as bare as can be: what it sends and sees is the protocol itself.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use moorline_sandbox_azure::{AzureCloud, AzureSettings};
use moorline_sandbox_core::{AuditRow, Journal, World};
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const STORAGE: &str = "2026-09-01";
pub(crate) const COMPUTE: &str = "2026-03-02";
pub(crate) const RESOURCES: &str = "2025-04-01";
pub(crate) const LOCKS: &str = "2020-05-01";
pub(crate) const CLIENT: &str = "44444444-dddd-4000-8000-000000000001";
const HOST: &str = "sandbox.test";

/// A cloud of its own, and a way to call it.
pub(crate) struct Client {
    pub(crate) world: World,
    pub(crate) cloud: AzureCloud,
    pub(crate) token: String,
    pub(crate) subscription: String,
}

impl Client {
    pub(crate) async fn new(settings: AzureSettings) -> Self {
        Self::over(Journal::in_memory(), settings).await
    }

    pub(crate) async fn over(journal: Journal, settings: AzureSettings) -> Self {
        let world = World::new(journal).unwrap();
        let cloud = AzureCloud::open(world.clone(), settings.clone()).unwrap();
        let mut client = Self {
            world,
            cloud,
            token: String::new(),
            subscription: settings.subscriptions[0].clone(),
        };
        let signed_in = client.sign_in(&settings.tenant, "secret").await.ok();
        signed_in["access_token"]
            .as_str()
            .unwrap()
            .clone_into(&mut client.token);
        client
    }

    pub(crate) async fn instant() -> Self {
        Self::new(AzureSettings::instant()).await
    }

    /// Asks the token endpoint.
    pub(crate) async fn sign_in(&self, tenant: &str, secret: &str) -> Answer {
        let form = format!(
            "grant_type=client_credentials&client_id={CLIENT}&client_secret={secret}&scope=https%3A%2F%2Fmanagement.azure.com%2F.default"
        );
        self.post_form(tenant, form).await
    }

    pub(crate) async fn post_form(&self, tenant: &str, form: String) -> Answer {
        let request = Request::post(format!("/{tenant}/oauth2/v2.0/token"))
            .header("host", HOST)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form))
            .unwrap();
        send(self.cloud.router(), request).await
    }

    /// Calls a path behind the resource group `moorline`, where the first part names the provider.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let version = match path.split('/').next().unwrap() {
            "Microsoft.Storage" => STORAGE,
            "Microsoft.Compute" => COMPUTE,
            _ => LOCKS,
        };
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("/resourceGroups/moorline/providers/{path}{joint}api-version={version}");
        self.at(method, &path, body).await
    }

    /// Calls a path behind the subscription; the query is the caller's.
    pub(crate) async fn at(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let url = format!("/subscriptions/{}{path}", self.subscription);
        self.send(method, &url, body, &[]).await
    }

    /// Calls a whole URL, be it one with a host.
    pub(crate) async fn send(&self, method: &str, url: &str, body: Option<Value>, headers: &[(&str, &str)]) -> Answer {
        let path = url.strip_prefix(&format!("https://{HOST}")).unwrap_or(url);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", HOST)
            .header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        send(self.cloud.router(), request.body(body).unwrap()).await
    }

    /// Makes a ready account of the kind that the SKU asks for, and gives the path of its resource.
    pub(crate) async fn account(&self, name: &str, sku: &str) -> String {
        let kind = if sku.starts_with("Standard_") {
            "StorageV2"
        } else {
            "FileStorage"
        };
        let path = format!("Microsoft.Storage/storageAccounts/{name}");
        let body = json!({"sku": {"name": sku}, "kind": kind, "location": "eastus"});
        let answer = self.call("PUT", &path, Some(body)).await;
        assert!([200, 202].contains(&answer.status), "{answer:?}");
        if answer.status == 202 {
            self.pass(60);
        }
        path
    }

    /// Makes an account and the path of its shares.
    pub(crate) async fn shares(&self, account: &str, sku: &str) -> String {
        format!("{}/fileServices/default/shares", self.account(account, sku).await)
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.world.clock.advance(seconds, &self.world.journal).unwrap();
    }

    pub(crate) fn audit(&self, operation: &str) -> AuditRow {
        let rows = self.world.audit.rows();
        rows.into_iter()
            .find(|row| row.operation == operation)
            .unwrap_or_default()
    }
}

pub(crate) async fn send(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.ok();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        broken: body.is_none(),
        body: body
            .filter(|body| !body.is_empty())
            .map(|body| serde_json::from_slice(&body).unwrap()),
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: axum::http::HeaderMap,
    /// Whether the transfer broke.
    pub(crate) broken: bool,
    pub(crate) body: Option<Value>,
}

impl Answer {
    /// The body of a call that succeeded at once.
    pub(crate) fn ok(self) -> Value {
        assert!([200, 201].contains(&self.status), "{self:?}");
        self.body.unwrap_or_default()
    }

    /// Status and error code of a call that must have failed.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        assert!(self.status >= 400, "{self:?}");
        let body = self.body.as_ref().unwrap();
        let code = body.pointer("/error/code").or_else(|| body.get("error"));
        (self.status, code.and_then(Value::as_str).unwrap())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self
            .headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"));
        value.to_str().unwrap()
    }
}

/// The names of what a list answered.
pub(crate) fn names(list: &Value) -> Vec<&str> {
    let value = list["value"].as_array().unwrap();
    value.iter().map(|item| item["name"].as_str().unwrap()).collect()
}
