//! What EBS allows: sizes, IOPS and throughput by type.
//!
//! Source: EC2 API reference, `CreateVolume`, and the EBS user guide on volume types, as of 2026.

use super::volume::Spec;
use crate::error::AwsError;

/// One volume type.
struct Rule {
    name: &'static str,
    size_gib: (u32, u32),
    iops: Iops,
    /// Smallest (the default) and largest, in MiB/s.
    throughput: Option<(u32, u32)>,
}

enum Iops {
    /// The type has none to speak of.
    None,
    /// They follow from the size.
    BySize,
    /// The caller chooses.
    Chosen {
        range: (u32, u32),
        per_gib: u32,
        default: Option<u32>,
    },
}

const RULES: [Rule; 7] = [
    Rule {
        name: "gp2",
        size_gib: (1, 16_384),
        iops: Iops::BySize,
        throughput: None,
    },
    Rule {
        name: "gp3",
        size_gib: (1, 65_536),
        iops: Iops::Chosen {
            range: (3_000, 80_000),
            per_gib: 500,
            default: Some(3_000),
        },
        throughput: Some((125, 2_000)),
    },
    Rule {
        name: "io1",
        size_gib: (4, 16_384),
        iops: Iops::Chosen {
            range: (100, 64_000),
            per_gib: 50,
            default: None,
        },
        throughput: None,
    },
    Rule {
        name: "io2",
        size_gib: (4, 65_536),
        iops: Iops::Chosen {
            range: (100, 256_000),
            per_gib: 1_000,
            default: None,
        },
        throughput: None,
    },
    Rule {
        name: "st1",
        size_gib: (125, 16_384),
        iops: Iops::None,
        throughput: None,
    },
    Rule {
        name: "sc1",
        size_gib: (125, 16_384),
        iops: Iops::None,
        throughput: None,
    },
    Rule {
        name: "standard",
        size_gib: (1, 1_024),
        iops: Iops::None,
        throughput: None,
    },
];

/// Checks what was asked for and fills in what the type gives.
pub(crate) fn provision(wanted: Spec) -> Result<Spec, AwsError> {
    let Some(rule) = RULES.iter().find(|rule| rule.name == wanted.volume_type) else {
        let message = format!("Unsupported volume type '{}' for volume creation.", wanted.volume_type);
        return Err(AwsError::new("UnknownVolumeType", message));
    };
    check_size(rule, wanted.size_gib)?;
    let iops = provision_iops(rule, &wanted)?;
    let throughput = provision_throughput(rule, &wanted, iops)?;
    Ok(Spec {
        iops,
        throughput,
        ..wanted
    })
}

fn check_size(rule: &Rule, size: u32) -> Result<(), AwsError> {
    let (least, most) = rule.size_gib;
    if size < least {
        return Err(AwsError::invalid_value(format!(
            "Volume of {size}GiB is too small; minimum is {least}GiB."
        )));
    }
    if size > most {
        let kind = rule.name;
        return Err(AwsError::invalid_value(format!(
            "Volume of {size}GiB is too large for volume type {kind}; maximum is {most}GiB."
        )));
    }
    Ok(())
}

fn provision_iops(rule: &Rule, wanted: &Spec) -> Result<Option<u32>, AwsError> {
    let Iops::Chosen {
        range: (least, most),
        per_gib,
        default,
    } = rule.iops
    else {
        if wanted.iops.is_some() {
            return Err(unsupported("iops", rule.name));
        }
        return Ok(match rule.iops {
            Iops::BySize => Some((wanted.size_gib * 3).clamp(100, 16_000)),
            _ => None,
        });
    };
    let Some(iops) = wanted.iops.or(default) else {
        let message = format!("The parameter iops must be specified for {} volumes.", rule.name);
        return Err(AwsError::new("MissingParameter", message));
    };
    if iops < least {
        return Err(AwsError::invalid_value(format!(
            "Volume iops of {iops} is too low; minimum is {least}."
        )));
    }
    if iops > most {
        return Err(AwsError::invalid_value(format!(
            "Volume iops of {iops} is too high; maximum is {most}."
        )));
    }
    // The default is the type's baseline, which every size has.
    if Some(iops) != default && iops > wanted.size_gib * per_gib {
        let ratio = f64::from(iops) / f64::from(wanted.size_gib);
        return Err(AwsError::invalid_value(format!(
            "Iops to volume size ratio of {ratio:.6} is too high; maximum is {per_gib}"
        )));
    }
    Ok(Some(iops))
}

