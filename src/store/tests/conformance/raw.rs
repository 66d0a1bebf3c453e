//! Requests of another hand than the store's: they make buckets and containers, and put things there.

use http::{HeaderName, HeaderValue, Method};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpRequest, HttpRequestBody};

/// A bucket or container by its address.
pub(crate) struct Raw {
    address: String,
    azure: Option<(String, AzureCredential)>,
}

impl Raw {
    /// A bucket of an emulator that checks no signatures.
    pub(crate) fn s3(address: &str, bucket: &str) -> Self {
        Self {
            address: format!("{address}/{bucket}"),
            azure: None,
        }
    }

    pub(crate) fn azure(address: &str, account: &str, key: &str, container: &str) -> Self {
        let key = AzureAccessKey::try_new(key).unwrap();
        Self {
            address: format!("{address}/{account}/{container}"),
            azure: Some((account.to_owned(), AzureCredential::AccessKey(key))),
        }
    }

    /// Makes the bucket or container.
    pub(crate) async fn make(&self) {
        let query = if self.azure.is_some() { "?restype=container" } else { "" };
        self.send(Method::PUT, &format!("{}{query}", self.address), &[], &[])
            .await;
    }

    /// Puts an object there.
    pub(crate) async fn put(&self, name: &str, value: &[u8]) {
        let name = name.replace(' ', "%20");
        let kind: &[_] = if self.azure.is_some() {
            &[("x-ms-blob-type", "BlockBlob")]
        } else {
            &[]
        };
        self.send(Method::PUT, &format!("{}/{name}", self.address), kind, value)
            .await;
    }

    async fn send(&self, method: Method, address: &str, headers: &[(&'static str, &'static str)], body: &[u8]) {
        let mut request = HttpRequest::new(HttpRequestBody::from(body.to_vec()));
        *request.method_mut() = method;
        *request.uri_mut() = address.parse().unwrap();
        for (name, value) in headers {
            let name = HeaderName::from_static(name);
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let length = HeaderValue::from(body.len());
        request.headers_mut().insert(http::header::CONTENT_LENGTH, length);
        if let Some((account, credential)) = &self.azure {
            AzureAuthorizer::new(credential, account)
                .try_authorize(&mut request)
                .unwrap();
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        let answer = client.request(request).await.unwrap();
        let status = answer.status();
        let said = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(
            status.is_success(),
            "{address}: {status} {}",
            String::from_utf8_lossy(&said)
        );
    }
}
