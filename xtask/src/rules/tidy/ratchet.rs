//! Which lengths over the limit are known, and did they only shrink?

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

use super::measure::{FILE_LIMIT, FUNCTION_LIMIT, Length, Lengths, measure};
use crate::model::{Broken, Span, Workspace};
use crate::rule::{Ctx, Family, Finding, Info, Rule, Sink};

pub(crate) const PATH: &str = "xtask/ratchet.toml";
const UPDATE: &str = "run `cargo xtask tidy --update-ratchet`";
const HEADER: &str = "\
# Lengths over the limit, in lines. Entries may only shrink: `cargo xtask tidy --update-ratchet`
# lowers and removes them, and nothing raises them.
";

/// `TIDY-LENGTH-003`.
pub(super) struct Shrinks;

const INFO: Info = Info {
    id: "TIDY-LENGTH-003",
    title: "the list of long files and functions only shrinks",
    family: Family::Tidy,
    why: "An entry that is larger than its file, or that nobody needs, is room to grow.",
    fix: "Run `cargo xtask tidy --update-ratchet`, or shorten what grew.",
    scope: "the entries of xtask/ratchet.toml",
    needles: &[],
};

type Entries = BTreeMap<String, usize>;

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ratchet {
    pub(super) files: Entries,
    pub(super) functions: Entries,
}

impl Ratchet {
    pub(crate) fn read(workspace: &Workspace) -> Result<Self, Broken> {
        let text = workspace.text(PATH);
        toml::from_str(text).map_err(|error| Broken::toml(PATH, text, &error))
    }

    /// The same entries, lowered to what is; what is gone or within its limit is dropped.
    pub(crate) fn lowered(&self, lengths: &Lengths) -> Self {
        Self {
            files: lower(&self.files, &lengths.files, FILE_LIMIT),
            functions: lower(&self.functions, &lengths.functions, FUNCTION_LIMIT),
        }
    }

    pub(crate) fn render(&self) -> String {
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

impl Rule for Shrinks {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn check(&self, ctx: &Ctx<'_>, out: &mut Sink<'_>) {
        let ratchet = match Ratchet::read(ctx.workspace) {
            Ok(ratchet) => ratchet,
            Err(error) => {
                let remedy = "restore its form: tables `files` and `functions` of lengths";
                out.report(Finding::new(
                    Span::file(PATH),
                    format!("the ratchet cannot be read: {error}"),
                    remedy,
                ));
                return;
            }
        };
        if ctx.workspace.files.text(PATH).is_none() {
            out.off("there is no xtask/ratchet.toml");
            return;
        }
        // The two tables are looked at, empty or not.
        out.examined("", 2 + ratchet.files.len() + ratchet.functions.len());
        if ratchet.files.is_empty() && ratchet.functions.is_empty() {
            return;
        }
        let lengths = measure(ctx.workspace);
        check(out, &ratchet.files, &lengths.files, FILE_LIMIT);
        check(out, &ratchet.functions, &lengths.functions, FUNCTION_LIMIT);
    }
}

/// An entry must be needed and exact: room to grow is a finding as much as growth is.
fn check(out: &mut Sink<'_>, entries: &Entries, lengths: &BTreeMap<String, Length>, limit: usize) {
    for (name, accepted) in entries {
        let accepted = *accepted;
        let (message, remedy) = match lengths.get(name).map(|length| length.lines) {
            None => (format!("`{name}` does not exist"), UPDATE),
            Some(now) if now <= limit => (format!("`{name}` has {now} lines and needs no entry"), UPDATE),
            Some(now) if now < accepted => (
                format!("`{name}` has {now} lines and could grow to {accepted}"),
                UPDATE,
            ),
            Some(now) if now > accepted => (
                format!("`{name}` grew from {accepted} to {now} lines"),
                "shorten it; an entry may only shrink",
            ),
            Some(_) => continue,
        };
        out.report(Finding::new(Span::file(PATH), message, remedy));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::testing;

    const FILE: &str = "crates/a/src/lib.rs";

    fn told(accepted: usize, now: usize) -> String {
        let entry = format!("[files]\n\"{FILE}\" = {accepted}");
        testing::text(&Shrinks, &[(FILE, &"//! Line.\n".repeat(now)), (PATH, &entry)])
    }

    fn ratchet(lines: usize) -> Ratchet {
        toml::from_str(&format!("[files]\n\"{FILE}\" = {lines}")).unwrap()
    }

    fn lengths(lines: usize) -> Lengths {
        measure(&testing::workspace(&[(FILE, &"//! Line.\n".repeat(lines))]))
    }

    #[test]
    fn an_exact_entry_is_fine() {
        assert_eq!(told(450, 450), "");
    }

    #[test]
    fn growth_room_to_grow_and_unused_entries_are_findings() {
        assert!(told(450, 451).contains("grew from 450 to 451 lines"));
        assert!(told(450, 440).contains("has 440 lines and could grow to 450"));
        assert!(told(450, 400).contains("needs no entry"));
        let gone = testing::text(&Shrinks, &[(PATH, "[files]\n\"gone.rs\" = 450")]);
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
