//! Azure for a run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use moorline_api::{Sensitive, StorageClass};
use moorline_azure::{
    AzureCloud, AzureProvider, AzureRules, AzureSettings, Budgets, Chain, Identity, ServicePrincipal, WindowBudget,
};
use moorline_engine::Cloud;
use moorline_policy::AzureScope;
use moorline_profile::Profile;
use moorline_sandbox::AZURE_CLIENT;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::options::Rate;
use crate::cli::sandbox::Embedded;
use crate::cli::settings::{self, Settings};

pub(super) fn cloud(
    settings: &Settings,
    profile: Option<&Profile>,
    sandbox: Option<&Embedded>,
) -> Result<Cloud, Failure> {
    let place = match sandbox {
        Some(sandbox) => in_sandbox(sandbox),
        None => in_environment()?,
    };
    let azure = run_settings(place, settings, profile, sandbox);
    let azure = match profile {
        // Which account a profile pins, and what the cluster's own classes need, nobody but Resource Manager says.
        Some(profile) if profile.provider.account().is_none() && profile.external_classes.is_empty() => {
            azure.serving(profile.classes.values())
        }
        _ => azure,
    };
    let provider = AzureProvider::connect(azure)?;
    Ok(Cloud::of(Arc::new(provider), Arc::new(AzureRules)))
}

/// A subscription that a policy names.
pub(super) fn scope(
    settings: &Settings,
    spec: &AzureScope,
    sandbox: Option<&Embedded>,
) -> Result<AzureProvider, Failure> {
    let place = match sandbox {
        Some(sandbox) => in_sandbox(sandbox),
        None => in_environment()?,
    };
    let usual = run_settings(place, settings, None, sandbox);
    Ok(AzureProvider::connect(AzureSettings {
        subscription: Some(spec.subscription.clone()),
        tenant: spec.tenant.clone().or(usual.tenant),
        resource_group: None,
        resource_groups: spec.resource_groups.clone(),
        connection: None,
        call_timeout: usual.call_timeout.min(settings.share()),
        patience: usual.patience.min(settings.share()),
        ..usual
    })?)
}

/// Whoever the environment says that we are, for a container.
pub(super) fn for_store(settings: &Settings) -> Result<AzureProvider, Failure> {
    Ok(AzureProvider::connect(run_settings(
        in_environment()?,
        settings,
        None,
        None,
    ))?)
}

fn in_environment() -> Result<AzureSettings, Failure> {
    AzureSettings::from_environment(settings::variable)
        .map_err(|problem| Failure::new(Exit::Usage, problem.to_string()).hint("nothing was changed"))
}

fn in_sandbox(sandbox: &Embedded) -> AzureSettings {
    let simulated = &sandbox.settings().azure;
    let endpoint = sandbox.azure();
    AzureSettings {
        cloud: AzureCloud::Custom {
            authority: endpoint.clone(),
            resource_manager: endpoint,
            audience: None,
        },
        subscription: simulated.subscriptions.first().cloned(),
        resource_group: simulated.resource_groups.first().cloned(),
        identity: Identity::Chain(Chain {
            principal: Some(ServicePrincipal {
                tenant: simulated.tenant.clone(),
                client: AZURE_CLIENT.to_owned(),
            }),
            // The sandbox knows no secrets: any one is as good.
            secret: Some(Sensitive::new("sandbox")),
            ..Chain::default()
        }),
        extra_roots: Some(sandbox.azure_certificate()),
        ..AzureSettings::default()
    }
}

/// What profile and options say over what the place does. The subscription is a pin: the environment's is used, and refused
/// later where it is another.
fn run_settings(
    place: AzureSettings,
    settings: &Settings,
    profile: Option<&Profile>,
    sandbox: Option<&Embedded>,
) -> AzureSettings {
    let provider = profile.map(|profile| &profile.provider);
    let pinned = |pin: Option<&str>| pin.map(str::to_owned);
    let named = |name: fn(&StorageClass) -> Option<&str>| {
        let classes = profile.into_iter().flat_map(|profile| profile.classes.values());
        let names: BTreeSet<&str> = classes.filter_map(name).collect();
        names.into_iter().map(str::to_owned).collect()
    };
    let timeout = settings.limits(false).timeout;
    AzureSettings {
        subscription: place.subscription.or_else(|| pinned(provider?.account())),
        resource_group: provider
            .and_then(|provider| pinned(provider.resource_group()))
            .or(place.resource_group),
        tenant: pinned(provider.and_then(moorline_profile::ProviderBlock::tenant)).or(place.tenant),
        create_resource_group: provider.is_some_and(moorline_profile::ProviderBlock::creates_resource_group),
        location: settings
            .region
            .clone()
            .or_else(|| pinned(provider?.region()))
            .or(place.location),
        named_accounts: named(AzureRules::named_account),
        volume_names: named(AzureRules::named_volume),
        budgets: budgets(settings, sandbox),
        registry: sandbox.map_or_else(|| settings.rates.clone(), |sandbox| sandbox.rates(settings)),
        concurrency: settings.limits(false).concurrency.min(place.concurrency),
        call_timeout: settings.call_timeout(place.call_timeout),
        patience: place.patience.min(timeout),
        account_timeout: place.account_timeout.min(timeout),
        ..place
    }
}

fn budgets(settings: &Settings, sandbox: Option<&Embedded>) -> Budgets {
    if sandbox.is_some_and(|sandbox| !sandbox.settings().azure.throttle) {
        return Budgets::unlimited();
    }
    let writes = match settings.volume_rate {
        None => Budgets::default().writes,
        Some(Rate::Unlimited) => Vec::new(),
        Some(Rate::Bucket { burst, per_second }) => {
            let burst = burst.max(per_second);
            vec![WindowBudget {
                calls: burst,
                per: Duration::from_secs_f64(f64::from(burst) / f64::from(per_second)),
            }]
        }
    };
    Budgets {
        writes,
        ..Budgets::default()
    }
}
