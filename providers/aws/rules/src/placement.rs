//! What a claim of a class gets: size, type, IOPS, throughput, zones; or all that is wrong.

use moorline_api::{ClaimShape, FieldPath, FieldProblem, Placement, StorageClass, VolumeConfig, quantity};

use crate::parameters::{self, Parameters, problem, spelling};
use crate::topology;
use crate::volume_types::{IopsRule, VolumeType};

pub(crate) fn place(
    class: &StorageClass,
    claim: &ClaimShape,
    zones: Option<&[String]>,
) -> Result<Placement, Vec<FieldProblem>> {
    let (parameters, mut problems) = parameters::read(class);
    check_claim(claim, &parameters, &mut problems);
    let zones = topology::zones(class, parameters.zones.as_ref(), zones).unwrap_or_else(|wrong| {
        problems.extend(wrong);
        None
    });
    let gib = quantity::gib_rounded_up(claim.bytes);
    let (size_gib, config) = match parameters.volume_type {
        Some(volume_type) => {
            let size = size_for(volume_type, gib, &mut problems);
            let mut sizing = Sizing {
                class,
                parameters: &parameters,
                volume_type,
                size,
                problems: &mut problems,
            };
            let iops = sizing.iops();
            let throughput = sizing.throughput(iops);
            let config = VolumeConfig::Ebs {
                volume_type: volume_type.name.to_owned(),
                iops,
                throughput,
                encrypted: parameters.encrypted,
                kms_key_id: parameters.kms_key_id.clone(),
            };
            (size.unwrap_or_default(), config)
        }
        // Only an unreadable type leads here, and that is among the problems.
        None => return Err(problems),
    };
    if problems.is_empty() {
        Ok(Placement {
            size_gib,
            config,
            zones,
            zonal: true,
        })
    } else {
        Err(problems)
    }
}

fn claim_problem(path: &[&str], cause: String, cure: impl Into<String>) -> FieldProblem {
    let path = path.iter().map(|&part| part.to_owned()).collect();
    FieldProblem {
        field: FieldPath::Claim(path),
        cause,
        cure: cure.into(),
    }
}

fn check_claim(claim: &ClaimShape, parameters: &Parameters, problems: &mut Vec<FieldProblem>) {
    let block = claim.volume_mode == "Block";
    if !block && claim.volume_mode != "Filesystem" {
        let cause = format!("{:?} is no volume mode", claim.volume_mode);
        problems.push(claim_problem(&["spec", "volumeMode"], cause, "use Filesystem or Block"));
    }
    for (index, mode) in claim.access_modes.iter().enumerate() {
        let (cause, cure) = match mode.as_str() {
            "ReadWriteOnce" | "ReadWriteOncePod" => continue,
            "ReadWriteMany" | "ReadOnlyMany" if block => (
                format!("{mode} needs a multi-attach EBS volume, which moorline does not make"),
                "use ReadWriteOnce",
            ),
            "ReadWriteMany" | "ReadOnlyMany" => (
                format!("an EBS volume is mounted on one node: {mode} is impossible"),
                "use ReadWriteOnce, or a class of a file share (EFS)",
            ),
            _ => (
                format!("{mode:?} is no access mode"),
                "use ReadWriteOnce or ReadWriteOncePod",
            ),
        };
        problems.push(claim_problem(&["spec", "accessModes", &index.to_string()], cause, cure));
    }
    if claim.access_modes.is_empty() {
        problems.push(claim_problem(
            &["spec", "accessModes"],
            "the claim has no access mode".to_owned(),
            "add ReadWriteOnce",
        ));
    }
    if block {
        for (key, _) in parameters.format.values() {
            problems.push(problem(
                key,
                format!("{key} formats a file system, which a Block claim has not"),
                "remove it",
            ));
        }
    }
}

fn size_for(volume_type: &VolumeType, gib: u64, problems: &mut Vec<FieldProblem>) -> Option<u32> {
    let size = u32::try_from(gib).ok().filter(|size| volume_type.sizes.contains(size));
    if size.is_none() {
        let (least, most) = (volume_type.sizes.start(), volume_type.sizes.end());
        let cause = format!(
            "{gib} GiB is out of range: {} volumes have {least} to {most} GiB",
            volume_type.name
        );
        let cure = if gib < u64::from(*least) {
            format!("ask for at least {least}Gi")
        } else {
            format!("ask for at most {most}Gi")
        };
        problems.push(claim_problem(
            &["spec", "resources", "requests", "storage"],
            cause,
            cure,
        ));
    }
    size
}

struct Sizing<'a> {
    class: &'a StorageClass,
    parameters: &'a Parameters,
    volume_type: &'static VolumeType,
    /// `None` where the size is wrong: ratios are not judged then.
    size: Option<u32>,
    problems: &'a mut Vec<FieldProblem>,
}

