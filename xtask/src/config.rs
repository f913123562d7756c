//! What is allowed? The one rule file, `architecture.toml`: data, checked, unknown keys refused.

mod shape;

use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, ValueDeserializer};

pub(crate) use shape::{
    Determinism, Engine, Exception, Fence, Name, Outside, Pattern, Reach, SameLayer, Shape,
};

use crate::model::{Broken, Kind, Span, Workspace};

/// Where the file may be, first found first.
pub(crate) const PATHS: [&str; 2] = ["architecture.toml", "xtask/architecture.toml"];

/// The parsed file, with its text for the places of its entries.
#[derive(Default)]
pub(crate) struct Config {
    /// Where it was found; empty when the tree has none.
    pub(crate) path: String,
    text: &'static str,
    shape: Shape,
    document: OnceLock<Option<DeTable<'static>>>,
}

impl std::ops::Deref for Config {
    type Target = Shape;

    fn deref(&self) -> &Shape {
        &self.shape
    }
}

impl Config {
    /// Reads the file of the tree, or `given` (path and text) from elsewhere.
    pub(crate) fn read(workspace: &Workspace, given: Option<(String, String)>) -> Result<Self, Broken> {
        let found = PATHS.into_iter().find_map(|path| {
            let text = workspace.files.text(path)?;
            Some((path.to_owned(), text.to_owned()))
        });
        let Some((path, text)) = given.or(found) else {
            return Ok(Self::default());
        };
        match toml::from_str(&text) {
            // What is parsed borrows the text, and is asked for by every rule with options until the process ends.
            Ok(shape) => Ok(Self {
                path,
                text: text.leak(),
                shape,
                document: OnceLock::new(),
            }),
            Err(error) => Err(Broken::toml(&path, &text, &error)),
        }
    }

    /// The file with the places of its keys, parsed once.
    fn document(&self) -> Option<&DeTable<'static>> {
        let parse = || DeTable::parse(self.text).ok().map(toml::Spanned::into_inner);
        self.document.get_or_init(parse).as_ref()
    }

    /// The place of a name in the file.
    pub(crate) fn span(&self, name: &Name) -> Span {
        Span::bytes(&self.path, name.span())
    }

    /// The place of the table `[a.b]`.
    pub(crate) fn table_span(&self, keys: &[&str]) -> Span {
        let mut table = self.document();
        let mut span = Span::file(&self.path);
        for key in keys {
            let Some((name, value)) = table.and_then(|table| table.get_key_value(*key)) else {
                break;
            };
            span = Span::bytes(&self.path, name.span());
            table = value.get_ref().as_table();
        }
        span
    }

    /// What is wrong with the entry of a table.
    pub(crate) fn broken(&self, keys: &[&str], what: impl Into<String>) -> Broken {
        Broken::at(&self.path, self.text, self.table_span(keys).start, what)
    }

    /// `[rules.ID]`, or its defaults; a key that `T` does not have is refused with its place.
    pub(crate) fn options<T: DeserializeOwned + Default>(&self, id: &str) -> Result<T, Broken> {
        // Most rules have no options, and many files have none for any: they are not parsed for places.
        if !self.rules.contains_key(id) {
            return Ok(T::default());
        }
        let rules = self.document().and_then(|document| document.get("rules"));
        let Some(value) = rules.and_then(|rules| rules.get_ref().get(id)) else {
            return Ok(T::default());
        };
        T::deserialize(ValueDeserializer::from(value.clone()))
            .map_err(|error| Broken::toml(&self.path, self.text, &error))
    }

    pub(crate) fn has_layers(&self) -> bool {
        !self.layers.is_empty()
    }

    pub(crate) fn knows(&self, layer: &str) -> bool {
        self.layers.contains_key(layer)
    }

    /// Whether the table allows a crate of layer `from` to use one of layer `to`.
    pub(crate) fn allows(&self, from: &str, to: &str, kind: Kind) -> bool {
        if self.dev_only.iter().any(|layer| layer.as_ref() == to) {
            return kind == Kind::Dev && from != to;
        }
        self.may_use(from).any(|layer| layer == to)
    }

    /// The layers that `from` may use outside of its tests.
    pub(crate) fn may_use(&self, from: &str) -> impl Iterator<Item = &str> {
        let row = self.layers.get(from);
        row.into_iter()
            .flat_map(|row| &row.may_use)
            .map(|name| name.as_ref().as_str())
    }

    /// Layers that `from` may use and that themselves may use `to`: the legal way there.
    pub(crate) fn routes(&self, from: &str, to: &str) -> Vec<&str> {
        self.may_use(from)
            .filter(|via| self.allows(via, to, Kind::Normal))
            .collect()
    }

    pub(crate) fn layer_names(&self) -> String {
        let names: Vec<_> = self.layers.keys().map(String::as_str).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::testing::workspace;

    /// Rows may use the columns with a `+`; the order of both is that of the design.
    const MATRIX: [(&str, &str); 11] = [
        ("foundation", "..........."),
        ("L6-infra", "+.........."),
        ("L6-store", "++........."),
        ("L5", "+++........"),
        ("L4-engine", "+.........."),
        ("L4-service", "+++++......"),
        ("L3", "+...+......"),
        ("L2", "++...++...."),
        ("L1", "..........."),
        ("L7", "+++++++++.."),
        ("dev", "+++++++++.."),
    ];

    fn read(text: &str) -> Result<Config, Broken> {
        Config::read(
            &workspace(&[]),
            Some(("architecture.toml".to_owned(), text.to_owned())),
        )
    }

    #[test]
    fn the_table_of_the_repository_is_the_one_of_the_design() {
        let config = read(include_str!("../architecture.toml")).unwrap();
        assert_eq!(config.layers.len(), MATRIX.len());
        for (from, row) in MATRIX {
            for ((to, _), cell) in MATRIX.iter().zip(row.chars()) {
                for kind in [Kind::Normal, Kind::Build] {
                    assert_eq!(config.allows(from, to, kind), cell == '+', "{from} -> {to}");
                }
                let in_tests = cell == '+' || (*to == "dev" && from != "dev");
                assert_eq!(config.allows(from, to, Kind::Dev), in_tests, "{from} -> {to}");
            }
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place() {
        for (text, place) in [
            ("layer = 1", "architecture.toml:1:1"),
            ("[layers.L1]\nmay_use = []\nmay = 1", "architecture.toml:3:1"),
            ("[layers.L1]\nmay_use = \"L2\"", "architecture.toml:2:11"),
            ("\n[[fence]]\nwhy = \"x\"", "architecture.toml:2:1"),
        ] {
            let told = read(text)
                .err()
                .map(|broken| broken.to_string())
                .unwrap_or_default();
            assert!(told.starts_with(place), "{told}");
        }
    }

    #[test]
    fn options_of_a_rule_are_refused_with_their_place() {
        let rules = crate::registry::all();
        let edge = rules
            .iter()
            .find(|rule| rule.info().id == "ARCH-EDGE-001")
            .unwrap();
        let config = read("[rules.ARCH-EDGE-001]\nuse = 3").unwrap();
        let told = edge.options(&config).unwrap_err().to_string();
        assert!(told.starts_with("architecture.toml:2:1"), "{told}");
        assert!(
            edge.options(&read("[rules.ARCH-EDGE-001]\nuses = 1").unwrap())
                .is_ok()
        );
    }
}
