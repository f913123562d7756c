//! Is each rule armed in this very run? Violations in a tree of next to nothing: it costs milliseconds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Soil;
use super::armed::{reap, sow};
use crate::check::Loaded;
use crate::engine::Shown;
use crate::load;
use crate::lock::Lock;
use crate::model::{Files, Sources, Workspace};
use crate::rule::Rule;
use crate::selftest::FIXTURES;

/// Plants the violation of each rule in each crate that the lock says it is armed in, beside manifests, the rule file,
/// what it names, and the root of each crate: the rest of the tree is not looked at. Violations that change a file, each
/// of which needs a tree of its own, are left to the self-test.
pub(crate) fn live(loaded: &Loaded, rules: &[&'static dyn Rule]) -> Shown {
    show(Soil::of(loaded), rules)
}

fn show(soil: Soil<'_>, rules: &[&'static dyn Rule]) -> Shown {
    let lock = Lock::read(soil.workspace, &soil.config.path);
    let mut claims = BTreeSet::new();
    // Another workspace has no violations of its own, and ours name crates that it does not have.
    let has_own = soil
        .workspace
        .files
        .0
        .keys()
        .any(|path| path.starts_with(FIXTURES));
    for rule in rules.iter().filter(|_| has_own) {
        let id = rule.info().id;
        claims.extend(lock.looks(id).map(|krate| (id, krate.to_owned())));
    }
    let mut shown = Shown {
        claims: claims.len(),
        ..Shown::default()
    };
    if claims.is_empty() {
        return shown;
    }
    let small = small(soil);
    let soil = Soil {
        workspace: &small,
        ..soil
    };
    let rounds = sow(soil, &claims, &mut Vec::new());
    let together = rounds.into_iter().filter(|round| !round.is_apart());
    for (violation, fires) in together.flat_map(|round| reap(soil, round)) {
        let pair = (violation.rule.info().id, violation.krate);
        if !claims.contains(&pair) {
            continue;
        }
        if fires {
            shown.found.insert(pair);
        } else {
            shown.silent.insert(pair);
        }
    }
    shown.found.retain(|pair| !shown.silent.contains(pair));
    shown
}

/// The tree without what is in its crates.
fn small(soil: Soil<'_>) -> Workspace {
    let base = soil.workspace;
    let crates = base.crates.iter().flat_map(|krate| {
        let root = |file: &str| format!("{}/src/{file}.rs", krate.dir);
        [krate.manifest(), root("lib"), root("main")]
    });
    let named = base.text(&soil.config.path).split('"').map(str::to_owned);
    let kept = crates
        .chain(named)
        .chain(["Cargo.toml".to_owned(), soil.config.path.clone()]);
    let kept = kept.filter_map(|path| Some((path.clone(), base.files.0.get(&path)?.clone())));
    let files: BTreeMap<String, Option<Arc<str>>> = kept.collect();
    let empty = Workspace {
        root: base.root.clone(),
        files: Files(files),
        sources: Sources(base.sources.0.clone()),
        ..Workspace::default()
    };
    load::with_files(&empty, [], soil.words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Target;
    use crate::config::Config;
    use crate::registry;

    #[test]
    fn a_rule_that_is_blind_in_a_crate_is_shown_and_all_others_are_armed() {
        let mut loaded = Target::default().load().unwrap();
        let rules = registry::all();
        let shown = live(&loaded, &rules);
        assert!(shown.silent.is_empty(), "{:?}", shown.silent);
        assert!(
            shown.found.len() * 5 > shown.claims * 3,
            "{} of {}",
            shown.found.len(),
            shown.claims
        );
        let text = loaded.workspace.text(&loaded.config.path);
        let blind = text.replacen("[\"store\", \"testkit\"]", "[\"store\", \"testkit\", \"api\"]", 1);
        let given = (loaded.config.path.clone(), blind);
        loaded.config = Config::read(&loaded.workspace, Some(given)).unwrap_or_default();
        let silent = live(&loaded, &rules).silent;
        assert!(silent.contains(&("ARCH-SQL-006", "api".to_owned())), "{silent:?}");
    }
}
