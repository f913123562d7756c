//! What is a rule, and what does it say when it is broken?

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::config::{Config, Name};
use crate::lock::Lock;
use crate::model::{Broken, Crate, Span, Workspace};
use crate::openapi::{Document, Refused};
use crate::plant::Plant;
use crate::scan::Words;
use crate::sql::{self, Catalog, Dialect};

/// So many files are looked at by one core before another may take over.
const PART: usize = 128;

/// One rule: what it is called, and how it looks.
pub(crate) trait Rule: Sync {
    fn info(&self) -> &'static Info;

    /// Looks at everything in its scope; reports findings and how much it looked at.
    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>);

    /// Works out what the rule shares with others, on all cores, before any rule that waits for it: see `Shared::get`.
    fn prepare(&self, _: &Ctx<'_>) {}

    /// Whether it runs after everything is prepared: those that ask for what `prepare` makes.
    fn waits(&self) -> bool {
        self.info().family == Family::Intents
    }

    /// A file that the rule keeps current, as it should be: path and text. `check-layers --accept` writes it.
    fn accepted(&self, _: &Ctx<'_>) -> Option<(String, String)> {
        None
    }

    /// Violations in a crate that the rule looks at, when they depend on the rule file: each must be found. Without any,
    /// the violation is `plant/` among the rule's fixtures; prove.rs says how both are used.
    fn plants(&self, _: &Ctx<'_>, _: &Crate) -> Vec<Plant> {
        Vec::new()
    }

    /// Whether nothing is accepted into architecture.lock while the rule is broken.
    fn guards_lock(&self) -> bool {
        self.info().family == Family::Layers
    }

    /// Refuses options in `[rules.ID]` that the rule does not have.
    fn options(&self, config: &Config) -> Result<(), Broken> {
        config.options::<NoOptions>(self.info().id).map(|_| ())
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

/// What `explain` prints.
#[derive(Debug)]
pub(crate) struct Info {
    /// `ARCH-EDGE-001`; the name of its folder in `xtask/fixtures/`.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) family: Family,
    /// Why it exists: the incident or the promise behind it.
    pub(crate) why: &'static str,
    /// What to do in general; each finding says what to do here.
    pub(crate) fix: &'static str,
    /// What it looks at, in words.
    pub(crate) scope: &'static str,
    /// Identifiers by which it finds its places: `file.hits(words, needle)`.
    pub(crate) needles: &'static [&'static str],
}

/// The command that runs a rule; `check` runs all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    Layers,
    Patterns,
    Intents,
    Errors,
    Contract,
    Determinism,
    Schema,
    Tidy,
    /// Rules about the checker itself: exemptions, baseline, rules that look at nothing. They always run.
    Meta,
}

impl Family {
    pub(crate) fn command(self) -> &'static str {
        match self {
            Self::Layers => "check-layers",
            Self::Patterns => "check-patterns",
            Self::Intents => "check-intents",
            Self::Errors => "check-errors",
            Self::Contract => "check-contract",
            Self::Determinism => "check-determinism",
            Self::Schema => "check-schema",
            Self::Tidy => "tidy",
            Self::Meta => "check",
        }
    }
}

/// What a rule may look at.
pub(crate) struct Ctx<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) config: &'a Config,
    pub(crate) lock: &'a Lock,
    pub(crate) words: &'a Words,
}

/// Why a rule is off in a tree without architecture.toml.
pub(crate) const NO_RULE_FILE: &str = "there is no rule file";

/// What is found by its type in `Workspace::shared`.
struct Schema(Vec<(Dialect, Catalog)>);
struct Contract(Result<Document, Refused>);

