//! The commands that check: load the tree, run rules, tell the verdict.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::config::Config;
use crate::engine::{self, Baseline, Job, Outcome};
use crate::load::{self, Disk, Revision};
use crate::lock;
use crate::model::{Broken, Workspace};
use crate::registry;
use crate::report::{self, Format, Told};
use crate::rule::{Ctx, Family, Rule};
use crate::rules;

/// Flags of every command that checks.
#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    /// Form of the report on stdout.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Write another report beside it, for example `--out sarif=check.sarif`; may be given several times.
    #[arg(long, value_name = "FORMAT=FILE")]
    out: Vec<String>,
    /// Findings that are known; the file may only shrink.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Compare the baseline with itself at the merge base of HEAD and this revision; the default branch if not given.
    #[arg(long, value_name = "REV", requires = "baseline")]
    since: Option<String>,
    /// Write the findings of this run to the baseline file instead of judging them.
    #[arg(long, requires = "baseline")]
    write_baseline: bool,
    /// Say on stderr how long each rule took.
    #[arg(long)]
    timings: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Which workspace to look at.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct Target {
    /// Look at another workspace.
    #[arg(long, value_name = "Cargo.toml")]
    manifest_path: Option<PathBuf>,
    /// A rule file from elsewhere, for a workspace that has none.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// A tree with everything that a command needs to look at it.
pub(crate) struct Loaded {
    pub(crate) workspace: Workspace,
    pub(crate) config: Config,
    pub(crate) words: crate::scan::Words,
}

impl Target {
    fn manifest(&self) -> PathBuf {
        self.manifest_path
            .clone()
            .unwrap_or_else(|| root().join("Cargo.toml"))
    }

    pub(crate) fn load(&self) -> Result<Loaded> {
        let manifest = self.manifest();
        let root = manifest.parent().filter(|dir| !dir.as_os_str().is_empty());
        let root = root.unwrap_or(Path::new("."));
        if !manifest.is_file() {
            bail!(
                "there is no {}; `--manifest-path` names the Cargo.toml of a workspace",
                manifest.display()
            );
        }
        let words = engine::words(&registry::all());
        let mut workspace = load::load(
            &Disk {
                root: root.to_path_buf(),
            },
            &words,
        );
        root.clone_into(&mut workspace.root);
        let given = self.config.as_ref().map(|path| {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok::<_, anyhow::Error>((path.display().to_string(), text))
        });
        let config = read_config(&mut workspace, given.transpose()?);
        Ok(Loaded {
            workspace,
            config,
            words,
        })
    }
}

/// The rule file; one that cannot be read is broken input.
pub(crate) fn read_config(workspace: &mut Workspace, given: Option<(String, String)>) -> Config {
    match Config::read(workspace, given) {
        Ok(config) => config,
        Err(error) => {
            workspace.broken.push(error);
            Config::default()
        }
    }
}

/// The workspace that this program was built in, or the one around the current directory.
pub(crate) fn root() -> PathBuf {
    let mut dir = std::env::current_dir().unwrap_or_default();
    loop {
        let text = fs::read_to_string(dir.join("Cargo.toml")).unwrap_or_default();
        if text.contains("[workspace]") || text.contains("[workspace.") {
            return dir;
        }
        if !dir.pop() {
            return PathBuf::from(".");
        }
    }
}

/// Rules of one command; `None` is all of them. Rules about the checker itself always run.
pub(crate) fn rules_of(family: Option<Family>) -> Vec<&'static dyn Rule> {
    let wanted = |rule: &&'static dyn Rule| {
        let own = rule.info().family;
        family.is_none_or(|family| own == family || own == Family::Meta)
    };
    registry::all().into_iter().filter(wanted).collect()
}

