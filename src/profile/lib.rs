//! Profiles: a folder with a thin `profile.yaml` beside ordinary Kubernetes manifests.
//!
//! The flow is **parse → resolve**: `files` reads the folder and nothing outside of it, `yaml` turns text into values that
//! know their places, `config` reads `profile.yaml`, `manifests` collects the objects, `shape` and `checks` find what is
//! wrong, and `resolve` makes the [`Profile`] that the engine plans from. Nothing here calls a cluster or a cloud, and nothing
//! depends on the process: what decides beside the folder is in [`Surroundings`].
//!
//! A bad profile is refused with all its problems at once, each with file, line, column, cause and cure: [`Diagnostics`].

mod checks;
mod config;
mod diagnostic;
mod files;
mod manifests;
mod model;
mod resolve;
mod shape;
mod source;
mod words;
mod yaml;

use std::path::Path;
use std::rc::Rc;

use moorline_api::StorageRules;

pub use diagnostic::{Diagnostic, Diagnostics, Location, Severity, Snippet};
pub use model::{
    ClaimTemplate, ClassRef, ClusterPins, Manifest, OnDown, Origin, Profile, ProviderBlock, Retention, SetClaims,
    StandaloneClaim,
};

use config::ProfileFile;
use diagnostic::Findings;
use files::{Folder, PROFILE_FILE};
use manifests::{Collector, Item};
use shape::Shapes;
use source::{Source, Span};
use yaml::Node;

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
    let shapes = Shapes::new();
    let documents = yaml::read(&source, &mut findings);
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
                let documents = yaml::read(&source, collector.findings);
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
        manifests: resolved.manifests,
        classes: resolved.classes,
        external_classes: config.external_classes,
        sets: resolved.sets,
        claims: resolved.claims,
        digest,
        warnings: findings,
    })
}
