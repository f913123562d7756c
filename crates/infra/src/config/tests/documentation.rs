//! Does docs/configuration.md say what the code does?

use super::super::keys::{self, Key, Kind};
use super::{MASTER_KEY, PartialFlags, file, load};

const DOCUMENT: &str = include_str!("../../../../../docs/configuration.md");

/// The row of a key without its meaning, which is for people to write.
fn row(key: &Key) -> String {
    let path = key.path.replace('*', "<name>");
    let env = keys::env_name(&path);
    let values = match &key.kind {
        Kind::Whole(range) => format!("{} to {}", range.start(), range.end()),
        Kind::Text => "text".to_owned(),
        Kind::OneOf(words) => words.map_code(),
        Kind::Address => "address and port".to_owned(),
        Kind::HttpUrl => "http(s) URL".to_owned(),
        Kind::Filter => "log filter".to_owned(),
        Kind::Texts => "list of texts".to_owned(),
        Kind::Usd => "decimal text, USD".to_owned(),
        Kind::OutputCaps | Kind::PriceOverrides => "list of tables".to_owned(),
        Kind::DatabaseUrl => "database URL, secret".to_owned(),
        Kind::MasterKey => "32 bytes in base64, secret".to_owned(),
        Kind::Secret => "text, secret".to_owned(),
    };
    let default = key
        .default
        .map_or("–".to_owned(), |default| format!("`{default}`"));
    format!("| `{path}` | `{env}` | {values} | {default} |")
}

trait Code {
    fn map_code(&self) -> String;
}

impl Code for &[&str] {
    fn map_code(&self) -> String {
        self.iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

#[test]
fn the_table_has_a_row_for_each_key_in_order_and_no_others() {
    let documented: Vec<&str> = DOCUMENT
        .lines()
        .filter(|line| line.contains("| `PLIMSOLL__"))
        .collect();
    let expected: Vec<String> = keys::KEYS.iter().map(row).collect();
    let missing: Vec<_> = expected
        .iter()
        .filter(|row| !documented.iter().any(|line| line.starts_with(*row)))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/configuration.md lacks these rows:\n{missing:#?}"
    );
    for (line, row) in documented.iter().zip(&expected) {
        let meaning = line
            .strip_prefix(row.as_str())
            .map(|rest| rest.trim_matches(['|', ' ']));
        assert!(
            meaning.is_some_and(|meaning| meaning.len() > 10),
            "out of order or without meaning: {line}"
        );
    }
    assert_eq!(
        documented.len(),
        expected.len(),
        "rows for keys that do not exist"
    );
}

#[test]
fn the_example_is_a_configuration() {
    let (_, rest) = DOCUMENT.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let secrets = [
        ("database_url", "postgres://u:p@h/d"),
        ("master_key", MASTER_KEY),
        ("openai_key", "sk-1"),
    ];
    let files = secrets.map(|(name, secret)| (format!("/run/secrets/{name}"), file(secret)));
    let example = files.iter().fold(example.to_owned(), |text, (name, file)| {
        text.replace(name, file.path().to_str().unwrap())
    });
    let config = load(&example, &[], PartialFlags::default()).unwrap();
    assert_eq!((config.upstreams.len(), config.prices.overrides.len()), (2, 1));
}