impl Sizing<'_> {
    fn report(&mut self, key: &str, cause: String, cure: impl Into<String>) {
        self.problems.push(problem(spelling(self.class, key), cause, cure));
    }

    fn iops(&mut self) -> Option<u32> {
        let name = self.volume_type.name;
        let Parameters { iops, iops_per_gib, .. } = *self.parameters;
        let Some(rule) = &self.volume_type.iops else {
            for key in [iops.map(|_| "iops"), iops_per_gib.map(|_| "iopsPerGB")]
                .into_iter()
                .flatten()
            {
                self.report(
                    key,
                    format!("{name} volumes take no {key}"),
                    format!("remove {key}, or use type gp3, io1 or io2"),
                );
            }
            return None;
        };
        match (iops, iops_per_gib) {
            (Some(iops), _) => self.exact_iops(iops, rule),
            (None, Some(per_gib)) => self.scaled_iops(per_gib, rule),
            (None, None) => {
                // A value that could not be read is reported already.
                let given = ["iops", "iopsPerGB"]
                    .iter()
                    .any(|key| self.class.parameters.keys().any(|k| k.eq_ignore_ascii_case(key)));
                if rule.required && !given {
                    let range = format!("{} to {}", rule.range.start(), rule.range.end());
                    self.problems.push(problem(
                        spelling(self.class, "type"),
                        format!("{name} needs iops or iopsPerGB"),
                        format!(
                            "add iops: \"{}\" ({range}) or iopsPerGB (at most {})",
                            rule.range.start(),
                            rule.per_gib
                        ),
                    ));
                }
                None
            }
        }
    }

    /// A number that the class states is taken as it is or refused: the drivers would cap it without a word.
    fn exact_iops(&mut self, iops: u32, rule: &IopsRule) -> Option<u32> {
        let (least, most) = (*rule.range.start(), *rule.range.end());
        let name = self.volume_type.name;
        if iops < least && self.parameters.raise_iops {
            return Some(least);
        }
        if !rule.range.contains(&iops) {
            self.report(
                "iops",
                format!("{iops} IOPS is out of range: {name} volumes take {least} to {most}"),
                format!("use {least} to {most}"),
            );
            return None;
        }
        let size = self.size?;
        if iops > rule.most(size) {
            let cause = format!(
                "{iops} IOPS is too much for {size} GiB: {name} volumes take {} for each GiB",
                rule.per_gib
            );
            let cure = format!(
                "use at most {}, or ask for at least {}Gi",
                rule.most(size),
                iops.div_ceil(rule.per_gib)
            );
            self.report("iops", cause, cure);
            return None;
        }
        Some(iops)
    }

    /// A ratio is capped at what the size and the type allow, as both provisioners do.
    fn scaled_iops(&mut self, per_gib: u32, rule: &IopsRule) -> Option<u32> {
        let size = self.size?;
        let least = *rule.range.start();
        let wanted = per_gib.saturating_mul(size);
        if wanted < least && !self.parameters.raise_iops {
            let cause = format!(
                "{per_gib} IOPS for each of {size} GiB is {wanted}: {} volumes have at least {least}",
                self.volume_type.name
            );
            self.report(
                "iopsPerGB",
                cause,
                format!(
                    "use at least {}, or allowAutoIOPSPerGBIncrease: \"true\"",
                    least.div_ceil(size)
                ),
            );
            return None;
        }
        Some(wanted.clamp(least, rule.most(size)))
    }

    fn throughput(&mut self, iops: Option<u32>) -> Option<u32> {
        let throughput = self.parameters.throughput?;
        let name = self.volume_type.name;
        let Some(rule) = &self.volume_type.throughput else {
            self.report(
                "throughput",
                format!("{name} volumes take no throughput"),
                "remove throughput, or use type gp3",
            );
            return None;
        };
        let (least, most) = (rule.range.start(), rule.range.end());
        if !rule.range.contains(&throughput) {
            let cause = format!("{throughput} MiB/s is out of range: {name} volumes take {least} to {most}");
            self.report("throughput", cause, format!("use {least} to {most}"));
            return None;
        }
        let baseline = self.volume_type.iops.as_ref().map_or(0, |iops| *iops.range.start());
        let iops = iops.unwrap_or(baseline);
        if throughput > iops / rule.iops_per_mib {
            let cause = format!(
                "{throughput} MiB/s is too much for {iops} IOPS: each MiB/s needs {} IOPS",
                rule.iops_per_mib
            );
            let cure = format!(
                "use at most {}, or at least {} iops",
                iops / rule.iops_per_mib,
                throughput * rule.iops_per_mib
            );
            self.report("throughput", cause, cure);
            return None;
        }
        Some(throughput)
    }
}
