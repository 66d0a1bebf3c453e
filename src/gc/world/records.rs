//! What is kept of each thing. A world has a hundred thousand of each of the larger ones: their sizes are looked at by a test.

use jiff::Timestamp;
use moorline_api::VolumeSort;

use crate::intern::Sym;
use crate::maker::Maker;

/// Where a PersistentVolume or claim is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Bound,
    Released,
    Failed,
    /// `Available`, `Pending`, `Lost`, or nothing.
    Other,
}

impl Phase {
    pub(crate) fn of(text: Option<&str>) -> Self {
        match text {
            Some("Bound") => Self::Bound,
            Some("Released") => Self::Released,
            Some("Failed") => Self::Failed,
            _ => Self::Other,
        }
    }
}

/// A PersistentVolume.
#[derive(Clone, Debug)]
pub(crate) struct PvRecord {
    pub(crate) name: Sym,
    pub(crate) uid: Sym,
    pub(crate) claim_namespace: Sym,
    pub(crate) claim_name: Sym,
    pub(crate) claim_uid: Sym,
    /// Why it is never deleted.
    pub(crate) protected: Sym,
    /// In seconds since 1970; 0 where it is not known.
    pub(crate) created: i64,
    /// When it was bound or released, as its phase is; 0 where the cluster does not say.
    pub(crate) changed: i64,
    pub(crate) phase: Phase,
    /// Whether its reclaim policy keeps the volume.
    pub(crate) retain: bool,
    /// Whether a provider could tell which volume it names.
    pub(crate) readable: bool,
}

/// That a PersistentVolume names a volume. Those of one volume are chained.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PointerRecord {
    pub(crate) cluster: u16,
    /// Whether the provider says so, rather than a name that looks alike.
    pub(crate) exact: bool,
    pub(crate) pv: u32,
    /// Which PersistentVolume of that name.
    pub(crate) pv_uid: Sym,
    /// The next one's place and one more; 0 at the end.
    pub(crate) next: u32,
}

/// Whether a claim is a StatefulSet's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatefulClaim {
    /// Nothing says so.
    No,
    /// The controller made it: its manager wrote the request, and it has the labels that only a set's claims have.
    ByController,
    /// moorline made it for the set of this name.
    ByMoorline(Sym),
}

/// A claim.
#[derive(Clone, Debug)]
pub(crate) struct ClaimRecord {
    pub(crate) namespace: Sym,
    pub(crate) name: Sym,
    pub(crate) uid: Sym,
    pub(crate) volume_name: Sym,
    /// `key=value` of all labels, sorted, a line each.
    pub(crate) labels: Sym,
    pub(crate) stateful: StatefulClaim,
    /// Its owners, one a line: `StatefulSet web <uid>`; of other kinds than sets of `apps`, with their version.
    pub(crate) owners: Sym,
    pub(crate) protected: Sym,
    pub(crate) created: i64,
    /// Since when Kubernetes says that no pod uses it; 0 where it says nothing, and -1 where it says that one does.
    pub(crate) unused_since: i64,
    pub(crate) phase: Phase,
    /// Whether moorline made it.
    pub(crate) ours: bool,
}

/// A StatefulSet, or a set of another group with volume claim templates.
#[derive(Clone, Debug)]
pub(crate) struct SetRecord {
    pub(crate) namespace: Sym,
    pub(crate) name: Sym,
    pub(crate) uid: Sym,
    pub(crate) kind: Sym,
    pub(crate) templates: Vec<Sym>,
    pub(crate) start: i64,
    pub(crate) replicas: i64,
    /// `key=value` of `spec.selector.matchLabels`, as of claims.
    pub(crate) selector: Sym,
}

/// What uses a claim.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UseRecord {
    pub(crate) kind: Sym,
    pub(crate) name: Sym,
    /// Whether it uses it now, or may at any moment; otherwise it names it and would have to be started.
    pub(crate) now: bool,
}

/// A volume.
#[derive(Clone, Debug)]
pub(crate) struct VolumeRecord {
    pub(crate) id: Sym,
    /// The part of the id behind the slash.
    pub(crate) name: Sym,
    pub(crate) scope: u16,
    pub(crate) sort: VolumeSort,
    /// Its type or SKU in one word.
    pub(crate) type_name: Sym,
    pub(crate) full: bool,
    pub(crate) gib: u32,
    /// US dollars a month; negative where it is not known.
    pub(crate) monthly: f64,
    /// What the cloud says uses it: `attached to i-1`.
    pub(crate) used: Sym,
    /// Whether it is in a state that this version does not know.
    pub(crate) odd: bool,
    pub(crate) protected: Sym,
    pub(crate) maker: Maker,
    /// When the mark was set, where it can be read.
    pub(crate) marked: Option<Timestamp>,
    /// Whether there is a mark at all.
    pub(crate) has_mark: bool,
    pub(crate) created: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_small() {
        assert!(size_of::<VolumeRecord>() <= 104, "{}", size_of::<VolumeRecord>());
        assert!(size_of::<PvRecord>() <= 48, "{}", size_of::<PvRecord>());
        assert!(size_of::<ClaimRecord>() <= 64, "{}", size_of::<ClaimRecord>());
        assert!(size_of::<PointerRecord>() <= 16, "{}", size_of::<PointerRecord>());
        assert!(size_of::<UseRecord>() <= 12, "{}", size_of::<UseRecord>());
    }
}
