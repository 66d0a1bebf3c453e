//! Garbage collection for a run: a provider for each scope of the policy, a connection to each of its clusters, and its store.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use futures::future::join_all;
use moorline_api::{
    Accounts as _, Cluster, Error, ErrorKind, Holder, LoadBalancer, Recoverable, RunStore, StorageRules,
};
use moorline_api::{Volume, VolumeConfig, VolumeSpec};
use moorline_aws::EbsRules;
use moorline_azure::AzureRules;
use moorline_collect::{ClusterLink, Collector, EventSink, Prices, Scope, Settings as CollectSettings};
use moorline_gc::leftovers::Grace;
use moorline_http::Network;
use moorline_kubernetes::{KubeCluster, KubeSettings};
use moorline_policy::{AwsScope, AzureScope, ClusterAccess, ClusterSpec, PolicyFile, ScopeSpec};
use moorline_store::{Access, AzureAccess, Location, S3Access};

use super::{aws, azure, kube_settings};
use crate::cli::app::App;
use crate::cli::failure::Failure;
use crate::cli::sandbox::Embedded;
use crate::cli::settings::{self, Settings};

/// A collector, and what had to be started for it.
pub(crate) struct Collection {
    /// The collector.
    pub(crate) collector: Collector,
    sandbox: Option<Embedded>,
}

impl Collection {
    /// Ends what was started; the sandbox's state is kept.
    pub(crate) async fn close(self) {
        if let Some(sandbox) = self.sandbox {
            sandbox.close().await;
        }
    }
}

/// Everything that a policy names, ready to be used: nothing is changed by it, and of calls only those are made that say which
/// account an AWS scope is. A cluster that cannot be tried is one of the run's gaps, and no failure.
pub(crate) async fn collection(
    app: &App,
    file: &PolicyFile,
    location: &Location,
    events: Arc<dyn EventSink>,
) -> Result<Collection, Failure> {
    let sandbox = if app.settings.sandbox {
        Some(Embedded::open(&app.settings).await?)
    } else {
        None
    };
    match collector(app, file, location, (events, sandbox.as_ref())).await {
        Ok(collector) => Ok(Collection { collector, sandbox }),
        Err(failure) => {
            if let Some(sandbox) = sandbox {
                sandbox.close().await;
            }
            Err(failure)
        }
    }
}

/// The policy of a sandbox: all of its clusters, and all of its clouds, with every default.
pub(crate) async fn sandbox_policy(settings: &Settings) -> Result<PolicyFile, Failure> {
    let sandbox = Embedded::open(settings).await?;
    let file = policy_of(&sandbox);
    sandbox.close().await;
    Ok(file)
}

/// What there is in a sandbox.
pub(super) fn policy_of(sandbox: &Embedded) -> PolicyFile {
    let simulated = sandbox.settings();
    let aws = ScopeSpec::Aws(AwsScope {
        profile: None,
        role: None,
        external_id: None,
        account: None,
        regions: vec![simulated.aws.region.clone()],
    });
    let subscriptions = simulated.azure.subscriptions.iter();
    let azure = subscriptions.map(|subscription| {
        ScopeSpec::Azure(AzureScope {
            subscription: subscription.to_ascii_lowercase(),
            tenant: None,
            resource_groups: Vec::new(),
        })
    });
    let clusters = sandbox.clusters().into_iter().map(|(context, _)| ClusterSpec {
        name: context.clone(),
        access: ClusterAccess::Kubeconfig {
            file: None,
            context: Some(context),
        },
        uid: None,
        tag_ids: Vec::new(),
    });
    PolicyFile::of([aws].into_iter().chain(azure).collect(), clusters.collect())
}

async fn collector(
    app: &App,
    file: &PolicyFile,
    location: &Location,
    (events, sandbox): (Arc<dyn EventSink>, Option<&Embedded>),
) -> Result<Collector, Failure> {
    let settings = &app.settings;
    let usual = CollectSettings::default();
    Ok(Collector {
        policy: file.rules.clone(),
        settings: CollectSettings {
            leftovers: Grace {
                load_balancer: file.leftovers.load_balancer,
                storage_account: file.leftovers.storage_account,
            },
            concurrency: file.concurrency.unwrap_or(usual.concurrency),
            lock_span: file.lock.span,
            lock_margin: file.lock.margin,
            // What one volume may take of a run with a deadline: the others have theirs, and the report is still printed.
            deletion_timeout: usual.deletion_timeout.min(settings.share()),
            held: usual.held.min(settings.share()),
            ..usual
        },
        scopes: scopes(settings, file, sandbox).await?,
        clusters: join_all(file.clusters.iter().map(|spec| link(settings, spec, sandbox))).await,
        rules: rules(),
        subject: subject(file),
        store: store(settings, location).await?,
        prices: Arc::new(PriceList(moorline_prices::Prices::with(file.prices.clone()))),
        events,
        stop: app.stop.clone(),
        holder: holder(),
        run: run_id(),
        clock: Collector::system_clock(),
    })
}

