//! What is secret stays secret, however much is said.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::{Run, Served, World, profile};

const SECRET: &str = "
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {password: VALUE}
";

#[test]
fn values_of_secrets_are_never_printed() {
    let world = World::instant();
    let folder = world.write("hush/profile.yaml", &profile("hush")).display().to_string();
    for value in ["hunter2-first", "hunter2-second"] {
        world.write("hush/secret.yaml", &SECRET.replace("VALUE", value));
        for line in ["plan", "plan -o wide", "plan -o json", "up -vvv", "status -o yaml"] {
            let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
            let run = world.run(&format!("{command} {folder} --sandbox {rest}")).succeeds();
            for secret in ["hunter2", "aHVudGVyM"] {
                assert!(!run.stdout.contains(secret), "{line}: {}", run.stdout);
                assert!(!run.stderr.contains(secret), "{line}: {}", run.stderr);
            }
        }
    }
}

#[test]
fn keys_of_the_cloud_are_never_printed() {
    let world = World::instant();
    let served = world.serve();
    let mut command = world.moorline("plan profiles/aws-nginx-stateful -vvv");
    command.envs(served.environment.iter().map(|(name, value)| (name, value)));
    command
        .env("AWS_ACCESS_KEY_ID", "AKIAHUSHHUSHHUSHHUSH")
        .env("AWS_SECRET_ACCESS_KEY", "wJalrHushHush");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("wJalrHushHush"), "{said}");
}

const COUNTER: &str = "profiles/azure-counter";

/// Known only to the environment of these tests.
const CLIENT_SECRET: &str = "hush~Client.Secret-4711";

/// The program as a user with a service principal runs it, saying everything that it can.
fn as_principal(world: &World, served: &Served, line: &str, secret: &str) -> Run {
    let mut command = world.moorline(line);
    command.envs(served.environment.iter().map(|(name, value)| (name, value)));
    command.env("AZURE_CLIENT_SECRET", secret).env("RUST_LOG", "trace");
    Run::of(line, &command.output().unwrap())
}

/// A storage account's key, from the Secret that nodes mount with.
pub fn account_key(world: &World, served: &Served) -> String {
    let state = world.state();
    let account = state["storage_accounts"][0]["name"].as_str().unwrap();
    let path = format!("/api/v1/namespaces/default/secrets/azure-storage-account-{account}-secret");
    let secret = served.get(&path);
    let value = secret["data"]["azurestorageaccountkey"].as_str().unwrap();
    String::from_utf8(STANDARD.decode(value).unwrap()).unwrap()
}

/// A secret in every form in which it may have been written down.
pub fn forms(secret: &str) -> Vec<String> {
    let escaped = secret.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    vec![secret.to_owned(), escaped, STANDARD.encode(secret)]
}

/// Whether there is a run of base64 of an account key's length: 86 characters, then `==`.
pub fn looks_like_a_key(text: &str) -> bool {
    let runs = text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c)));
    runs.filter_map(|run| run.strip_suffix("==")).any(|run| run.len() >= 86)
}

