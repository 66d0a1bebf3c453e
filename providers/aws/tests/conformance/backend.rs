//! The backends: an account in the sandbox, in moto, in LocalStack.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::types::{Filter, InstanceType};
use aws_sdk_elasticloadbalancing as elb;
use aws_sdk_elasticloadbalancingv2 as elbv2;
use elb::types::Listener;
use elbv2::types::LoadBalancerTypeEnum;
use futures::{StreamExt, TryStreamExt, stream};
use moorline_api::conformance::cloud::{Accident, CloudBackend, LABEL};
use moorline_api::conformance::deviation::Named;
use moorline_api::conformance::eventually;
use moorline_api::{
    Accounts, Inventory, LoadBalancerKind, LoadBalancers, Recovery, Tagging, Tags, VolumeFilter, VolumeId, VolumeState,
    Volumes,
};
use moorline_aws::{AwsProvider, AwsSettings, Budgets, StaticKeys};
use moorline_sandbox_aws::{AwsCloud, AwsSettings as SandboxSettings};
use moorline_sandbox_core::{Journal, World, serve};
use tokio::net::TcpListener;

use crate::wire::Wire;

const REGION: &str = "us-east-1";
const KEY: &str = "test";
const PATIENCE: Duration = Duration::from_secs(30);

/// Whose account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    Sandbox,
    Moto,
    LocalStack,
}

impl Named for Site {
    fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "the sandbox",
            Self::Moto => "moto",
            Self::LocalStack => "LocalStack",
        }
    }
}

impl Site {
    pub(crate) const ALL: [Self; 3] = [Self::Sandbox, Self::Moto, Self::LocalStack];

    /// The first part of the names of its tests.
    pub(crate) fn module(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Moto => "real::moto",
            Self::LocalStack => "real::localstack",
        }
    }

    async fn address(self) -> String {
        match self {
            Self::Sandbox => sandbox().await,
            Self::Moto => part("moto"),
            Self::LocalStack => part("localstack"),
        }
    }
}

/// Where a real part listens: `cargo xtask test` starts them, and says so in a file.
fn part(name: &str) -> String {
    let file = std::env::var("MOORLINE_TEST_PARTS")
        .expect("MOORLINE_TEST_PARTS names no file of running parts: use `cargo xtask test`");
    let parts: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let url = parts[name]["url"].as_str();
    url.unwrap_or_else(|| panic!("{file} says of no {name} that runs"))
        .to_owned()
}

/// An account of its own in a sandbox that throttles nobody (the provider's pace has its own tests), with states and reads
/// that take their time.
async fn sandbox() -> String {
    let settings = SandboxSettings {
        throttle: false,
        creation_millis: 300,
        deletion_millis: 200,
        snapshot_millis: 300,
        visibility_lag_millis: 150,
        load_balancer_millis: 200,
        ..SandboxSettings::default()
    };
    let cloud = AwsCloud::open(World::new(Journal::in_memory()).unwrap(), settings).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, cloud.router(), std::future::pending()));
    address
}

/// An account under test, reached over a [`Wire`]; what other people do to it goes past the wire.
pub(crate) struct Backend {
    label: String,
    provider: AwsProvider,
    wire: Wire,
    ec2: aws_sdk_ec2::Client,
    elb: elb::Client,
    elbv2: elbv2::Client,
    zone: String,
}

impl Backend {
    pub(crate) async fn at(site: Site, label: String) -> Self {
        let address = site.address().await;
        let wire = Wire::to(&address).await;
        let keys = StaticKeys {
            access_key_id: KEY.to_owned(),
            secret_access_key: KEY.to_owned(),
        };
        let provider = AwsProvider::connect(AwsSettings {
            region: Some(REGION.to_owned()),
            endpoint: Some(wire.address.clone()),
            keys: Some(keys),
            budgets: Budgets::unlimited(),
            concurrency: 8,
            connect_timeout: PATIENCE,
            // The emulators need time with the square of the volumes that they list.
            call_timeout: Duration::from_mins(2),
            visibility_grace: Duration::from_secs(2),
            ..AwsSettings::default()
        });
        let credentials = Credentials::new(KEY, KEY, None, None, "a test");
        macro_rules! client {
            ($sdk:ident) => {
                $sdk::Client::from_conf(
                    $sdk::Config::builder()
                        .behavior_version(BehaviorVersion::latest())
                        .region(Region::new(REGION))
                        .credentials_provider(credentials.clone())
                        .http_client(aws_smithy_http_client::Builder::new().build_http())
                        // An emulator that is busy with other cases is slow to take a connection.
                        .timeout_config(TimeoutConfig::builder().connect_timeout(PATIENCE).build())
                        .endpoint_url(&address)
                        .build(),
                )
            };
        }
        Self {
            label,
            provider,
            wire,
            ec2: client!(aws_sdk_ec2),
            elb: client!(elb),
            elbv2: client!(elbv2),
            zone: format!("{REGION}a"),
        }
    }

