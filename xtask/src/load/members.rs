//! Which crates does the workspace have, and what does each depend on? As cargo reads it, without cargo.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::{Declared, Manifest};
use crate::model::{Broken, Crate, Edge, Workspace, is_fixture, join};

const ROOT: &str = "Cargo.toml";

/// Fills in the crates of the workspace.
pub(super) fn read(workspace: &mut Workspace) {
    let mut broken = Vec::new();
    let crates = {
        let Some(text) = workspace.files.text(ROOT) else {
            workspace
                .broken
                .push(Broken::file(ROOT, "no manifest in the root of the tree"));
            return;
        };
        match Manifest::parse(ROOT, text) {
            Ok(root) => members(workspace, &root, &mut broken),
            Err(error) => {
                broken.push(error);
                Vec::new()
            }
        }
    };
    workspace.crates = crates;
    workspace.broken.extend(broken);
}

struct Package<'a> {
    dir: String,
    manifest: Manifest<'a>,
    dependencies: Vec<Declared>,
}

fn members(workspace: &Workspace, root: &Manifest<'_>, broken: &mut Vec<Broken>) -> Vec<Crate> {
    let mut waiting: BTreeSet<String> = BTreeSet::new();
    for pattern in root.strings(&["workspace", "members"]) {
        let found = directories(workspace, &pattern);
        if found.is_empty() {
            let what = format!("the member `{pattern}` matches no directory with a Cargo.toml");
            broken.push(Broken::file(ROOT, what));
        }
        waiting.extend(found);
    }
    if root.has(&["package"]) {
        waiting.insert(String::new());
    }
    let excluded = root.strings(&["workspace", "exclude"]);
    let shared = root.workspace_dependencies();
    let mut packages: BTreeMap<String, Package<'_>> = BTreeMap::new();
    while let Some(dir) = waiting.pop_first() {
        let out = excluded
            .iter()
            .any(|out| dir == *out || dir.starts_with(&format!("{out}/")));
        if out || packages.contains_key(&dir) {
            continue;
        }
        let Some((path, text)) = workspace.files.0.get_key_value(&join(&dir, ROOT)) else {
            continue;
        };
        match Manifest::parse(path, text.as_deref().unwrap_or_default()) {
            Ok(manifest) => {
                let dependencies = manifest.dependencies();
                // A path dependency inside of the workspace is a member without being listed.
                waiting.extend(dependencies.iter().filter_map(|d| directory(&dir, d, &shared)));
                packages.insert(
                    dir.clone(),
                    Package {
                        dir,
                        manifest,
                        dependencies,
                    },
                );
            }
            Err(error) => broken.push(error),
        }
    }
    let names: BTreeMap<String, (String, String)> = packages
        .values()
        .map(|package| (package.dir.clone(), (name(package), lib_name(package))))
        .collect();
    let mut crates: Vec<_> = packages
        .values()
        .map(|package| resolve(package, &names, &shared, broken))
        .collect();
    crates.sort_by(|a, b| a.name.cmp(&b.name));
    crates
}

fn name(package: &Package<'_>) -> String {
    package
        .manifest
        .string(&["package", "name"])
        .unwrap_or(&package.dir)
        .to_owned()
}

fn lib_name(package: &Package<'_>) -> String {
    let given = package.manifest.string(&["lib", "name"]);
    given.map_or_else(|| name(package).replace('-', "_"), str::to_owned)
}

/// Directories with a manifest that a member pattern matches; `*` stands for part of one name.
fn directories(workspace: &Workspace, pattern: &str) -> Vec<String> {
    let pattern = normal("", pattern).unwrap_or_default();
    if !pattern.contains(['*', '?']) {
        let found = workspace.files.exists(&join(&pattern, ROOT));
        return if found { vec![pattern] } else { Vec::new() };
    }
    let parts: Vec<&str> = pattern.split('/').collect();
    let manifests = workspace
        .files
        .paths()
        .filter_map(|path| path.strip_suffix("/Cargo.toml"));
    let matching = manifests.filter(|dir| {
        let own: Vec<&str> = dir.split('/').collect();
        own.len() == parts.len()
            && own
                .iter()
                .zip(&parts)
                .all(|(name, part)| matches(part.as_bytes(), name.as_bytes()))
    });
    matching
        .filter(|dir| !is_fixture(dir))
        .map(str::to_owned)
        .collect()
}

fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|at| matches(rest, name.get(at..).unwrap_or_default())),
        Some((b'?', rest)) => name.split_first().is_some_and(|(_, name)| matches(rest, name)),
        Some((sign, rest)) => name
            .split_first()
            .is_some_and(|(first, name)| first == sign && matches(rest, name)),
    }
}

/// The directory inside of the tree that a dependency leads to.
fn directory(dir: &str, declared: &Declared, shared: &[Declared]) -> Option<String> {
    if declared.workspace {
        let base = shared.iter().find(|base| base.key == declared.key)?;
        return normal("", base.path.as_deref()?);
    }
    normal(dir, declared.path.as_deref()?)
}

/// `dir/path` without `.` and `..`; `None` when it leads out of the tree.
pub(crate) fn normal(dir: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn resolve(
    package: &Package<'_>,
    names: &BTreeMap<String, (String, String)>,
    shared: &[Declared],
    broken: &mut Vec<Broken>,
) -> Crate {
    let mut edges = Vec::new();
    for declared in &package.dependencies {
        let base = shared
            .iter()
            .find(|base| declared.workspace && base.key == declared.key);
        if declared.workspace && base.is_none() {
            let what = format!("`{}` is not in [workspace.dependencies]", declared.key);
            broken.push(Broken::file(&declared.span.path, what));
        }
        let dir = directory(&package.dir, declared, shared);
        let member = dir.and_then(|dir| names.get(&dir));
        let given = base
            .and_then(|base| base.package.as_ref())
            .or(declared.package.as_ref());
        let to = member.map_or_else(
            || given.unwrap_or(&declared.key).clone(),
            |(name, _)| name.clone(),
        );
        let lib = member.map_or_else(|| to.replace('-', "_"), |(_, lib)| lib.clone());
        let features = base.into_iter().flat_map(|base| base.features.clone());
        // What source code must write: a key that differs from the package, or a library with its own name.
        let differs = given.is_some() && declared.key != to;
        let library = (lib != to.replace('-', "_")).then_some(lib);
        edges.push(Edge {
            to,
            member: member.is_some(),
            kind: declared.kind,
            optional: declared.optional,
            target: declared.target.clone(),
            features: features.chain(declared.features.clone()).collect(),
            renamed: if differs {
                Some(declared.key.clone())
            } else {
                library
            },
            inherited: declared.workspace,
            span: declared.span.clone(),
        });
    }
    Crate {
        name: name(package),
        layer: package.manifest.layer(),
        lib_name: lib_name(package),
        dir: package.dir.clone(),
        edges,
    }
}