/// What a policy names, in words that are the same wherever it is run: paths, credentials and rules are left out.
fn subject(file: &PolicyFile) -> String {
    let scopes = file.scopes.iter().flat_map(|scope| match scope {
        ScopeSpec::Aws(spec) => {
            let account = spec.account.as_ref().or(spec.role.as_ref()).or(spec.profile.as_ref());
            let account = account.map_or("", String::as_str);
            let regions = spec.regions.iter();
            regions.map(|region| format!("aws {account} {region}")).collect()
        }
        ScopeSpec::Azure(spec) => {
            let mut spec = spec.clone();
            spec.resource_groups.sort_unstable();
            vec![azure_name(&spec)]
        }
    });
    let clusters = file.clusters.iter().map(|cluster| {
        let uid = cluster.uid.as_deref().unwrap_or_default();
        format!("cluster {} {uid}", cluster.name)
    });
    let mut words: Vec<String> = scopes.chain(clusters).collect();
    words.sort_unstable();
    words.join("\n")
}

/// The rules of all providers, whatever the scopes: PersistentVolumes name volumes in their forms.
fn rules() -> Vec<Arc<dyn StorageRules>> {
    vec![Arc::new(EbsRules), Arc::new(AzureRules)]
}

async fn scopes(settings: &Settings, file: &PolicyFile, sandbox: Option<&Embedded>) -> Result<Vec<Scope>, Failure> {
    let mut scopes = Vec::new();
    for spec in &file.scopes {
        match spec {
            ScopeSpec::Aws(spec) => scopes.extend(aws_scopes(settings, spec, sandbox).await),
            ScopeSpec::Azure(spec) => {
                let provider = Arc::new(azure::scope(settings, spec, sandbox)?);
                let name = azure_name(spec);
                scopes.push(Scope::of(provider, Arc::new(AzureRules), name, ""));
            }
        }
    }
    let mut names = BTreeSet::new();
    match scopes.iter().find(|scope| !names.insert(scope.name.clone())) {
        // Both would see every volume, and caps would count it twice.
        Some(twice) => Err(Failure::usage(format!(
            "{}: two of its scopes are {}; leave one of them out",
            file.path.display(),
            twice.name
        ))),
        None => Ok(scopes),
    }
}

fn azure_name(spec: &AzureScope) -> String {
    let groups = if spec.resource_groups.is_empty() {
        String::new()
    } else {
        format!(" {}", spec.resource_groups.join(","))
    };
    format!("azure {}{groups}", spec.subscription)
}

/// A scope for each region. They are named by their account, which is asked for where the policy does not say it.
async fn aws_scopes(settings: &Settings, spec: &AwsScope, sandbox: Option<&Embedded>) -> Vec<Scope> {
    let providers: Vec<_> = spec
        .regions
        .iter()
        .map(|region| aws::scope(settings, spec, region, sandbox))
        .collect();
    let account = match (&spec.account, providers.first()) {
        (Some(account), _) => Some(account.clone()),
        (None, Some(provider)) => provider.account().await.ok().map(|account| account.id.0),
        (None, None) => None,
    };
    // An account that does not say who it is will not list its volumes either; the listing tells why.
    let account = account.unwrap_or_else(|| match &spec.profile {
        Some(profile) => format!("profile {profile}"),
        None => "account unknown".to_owned(),
    });
    let scope = |(region, provider)| {
        let name = format!("aws {account} {region}");
        Scope::of(Arc::new(provider), Arc::new(EbsRules), name, region)
    };
    spec.regions.iter().zip(providers).map(scope).collect()
}

async fn link(settings: &Settings, spec: &ClusterSpec, sandbox: Option<&Embedded>) -> ClusterLink {
    let cluster = link_of(settings, spec, sandbox).await;
    ClusterLink {
        name: spec.name.clone(),
        connection: cluster.map(|cluster| Arc::new(cluster) as Arc<dyn Cluster>),
    }
}

/// A cluster of a policy; nobody is called yet.
pub(super) async fn link_of(
    settings: &Settings,
    spec: &ClusterSpec,
    sandbox: Option<&Embedded>,
) -> Result<KubeCluster, Error> {
    match sandbox {
        Some(sandbox) => in_sandbox(settings, spec, sandbox),
        None => in_environment(settings, spec).await,
    }
}