    /// Takes away what a case made, as far as that is possible; nothing is asked for that it cannot have made.
    pub(crate) async fn clear(&self) {
        if self.wire.sent("CreateVolume") > 0 {
            self.clear_volumes().await;
        }
        if self.wire.sent("CreateSnapshot") > 0 {
            self.clear_snapshots().await;
        }
        if self.wire.sent("DescribeLoadBalancers") > 0 {
            self.clear_balancers().await;
        }
    }

    async fn clear_volumes(&self) {
        let label = Tags::from([(LABEL.to_owned(), self.label.clone())]);
        let mut volumes = self.provider_volumes(VolumeFilter::Tagged(label)).await;
        volumes.retain(|volume| volume.state.is_alive());
        let deletions = volumes.into_iter().map(async |volume| {
            if volume.state == VolumeState::InUse {
                self.detach(&volume.id).await;
            }
            _ = self.ec2.delete_volume().volume_id(&volume.id.0).send().await;
        });
        stream::iter(deletions).buffer_unordered(8).collect::<()>().await;
    }

    async fn clear_snapshots(&self) {
        let tagged = Filter::builder()
            .name(format!("tag:{LABEL}"))
            .values(&self.label)
            .build();
        let request = self.ec2.describe_snapshots().owner_ids("self").filters(tagged);
        let found = request.send().await.map(|found| found.snapshots.unwrap_or_default());
        for snapshot in found.unwrap_or_default() {
            let request = self.ec2.delete_snapshot().set_snapshot_id(snapshot.snapshot_id);
            _ = request.send().await;
        }
    }

    async fn clear_balancers(&self) {
        let Ok(found) = LoadBalancers::list(&self.provider).try_concat().await else {
            return;
        };
        for balancer in found
            .into_iter()
            .filter(|balancer| balancer.name.starts_with(&self.label))
        {
            if balancer.kind == LoadBalancerKind::Classic {
                let request = self.elb.delete_load_balancer().load_balancer_name(balancer.name);
                _ = request.send().await;
            } else {
                if self.wire.sent("DeleteLoadBalancer") > 0 {
                    self.protect_balancer(&balancer.id, false).await;
                }
                let request = self.elbv2.delete_load_balancer().load_balancer_arn(balancer.id);
                _ = request.send().await;
            }
        }
    }

    async fn provider_volumes(&self, filter: VolumeFilter) -> Vec<moorline_api::Volume> {
        Volumes::list(&self.provider, filter)
            .try_concat()
            .await
            .unwrap_or_default()
    }

    /// A machine in the zone; one is started where there is none.
    async fn machine(&self) -> String {
        let filters = [
            ("availability-zone", self.zone.as_str()),
            ("instance-state-name", "running"),
        ];
        let filters = filters.map(|(name, value)| Filter::builder().name(name).values(value).build());
        let found = self
            .ec2
            .describe_instances()
            .set_filters(Some(filters.to_vec()))
            .send()
            .await
            .unwrap();
        let mut running = found
            .reservations
            .into_iter()
            .flatten()
            .flat_map(|group| group.instances.unwrap_or_default());
        if let Some(id) = running.find_map(|machine| machine.instance_id) {
            return id;
        }
        let place = aws_sdk_ec2::types::Placement::builder()
            .availability_zone(&self.zone)
            .build();
        let started = self
            .ec2
            .run_instances()
            .image_id("ami-03cf127a")
            .instance_type(InstanceType::T3Micro)
            .placement(place)
            .min_count(1)
            .max_count(1)
            .send()
            .await
            .unwrap();
        started.instances.unwrap().swap_remove(0).instance_id.unwrap()
    }

