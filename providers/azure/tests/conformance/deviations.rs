//! Where Azurite is not what Azure documents. The one table of it: the cases are run by it, and docs/deviations-azurite.md is
//! made of it.

use moorline_api::conformance::deviation::{Deviation, Named};

/// Where the cases of blob storage run beside the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    Azurite,
}

impl Named for Site {
    fn name(self) -> &'static str {
        match self {
            Self::Azurite => "Azurite",
        }
    }
}

pub(crate) const HEAD: &str = "\
# Where Azurite is not Azure

Every case of the conformance suite for blob storage runs against Azurite 3.37.0: containers as volumes, which the sandbox's
Resource Manager has to pass too, and what blobs, conditions and leases do. Where Azurite does something else than Azure documents,
the case is expected to fail there in exactly the way that is told here: a deviation that goes away, or changes, fails the tests
until its line is mended. The emulators of AWS have [a page of their own](deviations.md).

This page is made of the table in `providers/azure/tests/conformance/deviations.rs`; after a change there, write it anew with
`MOORLINE_WRITE_DOCS=1 cargo test -p moorline-azure --test conformance document`.
";

pub(crate) const FOOT: &str = "
## Seen beside the cases

- There is no Resource Manager, there are no file shares, and no accounts can be made. moorline is told of Azurite's account by a
  connection string, and asks for nothing else.
- Any version of the API up to the newest that it knows is served; that of the official Rust client (2026-04-06) is one of them, so
  that its check of versions stays on.
- `Get Account Information` says `Standard_RAGRS` and `StorageV2`, whatever a class asks for. moorline does not ask.
- OAuth needs HTTPS with a certificate that the client trusts: the tests use the account's key and signatures.
- With `--inMemoryPersistence`, as the tests start it, everything is lost when it stops.
";

pub(crate) const DEVIATIONS: &[Deviation<Site>] = &[Deviation {
    title: "the name of a deleted container is free at once",
    sites: &[Site::Azurite],
    cases: &[(
        "blobs::containers::a_name_is_held_after_a_deletion",
        "a deleted container was made again at once",
    )],
    sometimes: false,
    documented: "a container of the same name cannot be made for at least 30 seconds; `Create Container` answers 409 \
                 `ContainerBeingDeleted` meanwhile (Azure Storage REST reference, `Delete Container`, remarks)",
    instead: "it is made again",
    harmless: "a claim's container is named after the claim's UID, which no other claim has again; where a container of the \
               claim was deleted, the next generation of its token has another name \
               (`containers::a_deleted_one_vanishes_and_its_successor_does_not` passes everywhere)",
}];
