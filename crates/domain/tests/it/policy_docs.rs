//! Does `docs/policies.md` show what the code has?

use domain::policy::condition::{FUNCTIONS, ProblemCode};
use domain::policy::context::VARIABLES;
use domain::policy::findings::FindingKind;
use strum::IntoEnumIterator as _;

const PAGE: &str = include_str!("../../../../docs/policies.md");

/// The rows of the table below this header, as they stand.
fn rows(header: &str) -> Vec<&'static str> {
    let below = PAGE.split_once(header).map_or("", |(_, below)| below);
    below
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect()
}

#[test]
fn the_names_are_those_of_the_code() {
    let expected: Vec<_> = VARIABLES
        .iter()
        .map(|variable| {
            let kind: &'static str = variable.kind.into();
            format!("| `{}` | {kind} | {} |", variable.name, variable.doc)
        })
        .collect();
    assert_eq!(rows("| Name | Type | Meaning |"), expected);
}

#[test]
fn the_functions_are_those_of_the_code() {
    let expected: Vec<_> = FUNCTIONS
        .iter()
        .map(|(name, says)| format!("| `{name}` | {says} |"))
        .collect();
    assert_eq!(rows("| Function | What it says |"), expected);
}

#[test]
fn the_codes_and_kinds_are_those_of_the_code() {
    let first = |row: &str, column: usize| {
        row.split('|')
            .nth(column)
            .unwrap_or_default()
            .trim()
            .trim_matches('`')
            .to_owned()
    };
    let codes: Vec<_> = rows("| Code | Meaning |")
        .iter()
        .map(|row| first(row, 1))
        .collect();
    assert_eq!(
        codes,
        ProblemCode::iter().map(ProblemCode::as_str).collect::<Vec<_>>()
    );
    let kinds: Vec<_> = rows("| Evaluator | Kind | What is found |")
        .iter()
        .map(|row| (first(row, 1), first(row, 2)))
        .collect();
    let expected: Vec<_> = FindingKind::iter()
        .map(|kind| (kind.evaluator().as_str().to_owned(), kind.as_str().to_owned()))
        .collect();
    assert_eq!(kinds, expected);
}
