use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use proptest::prelude::*;

use super::*;

fn store() -> (tempfile::TempDir, FolderStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::new(folder.path().join("store"));
    (folder, store)
}

fn key(text: &str) -> StoreKey {
    StoreKey::new(text).unwrap()
}

fn mode(path: &std::path::Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn only_the_owner_can_read() {
    let (folder, store) = store();
    store.create(&key("a/b/c"), b"1").await.unwrap();
    let first = store.create(&key("a/d"), b"1").await.unwrap();
    store.replace(&key("a/d"), b"2", &first).await.unwrap();
    let root = folder.path().join("store");
    for below in ["", "a", "a/b", ".tmp"] {
        assert_eq!(mode(&root.join(below)), 0o700, "{below}");
    }
    for file in ["a/b/c", "a/d", ".lock"] {
        assert_eq!(mode(&root.join(file)), 0o600, "{file}");
    }
    assert_eq!(fs::read(root.join("a/d")).unwrap(), b"2", "people can read the files");
    assert_eq!(fs::read_dir(root.join(".tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn links_are_followed_nowhere_below_the_folder() {
    let (folder, store) = store();
    let secret = folder.path().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("file"), b"1").unwrap();
    let root = folder.path().join("store");
    fs::create_dir(&root).unwrap();
    symlink(&secret, root.join("out")).unwrap();
    symlink(secret.join("file"), root.join("file")).unwrap();
    let version = version_of(b"1");
    for name in ["out/file", "out/new", "file"] {
        let name = key(name);
        let outcomes = [
            store.read(&name).await.map(drop),
            store.replace(&name, b"2", &version).await.map(drop),
            store.delete(&name, &version).await,
        ];
        for outcome in outcomes {
            assert_eq!(outcome.unwrap_err().kind, ErrorKind::Invalid, "{name}");
        }
    }
    assert_eq!(
        store.create(&key("out/new"), b"2").await.unwrap_err().kind,
        ErrorKind::Invalid
    );
    assert_eq!(
        store.create(&key("file"), b"2").await.unwrap_err().kind,
        ErrorKind::AlreadyExists
    );
    let listed: Result<Vec<_>> = store.list(None).try_collect().await;
    assert_eq!(listed.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(fs::read(secret.join("file")).unwrap(), b"1");
    assert_eq!(fs::read_dir(&secret).unwrap().count(), 1);
}

#[tokio::test]
async fn a_lock_or_temporary_folder_that_is_a_link_is_refused() {
    for name in [".lock", ".tmp"] {
        let (folder, store) = store();
        let root = folder.path().join("store");
        fs::create_dir(&root).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("file"), b"1").unwrap();
        symlink(&elsewhere, root.join(name)).unwrap();
        assert_eq!(
            store.create(&key("a"), b"1").await.unwrap_err().kind,
            ErrorKind::Invalid,
            "{name}"
        );
        assert!(elsewhere.join("file").exists());
    }
}

#[tokio::test]
async fn the_folder_itself_may_be_behind_a_link() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real", folder.path().join("link")).unwrap();
    let store = FolderStore::new(folder.path().join("link"));
    store.create(&key("a"), b"1").await.unwrap();
    assert!(folder.path().join("real/a").is_file());
}

#[tokio::test]
async fn what_is_no_file_is_no_value() {
    let (folder, store) = store();
    store.create(&key("a/b"), b"1").await.unwrap();
    let root = folder.path().join("store");
    assert_eq!(store.read(&key("a")).await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(store.read(&key("a/b/c")).await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(
        store.create(&key("a/b/c"), b"1").await.unwrap_err().kind,
        ErrorKind::Invalid
    );
    // A reader of a pipe would wait for ever.
    rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), FileType::Fifo, private(), 0).unwrap();
    assert_eq!(store.read(&key("pipe")).await.unwrap_err().kind, ErrorKind::Invalid);
    let file = FolderStore::new(root.join("a/b"));
    assert!(file.create(&key("a"), b"1").await.is_err());
    assert!(file.read(&key("a")).await.is_err());
}

#[tokio::test]
async fn what_killed_writers_left_is_swept_away() {
    let (folder, store) = store();
    store.create(&key("a"), b"1").await.unwrap();
    let left = folder.path().join("store/.tmp/half");
    fs::write(&left, b"hal").unwrap();
    let keys: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert_eq!(keys, [key("a")]);
    store.create(&key("b"), b"1").await.unwrap();
    assert!(!left.exists());
}

#[tokio::test]
async fn a_lock_that_stays_is_an_error_and_reading_goes_on() {
    let (folder, first) = store();
    first.create(&key("a"), b"1").await.unwrap();
    let root = folder.path().join("store");
    let lock = File::open(root.join(".lock")).unwrap();
    lock.lock().unwrap();
    let store = FolderStore::with_lock_patience(&root, Duration::from_millis(50));
    let refused = store.create(&key("b"), b"1").await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unreachable);
    assert!(refused.message.contains(".lock"), "{refused}");
    assert_eq!(store.read(&key("a")).await.unwrap().unwrap().value, b"1");
    lock.unlock().unwrap();
    store.create(&key("b"), b"1").await.unwrap();
}

#[tokio::test]
async fn words_of_the_place_are_made_safe() {
    let store = FolderStore::new("/tmp/x\u{1b}[31m");
    assert_eq!(store.place(), "/tmp/x");
}

/// What is done to one of few keys.
#[derive(Clone, Debug)]
enum Step {
    Create(usize, u8),
    /// With the version that is there, or one of before.
    Replace(usize, u8, bool),
    Delete(usize, bool),
    List(usize),
}

const KEYS: [&str; 5] = ["a", "b/a", "b/c/d", "b-a", "z.1/2"];

fn step() -> impl Strategy<Value = Step> {
    let key = 0..KEYS.len();
    prop_oneof![
        (key.clone(), any::<u8>()).prop_map(|(key, value)| Step::Create(key, value)),
        (key.clone(), any::<u8>(), any::<bool>()).prop_map(|(key, value, right)| Step::Replace(key, value, right)),
        (key.clone(), any::<bool>()).prop_map(|(key, right)| Step::Delete(key, right)),
        key.prop_map(Step::List),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// A folder answers as a map in memory would, that gives each value a version.
    #[test]
    fn it_is_a_map(steps in prop::collection::vec(step(), 1..40)) {
        let (_folder, store) = store();
        let root = &store.0;
        let mut model: BTreeMap<StoreKey, u8> = BTreeMap::new();
        let wrong = version_of(b"never written");
        for step in steps {
            match step {
                Step::Create(at, value) => {
                    let outcome = root.create(&key(KEYS[at]), &[value]);
                    prop_assert_eq!(outcome.is_ok(), !model.contains_key(&key(KEYS[at])));
                    model.entry(key(KEYS[at])).or_insert(value);
                }
                Step::Replace(at, value, right) => {
                    let there = model.get_mut(&key(KEYS[at]));
                    let version = there.as_ref().filter(|_| right).map_or(wrong.clone(), |there| version_of(&[**there]));
                    let outcome = root.replace(&key(KEYS[at]), &[value], &version);
                    prop_assert_eq!(outcome.is_ok(), there.is_some() && right);
                    if let (true, Some(there)) = (right, there) { *there = value }
                }
                Step::Delete(at, right) => {
                    let there = model.get(&key(KEYS[at]));
                    let version = there.filter(|_| right).map_or(wrong.clone(), |there| version_of(&[*there]));
                    prop_assert_eq!(root.delete(&key(KEYS[at]), &version).is_ok(), there.is_some() && right);
                    if right { model.remove(&key(KEYS[at])); }
                }
                Step::List(at) => {
                    let folder = key(KEYS[at].split('/').next().unwrap_or_default());
                    // Where the name is a file's there is no such folder.
                    if let Ok(listed) = root.list(Some(&folder)) {
                        let expected: Vec<_> = model.keys().filter(|key| key.below(&folder).is_some()).cloned().collect();
                        prop_assert_eq!(listed, expected);
                    }
                }
            }
            let expected: Vec<_> = model.keys().cloned().collect();
            prop_assert_eq!(root.list(None).unwrap(), expected);
            for (key, value) in &model {
                prop_assert_eq!(root.read(key).unwrap().unwrap().value, vec![*value]);
            }
        }
    }
}
