//! AWS for a run.

use std::sync::Arc;

use moorline_aws::{AssumedRole, AwsProvider, AwsSettings, Budget, Budgets, EbsRules, StaticKeys};
use moorline_engine::Cloud;
use moorline_policy::AwsScope;
use moorline_profile::Profile;

use crate::cli::options::Rate;
use crate::cli::sandbox::Embedded;
use crate::cli::settings::Settings;

pub(super) fn cloud(settings: &Settings, profile: Option<&Profile>, sandbox: Option<&Embedded>) -> Cloud {
    let pinned = profile.and_then(|profile| profile.provider.region());
    let region = settings.region.clone().or_else(|| pinned.map(str::to_owned));
    let provider = AwsProvider::connect(aws_settings(settings, region, sandbox));
    Cloud::of(Arc::new(provider), Arc::new(EbsRules))
}

/// One region of an account that a policy names.
pub(super) fn scope(settings: &Settings, spec: &AwsScope, region: &str, sandbox: Option<&Embedded>) -> AwsProvider {
    let usual = aws_settings(settings, Some(region.to_owned()), sandbox);
    let role = spec.role.as_ref().map(|arn| AssumedRole {
        arn: arn.clone(),
        external_id: spec.external_id.clone(),
    });
    AwsProvider::connect(AwsSettings {
        profile: spec.profile.clone().or(usual.profile),
        // The sandbox has one account, and anyone is in it.
        role: role.filter(|_| sandbox.is_none()),
        account: spec.account.clone().filter(|_| sandbox.is_none()),
        call_timeout: usual.call_timeout.min(settings.share()),
        patience: usual.patience.min(settings.share()),
        ..usual
    })
}

/// Whoever the environment says that we are, for a bucket.
pub(super) fn for_store(settings: &Settings) -> AwsProvider {
    AwsProvider::connect(aws_settings(settings, settings.region.clone(), None))
}

fn aws_settings(settings: &Settings, region: Option<String>, sandbox: Option<&Embedded>) -> AwsSettings {
    let timeout = settings.limits(false).timeout;
    let common = AwsSettings::default();
    let common = AwsSettings {
        profile: settings.aws_profile.clone(),
        budgets: budgets(settings, sandbox),
        registry: sandbox.map_or_else(|| settings.rates.clone(), |sandbox| sandbox.rates(settings)),
        call_timeout: settings.call_timeout(common.call_timeout),
        patience: common.patience.min(timeout),
        ..common
    };
    match sandbox {
        None => AwsSettings { region, ..common },
        Some(sandbox) => AwsSettings {
            region: region.or_else(|| Some(sandbox.settings().aws.region.clone())),
            endpoint: Some(sandbox.aws()),
            // The sandbox knows no secrets: any key is as good.
            keys: Some(StaticKeys {
                access_key_id: "sandbox".to_owned(),
                secret_access_key: "sandbox".to_owned(),
            }),
            ..common
        },
    }
}

fn budgets(settings: &Settings, sandbox: Option<&Embedded>) -> Budgets {
    if sandbox.is_some_and(|sandbox| !sandbox.settings().aws.throttle) {
        return Budgets::unlimited();
    }
    let volume_writes = match settings.volume_rate {
        None => Budgets::default().volume_writes,
        Some(Rate::Unlimited) => None,
        Some(Rate::Bucket { burst, per_second }) => Some(Budget { burst, per_second }),
    };
    Budgets {
        volume_writes,
        ..Budgets::default()
    }
}