/// Plants violations and says which rules find theirs; it is handed in, as it needs what this module offers.
pub(crate) type Prove = fn(&Loaded, &[&'static dyn Rule]) -> engine::Shown;

/// Runs the rules of one command and prints the report; the exit code is that of the run.
pub(crate) fn run(title: &str, family: Option<Family>, args: &Args, prove: Prove) -> Result<u8> {
    let rules = rules_of(family);
    if rules.iter().all(|rule| rule.info().family == Family::Meta) {
        bail!("`{title}` has no rules yet, so it proves nothing");
    }
    let manifest = args.target.manifest();
    // Not one of the threads that read: it waits for another process.
    let asked = std::thread::spawn(move || second_opinion(&manifest));
    let loaded = args.target.load();
    let differences = asked
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let mut loaded = loaded?;
    loaded.workspace.broken.extend(differences(&loaded.workspace));
    let baseline = args.baseline.as_ref().filter(|_| !args.write_baseline);
    let shown = || prove(&loaded, &rules);
    let mut job = Job {
        workspace: &loaded.workspace,
        config: &loaded.config,
        words: &loaded.words,
        rules: rules.clone(),
        baseline: None,
        today: engine::today(),
        prove: Some(&shown),
    };
    let mut unreadable = None;
    if let Some(path) = baseline {
        match read_baseline(path, &loaded.workspace.root, args.since.as_deref())? {
            Ok(baseline) => job.baseline = Some(baseline),
            Err(error) => unreadable = Some(error),
        }
    }
    let mut outcome = engine::run(&job);
    outcome.broken.extend(unreadable);
    if args.write_baseline
        && let Some(path) = &args.baseline
    {
        let text = engine::render_baseline(&outcome.findings);
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        outcome.findings.clear();
    }
    if args.timings {
        let mut stderr = io::stderr().lock();
        for ran in &outcome.rules {
            writeln!(
                stderr,
                "{:>9.3} ms  {}",
                ran.took.as_secs_f64() * 1000.0,
                ran.info.id
            )?;
        }
    }
    tell(title, &loaded.workspace, &outcome, args)?;
    let code = outcome.exit_code();
    // The process ends now: taking a million small things apart first is time that somebody waits for.
    Box::leak(Box::new((loaded, outcome)));
    Ok(code)
}

/// The baseline, with what it was where the branch began.
fn read_baseline(path: &Path, root: &Path, since: Option<&str>) -> Result<Result<Baseline, Broken>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let baseline = match Baseline::parse(&path.display().to_string(), &text) {
        Ok(baseline) => baseline,
        Err(error) => return Ok(Err(error)),
    };
    let Some(name) = since.or_else(|| Revision::default_branch(root)) else {
        let told = "baseline: no default branch here, so entries that were added pass; give --since REV";
        writeln!(io::stderr(), "{told}")?;
        return Ok(Ok(baseline));
    };
    let base = Revision::merge_base(root.to_path_buf(), name)?;
    let (full, root) = (fs::canonicalize(path)?, fs::canonicalize(root)?);
    let inside = full.strip_prefix(&root).ok().and_then(Path::to_str);
    let inside = inside.with_context(|| {
        format!(
            "{} is not in the workspace, so git does not know it",
            path.display()
        )
    })?;
    let before = base.text(inside)?;
    Ok(baseline.since(base.short(), before.as_deref()))
}

type Differences = Box<dyn FnOnce(&Workspace) -> Vec<Broken> + Send>;

/// What cargo says about the workspace, asked while the files are read.
fn second_opinion(manifest: &Path) -> Differences {
    let theirs = load::cargo_view(manifest);
    Box::new(move |workspace| load::cargo_differences(workspace, theirs))
}

fn tell(title: &str, workspace: &Workspace, outcome: &Outcome, args: &Args) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let mut told = Told {
        title,
        workspace,
        outcome,
        colour: stdout.is_terminal(),
    };
    stdout.write_all(report::render(args.format, &told).as_bytes())?;
    told.colour = false;
    for out in &args.out {
        let (format, file) = out.split_once('=').context("--out needs FORMAT=FILE")?;
        let format = <Format as clap::ValueEnum>::from_str(format, true).map_err(anyhow::Error::msg)?;
        fs::write(file, report::render(format, &told)).with_context(|| format!("cannot write {file}"))?;
    }
    Ok(())
}

/// Writes the graph and the floors as they are now, unless the other rules of the layers forbid it.
pub(crate) fn accept(args: &Args) -> Result<u8> {
    let loaded = args.target.load()?;
    let job = Job {
        workspace: &loaded.workspace,
        config: &loaded.config,
        words: &loaded.words,
        rules: rules_of(None),
        baseline: None,
        today: engine::today(),
        prove: None,
    };
    let mut outcome = engine::run(&job);
    let path = lock::Lock::read(&loaded.workspace, &loaded.config.path).path;
    outcome
        .findings
        .retain(|found| found.primary.path != path && !found.message.contains("were accepted"));
    let guards = registry::all().into_iter().filter(|rule| rule.guards_lock());
    let guards: Vec<_> = guards.map(|rule| rule.info().id).collect();
    outcome.findings.retain(|found| guards.contains(&found.rule));
    if outcome.exit_code() == 0 {
        let mut facts = lock::graph_facts(&loaded.workspace);
        facts.extend(rules::schema::released_facts(&loaded.workspace, &loaded.config));
        facts.extend(rules::determinism::facts(&loaded.workspace, &loaded.config));
        for ran in outcome
            .rules
            .iter()
            .filter(|ran| ran.info.family != Family::Meta && ran.total() > 0)
        {
            facts.insert(format!("floor {} {}", ran.info.id, lock::floor_for(ran.total())));
            let seen = ran
                .examined
                .iter()
                .filter(|(krate, count)| !krate.is_empty() && **count > 0);
            facts.extend(lock::looks_fact(ran.info.id, seen.map(|(krate, _)| krate)));
        }
        let file = loaded.workspace.root.join(&path);
        fs::write(&file, lock::render(&facts)).with_context(|| format!("cannot write {path}"))?;
        write_accepted(&loaded)?;
    }
    tell("check-layers --accept", &loaded.workspace, &outcome, args)?;
    Ok(outcome.exit_code())
}

/// Writes today's OpenAPI document as the released one.
pub(crate) fn accept_document(args: &Args) -> Result<u8> {
    let loaded = args.target.load()?;
    let written = rules::contract::accept(&loaded.workspace, &loaded.config)?;
    writeln!(std::io::stdout(), "check-contract --accept: wrote {written}")?;
    Ok(0)
}

/// Writes the documents that rules keep current.
fn write_accepted(loaded: &Loaded) -> Result<()> {
    let ctx = Ctx {
        workspace: &loaded.workspace,
        config: &loaded.config,
        lock: &lock::Lock::read(&loaded.workspace, &loaded.config.path),
        words: &loaded.words,
    };
    for (path, text) in rules_of(None).iter().filter_map(|rule| rule.accepted(&ctx)) {
        fs::write(loaded.workspace.root.join(&path), text).with_context(|| format!("cannot write {path}"))?;
    }
    Ok(())
}