impl Ctx<'_> {
    /// What the migrations of each database that `[schema]` names leave.
    pub(crate) fn schema(&self) -> &[(Dialect, Catalog)] {
        let schema = self.workspace.shared.get(|| {
            let dirs = self.migration_dirs().into_iter();
            let read = |dir: &Name, dialect| sql::catalog(self.workspace, dir.as_ref(), dialect, false);
            Schema(dirs.map(|(dialect, dir)| (dialect, read(dir, dialect))).collect())
        });
        &schema.0
    }

    /// The OpenAPI document that `[contract]` names.
    pub(crate) fn document(&self) -> Option<&Result<Document, Refused>> {
        let path = self.config.contract.document.as_ref()?;
        let read = || Contract(Document::read(self.workspace, path.as_ref()));
        Some(&self.workspace.shared.get(read).0)
    }

    /// The directories of migrations that `[schema]` names.
    pub(crate) fn migration_dirs(&self) -> Vec<(Dialect, &Name)> {
        let schema = &self.config.schema;
        let dirs = [&schema.sqlite, &schema.postgres];
        Dialect::ALL
            .into_iter()
            .zip(dirs)
            .filter_map(|(dialect, dir)| Some((dialect, dir.as_ref()?)))
            .collect()
    }

    /// The options of a rule; they were checked before any rule ran.
    pub(crate) fn options<T: serde::de::DeserializeOwned + Default>(&self, info: &Info) -> T {
        self.config.options(info.id).unwrap_or_default()
    }

    /// The crate whose directory is the innermost around a path.
    pub(crate) fn owner(&self, path: &str) -> Option<&Crate> {
        let inside = |krate: &&Crate| {
            krate.dir.is_empty()
                || path
                    .strip_prefix(&krate.dir)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        self.workspace
            .crates
            .iter()
            .filter(inside)
            .max_by_key(|krate| krate.dir.len())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Error,
}

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) primary: Span,
    pub(crate) rule: &'static str,
    pub(crate) message: String,
    /// What stands under the primary place.
    pub(crate) label: String,
    pub(crate) secondary: Vec<(Span, String)>,
    /// What to do here, and what is allowed instead.
    pub(crate) remedy: String,
    pub(crate) severity: Severity,
    /// Filled in by the engine.
    pub(crate) krate: String,
    pub(crate) layer: String,
    pub(crate) item: String,
    pub(crate) fingerprint: String,
}

impl Finding {
    pub(crate) fn new(primary: Span, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            primary,
            rule: "",
            message: message.into(),
            label: String::new(),
            secondary: Vec::new(),
            remedy: remedy.into(),
            severity: Severity::Error,
            krate: String::new(),
            layer: String::new(),
            item: String::new(),
            fingerprint: String::new(),
        }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(crate) fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.secondary.push((span, label.into()));
        self
    }
}

