//! The clouds that the tests run against, and boto3's eyes on them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use moorline_parts::Parts;
use serde_json::Value;

/// A cloud that others wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// moto: EC2 and both load balancer APIs.
    Moto,
    /// LocalStack: EC2, and no load balancer API.
    LocalStack,
}

impl Cloud {
    /// Where it answers.
    pub fn url(self, parts: &Parts) -> String {
        let url = match self {
            Self::Moto => parts.moto(),
            Self::LocalStack => parts.localstack(),
        };
        url.unwrap_or_else(|error| panic!("{error}")).to_owned()
    }
}

/// Where moorline's volumes are.
pub trait Place {
    /// The variables by which any client finds it.
    fn environment(&self) -> &[(String, String)];
}

impl Place for Account {
    fn environment(&self) -> &[(String, String)] {
        &self.environment
    }
}

/// An account of an emulator, as boto3 sees it.
#[derive(Clone, Debug)]
pub struct Account {
    python: PathBuf,
    environment: Vec<(String, String)>,
}

impl Account {
    /// The account behind this address.
    pub fn at(url: &str, parts: &Parts) -> Self {
        let variables = [
            ("AWS_ENDPOINT_URL", url),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        Self {
            python: parts.programs.path("moto").unwrap().to_owned(),
            environment: variables
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .to_vec(),
        }
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.environment[0].1
    }

    /// What a script of `tests/real` prints about it.
    fn ask(&self, arguments: &[&str]) -> Value {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/account.py");
        let mut command = Command::new(&self.python);
        command.arg(script).args(arguments).stdin(Stdio::null());
        let output = command.envs(self.environment.iter().cloned()).output().unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The volumes of a profile, by the claim that their tags name.
    pub fn volumes(&self, profile: &str) -> Vec<Value> {
        self.ask(&["volumes", profile]).as_array().unwrap().clone()
    }

    /// The snapshots of a profile.
    pub fn snapshots(&self, profile: &str) -> Vec<Value> {
        self.ask(&["snapshots", profile]).as_array().unwrap().clone()
    }

    /// Makes another volume with the same tags, as a creation that was sent twice would.
    pub fn copy_volume(&self, id: &str) {
        self.ask(&["copy-volume", id]);
    }

    /// Deletes a volume behind everyone's back.
    pub fn delete_volume(&self, id: &str) {
        self.ask(&["delete-volume", id]);
    }

    /// Makes the classic load balancer with this hostname, as a cloud controller would for the Service.
    pub fn make_balancer(&self, hostname: &str, service: &str) {
        self.ask(&["make-balancer", hostname, service]);
    }

    /// Deletes that load balancer.
    pub fn delete_balancer(&self, hostname: &str) {
        self.ask(&["delete-balancer", hostname]);
    }

    /// Makes a network load balancer of two ports with their target groups, as the AWS Load Balancer Controller of this cluster would
    /// for the Service.
    pub fn make_network_balancer(&self, name: &str, service: &str, cluster: &str) {
        self.ask(&["make-network-balancer", name, service, cluster]);
    }

    /// Makes a target group of that controller to which nothing forwards.
    pub fn make_target_group(&self, name: &str, service: &str, cluster: &str) {
        self.ask(&["make-target-group", name, "8080", service, cluster]);
    }

    /// The names of network load balancers that begin so.
    pub fn network_balancers(&self, prefix: &str) -> Value {
        self.ask(&["network-balancers", prefix])
    }

    /// The names of target groups that begin so, in their order.
    pub fn target_groups(&self, prefix: &str) -> Value {
        self.ask(&["target-groups", prefix])
    }

    /// Deletes a target group.
    pub fn delete_target_group(&self, name: &str) {
        self.ask(&["delete-target-group", name]);
    }

    /// Makes an S3 bucket.
    pub fn make_bucket(&self, name: &str) {
        self.ask(&["make-bucket", name]);
    }

    /// Every object of a bucket, with its key and text.
    pub fn objects(&self, bucket: &str) -> Vec<Value> {
        self.ask(&["objects", bucket]).as_array().unwrap().clone()
    }
}