fn provision_throughput(rule: &Rule, wanted: &Spec, iops: Option<u32>) -> Result<Option<u32>, AwsError> {
    let Some((least, most)) = rule.throughput else {
        return if wanted.throughput.is_some() {
            Err(unsupported("throughput", rule.name))
        } else {
            Ok(None)
        };
    };
    let throughput = wanted.throughput.unwrap_or(least);
    if throughput < least {
        let message = format!("Volume throughput of {throughput} is too low; minimum is {least}.");
        return Err(AwsError::invalid_value(message));
    }
    if throughput > most {
        let message = format!("Volume throughput of {throughput} is too high; maximum is {most}.");
        return Err(AwsError::invalid_value(message));
    }
    let iops = iops.unwrap_or_default();
    if throughput * 4 > iops {
        let ratio = f64::from(throughput) / f64::from(iops);
        return Err(AwsError::invalid_value(format!(
            "Throughput (MiBps) to iops ratio of {ratio:.6} is too high; maximum is 0.250000 MiBps per iops."
        )));
    }
    Ok(Some(throughput))
}

fn unsupported(parameter: &str, kind: &str) -> AwsError {
    AwsError::combination(format!(
        "The parameter {parameter} is not supported for {kind} volumes."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provisioned(kind: &str, size: u32, iops: Option<u32>, throughput: Option<u32>) -> Result<Spec, String> {
        let wanted = Spec {
            size_gib: size,
            volume_type: kind.to_owned(),
            iops,
            throughput,
        };
        provision(wanted).map_err(|error| error.code)
    }

    #[test]
    fn sizes_are_bounded_by_type() {
        let bounds = [
            ("gp2", 1, 16_384, None),
            ("gp3", 1, 65_536, None),
            ("io1", 4, 16_384, Some(100)),
            ("io2", 4, 65_536, Some(100)),
            ("st1", 125, 16_384, None),
            ("sc1", 125, 16_384, None),
            ("standard", 1, 1_024, None),
        ];
        for (kind, least, most, iops) in bounds {
            for good in [least, most] {
                assert!(provisioned(kind, good, iops, None).is_ok(), "{kind} {good}");
            }
            for bad in [least - 1, most + 1] {
                assert_eq!(
                    provisioned(kind, bad, iops, None),
                    Err("InvalidParameterValue".to_owned()),
                    "{kind} {bad}"
                );
            }
        }
    }

    #[test]
    fn iops_are_chosen_given_or_refused() {
        assert_eq!(provisioned("gp2", 10, None, None).unwrap().iops, Some(100));
        assert_eq!(provisioned("gp2", 16_384, None, None).unwrap().iops, Some(16_000));
        assert_eq!(
            provisioned("gp2", 10, Some(100), None),
            Err("InvalidParameterCombination".to_owned())
        );
        assert_eq!(provisioned("io1", 10, None, None), Err("MissingParameter".to_owned()));
        assert!(provisioned("io1", 10, Some(500), None).is_ok());
        assert_eq!(
            provisioned("io1", 10, Some(501), None),
            Err("InvalidParameterValue".to_owned())
        );
        assert!(provisioned("io2", 256, Some(256_000), None).is_ok());
        assert_eq!(
            provisioned("io2", 257, Some(256_001), None),
            Err("InvalidParameterValue".to_owned())
        );
        assert_eq!(
            provisioned("st1", 125, Some(500), None),
            Err("InvalidParameterCombination".to_owned())
        );
        assert_eq!(provisioned("gp9", 10, None, None), Err("UnknownVolumeType".to_owned()));
    }

    #[test]
    fn gp3_has_a_baseline_and_ratios() {
        let least = provisioned("gp3", 1, None, None).unwrap();
        assert_eq!((least.iops, least.throughput), (Some(3_000), Some(125)));
        assert_eq!(
            provisioned("gp3", 20, Some(15_000), None),
            Err("InvalidParameterValue".to_owned())
        );
        assert!(provisioned("gp3", 30, Some(15_000), None).is_ok());
        assert!(provisioned("gp3", 160, Some(80_000), Some(2_000)).is_ok());
        assert!(provisioned("gp3", 10, None, Some(750)).is_ok());
        assert_eq!(
            provisioned("gp3", 10, None, Some(751)),
            Err("InvalidParameterValue".to_owned())
        );
        assert_eq!(
            provisioned("gp2", 10, None, Some(125)),
            Err("InvalidParameterCombination".to_owned())
        );
    }
}