    async fn until(&self, id: &VolumeId, state: VolumeState) {
        eventually(&format!("{state}"), PATIENCE, async || {
            let found = self.provider_volumes(VolumeFilter::Ids(vec![id.clone()])).await;
            match found.first() {
                Some(volume) if volume.state == state => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    async fn subnets(&self) -> Vec<String> {
        let found = self.ec2.describe_subnets().send().await.unwrap();
        let ids = found
            .subnets
            .into_iter()
            .flatten()
            .filter_map(|subnet| subnet.subnet_id);
        ids.take(2).collect()
    }
}

#[async_trait(?Send)]
impl CloudBackend for Backend {
    fn accounts(&self) -> &dyn Accounts {
        &self.provider
    }

    fn volumes(&self) -> &dyn Volumes {
        &self.provider
    }

    fn load_balancers(&self) -> &dyn LoadBalancers {
        &self.provider
    }

    fn inventory(&self) -> &dyn Inventory {
        &self.provider
    }

    fn tagging(&self) -> &dyn Tagging {
        &self.provider
    }

    fn recovery(&self) -> &dyn Recovery {
        &self.provider
    }

    fn label(&self) -> &str {
        &self.label
    }

    async fn attach(&self, id: &VolumeId) {
        let request = self.ec2.attach_volume().volume_id(&id.0).device("/dev/xvdba");
        request.instance_id(self.machine().await).send().await.unwrap();
        self.until(id, VolumeState::InUse).await;
    }

    async fn detach(&self, id: &VolumeId) {
        let volume = self
            .provider_volumes(VolumeFilter::Ids(vec![id.clone()]))
            .await
            .swap_remove(0);
        for attachment in volume.attachments {
            // moto and LocalStack fail where the machine is left out, which EC2 allows.
            let request = self
                .ec2
                .detach_volume()
                .volume_id(&id.0)
                .instance_id(attachment.instance);
            request.device(attachment.device).send().await.unwrap();
        }
        self.until(id, VolumeState::Available).await;
    }

    async fn make_balancer(&self, kind: LoadBalancerKind, name: &str, tags: &Tags) -> String {
        let kind = match kind {
            LoadBalancerKind::Classic => return self.make_classic(name, tags).await,
            LoadBalancerKind::Network => LoadBalancerTypeEnum::Network,
            LoadBalancerKind::Application => LoadBalancerTypeEnum::Application,
            LoadBalancerKind::Gateway => LoadBalancerTypeEnum::Gateway,
        };
        let tag = |(key, value)| elbv2::types::Tag::builder().key(key).value(value).build();
        let request = self.elbv2.create_load_balancer().name(name).r#type(kind);
        let request = request
            .set_subnets(Some(self.subnets().await))
            .set_tags(Some(tags.iter().map(tag).collect()));
        let made = request.send().await.unwrap();
        made.load_balancers.unwrap().swap_remove(0).dns_name.unwrap()
    }

    async fn protect_balancer(&self, id: &str, on: bool) {
        let protection = elbv2::types::LoadBalancerAttribute::builder()
            .key("deletion_protection.enabled")
            .value(on.to_string())
            .build();
        let request = self.elbv2.modify_load_balancer_attributes().load_balancer_arn(id);
        request.attributes(protection).send().await.unwrap();
    }

    fn sent(&self, operation: &str) -> usize {
        self.wire.sent(operation)
    }

    fn strike(&self, operation: &'static str, accident: Accident, times: usize) {
        self.wire.strike(operation, accident, times);
    }
}

impl Backend {
    async fn make_classic(&self, name: &str, tags: &Tags) -> String {
        let tag = |(key, value)| elb::types::Tag::builder().key(key).value(value).build().unwrap();
        let listener = Listener::builder()
            .protocol("TCP")
            .load_balancer_port(80)
            .instance_port(30_080)
            .build()
            .unwrap();
        let request = self
            .elb
            .create_load_balancer()
            .load_balancer_name(name)
            .availability_zones(&self.zone);
        let request = request
            .listeners(listener)
            .set_tags(Some(tags.iter().map(tag).collect()));
        request.send().await.unwrap().dns_name.unwrap()
    }
}
