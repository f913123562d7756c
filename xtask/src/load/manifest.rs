//! What does a Cargo.toml declare, and on which line?

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::model::{Broken, Kind, Layer, Span};

/// A parsed manifest; spans are bytes of `text`.
pub(super) struct Manifest<'a> {
    path: &'a str,
    text: &'a str,
    table: Spanned<DeTable<'a>>,
}

/// One entry of a dependency table, not yet resolved.
pub(super) struct Declared {
    /// The key in the table.
    pub(super) key: String,
    pub(super) package: Option<String>,
    pub(super) path: Option<String>,
    pub(super) workspace: bool,
    pub(super) optional: bool,
    pub(super) features: Vec<String>,
    pub(super) kind: Kind,
    pub(super) target: Option<String>,
    pub(super) span: Span,
}

const TABLES: [(&str, Kind); 5] = [
    ("dependencies", Kind::Normal),
    ("build-dependencies", Kind::Build),
    ("build_dependencies", Kind::Build),
    ("dev-dependencies", Kind::Dev),
    ("dev_dependencies", Kind::Dev),
];

impl<'a> Manifest<'a> {
    pub(super) fn parse(path: &'a str, text: &'a str) -> Result<Self, Broken> {
        match DeTable::parse(text) {
            Ok(table) => Ok(Self { path, text, table }),
            Err(error) => Err(Broken::toml(path, text, &error)),
        }
    }

    fn get(&self, keys: &[&str]) -> Option<&Spanned<DeValue<'a>>> {
        let (first, rest) = keys.split_first()?;
        let mut value = self.table.get_ref().get(*first)?;
        for key in rest {
            value = value.get_ref().get(*key)?;
        }
        Some(value)
    }

    pub(super) fn string(&self, keys: &[&str]) -> Option<&str> {
        self.get(keys)?.get_ref().as_str()
    }

    pub(super) fn strings(&self, keys: &[&str]) -> Vec<String> {
        strings(self.get(keys))
    }

    pub(super) fn has(&self, keys: &[&str]) -> bool {
        self.get(keys).is_some()
    }

    pub(super) fn layer(&self) -> Option<Layer> {
        let value = self.get(&["package", "metadata", "layer", "name"])?;
        Some(Layer {
            name: value.get_ref().as_str()?.to_owned(),
            span: Span::bytes(self.path, value.span()),
        })
    }

    /// `[workspace.dependencies]`.
    pub(super) fn workspace_dependencies(&self) -> Vec<Declared> {
        let table = self.get(&["workspace", "dependencies"]);
        table.map_or_else(Vec::new, |table| {
            self.entries(table.get_ref(), Kind::Normal, None)
        })
    }

    /// Every dependency of the package: of all kinds, for all targets.
    pub(super) fn dependencies(&self) -> Vec<Declared> {
        let mut found = Vec::new();
        for (name, kind) in TABLES {
            if let Some(table) = self.get(&[name]) {
                found.extend(self.entries(table.get_ref(), kind, None));
            }
        }
        let targets = self
            .get(&["target"])
            .and_then(|targets| targets.get_ref().as_table());
        for (target, tables) in targets.into_iter().flatten() {
            for (name, kind) in TABLES {
                if let Some(table) = tables.get_ref().get(name) {
                    let target = Some(target.get_ref().as_ref());
                    found.extend(self.entries(table.get_ref(), kind, target));
                }
            }
        }
        found.sort_by_key(|declared| declared.span.start);
        found
    }

    fn entries(&self, table: &DeValue<'a>, kind: Kind, target: Option<&str>) -> Vec<Declared> {
        let entries = table.as_table().into_iter().flatten();
        let declared = entries.map(|(key, value)| {
            let text = |name: &str| value.get_ref().get(name)?.get_ref().as_str().map(str::to_owned);
            let flag = |name: &str| {
                value
                    .get_ref()
                    .get(name)
                    .and_then(|flag| flag.get_ref().as_bool())
            };
            Declared {
                key: key.get_ref().to_string(),
                package: text("package"),
                path: text("path"),
                workspace: flag("workspace") == Some(true),
                optional: flag("optional") == Some(true),
                features: strings(value.get_ref().get("features")),
                kind,
                target: target.map(str::to_owned),
                span: Span::bytes(self.path, self.line(key.span())),
            }
        });
        declared.collect()
    }

    /// From the key to the end of its line: what a reader looks for.
    fn line(&self, key: Range<usize>) -> Range<usize> {
        let rest = self.text.get(key.start..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        // `[dependencies.name]`: the key alone.
        let whole = line.trim_end();
        let end = if whole.ends_with(']') && !whole.contains('=') {
            key.end
        } else {
            key.start + whole.len()
        };
        key.start..end.max(key.end)
    }
}

fn strings(value: Option<&Spanned<DeValue<'_>>>) -> Vec<String> {
    let values = value
        .and_then(|value| value.get_ref().as_array())
        .into_iter()
        .flatten();
    values
        .filter_map(|value| value.get_ref().as_str().map(str::to_owned))
        .collect()
}
