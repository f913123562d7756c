//! What did the checks find, and what should be done about it?

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

/// A file of the repository, with a line where one is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    path: String,
    line: Option<usize>,
}

impl From<&str> for At {
    fn from(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
        }
    }
}

impl From<&String> for At {
    fn from(path: &String) -> Self {
        Self::from(path.as_str())
    }
}

impl From<(&str, usize)> for At {
    fn from((path, line): (&str, usize)) -> Self {
        Self {
            path: path.to_owned(),
            line: Some(line),
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.path),
            None => f.write_str(&self.path),
        }
    }
}

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    at: At,
    rule: &'static str,
    what: String,
    remedy: String,
}

/// Everything that the checks found; no check stops at its first finding.
#[derive(Debug, Default)]
pub(crate) struct Report {
    findings: Vec<Finding>,
    examined: BTreeMap<&'static str, usize>,
}

impl Report {
    pub(crate) fn push(
        &mut self,
        rule: &'static str,
        at: impl Into<At>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.findings.push(Finding {
            at: at.into(),
            rule,
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    /// Says how many things a rule looked at, so that a rule which looks at nothing is noticed.
    pub(crate) fn examined(&mut self, rule: &'static str, count: usize) {
        *self.examined.entry(rule).or_default() += count;
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.findings.extend(other.findings);
        for (rule, count) in other.examined {
            self.examined(rule, count);
        }
    }

    /// Sorts the findings and adds one for each rule that passed without looking at anything.
    pub(crate) fn finish(mut self) -> Self {
        let idle: Vec<_> = self
            .examined
            .iter()
            .filter(|(_, count)| **count == 0)
            .map(|(rule, _)| *rule)
            .collect();
        for rule in idle {
            self.push(
                "idle-rule",
                "xtask",
                format!("rule `{rule}` examined nothing, so it proves nothing"),
                "correct what the rule selects, or remove the rule",
            );
        }
        self.findings.sort();
        self.findings.dedup();
        self
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    pub(crate) fn write(&self, title: &str, out: &mut impl Write) -> io::Result<()> {
        for finding in &self.findings {
            writeln!(out, "{} [{}]", finding.at, finding.rule)?;
            writeln!(out, "  what: {}", finding.what)?;
            writeln!(out, "  fix:  {}\n", finding.remedy)?;
        }
        let rules = self.examined.len();
        match self.findings.len() {
            0 => writeln!(out, "{title}: {rules} rules, no findings"),
            1 => writeln!(out, "{title}: {rules} rules, 1 finding"),
            count => writeln!(out, "{title}: {rules} rules, {count} findings"),
        }
    }
}

#[cfg(test)]
impl Report {
    /// `rule at` of each finding, for tests.
    pub(crate) fn brief(&self) -> Vec<String> {
        let mut lines: Vec<_> = self
            .findings
            .iter()
            .map(|f| format!("{} {}", f.rule, f.at))
            .collect();
        lines.sort();
        lines
    }

    /// The whole text of the findings, for tests.
    pub(crate) fn text(&self) -> String {
        let mut out = Vec::new();
        self.write("test", &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_sorted_by_place_and_say_what_to_do() {
        let mut report = Report::default();
        report.examined("lengths", 2);
        report.push("lengths", ("b.rs", 7), "is long", "cut it");
        report.push("lengths", "a.rs", "is long", "cut it");
        insta::assert_snapshot!(report.finish().text(), @"
        a.rs [lengths]
          what: is long
          fix:  cut it

        b.rs:7 [lengths]
          what: is long
          fix:  cut it

        test: 1 rules, 2 findings
        ");
    }

    #[test]
    fn a_rule_that_examined_nothing_is_a_finding() {
        let mut report = Report::default();
        report.examined("links", 0);
        assert!(report.is_clean());
        assert_eq!(report.finish().brief(), ["idle-rule xtask"]);
    }
}
