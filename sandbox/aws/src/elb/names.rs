//! Names, host names and ARNs of load balancers.

use crate::error::AwsError;
use crate::ids;
use crate::model::balancer::{LoadBalancerKind, Scheme};

/// Checks a name against the rules of both APIs.
pub(super) fn check(name: &str) -> Result<(), AwsError> {
    let invalid = |why: &str| {
        Err(AwsError::new(
            "ValidationError",
            format!("The load balancer name '{name}' {why}"),
        ))
    };
    if name.is_empty() || name.len() > 32 {
        return invalid("must have between 1 and 32 characters");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return invalid("can only contain characters that are alphanumeric characters and hyphens(-)");
    }
    if name.starts_with('-') || name.ends_with('-') {
        return invalid("cannot begin or end with a hyphen(-)");
    }
    if name.starts_with("internal-") {
        return invalid("cannot begin with 'internal-'");
    }
    Ok(())
}

/// The host name, different at each creation.
pub(super) fn dns(name: &str, kind: LoadBalancerKind, scheme: Scheme, region: &str) -> String {
    let random = ids::hex(&ids::fresh("lb"));
    if kind == LoadBalancerKind::Network {
        return format!("{name}-{}.elb.{region}.amazonaws.com", &random[..16]);
    }
    let number = u64::from_str_radix(&random[..15], 16).unwrap_or_default() % 10_000_000_000;
    let internal = if scheme == Scheme::Internal { "internal-" } else { "" };
    format!("{internal}{name}-{number:010}.{region}.elb.amazonaws.com")
}

/// The ARN, different at each creation but for classic ones.
pub(super) fn arn(name: &str, kind: LoadBalancerKind, region: &str, account: &str) -> String {
    let path = match kind {
        LoadBalancerKind::Classic => name.to_owned(),
        LoadBalancerKind::Network => format!("net/{name}/{}", suffix()),
        LoadBalancerKind::Application => format!("app/{name}/{}", suffix()),
    };
    format!("arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/{path}")
}

fn suffix() -> String {
    ids::hex(&ids::fresh("lb"))[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_documented_rules() {
        for good in ["a", "my-app", &"x".repeat(32)] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a_b", "internal-a", &"x".repeat(33), "é"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn host_names_look_like_the_real_ones() {
        let classic = dns("my-app", LoadBalancerKind::Classic, Scheme::Internal, "us-east-1");
        assert!(classic.starts_with("internal-my-app-") && classic.ends_with(".us-east-1.elb.amazonaws.com"));
        let network = dns("my-app", LoadBalancerKind::Network, Scheme::Internal, "us-east-1");
        assert!(network.starts_with("my-app-") && network.ends_with(".elb.us-east-1.amazonaws.com"));
    }
}
