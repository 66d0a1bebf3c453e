//! A simulated AWS account: the query APIs of EC2, classic and current Elastic Load Balancing and STS, as far
//! as volumes, their tags and snapshots, load balancers and the caller's identity go.
//!
//! [`AwsCloud::router`] is what SDKs, `boto3` and the `aws` command talk to; it is throttled, audited, struck by
//! faults, and its reads lag behind its writes. The other methods of [`AwsCloud`] are for the sandbox's own
//! controllers, in-process and without any of that. All times pass on the sandbox's clock.
//!
//! Signatures are not checked, but a call needs one: its scope names the region, and an access key id that starts
//! with `EXPIRED`, `INVALID` or `DENIED` gets what such credentials get from AWS. The credentials of an assumed role last as long as
//! they say.

mod account;
mod cloud;
mod ec2;
mod elb;
mod error;
mod http;
mod ids;
mod model;
mod operation;
mod paging;
mod regions;
mod roles;
mod session;
mod settings;
mod sts;
mod throttle;
mod wire;

pub use cloud::AwsCloud;
pub use error::AwsError;
pub use model::balancer::{Listener, LoadBalancer, LoadBalancerKind, NewLoadBalancer, Scheme};
pub use model::instance::Instance;
pub use model::snapshot::Snapshot;
pub use model::volume::{Attachment, NewVolume, Volume, VolumeState};
pub use settings::{AwsSettings, Bucket, Buckets, Role};
