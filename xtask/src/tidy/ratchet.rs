//! Which lengths over the limit are known, and did they only shrink?

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Result;
use serde::Deserialize;

use super::lengths::{Length, Lengths};
use crate::report::Report;
use crate::workspace::Workspace;

pub(super) const PATH: &str = "xtask/ratchet.toml";
const RULE: &str = "ratchet";
const UPDATE: &str = "run `cargo xtask tidy --update-ratchet`";
const HEADER: &str = "\
# Lengths over the limit, in lines. Entries may only shrink: `cargo xtask tidy --update-ratchet`
# lowers and removes them, and nothing raises them.
";

type Entries = BTreeMap<String, usize>;

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Ratchet {
    pub(super) files: Entries,
    pub(super) functions: Entries,
}

impl Ratchet {
    pub(super) fn read(workspace: &Workspace) -> Result<Self> {
        let text = workspace.files.text(PATH).unwrap_or_default();
        Ok(toml::from_str(text)?)
    }

    /// The same entries, lowered to what is; what is gone or within its limit is dropped.
    pub(super) fn lowered(&self, lengths: &Lengths) -> Self {
        Self {
            files: lower(&self.files, &lengths.files, super::lengths::FILE_LIMIT),
            functions: lower(
                &self.functions,
                &lengths.functions,
                super::lengths::FUNCTION_LIMIT,
            ),
        }
    }

    pub(super) fn render(&self) -> String {
        let mut text = HEADER.to_owned();
        for (table, entries) in [("files", &self.files), ("functions", &self.functions)] {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "\n[{table}]");
            for (name, lines) in entries {
                let _ = writeln!(text, "{name:?} = {lines}");
            }
        }
        text
    }
}

fn lower(entries: &Entries, lengths: &BTreeMap<String, Length>, limit: usize) -> Entries {
    let lowered = entries.iter().filter_map(|(name, accepted)| {
        let now = lengths.get(name)?.lines;
        (now > limit).then(|| (name.clone(), now.min(*accepted)))
    });
    lowered.collect()
}

/// An entry must be needed and exact: room to grow is a finding as much as growth is.
pub(super) fn check(entries: &Entries, lengths: &BTreeMap<String, Length>, limit: usize) -> Report {
    let mut report = Report::default();
    for (name, accepted) in entries {
        let accepted = *accepted;
        match lengths.get(name).map(|length| length.lines) {
            None => report.push(RULE, PATH, format!("`{name}` does not exist"), UPDATE),
            Some(now) if now <= limit => report.push(
                RULE,
                PATH,
                format!("`{name}` has {now} lines and needs no entry"),
                UPDATE,
            ),
            Some(now) if now < accepted => report.push(
                RULE,
                PATH,
                format!("`{name}` has {now} lines and could grow to {accepted}"),
                UPDATE,
            ),
            Some(now) if now > accepted => report.push(
                RULE,
                PATH,
                format!("`{name}` grew from {accepted} to {now} lines"),
                "shorten it; an entry may only shrink",
            ),
            Some(_) => {}
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::source::Source;

    fn lengths(lines: usize) -> Lengths {
        let text = "//! Line.\n".repeat(lines);
        let workspace = Workspace::of(&[("a.rs", &text)]);
        let sources = Source::parse_all(&workspace.files, &mut Report::default());
        crate::tidy::lengths::measure(&sources)
    }

    fn ratchet(lines: usize) -> Ratchet {
        toml::from_str(&format!("[files]\n\"a.rs\" = {lines}")).unwrap()
    }

    fn told(accepted: usize, now: usize) -> String {
        check(&ratchet(accepted).files, &lengths(now).files, 400).text()
    }

    #[test]
    fn an_exact_entry_is_fine() {
        assert!(told(450, 450).contains("no findings"));
    }

    #[test]
    fn growth_room_to_grow_and_unused_entries_are_findings() {
        assert!(told(450, 451).contains("grew from 450 to 451 lines"));
        assert!(told(450, 440).contains("has 440 lines and could grow to 450"));
        assert!(told(450, 400).contains("needs no entry"));
        let gone = check(&ratchet(450).files, &BTreeMap::new(), 400).text();
        assert!(gone.contains("does not exist"));
    }

    #[test]
    fn an_update_lowers_and_drops_and_never_raises() {
        assert_eq!(ratchet(450).lowered(&lengths(440)), ratchet(440));
        assert_eq!(ratchet(450).lowered(&lengths(460)), ratchet(450));
        assert_eq!(ratchet(450).lowered(&lengths(399)), Ratchet::default());
    }

    #[test]
    fn what_is_written_can_be_read() {
        let text = ratchet(450).render();
        assert_eq!(toml::from_str::<Ratchet>(&text).unwrap(), ratchet(450));
    }

    #[test]
    fn an_unknown_table_is_refused() {
        assert!(toml::from_str::<Ratchet>("[file]\n\"a.rs\" = 1").is_err());
    }
}
