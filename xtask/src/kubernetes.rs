//! The programs of a control plane: built once from the Go module beside this, or those of `KUBEBUILDER_ASSETS`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use moorline_parts::Programs;

use crate::client::Missing;
use crate::{cache, process};

/// The Go module that names the versions.
const MODULE: &str = "xtask/kubernetes";

/// The packages that are built, and what their programs are called here.
const PACKAGES: [(&str, &str); 6] = [
    ("go.etcd.io/etcd/server/v3", "etcd"),
    ("k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
    (
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kube-controller-manager",
    ),
    ("k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"),
    ("k8s.io/kubernetes/cmd/kubectl", "kubectl"),
    ("sigs.k8s.io/kwok/cmd/kwok", "kwok"),
];

/// The folder, beside the programs, of what kwok plays.
const STAGES: &str = "kwok-stages";

/// kwok's own stages that make nodes Ready and run pods, in its module.
const KWOK_STAGES: [&str; 5] = [
    "kustomize/stage/node/fast/node-initialize.yaml",
    "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "kustomize/stage/pod/fast/pod-complete.yaml",
    "kustomize/stage/pod/fast/pod-delete.yaml",
    "kustomize/stage/pod/fast/pod-ready.yaml",
];

/// Our own beside them.
const OWN_STAGES: [&str; 1] = ["load-balancer.yaml"];

const CURE: &str = "Go 1.21 or newer (https://go.dev/dl); it fetches the Go that the module asks for by itself";

/// All programs of a control plane. Those of `KUBEBUILDER_ASSETS` come before those that are built; where it has all of them (and
/// `kwok-stages`), nothing is.
pub(crate) fn set_up() -> Result<Programs, Missing> {
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let installed = assets.as_deref().map(installed).unwrap_or_default();
    let complete = installed.len() == PACKAGES.len() + 1;
    let mut programs = if complete { Programs::default() } else { built()? };
    for (name, path) in installed {
        process::say(&format!("using {name} of KUBEBUILDER_ASSETS, {}", path.display()));
        programs.insert(name, path);
    }
    Ok(programs)
}

/// Those that the Go module names, from the cache or built with Go into it.
pub(crate) fn built() -> Result<Programs, Missing> {
    let missing = |why: String| Missing {
        client: "the Kubernetes control plane",
        why,
        cure: CURE,
    };
    let go = process::on_path("go").ok_or_else(|| missing("there is no Go to build it with".to_owned()))?;
    let entry = entry(&go).map_err(|error| missing(format!("building it failed: {error:#}")))?;
    let mut programs = Programs::default();
    for (name, path) in installed(&entry.join("bin")) {
        programs.insert(name, path);
    }
    Ok(programs)
}

/// The programs, and the folder for kwok, that a folder has.
fn installed(folder: &Path) -> Vec<(&'static str, PathBuf)> {
    let names = PACKAGES.iter().map(|(_, name)| *name).chain([STAGES]);
    names
        .map(|name| (name, folder.join(name)))
        .filter(|(_, path)| path.exists())
        .collect()
}

fn entry(go: &Path) -> Result<PathBuf> {
    let version = version()?;
    let mut sources = vec![format!("{MODULE}/go.mod"), format!("{MODULE}/go.sum")];
    sources.extend(OWN_STAGES.map(|stage| format!("{MODULE}/{stage}")));
    let name = format!(
        "kubernetes-{version}-{}-{}-{}",
        std::env::consts::OS,
        std::env::consts::ARCH,
        cache::digest(&sources)?
    );
    let works = |entry: &Path| {
        // All of them come from one build; kubectl is the one that tells its version without being configured.
        let told = process::output(Command::new(entry.join("bin/kubectl")).args(["version", "--client"]));
        told.is_ok_and(|told| told.contains(&version)) && installed(&entry.join("bin")).len() == PACKAGES.len() + 1
    };
    cache::entry(&name, works, |folder| {
        process::say(&format!(
            "building Kubernetes {version}, etcd and kwok with Go, once; this takes five minutes on two cores"
        ));
        compile(go, &version, &folder.join("bin"))?;
        copy_stages(go, &folder.join("bin").join(STAGES))
    })
}

/// The version of Kubernetes that the module requires: `v1.36.3`.
pub(crate) fn version() -> Result<String> {
    let manifest = format!("{MODULE}/go.mod");
    let text = fs::read_to_string(&manifest).with_context(|| format!("cannot read {manifest}"))?;
    required(&text).with_context(|| format!("{manifest} requires no k8s.io/kubernetes"))
}

fn required(manifest: &str) -> Option<String> {
    manifest.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word == "require");
        (words.next() == Some("k8s.io/kubernetes")).then(|| words.next().map(str::to_owned))?
    })
}

fn compile(go: &Path, version: &str, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    // Programs that are not told their version say v0.0.0-master, and look older than every other.
    let told = "-X k8s.io/component-base/version";
    let minor = version.split('.').nth(1).unwrap_or_default();
    let ldflags = format!("-s -w {told}.gitVersion={version} {told}.gitMajor=1 {told}.gitMinor={minor}");
    let mut command = at_module(go);
    command.args(["build", "-trimpath", "-ldflags", &ldflags, "-o"]).arg(to);
    command.args(PACKAGES.map(|(package, _)| package));
    process::run(&mut command)?;
    // Go calls a program like the last part of its package's path, which says little of etcd.
    fs::rename(to.join("server"), to.join("etcd"))?;
    Ok(())
}

fn copy_stages(go: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    let mut list = at_module(go);
    list.args(["list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"]);
    let kwok = PathBuf::from(process::output(&mut list)?.trim());
    ensure!(kwok.is_absolute(), "Go does not say where the module of kwok is");
    let theirs = KWOK_STAGES.map(|stage| kwok.join(stage));
    let ours = OWN_STAGES.map(|stage| Path::new(MODULE).join(stage));
    for stage in theirs.iter().chain(&ours) {
        let name = stage.file_name().unwrap_or(OsStr::new("stage.yaml"));
        // Read and written: Go's files may not be written, and a copy would not be removed easily either.
        let text = fs::read(stage).with_context(|| format!("cannot read {}", stage.display()))?;
        fs::write(to.join(name), text)?;
    }
    Ok(())
}

fn at_module(go: &Path) -> Command {
    let mut command = Command::new(go);
    command
        .current_dir(MODULE)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_to_build_is_the_one_that_is_locked() {
        let manifest = include_str!("../kubernetes/go.mod");
        assert_eq!(required(manifest).as_deref(), Some("v1.36.3"));
        assert_eq!(
            required("require (\n\tk8s.io/kubernetes v1.2.3\n)").as_deref(),
            Some("v1.2.3")
        );
        assert_eq!(required("module nothing"), None);
    }

    #[test]
    fn what_is_built_is_what_the_module_calls_its_tools() {
        let manifest = include_str!("../kubernetes/go.mod");
        let tools = manifest.split_once("tool (").and_then(|(_, rest)| rest.split_once(')'));
        let mut tools: Vec<&str> = tools.unwrap().0.split_whitespace().collect();
        tools.sort_unstable();
        let mut packages = PACKAGES.map(|(package, _)| package);
        packages.sort_unstable();
        assert_eq!(tools, packages);
    }

    #[test]
    fn a_folder_of_assets_need_not_have_everything() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["etcd", "kubectl", "something-else"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<&str> = installed(folder.path()).iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["etcd", "kubectl"]);
        assert!(installed(Path::new("/nowhere")).is_empty());
    }
}
