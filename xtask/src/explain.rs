//! What is a rule for, and what does it look like when it is broken? Printed from the fixtures that prove it.

use std::fmt::Write as _;

use anyhow::{Result, bail};

use crate::check::root;
use crate::registry;
use crate::report;
use crate::rule::Family;
use crate::selftest::{FIXTURES, cases, execute};
use crate::suggest;

/// The text of `explain RULE`; without a rule, the list of all.
pub(crate) fn text(id: Option<&str>) -> Result<String> {
    let Some(id) = id else { return Ok(list()) };
    let Some(rule) = registry::all()
        .into_iter()
        .find(|rule| rule.info().id.eq_ignore_ascii_case(id))
    else {
        let ids = registry::all().into_iter().map(|rule| rule.info().id);
        let hint = suggest::hint(id, ids);
        bail!("there is no rule `{id}`{hint}; `cargo xtask explain` lists them");
    };
    let info = rule.info();
    let mut text = String::new();
    let _ = writeln!(text, "{}: {}\n", info.id, info.title);
    let _ = writeln!(text, "why       {}", info.why);
    let _ = writeln!(text, "fix       {}", info.fix);
    let _ = writeln!(text, "looks at  {}", info.scope);
    let _ = writeln!(text, "run by    cargo xtask {}", info.family.command());
    if info.family != Family::Meta {
        let _ = writeln!(
            text,
            "exempt    // arch:expect({}): the reason, in 15 characters or more; until=YYYY-MM-DD",
            info.id
        );
    }
    let cases = cases(&root().join(FIXTURES), rule)?;
    let broken = cases.iter().find(|case| case.fails);
    let clean = cases.iter().find(|case| !case.fails);
    if let Some(case) = broken {
        let _ = writeln!(text, "\nBroken ({}):\n", case.name());
        text.push_str(&own_files(case)?);
        let (workspace, outcome) = execute(case);
        for found in outcome.findings.iter().filter(|found| found.rule == info.id) {
            let _ = writeln!(text, "{}\n", report::render_finding(&workspace, found, false));
        }
    }
    if let Some(case) = clean {
        let _ = writeln!(text, "Fine ({}):\n", case.name());
        text.push_str(&own_files(case)?);
    }
    Ok(text)
}

fn list() -> String {
    let mut text = String::new();
    for rule in registry::all() {
        let info = rule.info();
        let _ = writeln!(text, "{:<18}{:<20}{}", info.id, info.family.command(), info.title);
    }
    text
}

/// The files that a case adds to the common tree.
fn own_files(case: &crate::selftest::Case) -> Result<String> {
    let mut text = String::new();
    for entry in walkdir::WalkDir::new(&case.dir).sort_by_file_name() {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type().is_file() || name == "expected.txt" {
            continue;
        }
        let path = entry
            .path()
            .strip_prefix(&case.dir)?
            .to_string_lossy()
            .into_owned();
        let path = path.strip_suffix(".in").unwrap_or(&path);
        let _ = writeln!(text, "  {path}");
        for line in std::fs::read_to_string(entry.path())?.lines() {
            let _ = writeln!(text, "  | {line}");
        }
        text.push('\n');
    }
    Ok(text)
}
