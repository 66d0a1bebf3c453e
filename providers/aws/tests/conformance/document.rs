//! docs/deviations.md, made of the table: what it says around it.

pub(crate) const HEAD: &str = "\
# Where the emulators are not AWS

Every case of the cloud's conformance suite runs against the embedded sandbox, moto 5.2.5 and LocalStack 4.14.0. Where one of the
two emulators does something else than AWS documents, the case is expected to fail there in exactly the way that is told here: a
deviation that goes away, or changes, fails the tests until its line is mended. The sandbox has none: where an emulator is laxer than
the documentation, the sandbox keeps to the documentation. Azurite has [a page of its own](deviations-azurite.md).

This page is made of the table in `providers/aws/tests/conformance/deviations.rs`; after a change there, write it anew with
`MOORLINE_WRITE_DOCS=1 cargo test -p moorline-aws --test conformance document`.
";

pub(crate) const FOOT: &str = "
## Seen beside the cases

- moto and LocalStack: `DetachVolume` fails with HTTP 500 where `InstanceId` is left out, which EC2 allows. moorline detaches nothing.
- moto and LocalStack: a fresh account has 1,302 (moto) or 1,182 (LocalStack) snapshots with `OwnerIds=self` that nobody took. moorline
  asks for snapshots by tag and volume, never for all.
- moto and LocalStack: `DescribeVolumes` takes time with the square of the volumes; on a busy machine 1,200 of them take minutes.
- moto: a `PutObject` with `If-Match` looks at the ETag first and writes then, and another writer gets in between; S3 does both in one step. The
  run store's cases hand moto one write at a time (`src/store/tests/conformance/wire.rs`): do not keep leases on moto.
- moto: ELBv2's `DescribeTags` answers for ARNs that do not exist, and for more than 20. moorline asks for 20 that were listed.
";
