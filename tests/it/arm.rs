//! A bare client of Resource Manager, for what a test finds there before moorline comes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::support::Served;

const STORAGE: &str = "2026-09-01";
const LOCKS: &str = "2020-05-01";
const GROUPS: &str = "2025-04-01";

/// Signed in to the subscription of a served sandbox.
pub struct Arm {
    tls: Arc<ClientConfig>,
    /// Host and port.
    address: String,
    subscription: String,
    group: String,
    token: String,
}

impl Arm {
    /// Signs in with the environment that `sandbox serve` printed.
    pub fn of(served: &Served) -> Self {
        let roots = CertificateDer::from_pem_file(served.variable("REQUESTS_CA_BUNDLE")).unwrap();
        let mut trusted = RootCertStore::empty();
        trusted.add(roots).unwrap();
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(trusted)
            .with_no_client_auth();
        let endpoint = served.variable("AZURE_RESOURCE_MANAGER_ENDPOINT");
        let mut arm = Self {
            tls: Arc::new(tls),
            address: endpoint.strip_prefix("https://").unwrap().to_owned(),
            subscription: served.variable("AZURE_SUBSCRIPTION_ID").to_owned(),
            group: served.variable("AZURE_DEFAULTS_GROUP").to_owned(),
            token: String::new(),
        };
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret=test&scope=https%3A%2F%2Fmanagement.azure.com%2F.default",
            served.variable("AZURE_CLIENT_ID")
        );
        let path = format!("/{}/oauth2/v2.0/token", served.variable("AZURE_TENANT_ID"));
        let (status, answer) = arm.send("POST", &path, ("application/x-www-form-urlencoded", &form));
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().unwrap().clone_into(&mut arm.token);
        arm
    }

    /// The path of a resource group.
    fn group(&self, group: &str) -> String {
        format!("/subscriptions/{}/resourceGroups/{group}", self.subscription)
    }

    /// The path of an account in the sandbox's first resource group.
    fn account_path(&self, account: &str) -> String {
        let group = self.group(&self.group);
        format!("{group}/providers/Microsoft.Storage/storageAccounts/{account}")
    }

    /// Makes a resource group.
    pub fn resource_group(&self, group: &str) {
        let body = json!({"location": "eastus"});
        self.succeeds("PUT", &self.group(group), GROUPS, Some(&body));
    }

    /// Makes a storage account of a SKU, with these tags.
    pub fn account(&self, account: &str, sku: &str, tags: &Value) {
        let kind = if sku.starts_with("Standard_") {
            "StorageV2"
        } else {
            "FileStorage"
        };
        let body = json!({"sku": {"name": sku}, "kind": kind, "location": "eastus", "tags": tags});
        self.succeeds("PUT", &self.account_path(account), STORAGE, Some(&body));
    }

    /// A storage account as it is.
    pub fn read_account(&self, account: &str) -> Value {
        self.succeeds("GET", &self.account_path(account), STORAGE, None)
    }

    /// Makes a share.
    pub fn share(&self, account: &str, share: &str) {
        let body = json!({"properties": {"shareQuota": 1}});
        self.succeeds("PUT", &self.share_path(account, share), STORAGE, Some(&body));
    }

    /// Deletes a share; the account keeps it for a while.
    pub fn delete_share(&self, account: &str, share: &str) {
        self.succeeds("DELETE", &self.share_path(account, share), STORAGE, None);
    }

    /// The names of an account's deleted shares that it keeps.
    pub fn deleted_shares(&self, account: &str) -> Vec<String> {
        let path = format!(
            "{}/fileServices/default/shares?$expand=deleted",
            self.account_path(account)
        );
        let listed = self.succeeds("GET", &path, STORAGE, None);
        let shares = listed["value"].as_array().unwrap().iter();
        let deleted = shares.filter(|share| share["properties"]["deleted"] == json!(true));
        deleted
            .map(|share| share["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn share_path(&self, account: &str, share: &str) -> String {
        format!("{}/fileServices/default/shares/{share}", self.account_path(account))
    }

    /// Locks the sandbox's first resource group: `CanNotDelete` or `ReadOnly`.
    pub fn lock(&self, level: &str) {
        let body = json!({"properties": {"level": level, "notes": "test"}});
        self.succeeds("PUT", &self.lock_path(), LOCKS, Some(&body));
    }

    /// Removes that lock.
    pub fn unlock(&self) {
        self.succeeds("DELETE", &self.lock_path(), LOCKS, None);
    }

    fn lock_path(&self) -> String {
        let group = self.group(&self.group);
        format!("{group}/providers/Microsoft.Authorization/locks/of-a-test")
    }

    fn succeeds(&self, method: &str, path: &str, version: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{joint}api-version={version}");
        let (status, answer) = self.send(method, &path, ("application/json", &body));
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    fn send(&self, method: &str, path: &str, (content_type, body): (&str, &str)) -> (u16, Value) {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.tls), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(&self.address).unwrap());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Type: \
             {content_type}\r\nContent-Length: {}\r\n\r\n",
            self.address,
            self.token,
            body.len()
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }
}
