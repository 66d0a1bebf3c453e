//! Operations: their names, what they need of the account, and the table of each service.

use crate::error::AwsError;
use crate::session::Session;
use crate::throttle::Family;
use crate::wire::answer::Service;
use crate::wire::params::Params;
use crate::wire::xml::Xml;
use crate::{ec2, elb, sts};

/// Does the work of one call and writes the answer's contents.
pub(crate) type Run = fn(&mut Session, &Params, &mut Xml) -> Result<(), AwsError>;

/// One operation of an API.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// Its rate; `Describe` for one that changes nothing.
    pub(crate) family: Family,
    /// The parameters it has, beside `Action`, `Version` and `DryRun`. Of all services only EC2 refuses others, so
    /// only EC2's operations list theirs.
    pub(crate) params: &'static [&'static str],
    pub(crate) run: Run,
}

impl Operation {
    /// An operation of a service that takes any parameters.
    pub(crate) const fn new(name: &'static str, family: Family, run: Run) -> Self {
        Self {
            name,
            family,
            params: &[],
            run,
        }
    }

    /// Whether it changes something when it succeeds.
    pub(crate) fn mutating(&self) -> bool {
        self.family != Family::Describe
    }

    /// Finds an operation of `service` by its name.
    pub(crate) fn find(service: Service, name: &str) -> Option<&'static Self> {
        let table: &[Self] = match service {
            Service::Ec2 => &ec2::OPERATIONS,
            Service::Elb => &elb::classic::OPERATIONS,
            Service::ElbV2 => &elb::v2::OPERATIONS,
            Service::Sts => &sts::OPERATIONS,
        };
        table.iter().find(|operation| operation.name == name)
    }
}