#[test]
fn what_azure_gives_out_is_never_said() {
    let world = World::instant();
    let served = world.serve();
    let lines = [
        "plan profiles/azure-counter -o json",
        "up profiles/azure-counter -vvv",
        "up profiles/azure-counter -o json",
        "scale profiles/azure-counter counter-div --replicas 2 -vvv",
        "status profiles/azure-counter -o yaml",
        "status profiles/azure-counter -o wide",
        "df profiles/azure-counter -o json",
    ];
    let mut said = Vec::new();
    for line in lines {
        said.push(as_principal(&world, &served, line, CLIENT_SECRET).succeeds());
    }
    let key = account_key(&world, &served);
    assert!(looks_like_a_key(&key), "this is what is looked for");

    // Failures say more than success does.
    for (operation, code) in [
        ("StorageAccounts_ListKeys", 403),
        ("FileShares_Create", 409),
        ("StorageAccounts_List", 500),
    ] {
        world.fault(&json!({
            "service": "arm", "operation": operation, "moment": "after", "times": 8,
            "effect": {"error": {"status": code, "code": "AuthorizationFailed", "message": "no", "retry_after": null}},
        }));
        let up = "scale profiles/azure-counter counter-div --replicas 3 -vvv --timeout 5s";
        said.push(as_principal(&world, &served, up, CLIENT_SECRET));
        world.run("sandbox fault clear").succeeds();
    }
    let refused = format!("INVALID{CLIENT_SECRET}");
    said.push(as_principal(&world, &served, "status profiles/azure-counter", &refused).exits(3));
    said.push(as_principal(&world, &served, "down profiles/azure-counter --yes -vvv", CLIENT_SECRET).succeeds());

    for run in &said {
        for (name, text) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
            let about = || format!("{name} of moorline {}", run.line);
            for form in forms(CLIENT_SECRET).into_iter().chain(forms(&key)) {
                assert!(!text.contains(&form), "{form} in {}", about());
            }
            assert!(!looks_like_a_key(text), "an account's key in {}", about());
            for token in ["eyJ", "Bearer ", "sig=", "client_assertion"] {
                let found = text.lines().find(|line| line.contains(token));
                assert_eq!(found, None, "{token} in {}", about());
            }
        }
    }
    assert!(
        said.iter().any(|run| run.stderr.contains("TRACE")),
        "all of it was logged"
    );
}

#[test]
fn a_connection_string_is_never_said() {
    let world = World::instant();
    let served = world.serve();
    let key = STANDARD.encode([0xA7; 64]);
    let nobody = "BlobEndpoint=http://127.0.0.1:1/hush1";
    for string in [
        format!("AccountName=hush1;AccountKey={key};{nobody}"),
        format!("AccountName=hush1;AccountKey={key}{key};EndpointSuffix=;;=;{nobody}"),
        format!("AccountKey={key}"),
        format!("SharedAccessSignature=sv=2026-01-01&sig={key};{nobody}"),
    ] {
        for line in [
            "plan profiles/azure-blob -vvv --timeout 2s",
            "up profiles/azure-blob -o json --timeout 2s",
        ] {
            let mut command = world.moorline(line);
            command.envs(served.environment.iter().map(|(name, value)| (name, value)));
            command
                .env("AZURE_STORAGE_CONNECTION_STRING", &string)
                .env("RUST_LOG", "trace");
            let run = Run::of(line, &command.output().unwrap());
            for form in forms(&key) {
                assert!(!run.stdout.contains(&form), "{line}: {}", run.stdout);
                assert!(!run.stderr.contains(&form), "{line}: {}", run.stderr);
            }
            assert!(!looks_like_a_key(&run.stderr), "{line}: {}", run.stderr);
        }
    }
}

#[test]
fn what_azure_gives_out_is_in_no_file_of_the_sandbox() {
    let world = World::instant();
    let served = world.serve();
    as_principal(&world, &served, &format!("up {COUNTER}"), CLIENT_SECRET).succeeds();
    let key = account_key(&world, &served);
    drop(served);
    let folder = world.path().join("sandbox");
    let files = files_under(&folder);
    assert!(!files.is_empty());
    let secrets: Vec<String> = forms(CLIENT_SECRET).into_iter().chain(forms(&key)).collect();
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {}", file.display());
        }
    }
    // A sandbox that was started again has the Secret still.
    assert_eq!(account_key(&world, &world.serve()), key);
}

pub fn files_under(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = |path: PathBuf| {
        if path.is_dir() { files_under(&path) } else { vec![path] }
    };
    entries.flat_map(files).collect()
}

/// A core would be a copy of memory, keys and all.
#[test]
#[cfg(target_os = "linux")]
fn a_crash_leaves_no_copy_of_memory() {
    let world = World::instant();
    let mut shell = world.command("sh");
    let generous = "ulimit -S -c \"$(ulimit -H -c)\" && exec \"$0\" sandbox serve";
    shell.args(["-c", generous, env!("CARGO_BIN_EXE_moorline")]);
    let served = World::serve_by(shell);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", served.pid())).unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max core file size"));
    let soft = limit.and_then(|line| line.split_whitespace().nth(4));
    assert_eq!(soft, Some("0"), "{limits}");
}
