//! What a claim of a class gets: a share or container of some size in some sort of account; or all that is wrong.

use moorline_api::{
    AzureContainer, AzureShare, ClaimShape, FieldPath, FieldProblem, Placement, StorageClass, VolumeConfig, quantity,
};

use crate::claim;
use crate::names::Service;
use crate::parameters::{self, Parameters};
use crate::skus::{Sku, Tier, WITHOUT_LARGE_SHARES};

pub(crate) fn place(class: &StorageClass, claim: &ClaimShape) -> Result<Placement, Vec<FieldProblem>> {
    let (parameters, mut problems) = parameters::read(class);
    problems.extend(claim::check(claim, parameters.driver.service));
    problems.extend(topology(class));
    // Only an unreadable SKU leads here, and that is among the problems.
    let Some(sku) = parameters.sku else {
        return Err(problems);
    };
    let gib = quantity::gib_rounded_up(claim.bytes);
    let size_gib = match parameters.driver.service {
        Service::Files => share_size(sku, gib, &parameters, &mut problems),
        // Nothing bounds a container: the number is written down and not enforced.
        Service::Blobs => u32::try_from(gib).unwrap_or(u32::MAX),
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Placement {
        size_gib,
        config: config(parameters, sku, size_gib),
        zones: None,
        zonal: false,
    })
}

/// Accounts are in regions. The drivers ignore the field, and the scheduler does not.
fn topology(class: &StorageClass) -> Option<FieldProblem> {
    (!class.allowed_topologies.is_empty()).then(|| FieldProblem {
        field: FieldPath::Class(vec!["allowedTopologies".to_owned()]),
        cause: "shares and containers are in a region, and in none of its zones".to_owned(),
        cure: "remove allowedTopologies; copies in three zones are what skuName: Standard_ZRS and Premium_ZRS have"
            .to_owned(),
    })
}

fn share_size(sku: &Sku, gib: u64, parameters: &Parameters, problems: &mut Vec<FieldProblem>) -> u32 {
    let most = match sku.tier {
        Tier::PayAsYouGo if parameters.account.large_file_shares == Some(false) => WITHOUT_LARGE_SHARES,
        _ => sku.most(),
    };
    if let Some(gib) = u32::try_from(gib).ok().filter(|gib| *gib <= most) {
        return gib.max(sku.least());
    }
    let cause = format!("{gib} GiB is too large: a share of {} has at most {most} GiB", sku.name);
    let cure = if most < sku.most() {
        format!("ask for at most {most}Gi, or remove enableLargeFileShares")
    } else {
        format!("ask for at most {most}Gi")
    };
    let path = ["spec", "resources", "requests", "storage"];
    problems.push(claim::problem(&path, cause, cure));
    0
}

fn config(parameters: Parameters, sku: &Sku, size_gib: u32) -> VolumeConfig {
    let service = parameters.driver.service;
    let mut account = parameters.account;
    sku.name.clone_into(&mut account.sku);
    sku.kind(service).clone_into(&mut account.kind);
    let protocol = parameters.protocol.to_owned();
    let (name, name_prefix) = (parameters.name, parameters.name_prefix);
    match service {
        Service::Files => {
            if sku.tier == Tier::PayAsYouGo && size_gib > WITHOUT_LARGE_SHARES {
                account.large_file_shares = Some(true);
            }
            VolumeConfig::AzureFile(AzureShare {
                account,
                protocol,
                name,
                name_prefix,
                access_tier: parameters.share_tier.map(str::to_owned),
                root_squash: parameters.root_squash.map(str::to_owned),
                iops: parameters.iops,
                bandwidth: parameters.bandwidth,
            })
        }
        Service::Blobs => VolumeConfig::AzureBlob(AzureContainer {
            account,
            protocol,
            name,
            name_prefix,
        }),
    }
}
