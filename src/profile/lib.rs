//! Profiles: a folder with a thin `profile.yaml` beside ordinary Kubernetes manifests.
//!
//! The flow is **parse → resolve**: `files` reads the folder and nothing outside of it, `moorline_yaml` turns text into
//! values that know their places, `config` reads `profile.yaml`, `manifests` collects the objects, shapes and `checks` find what is
//! wrong, and `resolve` makes the [`Profile`] that the engine plans from. Nothing here calls a cluster or a cloud, and nothing
//! depends on the process: what decides beside the folder is in [`Surroundings`].
//!
//! A bad profile is refused with all its problems at once, each with file, line, column, cause and cure: [`Diagnostics`].

mod checks;
mod config;
mod files;
#[cfg(test)]
mod generate;
mod manifests;
mod model;
mod resolve;

use std::path::Path;
use std::rc::Rc;

use moorline_api::StorageRules;
use moorline_yaml::Node;
use moorline_yaml::diagnostic::Findings;
use moorline_yaml::shape::Shapes;
use moorline_yaml::source::{Source, Span};

pub use model::{
    ClaimTemplate, ClassRef, ClusterPins, LockPlace, Manifest, OnDown, Origin, Profile, ProviderBlock, Retention,
    SetClaims, StandaloneClaim,
};
pub use moorline_yaml::diagnostic::{Diagnostic, Diagnostics, Location, Severity, Snippet};

use config::ProfileFile;
use files::{Folder, PROFILE_FILE};
use manifests::{Collector, Item};

/// The shapes of built-in kinds and of `profile.yaml`: generated from Kubernetes' OpenAPI and from the structs of `config`;
/// `generate.rs` says how.
const SHAPES: &str = include_str!("shapes.txt");

/// What decides about a profile beside its folder. All of it is known before the first call.
#[derive(Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// The storage rules of the providers that this program has.
    pub rules: &'a [&'a dyn StorageRules],
    /// The region that settings give where the profile gives none.
    pub region: Option<&'a str>,
    /// The zones of the region, where they are known.
    pub zones: Option<&'a [String]>,
}

/// Reads, checks and resolves a profile. Errors are complete: every problem of every file, with the warnings among them.
pub fn load(folder: &Path, surroundings: &Surroundings<'_>) -> Result<Profile, Diagnostics> {
    let mut opened = Folder::open(folder)?;
    let source = opened.read_profile()?;
    let mut findings = Findings::default();
    let shapes = Shapes::read(SHAPES);
    let documents = moorline_yaml::read(&source, &mut findings);
    let is_broken = findings.has_errors();
    let config = if documents.iter().all(Node::is_null) && is_broken {
        None
    } else {
        config::read(&source, &documents, &shapes, &mut findings)
    };
    let document = documents.iter().find(|document| !document.is_null());
    let namespace = document
        .and_then(|document| document.str_at(&["namespace"]))
        .unwrap_or("default");
    let patterns = document.and_then(|document| document.at(&["manifests"]));
    let patterns = patterns.map(|patterns| (&source, patterns.items()));
    let items = read_manifests(
        &mut opened,
        patterns,
        &mut Collector::new(&shapes, namespace, &mut findings),
    );
    if items.is_empty() && !findings.has_errors() {
        let cure = format!("put manifests beside {PROFILE_FILE}: *.yaml, *.yml or *.json");
        findings.error(&source, Span::default(), "the profile has no objects", cure);
    }
    match config {
        Some(config) => {
            checks::check(&items, &config, surroundings, &mut findings);
            if let Some(document) = document {
                checks::lock::check(&source, document, &items, &mut findings);
            }
            finish(folder, config, &items, opened.digest(), findings)
        }
        None => Err(findings.finish()),
    }
}

fn read_manifests(
    folder: &mut Folder,
    patterns: Option<(&Source, &[Node])>,
    collector: &mut Collector<'_>,
) -> Vec<Item> {
    for name in folder.manifests(patterns, collector.findings) {
        if collector.findings.is_full() {
            break;
        }
        match folder.read_manifest(&name) {
            Ok(source) => {
                let source = Rc::new(source);
                let before = collector.findings.len();
                let documents = moorline_yaml::read(&source, collector.findings);
                let is_broken = collector.findings.len() > before;
                collector.file(&source, documents, is_broken);
            }
            Err(diagnostics) => collector.findings.extend(diagnostics),
        }
    }
    std::mem::take(&mut collector.items)
}

fn finish(
    folder: &Path,
    config: ProfileFile,
    items: &[Item],
    digest: String,
    findings: Findings,
) -> Result<Profile, Diagnostics> {
    let findings = findings.finish();
    if findings.has_errors() {
        return Err(findings);
    }
    let resolved = resolve::resolve(items, &config.namespace);
    Ok(Profile {
        name: config.name,
        folder: folder.to_owned(),
        provider: config.provider,
        cluster: config.cluster,
        namespace: config.namespace,
        owner: config.owner,
        on_down: config.on_down,
        lock: config.lock,
        manifests: resolved.manifests,
        classes: resolved.classes,
        external_classes: config.external_classes,
        sets: resolved.sets,
        claims: resolved.claims,
        digest,
        warnings: findings,
    })
}
