//! What do clippy.toml and deny.toml forbid, and on which bytes?

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use crate::model::{Span, Workspace};

pub(super) const CLIPPY: [&str; 2] = ["clippy.toml", ".clippy.toml"];
pub(super) const DENY: [&str; 3] = ["deny.toml", ".deny.toml", ".cargo/deny.toml"];

/// One of these files.
pub(super) struct Read<'a> {
    pub(super) path: &'static str,
    text: &'a str,
}

/// An entry of clippy.toml.
pub(super) struct Banned {
    pub(super) path: String,
    pub(super) reason: String,
    /// The lint that reads the list.
    pub(super) lint: &'static str,
    pub(super) bytes: Range<usize>,
}

/// An entry of `bans.deny` that holds for every version of its crate. Without wrappers nobody may use it.
pub(super) struct Wrapped {
    pub(super) name: String,
    pub(super) wrappers: Vec<String>,
    pub(super) reason: String,
    pub(super) bytes: Range<usize>,
}

impl<'a> Read<'a> {
    /// The first file that exists.
    pub(super) fn first(workspace: &'a Workspace, paths: &[&'static str]) -> Option<Self> {
        paths.iter().find_map(|path| {
            let text = workspace.files.text(path)?;
            Some(Self { path, text })
        })
    }

    pub(super) fn span(&self, bytes: &Range<usize>) -> Span {
        Span::bytes(self.path, bytes.clone())
    }

    pub(super) fn banned(&self) -> Result<Vec<Banned>, toml::de::Error> {
        let clippy: Clippy = toml::from_str(self.text)?;
        let lists = [
            ("disallowed_methods", clippy.methods),
            ("disallowed_types", clippy.types),
            ("disallowed_macros", clippy.macros),
        ];
        let all = lists
            .into_iter()
            .flat_map(|(lint, list)| list.into_iter().map(move |entry| (lint, entry)));
        Ok(all
            .map(|(lint, entry)| {
                let bytes = entry.span();
                let (path, reason) = match entry.into_inner() {
                    Ban::Path(path) => (path, String::new()),
                    Ban::Table { path, reason } => (path, reason),
                };
                Banned {
                    path,
                    reason,
                    lint,
                    bytes,
                }
            })
            .collect())
    }

    pub(super) fn wrapped(&self) -> Result<Vec<Wrapped>, toml::de::Error> {
        let deny: Deny = toml::from_str(self.text)?;
        let all = deny.bans.deny.into_iter().filter_map(|entry| {
            let bytes = entry.span();
            let (name, wrappers, reason) = match entry.into_inner() {
                Entry::Name(name) => (name, Vec::new(), String::new()),
                Entry::Table { version: Some(_), .. } => return None,
                Entry::Table {
                    name,
                    wrappers,
                    reason,
                    ..
                } => (name, wrappers, reason),
            };
            // `crate:<1.2` and `crate@1.2` are floors: other versions pass.
            (!name.contains([':', '@'])).then_some(Wrapped {
                name,
                wrappers,
                reason,
                bytes,
            })
        });
        Ok(all.collect())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Clippy {
    #[serde(rename = "disallowed-methods")]
    methods: Vec<Spanned<Ban>>,
    #[serde(rename = "disallowed-types")]
    types: Vec<Spanned<Ban>>,
    #[serde(rename = "disallowed-macros")]
    macros: Vec<Spanned<Ban>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Ban {
    Path(String),
    Table {
        path: String,
        #[serde(default)]
        reason: String,
    },
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Deny {
    bans: DenyBans,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DenyBans {
    deny: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Name(String),
    Table {
        #[serde(rename = "crate", alias = "name")]
        name: String,
        #[serde(default)]
        version: Option<String>,
        #[serde(default)]
        wrappers: Vec<String>,
        #[serde(default)]
        reason: String,
    },
}