/// Where a rule writes to.
pub(crate) struct Sink<'a> {
    pub(crate) info: &'a Info,
    pub(crate) findings: Vec<Finding>,
    examined: BTreeMap<String, usize>,
    /// The crate that was counted last, not yet added.
    latest: Option<(String, usize)>,
    /// Why the rule has nothing to do in this tree.
    pub(crate) off: Option<&'static str>,
    /// What the rule knows, for programs that read the JSON report.
    pub(crate) data: serde_json::Value,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(info: &'a Info) -> Self {
        Self {
            info,
            findings: Vec::new(),
            examined: BTreeMap::new(),
            latest: None,
            off: None,
            data: serde_json::Value::Null,
        }
    }

    /// Says that `count` things of a crate were looked at (not: found). A rule that looks at nothing proves nothing.
    pub(crate) fn examined(&mut self, krate: &str, count: usize) {
        // One crate follows another: most of the many calls end here.
        match &mut self.latest {
            Some((latest, known)) if latest == krate => *known += count,
            latest => {
                let before = latest.replace((krate.to_owned(), count));
                self.add(before);
            }
        }
    }

    fn add(&mut self, counted: impl IntoIterator<Item = (String, usize)>) {
        for (krate, count) in counted {
            *self.examined.entry(krate).or_default() += count;
        }
    }

    /// How many things were looked at, by crate; the empty name is the workspace.
    pub(crate) fn counted(&mut self) -> BTreeMap<String, usize> {
        let latest = self.latest.take();
        self.add(latest);
        std::mem::take(&mut self.examined)
    }

    /// Looks at many things on all cores. Findings keep the order of the things.
    pub(crate) fn each<T: Sync>(&mut self, all: &[T], look: impl Fn(&T, &mut Sink<'_>) + Sync) {
        let info = self.info;
        let parts = all.par_chunks(PART).map(|part| {
            let mut out = Sink::new(info);
            for one in part {
                look(one, &mut out);
            }
            (out.counted(), out.findings)
        });
        for (counted, findings) in parts.collect::<Vec<_>>() {
            self.add(counted);
            self.findings.extend(findings);
        }
    }

    pub(crate) fn report(&mut self, finding: Finding) {
        self.findings.push(Finding {
            rule: self.info.id,
            ..finding
        });
    }

    /// What the rule knows besides its findings; it is `data` of the rule in the JSON report.
    pub(crate) fn data(&mut self, data: serde_json::Value) {
        self.data = data;
    }

    /// Says that the tree's rule file asks nothing of this rule.
    pub(crate) fn off(&mut self, why: &'static str) {
        self.off = Some(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_at_on_all_cores_is_counted_and_told_in_order() {
        let info = crate::registry::all().first().unwrap().info();
        let all: Vec<usize> = (0..=10 * PART).collect();
        let mut out = Sink::new(info);
        out.examined("even", 1);
        out.each(&all, |number, out| {
            out.examined(if number % 2 == 0 { "even" } else { "odd" }, 1);
            out.report(Finding::new(Span::file("a"), number.to_string(), ""));
        });
        out.examined("odd", 2);
        let told: Vec<_> = out.findings.iter().map(|found| found.message.clone()).collect();
        assert_eq!(told, all.iter().map(ToString::to_string).collect::<Vec<_>>());
        let counted: Vec<_> = out.counted().into_iter().collect();
        let half = 5 * PART;
        assert_eq!(
            counted,
            [("even".to_owned(), half + 2), ("odd".to_owned(), half + 2)]
        );
    }
}

/// Running one rule on a few files, for the tests of rules.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::engine::words;
    use crate::load::{Overlay, load};
    use crate::model::line_column;

    const ROOT: &str = "[workspace]\nmembers = [\"crates/*\"]\n";

    /// The crate `a` and these files; a file that is given replaces one of these.
    pub(crate) fn workspace(files: &[(&str, &str)]) -> Workspace {
        let mut all = vec![
            ("Cargo.toml", ROOT),
            ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n"),
        ];
        all.retain(|(path, _)| !files.iter().any(|(other, _)| other == path));
        all.extend(files);
        load(&Overlay::of(&all), &words(&crate::registry::all()))
    }

    fn findings(rule: &dyn Rule, workspace: &Workspace) -> Vec<Finding> {
        let config = Config::read(workspace, None).unwrap_or_default();
        let lock = Lock::read(workspace, &config.path);
        let words = words(&crate::registry::all());
        let ctx = Ctx {
            workspace,
            config: &config,
            lock: &lock,
            words: &words,
        };
        let mut sink = Sink::new(rule.info());
        rule.check(&ctx, &mut sink);
        sink.findings
    }

    /// `path:line` of each finding, sorted; the path alone for a file as a whole.
    pub(crate) fn brief(rule: &dyn Rule, files: &[(&str, &str)]) -> Vec<String> {
        let workspace = workspace(files);
        let mut places: Vec<_> = findings(rule, &workspace)
            .into_iter()
            .map(|found| {
                let (path, span) = (&found.primary.path, &found.primary);
                let line = line_column(workspace.text(path), span.start).0;
                if span.is_file() {
                    path.clone()
                } else {
                    format!("{path}:{line}")
                }
            })
            .collect();
        places.sort();
        places
    }

    /// Messages and remedies of the findings, one a line.
    pub(crate) fn text(rule: &dyn Rule, files: &[(&str, &str)]) -> String {
        let found = findings(rule, &workspace(files));
        let lines = found
            .iter()
            .map(|found| format!("{}; fix: {}\n", found.message, found.remedy));
        lines.collect()
    }
}
