//! The query protocols on the wire: parameters in, XML out, who calls from which region.

pub(crate) mod answer;
pub(crate) mod caller;
pub(crate) mod params;
pub(crate) mod xml;
