//! Which findings were there when the checker was adopted? A set of fingerprints that only shrinks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Ran;
use super::meta::{BASELINE, finding};
use crate::model::{Broken, line_span};
use crate::rule::Finding;

const HEADER: &str = "# Findings that are known. Entries may only be removed.\n";

/// The file given with `--baseline`.
pub(crate) struct Baseline {
    path: String,
    text: String,
    /// Fingerprints with their lines.
    entries: BTreeMap<String, usize>,
    /// What the file held where the branch began: a name for the revision, and its fingerprints.
    before: Option<(String, BTreeSet<String>)>,
}

pub(super) struct Judged {
    pub(super) left: Vec<Finding>,
    pub(super) known: Vec<Finding>,
    pub(super) ran: Ran,
}

impl Baseline {
    /// One line per finding: fingerprint, rule, place; the place is for readers.
    pub(crate) fn parse(path: &str, text: &str) -> Result<Self, Broken> {
        let mut entries = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let Some(print) = line
                .split_whitespace()
                .next()
                .filter(|print| !print.starts_with('#'))
            else {
                continue;
            };
            let number = index + 1;
            let broken = |what: &str| {
                let span = line_span(path, text, number);
                Err(Broken::at(path, text, span.start, what))
            };
            if print.len() < 16 || !print.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
                return broken("not a fingerprint");
            }
            if entries.insert(print.to_owned(), number).is_some() {
                return broken("this entry is there twice");
            }
        }
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            entries,
            before: None,
        })
    }

    /// Compares with the text of an earlier revision: what it does not hold may not come in. Nothing is compared when
    /// the file was not there, for then the checker is being adopted.
    pub(crate) fn since(mut self, revision: &str, before: Option<&str>) -> Result<Self, Broken> {
        if let Some(text) = before {
            let before = Self::parse(&format!("{}@{revision}", self.path), text)?;
            let prints = before.entries.into_keys().collect();
            self.before = Some((revision.to_owned(), prints));
        }
        Ok(self)
    }

    pub(super) fn apply(&self, findings: Vec<Finding>) -> Judged {
        let (known, mut left): (Vec<_>, Vec<_>) = findings
            .into_iter()
            .partition(|found| self.entries.contains_key(&found.fingerprint));
        let seen: BTreeSet<&str> = known.iter().map(|found| found.fingerprint.as_str()).collect();
        for (print, line) in &self.entries {
            if !seen.contains(print.as_str()) {
                let span = line_span(&self.path, &self.text, *line);
                let message = format!("the finding {print} is gone, its entry is not");
                left.push(finding(&BASELINE, span, message, BASELINE.fix));
            }
        }
        if let Some((revision, before)) = &self.before {
            let added = self.entries.iter().filter(|(print, _)| !before.contains(*print));
            for (print, line) in added {
                let span = line_span(&self.path, &self.text, *line);
                let message = format!("the entry {print} was not there at {revision}");
                let remedy = "mend what it stands for; a finding that was moved or renamed counts as new";
                left.push(finding(&BASELINE, span, message, remedy));
            }
        }
        Judged {
            left,
            known,
            ran: Ran {
                info: &BASELINE,
                examined: BTreeMap::from([(String::new(), self.entries.len())]),
                off: None,
                data: serde_json::Value::Null,
                took: Duration::ZERO,
            },
        }
    }
}

/// The text of a baseline that knows these findings.
pub(crate) fn render(findings: &[Finding]) -> String {
    let mut lines: Vec<_> = findings
        .iter()
        .map(|found| format!("{} {} {}\n", found.fingerprint, found.rule, found.primary.path))
        .collect();
    lines.sort();
    lines.insert(0, HEADER.to_owned());
    lines.concat()
}

#[cfg(test)]
mod tests;