async fn in_environment(settings: &Settings, spec: &ClusterSpec) -> Result<KubeCluster, Error> {
    let mut kube = shared(settings);
    match &spec.access {
        ClusterAccess::InCluster => KubeCluster::in_cluster(&kube),
        ClusterAccess::Kubeconfig { file, context } => {
            kube.kubeconfig.clone_from(file);
            kube.context.clone_from(context);
            KubeCluster::connect(&kube).await
        }
    }
}

/// The sandbox's cluster of that context, or of the policy's own name for it.
fn in_sandbox(settings: &Settings, spec: &ClusterSpec, sandbox: &Embedded) -> Result<KubeCluster, Error> {
    let context = match &spec.access {
        ClusterAccess::Kubeconfig {
            context: Some(context), ..
        } => context,
        _ => &spec.name,
    };
    let clusters = sandbox.clusters();
    let found = clusters.iter().find(|(name, _)| name == context).ok_or_else(|| {
        let known: Vec<_> = clusters.iter().map(|(name, _)| name.as_str()).collect();
        let why = format!("the sandbox has no such cluster; it has {}", known.join(", "));
        Error::new(ErrorKind::Invalid, "connect to context", context.as_str(), why)
    })?;
    KubeCluster::at(&found.1, context, &shared(settings))
}

/// How hard one cluster of several may be used.
fn shared(settings: &Settings) -> KubeSettings {
    let usual = kube_settings(settings);
    KubeSettings {
        call_timeout: usual.call_timeout.min(settings.share()),
        login_timeout: usual.login_timeout.min(settings.share()),
        ..usual
    }
}

/// The run store, with the credentials that the environment gives for such a place.
async fn store(settings: &Settings, location: &Location) -> Result<Arc<dyn RunStore>, Failure> {
    let usual = Access::default();
    let mut access = Access {
        network: Network::from_environment(settings::variable),
        call_timeout: settings.call_timeout(usual.call_timeout).min(settings.share()),
        ..usual
    };
    match location {
        Location::Folder(_) => {}
        Location::S3 { .. } => {
            let aws = aws::for_store(settings);
            let (credentials, region) = aws.credentials().await?;
            access.s3 = Some(S3Access {
                credentials,
                refused: Arc::new(move || aws.credentials_were_refused()),
                region: Some(region),
                endpoint: S3Access::endpoint_from_environment(settings::variable),
            });
        }
        Location::AzureBlob { .. } => {
            let told = AzureAccess::from_environment(settings::variable);
            let told = told.map_err(|problem| Failure::usage(problem.to_string()))?;
            access.azure = Some(match told {
                Some(access) => access,
                None => AzureAccess::token(azure::for_store(settings)?.credential()),
            });
        }
    }
    Ok(moorline_store::open(location, &access)?)
}

/// Who runs, for those who find the lease taken.
fn holder() -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let machine = machine.or_else(|| settings::variable("HOSTNAME"));
    let machine = machine
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty());
    let machine = machine.unwrap_or_else(|| "a machine without a name".to_owned());
    format!("gc on {machine}, process {}", std::process::id())
}

/// Tells this run from all others.
fn run_id() -> String {
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// Prices of the tables, and of the policy in their stead.
struct PriceList(moorline_prices::Prices);

impl Prices for PriceList {
    fn volume(&self, scope: &Scope, volume: &Volume) -> Option<f64> {
        self.0
            .volume(scope.rules.cloud(), region(scope, &volume.spec), &volume.spec)
    }

    fn load_balancer(&self, scope: &Scope, balancer: &LoadBalancer) -> Option<f64> {
        self.0.load_balancer(scope.rules.cloud(), &scope.region, balancer.kind)
    }

    fn snapshot(&self, scope: &Scope, snapshot: &Recoverable) -> Option<f64> {
        let spec = snapshot.spec.as_ref()?;
        self.0.snapshot(scope.rules.cloud(), region(scope, spec), spec)
    }

    fn holder(&self, _: &Scope, _: &Holder) -> Option<f64> {
        // Azure charges for what an account holds, and it holds nothing.
        Some(0.0)
    }
}

/// The region of a scope, or of the volume where a scope has volumes of many.
fn region<'a>(scope: &'a Scope, spec: &'a VolumeSpec) -> &'a str {
    let location = match &spec.config {
        VolumeConfig::AzureFile(share) => share.account.location.as_deref(),
        VolumeConfig::AzureBlob(container) => container.account.location.as_deref(),
        VolumeConfig::AzureDisk(disk) => disk.location.as_deref(),
        _ => None,
    };
    location.unwrap_or(&scope.region)
}
