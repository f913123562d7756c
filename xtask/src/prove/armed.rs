//! Is each rule armed in each crate that it looks at? Every rule's violation is planted in every crate, all at once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rayon::prelude::*;

use crate::check::root;
use crate::load;
use crate::model::{Crate, Workspace, join};
use crate::plant::Plant;
use crate::registry;
use crate::rule::{Family, Finding, Rule, Sink};
use crate::selftest::{self, FIXTURES};

use super::{Ground, Soil, mutations};

/// Rules and crates: what is proved, and what is not.
#[derive(Default)]
pub(super) struct Armed {
    /// Pairs whose violation was planted and found.
    pub(crate) planted: BTreeSet<(&'static str, String)>,
    /// Pairs that an entry of the table of mutations proves.
    pub(crate) mutated: BTreeSet<(&'static str, String)>,
    /// Rules that look at the tree as a whole, not at crates.
    pub(crate) whole: BTreeSet<&'static str>,
    /// Pairs that a rule says it looks at, and no violation shows it.
    pub(crate) holes: Vec<String>,
}

/// A violation that was planted: files, of which one must have a finding.
pub(super) struct Violation {
    pub(super) rule: &'static dyn Rule,
    pub(super) krate: String,
    places: Vec<(String, Range<usize>)>,
}

/// What is planted in one tree.
#[derive(Default)]
pub(super) struct Round {
    edits: BTreeMap<String, String>,
    apart: bool,
    violations: Vec<Violation>,
}

/// Plants, runs the rules, and looks for each rule in each place.
pub(super) fn armed(ground: &Ground) -> Armed {
    let mut armed = Armed::default();
    let claims = claims(ground, &mut armed);
    let soil = ground.soil();
    let rounds = sow(soil, &claims, &mut armed.holes);
    let mut silent = BTreeSet::new();
    for (violation, fires) in rounds.into_iter().flat_map(|round| reap(soil, round)) {
        let pair = (violation.rule.info().id, violation.krate);
        if fires {
            armed.planted.insert(pair);
        } else {
            let (rule, krate) = &pair;
            let paths: Vec<_> = violation.places.iter().map(|(path, _)| path.as_str()).collect();
            let hole = format!(
                "{rule} does not find its violation in `{krate}` ({})",
                paths.join(", ")
            );
            armed.holes.push(hole);
            silent.insert(pair);
        }
    }
    armed.planted.retain(|pair| !silent.contains(pair));
    armed.mutated = mutations::proved(ground);
    for (rule, krate) in claims {
        let pair = (rule, krate);
        let proved = armed.planted.contains(&pair) || armed.mutated.contains(&pair) || silent.contains(&pair);
        if !proved {
            armed.holes.push(format!(
                "{rule} looks at `{}` and nothing proves it: add {FIXTURES}/{rule}/plant/, or `plants` to the rule",
                pair.1
            ));
        }
    }
    let shown: BTreeSet<_> = armed.mutated.iter().map(|(rule, _)| *rule).collect();
    for rule in &armed.whole {
        if !shown.contains(rule) && !armed.planted.iter().any(|(other, _)| other == rule) {
            armed.holes.push(format!(
                "{rule} looks at the tree as a whole and no mutation proves it: add one to {}",
                mutations::TABLE
            ));
        }
    }
    armed
}

/// What rules say they look at: pairs of a rule and a crate.
fn claims(ground: &Ground, armed: &mut Armed) -> BTreeSet<(&'static str, String)> {
    let mut claims = BTreeSet::new();
    for ran in &ground.clean.rules {
        if ran.info.family == Family::Meta || ran.off.is_some() {
            continue;
        }
        let mut whole = true;
        for (krate, _) in ran
            .examined
            .iter()
            .filter(|(krate, count)| !krate.is_empty() && **count > 0)
        {
            whole = false;
            claims.insert((ran.info.id, krate.clone()));
        }
        if whole {
            armed.whole.insert(ran.info.id);
        }
    }
    claims
}

/// All violations in as few trees as will do: files of their own do not disturb each other.
pub(super) fn sow(
    soil: Soil<'_>,
    claims: &BTreeSet<(&'static str, String)>,
    holes: &mut Vec<String>,
) -> Vec<Round> {
    let workspace = soil.workspace;
    let mut rounds: BTreeMap<&str, Round> = BTreeMap::new();
    soil.with_context(workspace, |ctx| {
        for rule in registry::all() {
            let id = rule.info().id;
            let texts = texts(rule);
            for krate in &workspace.crates {
                let mut violations: Vec<_> = rule
                    .plants(ctx, krate)
                    .into_iter()
                    .map(|plant| vec![plant])
                    .collect();
                if violations.is_empty() && !texts.is_empty() && claims.contains(&(id, krate.name.clone())) {
                    violations.push(
                        texts
                            .iter()
                            .map(|(path, text)| in_crate(krate, path, text))
                            .collect(),
                    );
                }
                for plants in violations {
                    let apart = plants.iter().any(Plant::is_apart);
                    let round = rounds.entry(if apart { id } else { "" }).or_default();
                    round.apart = apart;
                    let places = plants.iter().filter_map(|plant| {
                        let place = round.plant(workspace, plant);
                        if place.is_none() {
                            holes.push(format!("{id}: its plant does not fit {}", plant.path));
                        }
                        place
                    });
                    let places = places.collect();
                    round.violations.push(Violation {
                        rule,
                        krate: krate.name.clone(),
                        places,
                    });
                }
            }
        }
    });
    rounds.into_values().collect()
}

impl Round {
    /// Whether it changes what other violations stand on.
    pub(super) fn is_apart(&self) -> bool {
        self.apart
    }

    fn plant(&mut self, ground: &Workspace, plant: &Plant) -> Option<(String, Range<usize>)> {
        let edited = self.edits.get(&plant.path).map(String::as_str);
        let before = edited
            .or_else(|| ground.files.text(&plant.path))
            .unwrap_or_default();
        let (text, bytes) = plant.apply(before)?;
        // What is put below later is another violation.
        let bytes = bytes.start..bytes.end.min(text.len());
        self.edits.insert(plant.path.clone(), text);
        Some((plant.path.clone(), bytes))
    }
}

/// Runs the rules that have a violation in the tree; says of each violation whether it is found.
pub(super) fn reap(soil: Soil<'_>, round: Round) -> Vec<(Violation, bool)> {
    let edits = round.edits.into_iter().map(|(path, text)| (path, Some(text)));
    let tree = load::with_files(soil.workspace, edits, soil.words);
    let rules: BTreeMap<_, _> = round
        .violations
        .iter()
        .map(|violation| (violation.rule.info().id, violation.rule))
        .collect();
    let found: Vec<Finding> = soil.with_context(&tree, |ctx| {
        let rules: Vec<_> = rules.into_values().collect();
        let check = |rule: &&'static dyn Rule| {
            let mut sink = Sink::new(rule.info());
            rule.check(ctx, &mut sink);
            sink.findings
        };
        rules.par_iter().flat_map(check).collect()
    });
    let fires = |violation: &Violation| {
        violation.places.iter().any(|(path, bytes)| {
            found.iter().any(|found| {
                let place = &found.primary;
                found.rule == violation.rule.info().id
                    && place.path == *path
                    && (place.is_file() || bytes.contains(&place.start))
            })
        })
    };
    round
        .violations
        .into_iter()
        .map(|violation| {
            let fires = fires(&violation);
            (violation, fires)
        })
        .collect()
}

/// The violation that stands among the fixtures of a rule, for rules whose violation is the same in every crate: files
/// by their path in the crate; `.append` says that the text is put below what the crate has there.
fn texts(rule: &dyn Rule) -> Vec<(String, String)> {
    let dir = root().join(FIXTURES).join(rule.info().id).join("plant");
    let files = selftest::files(&dir).unwrap_or_default();
    files
        .into_iter()
        .filter_map(|(path, text)| Some((path, text?)))
        .collect()
}

fn in_crate(krate: &Crate, path: &str, text: &str) -> Plant {
    match path.strip_suffix(".append") {
        Some(path) => Plant::append(join(&krate.dir, path), text),
        None => Plant::file(
            join(&krate.dir, path),
            text.replace("PLANTED_CRATE", &krate.lib_name),
        ),
    }
}
