//! Whatever the files hold: no panic, an answer in time, and places that exist.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::common::{CONFIG_MAP, PROFILE, assert_places_exist, folder, read};
use proptest::prelude::*;

const SEED: &str = include_str!("../../../../profiles/aws-nginx-stateful/statefulset.yml");

const AZURE: &str = "name: web
provider:
  azure:
    subscription: 0b1f6471-1bf0-4dda-aec3-cb9272f09590
    tenant: 0b1f6471-1bf0-4dda-aec3-cb9272f09591
    resourceGroup: shop
    location: westeurope
    createResourceGroup: true
";

/// Every sort of parameter that Azure's classes have.
const AZURE_SEED: &str = "apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: files}
provisioner: file.csi.azure.com
mountOptions: [dir_mode=0777, uid=1000]
parameters:
  skuName: Premium_LRS
  storageAccount: shopdata
  shareName: of-${pvc.metadata.name}
  resourceGroup: shop
  subscriptionID: 0b1f6471-1bf0-4dda-aec3-cb9272f09590
  secretName: key
  secretNamespace: kube-system
  mountPermissions: \"0755\"
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: blobs}
provisioner: blob.csi.azure.com
parameters: {protocol: fuse2, containerNamePrefix: web, location: East US, tags: \"team=web,cost=12\", storeAccountKey: \"true\"}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: one}
spec: {accessModes: [ReadWriteMany], storageClassName: files, resources: {requests: {storage: 200Gi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: two}
spec: {accessModes: [ReadWriteMany], storageClassName: blobs, resources: {requests: {storage: 1Gi}}}
";

/// Bits of YAML that break things when they stand where they should not.
const SPLINTERS: &[&str] = &[
    "\t",
    "\n",
    "  ",
    ":",
    ": ",
    "- ",
    "-",
    "---\n",
    "...\n",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: *a",
    "!!str ",
    "!x ",
    "|\n",
    ">",
    "'",
    "\"",
    "#",
    "? ",
    "%YAML 1.1\n",
    "@",
    "`",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "é",
    "\u{1f600}",
    "\0",
    "\u{1b}",
    "null",
    "~",
    "yes",
    "-1",
    "1e999",
    "0x",
    ".inf",
    "9999999999999999999999",
    "items:\n",
    "kind: List\n",
    "\r",
    "\r\n",
];

fn mutated(seed: &'static str) -> impl Strategy<Value = String> {
    let edit = (0..seed.len(), 0..40_usize, prop::sample::select(SPLINTERS));
    prop::collection::vec(edit, 1..6).prop_map(|edits| {
        let mut text = seed.to_owned();
        for (at, cut, splinter) in edits {
            let at = (0..=at.min(text.len()))
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(0);
            let end = ((at + cut).min(text.len())..=text.len())
                .find(|end| text.is_char_boundary(*end))
                .unwrap_or(text.len());
            text.replace_range(at..end, splinter);
        }
        text
    })
}

fn assert_survives(name: &str, bytes: &[u8]) {
    assert_survives_with(&[], name, bytes);
}

fn assert_survives_with(files: &[(&str, &str)], name: &str, bytes: &[u8]) {
    let folder = folder(&[files, &[("other.yaml", &CONFIG_MAP.replace("settings", "other"))]].concat());
    std::fs::write(folder.path().join(name), bytes).unwrap();
    if let Err(diagnostics) = read(folder.path()) {
        assert!(diagnostics.has_errors());
        assert_places_exist(name, &diagnostics);
        assert!(!diagnostics.to_string().contains(['\u{1b}', '\0', '\u{7}']));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_manifests_are_survived(text in mutated(SEED)) {
        assert_survives("a.yaml", text.as_bytes());
    }

    #[test]
    fn mutated_profiles_of_azure_are_survived(classes in mutated(AZURE_SEED), block in mutated(AZURE)) {
        assert_survives_with(&[("profile.yaml", AZURE)], "a.yaml", classes.as_bytes());
        assert_survives_with(&[("a.yaml", AZURE_SEED)], "profile.yaml", block.as_bytes());
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        assert_survives("a.yaml", &bytes);
        assert_survives("profile.yaml", &bytes);
    }

    #[test]
    fn any_splinters_are_survived(parts in prop::collection::vec(prop::sample::select(SPLINTERS), 0..30)) {
        assert_survives("a.yaml", parts.concat().as_bytes());
        assert_survives("profile.yaml", format!("{PROFILE}{}", parts.concat()).as_bytes());
    }
}

/// What is mutated is right before: or nothing would be reached behind the first error.
#[test]
fn the_seeds_have_nothing_wrong() {
    for files in [
        &[("a.yaml", SEED)][..],
        &[("profile.yaml", AZURE), ("a.yaml", AZURE_SEED)],
    ] {
        let read = read(folder(files).path());
        assert!(read.is_ok(), "{}", read.unwrap_err());
    }
}

/// Generous: these are debug builds on machines that do other things too. What is caught is anything worse than linear.
fn assert_within(limit: Duration, text: &str) {
    let folder = folder(&[("a.yaml", text)]);
    let begun = Instant::now();
    _ = read(folder.path());
    println!("{} bytes: {:?}", text.len(), begun.elapsed());
    assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
}

#[test]
fn a_thousand_objects_are_read_quickly() {
    let mut text = String::new();
    for number in 0..1000 {
        write!(
            text,
            "---\n{}",
            SEED.replace("home-deployment", &format!("home-{number}"))
                .replace("my-a", &format!("my-{number}-a"))
        )
        .unwrap();
    }
    assert_within(Duration::from_secs(20), &text);
}

#[test]
fn many_problems_are_reported_quickly() {
    assert_within(
        Duration::from_secs(10),
        &format!("{CONFIG_MAP}data:\n{}", "  a: 1\n".repeat(20_000)),
    );
    assert_within(Duration::from_secs(10), &"---\nkind: {}\n".repeat(5_000));
    assert_within(
        Duration::from_secs(10),
        &format!("{CONFIG_MAP}data: {{{}}}\n", "b: 1, ".repeat(50_000)),
    );
}

#[test]
fn bombs_of_every_sort_are_defused() {
    let mut chain = format!("{CONFIG_MAP}data:\n  a0: &a0 {{}}\n");
    for number in 1..5_000 {
        writeln!(chain, "  a{number}: &a{number} {{x: *a{}}}", number - 1).unwrap();
    }
    assert_within(Duration::from_secs(10), &chain);
    let mut merges = format!("{CONFIG_MAP}data:\n  a0: &a0 {{k: v}}\n");
    for number in 1..40 {
        writeln!(
            merges,
            "  a{number}: &a{number} {{<<: [*a{0}, *a{0}], k{number}: [*a{0}, *a{0}]}}",
            number - 1
        )
        .unwrap();
    }
    assert_within(Duration::from_secs(10), &merges);
    assert_within(Duration::from_secs(10), &"[".repeat(1 << 20));
    assert_within(Duration::from_secs(10), &"- ".repeat(1 << 18));
    assert_within(Duration::from_secs(10), &"? ".repeat(1 << 18));
    assert_within(Duration::from_secs(10), &"&a ".repeat(1 << 18));
    assert_within(Duration::from_secs(10), &format!("a: \"{}", "x\n".repeat(1 << 18)));
}
