//! How is a verdict told: to people, to machines, to a forge?

#[cfg(test)]
mod conformance;
mod github;
mod human;
mod json;
mod junit;
mod places;
mod sarif;
#[cfg(test)]
mod tests;

use clap::ValueEnum;

use crate::engine::Outcome;
use crate::model::Workspace;

pub(crate) use human::{one as render_finding, text as human};

/// The forms that a report can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Source excerpts for people.
    Human,
    /// xtask/schema/report.json.
    Json,
    /// SARIF 2.1.0 for code scanning.
    Sarif,
    /// Annotations of GitHub Actions.
    Github,
    /// One test case for each rule.
    Junit,
}

/// What a report is about.
pub(crate) struct Told<'a> {
    /// The command, for titles.
    pub(crate) title: &'a str,
    pub(crate) workspace: &'a Workspace,
    pub(crate) outcome: &'a Outcome,
    pub(crate) colour: bool,
}

pub(crate) fn render(format: Format, told: &Told<'_>) -> String {
    match format {
        Format::Human => human::text(told),
        Format::Json => json::text(told),
        Format::Sarif => sarif::text(told),
        Format::Github => github::text(told),
        Format::Junit => junit::text(told),
    }
}
